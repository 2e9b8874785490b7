"""Which documents a body names: digests under `digest`, at any depth, and nothing that only looks like one."""

from gateway.services.documents import documents_in

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def test_digests_are_found_at_any_depth_and_each_once():
    body = {
        "attachments": [{"kind": "photo", "digest": A}, {"digest": B}, {"digest": A}],
        "order": {"document": {"digest": f"sm3:{'0' * 64}"}},
        "nested": [[{"deep": [{"digest": C}]}]],
    }
    assert documents_in(body) == {A, B, C, f"sm3:{'0' * 64}"}


def test_what_is_no_digest_or_stands_elsewhere_is_not_one():
    assert (
        documents_in({"digest": "md5:00", "text": A, "list": [B], "other": {"digest": 7}, "none": None}) == frozenset()
    )
    assert documents_in({}) == frozenset()

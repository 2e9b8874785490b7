"""A witness signs what continues what it saw, and nothing else; every answer is the one tlog-witness gives."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.checkpoint import Checkpoint, open_checkpoint, signed_note
from gateway.audit.merkle import EMPTY_ROOT
from gateway.audit.note import NoteKey, parse_note
from gateway.audit.witness import Advance, Refusal, Seen, consider, parse_request, request_bytes
from tests.support.audit_log import (
    KEYS,
    LOG,
    LOG_PQ,
    ORIGIN,
    WITNESS,
    BuiltLog,
    built_log,
    ed25519_signer,
    request,
    seen,
)


@pytest.fixture(scope="module")
def log() -> BuiltLog:
    return built_log(300)


def status(raw: bytes, at: Seen, keys: Sequence[NoteKey] = KEYS) -> int:
    found = consider(raw, keys, at)
    return found.status if isinstance(found, Refusal) else 200


def test_a_log_is_followed_from_nothing_and_on(log: BuiltLog) -> None:
    at = Seen()
    for old, size in ((0, 1), (1, 7), (7, 7), (7, 256), (256, 300)):
        found = consider(request(log, old, size), KEYS, at)
        assert isinstance(found, Advance)
        assert (found.old_size, found.seen.size, found.seen.root) == (old, size, log.tree.root(size))
        assert open_checkpoint(found.seen.note, KEYS)[0] == found.checkpoint
        at = found.seen


def test_each_refusal_has_its_status(log: BuiltLog) -> None:
    at, good = seen(log, 100), request(log, 100, 200)
    assert status(good, at) == 200
    assert status(good, at, ()) == 404
    assert status(good, at, (ed25519_signer("other.test/log").key,)) == 404
    assert status(good, at, (ed25519_signer(ORIGIN, seed=5).key,)) == 403
    assert status(request(log, 50, 200), at) == 409
    assert status(request(log, 0, 200), at) == 409
    assert status(request_bytes(200, (), log.note(100)), at) == 400
    assert status(request_bytes(100, log.tree.consistency(99, 200), log.note(200)), at) == 422
    assert status(request_bytes(100, [*log.tree.consistency(100, 200), bytes(32)], log.note(200)), at) == 422
    assert status(request_bytes(100, (), log.note(200)), at) == 422
    assert status(request_bytes(0, [bytes(32)], log.note(200)), Seen()) == 422
    assert status(request_bytes(100, [bytes(32)], log.note(100)), at) == 422


def test_a_conflict_of_sizes_tells_the_size_that_stands(log: BuiltLog) -> None:
    found = consider(request(log, 50, 200), KEYS, seen(log, 100))
    assert found == Refusal(409, b"100\n", "text/x.tlog.size")


def test_another_root_at_the_same_size_and_a_broken_continuation_are_kept_as_evidence(log: BuiltLog) -> None:
    fork = built_log(300, seed=2)
    at = seen(log, 100)
    for raw, code in ((request(fork, 100, 100), 409), (request(fork, 0, 100), 409), (request(fork, 100, 200), 422)):
        found = consider(raw, KEYS, at)
        assert isinstance(found, Refusal) and found.status == code
        assert open_checkpoint(found.evidence, KEYS)[0].root == fork.tree.root(parse_request(raw).checkpoint.size)


def test_a_bad_line_of_a_trusted_key_is_forbidden_though_another_holds(log: BuiltLog) -> None:
    head = log.checkpoint(100)
    line = LOG.line(head)
    broken = line[:-10] + (b"A" if line[-10:-9] != b"A" else b"B") + line[-9:]
    assert status(request_bytes(0, (), signed_note(head, [LOG_PQ.line(head), broken])), Seen()) == 403
    assert status(request_bytes(0, (), signed_note(head, [WITNESS.line(head)])), Seen()) == 403


def test_only_the_logs_own_lines_are_kept(log: BuiltLog) -> None:
    found = consider(request_bytes(0, (), log.note(100)), KEYS, Seen())
    assert isinstance(found, Advance)
    assert [line.name for line in parse_note(found.seen.note).signatures] == [ORIGIN, ORIGIN]


def test_an_empty_log_may_be_cosigned_and_its_root_must_be_that_of_nothing() -> None:
    head = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert status(request_bytes(0, (), signed_note(head, [LOG.line(head)])), Seen()) == 200
    false = Checkpoint(ORIGIN, 0, bytes(32))
    assert status(request_bytes(0, (), signed_note(false, [LOG.line(false)])), Seen()) == 422


def test_a_malformed_request_is_a_400(log: BuiltLog) -> None:
    good = request(log, 100, 200)
    for raw in (
        b"", b"old 100\n", good.replace(b"old 100", b"old 0100"), good.replace(b"old ", b"old  "), good.replace(b"\n\n", b"\n", 1),
        good.replace(b"old 100\n", b"old 100\r\n"), good[:-1], b"x" * 70_000, good.replace(b"old 100\n", b"old 100\nAA==\n"),
        request_bytes(100, [bytes(32)] * 64, log.note(200)),
    ):  # fmt: skip
        assert status(raw, seen(log, 100)) == 400, raw[:40]


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 7))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_a_witness_or_win_its_name(junk: bytes, at: int, bit: int) -> None:
    assert status(junk, Seen()) in (400, 404, 422)
    raw = bytearray(GOOD)
    raw[at % len(raw)] ^= 1 << bit
    found = consider(bytes(raw), KEYS, Seen())
    # what still passes is the same tree: the changed byte was in a stranger's name or id, which is ignored
    assert isinstance(found, Refusal) or (found.seen.size, found.seen.root) == (7, SEVEN.tree.root(7))


SEVEN = built_log(7)
GOOD = request_bytes(0, (), SEVEN.note(7))

"""The page for legal reviewers says what the rules say, and every rule of the law map is kept by something that exists."""

from __future__ import annotations

import pytest

from gateway.engines.files.packs import law_file
from gateway.model.errors import InvalidDocument
from gateway.policy.page import policy_page, read_law
from tests.unit.policy.default_pack import ROOT, pack


def test_the_copy_in_docs_is_what_the_rules_say() -> None:
    law = read_law(law_file(), pack())
    assert (ROOT / "docs/policy-pack.md").read_text(encoding="utf-8") == policy_page(pack(), law)


def test_every_rule_of_the_pack_has_a_citation_and_stands_on_the_page() -> None:
    text = policy_page(pack(), read_law(law_file(), pack()))
    for rule in pack().rules:
        assert rule.citation, rule.id
        assert f"`{rule.id}`" in text or str(rule.id).endswith("-claimants")


def test_a_rule_kept_by_nothing_or_by_what_does_not_exist_is_found_with_its_line() -> None:
    (name, text), *_ = law_file().items()
    for old, new in (("by: [stop-without-basis]", "by: [stop-without-basiss]"), (", by: [stop-without-basis]", "")):
        assert text.count(old) >= 1
        with pytest.raises(InvalidDocument) as found:
            read_law({name: text.replace(old, new, 1)}, pack())
        assert found.value.problems[0].position.startswith("law.yaml:5")

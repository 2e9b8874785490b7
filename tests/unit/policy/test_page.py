"""The page for legal reviewers says what the rules say, and every rule of the law map is kept by something that exists."""

from __future__ import annotations

import re

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
        assert found.value.problems[0].position == f"law.yaml:{1 + text[: text.index(old)].count(chr(10))}"


# DOMAIN 5: every rule of the law (5.1 to 5.7) and of conflicts of interest (5.6); the numbers between are not given out.
LAW = [*range(1, 19), *range(20, 34), *range(40, 50), *range(50, 58), *range(60, 64), *range(70, 92)]


def test_every_rule_of_the_law_is_kept_by_something_or_said_not_to_bear_on_disclosure() -> None:
    law = read_law(law_file(), pack())
    assert sorted(entry.number for entry in law) == sorted(
        [*(f"L{number:02}" for number in LAW), *(f"K{number}" for number in range(1, 8))]
    )
    for entry in law:
        assert bool(entry.apart) != bool(entry.by or entry.gateway), entry.number


def test_every_purpose_has_claimants_and_a_citation_and_every_scenario_shows_and_hides() -> None:
    document = pack().vocabulary
    assert sorted(document.purposes) == [f"P{number:02}" for number in range(1, 15)]
    assert all(one.citation for one in document.purposes.values())
    cases: dict[str, str] = {}
    for path in sorted((ROOT / "policies" / "cases").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        cases[path.stem.upper()] = text
        assert re.search(r"^    (shows|delivers: yes)", text, re.MULTILINE), path
        assert re.search(r"^    (hides|delivers: no)", text, re.MULTILINE), path
    assert sorted(cases) == sorted(f"S{number}" for number in range(1, 12))

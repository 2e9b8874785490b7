"""Consent rules, agreements, clocks and purposes come from their documents, read as strictly as the rules, and mean what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.consent.authority import AuthorityKind, Candidate, authority
from gateway.consent.conflict import Conflict
from gateway.engines.files.beside import problems_beside
from gateway.model.consent import BY_LAW
from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import OfficeId
from gateway.policy.clocks import Standing
from gateway.policy.compile import compile_policy
from gateway.policy.diff import diff
from gateway.policy.document import load_document
from gateway.policy.lint import lint
from gateway.policy.proofs import Proofs
from gateway.policy.rules import PolicyDocument
from tests.unit.policy.builders import CATALOGUE, DELIVERY, HEAD, VOCABULARY
from tests.unit.policy.default_pack import ROOT, catalogue, files, pack

CONSENT = (ROOT / "policies/consent.yaml").read_text(encoding="utf-8")
AGREEMENTS = """kind: agreements
unlisted: none
agreements:
  - {id: A1, title: {zh: 甲, en: a}, citation: [t], parties: [police], region: "4401", purposes: [P01], valid_from: 2026-02-01, valid_to: 2026-03-31}
  - {id: A2, title: {zh: 乙, en: b}, citation: [t], parties: [health.440113], purposes: any, valid_from: 2026-01-01}
"""
CLOCKS = """kind: clocks
clocks:
  C08:
    {zh: 裁定, en: decision, limits: [{hours: 72}, {when: {zh: 急, en: urgent}, hours: 24}], standing: law, citation: [t]}
"""


def read(**texts: str) -> PolicyDocument:
    return load_document(
        {"vocabulary.yaml": VOCABULARY, "trial.yaml": HEAD + DELIVERY, **{f"{n}.yaml": t for n, t in texts.items()}},
        CATALOGUE,
    )


def faults(**texts: str) -> set[tuple[str, str]]:
    with pytest.raises(InvalidDocument) as refused:
        read(**texts)
    return {(problem.code, problem.position) for problem in refused.value.problems}


def put(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("name", "text", "old", "new", "code", "line"),
    [
        ("consent", CONSENT, "years: 14", "years: 7", "wrong-order", 10),
        ("consent", CONSENT, "years: 18", "years: 90", "wrong-number", 11),
        ("consent", CONSENT, "years: 8", "years: 9", "laxer-than-law", 9),
        ("consent", CONSENT, "years: 14", "years: 13", "laxer-than-law", 10),
        ("consent", CONSENT, "years: 18", "years: 17", "laxer-than-law", 11),
        ("consent", CONSENT, "[REVOKED, LONG_TERM]", "[LONG_TERM]", "laxer-than-law", 23),
        ("consent", CONSENT, "- court_appointed", "- parent", "duplicate-value", 20),
        ("consent", CONSENT, "- court_appointed", "- neighbour", "unknown-value", 20),
        ("consent", CONSENT, "snapshot_seconds: 60", "snapshot_seconds: soon", "not-a-number", 26),
        ("consent", CONSENT, "  retention:", "  keep:", "unknown-key", 35),
        ("agreements", AGREEMENTS, "unlisted: none", "unlisted: maybe", "unknown-value", 2),
        ("agreements", AGREEMENTS, "parties: [police]", "parties: [polise]", "unknown-value", 4),
        ("agreements", AGREEMENTS, "purposes: [P01]", "purposes: [P99]", "unknown-value", 4),
        ("agreements", AGREEMENTS, "id: A2", "id: A1", "duplicate-id", 5),
        ("agreements", AGREEMENTS, "valid_to: 2026-03-31", "valid_to: 2026-01-31", "bad-dates", 4),
        ("agreements", AGREEMENTS, '"4401"', '"44011"', "bad-region", 4),
        ("agreements", AGREEMENTS, "parties: [police], ", "", "missing-key", 4),
        ("clocks", CLOCKS, "{hours: 72}", "{hours: 7200}", "wrong-number", 4),
        ("clocks", CLOCKS, "{hours: 72}", "{hours: 72, days: 3}", "bad-limit", 4),
        ("clocks", CLOCKS, "{hours: 72}", "{at_once: no}", "bad-limit", 4),
        ("clocks", CLOCKS, "when: {zh: 急, en: urgent}, ", "", "two-limits", 4),
        ("clocks", CLOCKS, "standing: law", "standing: certain", "unknown-value", 4),
        ("clocks", CLOCKS, "C08", "D08", "bad-name", 3),
        ("clocks", CLOCKS, ", citation: [t]", "", "missing-key", 4),
    ],
)
def test_a_fault_is_told_with_file_and_line(name: str, text: str, old: str, new: str, code: str, line: int) -> None:
    assert (code, f"{name}.yaml:{line}") in faults(**{name: put(text, old, new)})


def test_there_is_one_of_each_and_purposes_stand_in_one_place() -> None:
    assert ("second-file", "b.yaml:1") in faults(a=CLOCKS, b=CLOCKS)
    twice = VOCABULARY[VOCABULARY.index("purposes:") :]
    assert {code for code, _ in faults(purposes=f"kind: purposes\n{twice}")} == {"unknown-key"}


def test_consent_rules_say_who_has_a_say() -> None:
    rules = read(consent=CONSENT).consent
    assert replace(rules, rights="", withdrawal="", retention="") == replace(
        BY_LAW, rights="", withdrawal="", retention=""
    )
    assert "个人信息保护法第15条" in rules.withdrawal and "At any time" in rules.withdrawal
    mother = Candidate("mother", AuthorityKind.PARENT, Conflict.NO)
    shelter = Candidate("shelter", AuthorityKind.TEMPORARY_GUARDIAN, Conflict.NO)
    later = read(consent=put(CONSENT, "own_consent_from: {years: 14", "own_consent_from: {years: 16")).consent
    assert authority("child", 15, None, [mother], rules).may_consent == {"child"}
    assert authority("child", 15, None, [mother], later).may_consent == {"mother"}
    first = read(
        consent=put(
            put(CONSENT, "    - temporary_guardian\n", ""), "    - [parent", "    - temporary_guardian\n    - [parent"
        )
    ).consent
    assert authority("child", 5, None, [mother, shelter], rules).may_consent == {"mother"}
    assert authority("child", 5, None, [mother, shelter], first).may_consent == {"shelter"}
    removed = read(consent=put(CONSENT, "[REVOKED, LONG_TERM]", "[REVOKED, LONG_TERM, REMOVED]")).consent
    assert authority("child", 5, "removed", [mother, shelter], removed).may_consent == {"shelter"}


def test_where_a_line_is_left_out_the_law_holds() -> None:
    without = read(consent=put(CONSENT, "  parents_replaced_in: [REVOKED, LONG_TERM]\n", "")).consent
    assert without.replaced_in == BY_LAW.replaced_in
    mother = Candidate("mother", AuthorityKind.PARENT, Conflict.NO)
    assert authority("child", 10, "revoked", [mother], without).may_consent == set()


def test_a_listed_agreement_holds_for_its_parties_area_purposes_and_days_alone() -> None:
    agreements = read(agreements=AGREEMENTS).agreements

    def holds(office: str, purpose: str, day: date, division: str = "440113") -> bool:
        return agreements.in_force(OfficeId(office), division, {"A1", "elsewhere"}, purpose, day)

    assert holds("police.440113", "P01", date(2026, 2, 1)) and holds("police.440113", "P01", date(2026, 3, 31))
    assert not holds("police.440113", "P01", date(2026, 1, 31)) and not holds("police.440113", "P01", date(2026, 4, 1))
    assert not holds("police.440113", "P02", date(2026, 2, 1))
    assert not holds("police.440200", "P01", date(2026, 2, 1), "440200")
    assert not holds("education.440113", "P01", date(2026, 2, 1)), "its entry names A1, of which it is no party"
    assert holds("health.440113", "P02", date(2030, 1, 1)) and not holds("health.440114", "P02", date(2030, 1, 1))
    unlisted = read(agreements=put(AGREEMENTS, "unlisted: none", "unlisted: counts")).agreements
    assert unlisted.in_force(OfficeId("education.440113"), "440113", {"elsewhere"}, "P05", date(2026, 2, 1))
    assert not unlisted.in_force(OfficeId("education.440113"), "440113", {"A1"}, "P05", date(2026, 2, 1))
    assert read().agreements.in_force(OfficeId("education.440113"), "440113", {"any"}, "P05", date(2026, 2, 1))
    assert not read().agreements.in_force(OfficeId("education.440113"), "440113", (), "P05", date(2026, 2, 1))


def test_an_agreement_that_ends_soon_is_worth_a_second_look() -> None:
    trial = (
        HEAD
        + DELIVERY
        + "  - {id: a, title: {zh: 甲, en: a}, citation: [t], where: any, fields: [minor.name], show: clear}\n"
    )
    texts = {"vocabulary.yaml": VOCABULARY, "trial.yaml": trial, "agreements.yaml": AGREEMENTS}

    def remarks(day: date) -> list[str]:
        policy = compile_policy(load_document(texts, CATALOGUE), day)
        return [str(one.origin) for one in lint(policy, Proofs((), (), frozenset(), 0)) if one.code == "ends-soon"]

    assert remarks(date(2026, 2, 15)) == ["agreements.yaml:4"] and remarks(date(2026, 1, 1)) == []


def test_every_clock_of_the_domain_is_in_the_pack_with_its_standing() -> None:
    clocks = pack().document.clocks
    assert list(clocks) == [f"C{number:02}" for number in range(1, 33)]
    assert [(one.number, one.unit) for one in clocks["C08"].limits] == [(72, "hours"), (24, "hours")]
    assert clocks["C08"].started_by == ("GRD-PA",) and clocks["C08"].met_by == ("GRD-P",)
    assert clocks["C13"].standing is Standing.PROPOSED and clocks["C04"].standing is Standing.REPORTED


def test_a_diff_tells_what_changed_beside_the_rules_in_both_languages() -> None:
    def with_(texts: Mapping[str, str]) -> PolicyDocument:
        return load_document({**files(), **texts}, catalogue())

    name = "policies/clocks.yaml"
    changed = with_(
        {
            name: put(files()[name], "- {hours: 72}", "- {hours: 48}"),
            "policies/agreements.yaml": AGREEMENTS.replace("P01", "P03"),
            "policies/consent.yaml": put(CONSENT, "years: 14", "years: 16"),
        }
    )
    old = compile_policy(with_({}), date(2026, 6, 1))
    found = diff(old, compile_policy(changed, date(2026, 6, 1)))
    told = {(one.document, one.text.en) for one in found.beside}
    assert ("consent", "own_consent_from: 14 -> 16") in told
    assert ("agreements", "A1: none -> police 4401 P03 2026-02-01..2026-03-31") in told
    assert ("clocks", "C08: 72 hours, urgent 24 hours (law) -> 48 hours, urgent 24 hours (law)") in told
    assert any("情况紧急 24 hours" in one.text.zh for one in found.beside)
    assert not (found.gained or found.lost or found.mixed) and not found.is_empty


def test_what_stands_beside_a_pack_is_checked_too(tmp_path: Path) -> None:
    assert problems_beside(None, files()) == ()
    (tmp_path / "law.yaml").write_text("kind: law\nrules:\n  L01: {zh: 一, by: [nothing]}\n")
    (tmp_path / "extra.yaml").write_text("kind: disclosure\n")
    found = {(one.code, one.position) for one in problems_beside(tmp_path, files())}
    assert {
        ("unread-file", f"{tmp_path}/extra.yaml:1"),
        ("unknown-rule", f"{tmp_path}/law.yaml:3"),
    } <= found, found

"""A wrong policy does not load, and the problem names the file, the line and the circumstances."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.model.errors import InvalidDocument, Problem
from gateway.model.fields import FieldSpec, SensitivityClass
from gateway.model.identifiers import FieldId
from gateway.policy.load import load_policy
from tests.unit.policy.builders import CATALOGUE, DELIVERY, HEAD, VOCABULARY, field
from tests.unit.policy.default_pack import TODAY, catalogue, changed, files, line_of

NOTICE = "policies/disclosure/notice.yaml"
PERSONS = "policies/disclosure/persons.yaml"
CASE = "policies/disclosure/case.yaml"


def problems_of(texts: Mapping[str, str], fields: Mapping[FieldId, FieldSpec] | None = None) -> list[Problem]:
    with pytest.raises(InvalidDocument) as caught:
        load_policy(texts, fields or catalogue(), TODAY)
    return list(caught.value.problems)


def trial(text: str, fields: Mapping[FieldId, FieldSpec] = CATALOGUE) -> list[Problem]:
    return problems_of({"vocabulary.yaml": VOCABULARY, "trial.yaml": HEAD + DELIVERY + text}, fields)


def only(problems: list[Problem], code: str) -> Problem:
    found = [problem for problem in problems if problem.code == code]
    assert len(found) == 1, problems
    return found[0]


def test_a_narrative_that_names_a_hidden_party_is_found_with_its_rows() -> None:
    old = "where: {recipient_agency: [police, courts, procuratorate]}\n    reason"
    texts = changed(CASE, old, "where: {recipient_agency: [police, procuratorate]}\n    reason")
    problems = [problem for problem in problems_of(texts) if problem.code == "proof-implies"]
    assert problems
    assert {problem.position for problem in problems} == {line_of(CASE, "id: narrative-investigation")}
    assert all(
        "接收机构＝法院" in problem.message and "recipient agency is courts" in problem.message for problem in problems
    )


def test_showing_an_id_without_the_birth_date_it_holds_is_found() -> None:
    texts = changed(
        PERSONS,
        "{recipient_agency: [education, judiciary, womens_federation]}\n    fields: [guardian.relation]\n    show: generalise",
        "{recipient_agency: [education, judiciary, womens_federation]}\n    fields: [guardian.relation, minor.student_no]\n    show: clear",
    )
    problems = [problem for problem in problems_of(texts) if problem.code == "proof-implies"]
    assert any("minor.id_no" in problem.message and "education" in problem.message for problem in problems)
    assert all(problem.position.startswith(PERSONS) for problem in problems)


def test_a_permit_that_shows_more_when_sealed_is_found() -> None:
    text = """
  - {id: base, title: {zh: 常, en: usual}, citation: [t], where: {sealed: [no]}, fields: [minor.name, minor.id_no, minor.birth_date, harm.narrative, guardian.phone, police.status], show: mask}
  - {id: wrong, title: {zh: 误, en: wrong}, citation: [t], where: {sealed: [yes], recipient_agency: [education]}, fields: [police.status], show: clear}
directions:
  - {id: sealing, title: {zh: 封存, en: sealing}, fact: sealed, from: [no], to: [yes], citation: [CPL 286]}
"""
    problem = only(trial(text), "proof-direction")
    assert problem.position == "trial.yaml:8"
    assert "recipient agency is education" in problem.message
    assert "masked -> in full" in problem.message


def test_a_direction_fault_under_conflict_in_the_default_pack_is_found() -> None:
    texts = changed(
        PERSONS,
        "    where: {recipient_agency: [womens_federation]}\n    fields: [school]",
        "    where: {recipient_agency: [womens_federation], conflict: [guardian]}\n    fields: [school]",
    )
    problems = problems_of(texts)
    found = [problem for problem in problems if problem.code == "proof-direction"]
    assert found
    assert {problem.position for problem in found} == {line_of(PERSONS, "id: school-general")}
    assert all("women's federation" in problem.message for problem in found)


def test_an_outcome_that_depends_on_a_hidden_field_is_found() -> None:
    texts = changed(
        PERSONS,
        "    where: {recipient_agency: [womens_federation]}\n    fields: [school]",
        "    where: {recipient_agency: [womens_federation]}\n    unless: {category: [sexual], recipient_level: [county]}\n    fields: [school]",
    )
    # the federation sees the harm type generalised, so nothing is told; the contractor would learn it
    assert load_policy(texts, catalogue(), TODAY)
    texts = changed(
        CASE,
        "{recipient_agency: [education, health, womens_federation, contractor]}\n    fields: [assessment.risk_level]",
        "{recipient_agency: [education, health, womens_federation, contractor], category: [violence]}\n    fields: [assessment.risk_level]",
    )
    problem = only(problems_of(texts), "proof-hidden")
    assert problem.position == line_of(CASE, "id: risk-general")
    assert "education" in problem.message and "contracted social organisation" in problem.message
    assert "health" not in problem.message.splitlines()[1]


def test_a_dead_permit_is_found() -> None:
    texts = changed(
        CASE,
        "where: {recipient_agency: [civil_affairs]}\n    fields: [harm.injury.codes]",
        "where: {recipient_agency: [police]}\n    fields: [harm.injury.codes]",
    )
    problem = only(problems_of(texts), "proof-dead")
    assert problem.position == line_of(CASE, "id: injury-general")


def test_an_unknown_value_a_duplicate_id_and_an_unknown_key_are_found_together() -> None:
    texts = changed(PERSONS, "id: phone-core", "id: phone-relay")
    texts[CASE] = texts[CASE].replace(
        "recipient_agency: [police]}\n    fields: [measures.code]",
        "recipient_agency: [polise]}\n    fields: [measures.code]",
    )
    texts[NOTICE] = texts[NOTICE].replace("    fields: [notice.needs]\n", "    field: [notice.needs]\n")
    found = {problem.code: problem.position for problem in problems_of(texts)}
    assert found["duplicate-id"] == PERSONS + ":" + str(
        texts[PERSONS]
        .splitlines()
        .index("  - id: phone-relay", texts[PERSONS].splitlines().index("  - id: phone-relay") + 1)
        + 1
    )
    assert found["unknown-value"].startswith(CASE)
    assert found["unknown-key"].startswith(NOTICE)
    assert "missing-key" in found


def test_a_field_without_a_rule_is_found_next_to_its_kin() -> None:
    new = FieldSpec(FieldId("visit.weather"), "visit.weather", "code", SensitivityClass.S2, "天气")
    problem = only(problems_of(files(), {**catalogue(), new.id: new}), "proof-no-rule")
    assert problem.position == line_of(CASE, "id: visit-full")
    assert "visit.weather" in problem.message


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], fields: [minor.name], show: clear}", "missing-key", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [], where: any, fields: [minor.name], show: clear}", "empty-list", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, where: any, fields: [minor.name], show: clear}", "missing-key", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.nam], show: clear}", "unknown-field", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.*], show: clear}", "open-ended", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: any, fields: all, show: clear}", "open-ended", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: {}, fields: [minor.name], show: clear}", "empty-mapping", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: {colour: [red]}, fields: [minor.name], show: clear}", "unknown-fact", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.name], show: naked}", "unknown-value", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.name], show: withhold}", "idle-rule", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.name], show: clear, valid_to: 2025-12-31}", "bad-dates", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.name], show: clear, obligations: [no_onward: 3]}", "bad-obligation", 6),
        ("  - {id: x, title: {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.name], show: clear, priority: 3}", "unknown-key", 6),
        ("  - {id: x, id: y, title: {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.name], show: clear}", "duplicate-key", 6),
        ("  - {id: x, title: &t {zh: 甲, en: x}, citation: [t], where: any, fields: [minor.name], show: clear}\n  - {id: y, title: *t, citation: [t], where: any, fields: [minor.name], show: clear}", "alias", 6),
        ("  - {id: x, title: {zh: 甲, en: x", "not-yaml", 7),
    ],
)  # fmt: skip
def test_strict_reading_names_file_and_line(text: str, code: str, line: int) -> None:
    found = [problem for problem in trial(text + "\n") if problem.code == code]
    assert found, "the fault was not seen"
    assert found[0].position == f"trial.yaml:{line}"


def test_a_floor_in_the_reporter_compartment_or_over_an_uncertain_fact_does_not_load() -> None:
    fields = {**CATALOGUE, FieldId("report.handle"): field("report.handle", "handle", compartment="REPORTER")}
    text = """
floors:
  - id: f
    title: {zh: 底, en: floor}
    citation: [t]
    where: {consent: [given]}
    fields: [report.handle]
    show: clear
"""
    codes = {problem.code for problem in trial(text, fields)}
    assert {"floor-compartment", "uncertain-floor", "floor-without-delivery"} <= codes


def test_a_regional_file_may_narrow_but_not_widen() -> None:
    narrow = (
        HEAD
        + 'region: "44"\nlimits:\n  - {id: n, title: {zh: 窄, en: narrow}, citation: [t], where: {recipient_agency: [womens_federation]}, fields: [school], limit: presence}\n'
    )
    assert load_policy({**files(), "policies/disclosure/gd.yaml": narrow}, catalogue(), TODAY, "440113")
    widen = (
        HEAD
        + 'region: "44"\npermits:\n  - {id: w, title: {zh: 宽, en: widen}, citation: [t], where: {recipient_agency: [womens_federation]}, fields: [school], show: clear'
    )
    problem = only(problems_of({**files(), "policies/disclosure/gd.yaml": widen + "}\n"}), "overlay-widens")
    assert problem.position == "policies/disclosure/gd.yaml:6"
    cited = widen + ", widening: {citation: 某省办法第3条, approved_by: 省民政厅, approval: 2026-17}}\n"
    assert load_policy({**files(), "policies/disclosure/gd.yaml": cited}, catalogue(), TODAY, "440113")


def test_too_many_contexts_for_one_field_group_do_not_load() -> None:
    names = [f"f{i}" for i in range(18)]
    facts = "".join(
        f"  {name}: {{zh: 某, en: some, values: {{a: {{zh: 甲, en: a}}, b: {{zh: 乙, en: b}}}}}}\n" for name in names
    )
    vocabulary = VOCABULARY.replace("purposes:\n", facts + "purposes:\n")
    rules = "".join(
        f"  - {{id: r{i}, title: {{zh: 甲, en: x}}, citation: [t], where: {{{name}: [a]}}, fields: [minor.name], show: clear}}\n"
        for i, name in enumerate(names)
    )
    problems = problems_of({"vocabulary.yaml": vocabulary, "trial.yaml": HEAD + DELIVERY + rules}, CATALOGUE)
    assert only(problems, "too-many-contexts").position == "trial.yaml:6"

"""No pack routes a report of harm past the competent police, or hides from them what they need to go there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
import yaml

from gateway.model.access import Facet
from gateway.model.errors import InvalidDocument
from gateway.policy.document import load_document
from gateway.policy.load import load_policy
from gateway.policy.report_floor import HARM, LEAST, hidden_from_police
from gateway.policy.routing_document import load_routing
from gateway.policy.rules import RuleKind
from tests.support.routing import routing_files
from tests.unit.policy.default_pack import TODAY, catalogue, files, pack

REPORTS = "reports.yaml"
FLOORS = "policies/disclosure/floors.yaml"
SETTING = "setting: filing_copy_to_procuratorate"


def refused(change: Callable[[dict[str, dict[str, object]]], None]) -> list[tuple[str, str]]:
    """The problems of the shipped tables with the reports' own changed."""
    texts = routing_files()
    document = yaml.load(texts[REPORTS], Loader=yaml.BaseLoader)
    change(document["notices"])
    texts[REPORTS] = json.dumps(document, ensure_ascii=False)
    try:
        load_routing(texts)
    except InvalidDocument as wrong:
        return [(one.code, one.message) for one in wrong.problems]
    return []


def rule(notices, kind, number=0):
    return notices[kind]["recipients"][number]


KEPT_FROM_POLICE = {
    "no rule to the police": lambda notices: notices["RPT-M"]["recipients"].pop(0),
    "no table at all": lambda notices: notices.pop("RPT-M"),
    "in some circumstances alone": lambda notices: rule(notices, "RPT-M").update(where={"urgency": "2"}),
    "but for some": lambda notices: rule(notices, "RPT-M").update(unless={"sender": "health"}),
    "where a switch is on": lambda notices: rule(notices, "RPT-M").update(setting="filing_copy_to_procuratorate"),
    "as a copy": lambda notices: rule(notices, "RPT-M").update({"as": "copy"}),
    "not when suspended": lambda notices: rule(notices, "RPT-M").pop("reach_suspended"),
    "another desk": lambda notices: rule(notices, "RPT-M").update(matter="residence"),
    "another agency": lambda notices: rule(notices, "RPT-M").update(agencies=["health"]),
    "whom the sender names": lambda notices: rule(notices, "RPT-M").update(to="named", matter=None) or
    rule(notices, "RPT-M").pop("matter"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT_FROM_POLICE)
def test_a_mandatory_report_goes_to_the_competent_police_whatever_the_tables_say(name: str) -> None:
    found = refused(KEPT_FROM_POLICE[name])
    assert any(code == "report-kept-from-police" and "RPT-M" in message for code, message in found), found


@pytest.mark.parametrize(("attribute", "value"), [(name, one) for name in HARM for one in sorted(HARM[name])])
def test_a_report_of_harm_goes_to_the_competent_police_in_each_circumstance(attribute: str, value: str) -> None:
    def without(notices):
        where = rule(notices, "RPT")["where"]
        for clause in where:
            named = clause.get(attribute, [])
            clause[attribute] = [one for one in ([named] if isinstance(named, str) else named) if one != value]
        rule(notices, "RPT")["where"] = [
            {name: kept for name, kept in clause.items() if kept} for clause in where if any(clause.values())
        ]

    (found,) = refused(without)
    assert found[0] == "report-kept-from-police" and f"{attribute}: {value}" in found[1]


def test_a_circumstance_tied_to_another_is_no_circumstance_of_its_own() -> None:
    def tied(notices):
        for clause in rule(notices, "RPT")["where"]:
            if "harm" in clause:
                clause["urgency"] = ["1", "2"]

    assert [code for code, _ in refused(tied)] == ["report-kept-from-police"]


def test_two_rules_may_share_the_circumstances() -> None:
    def shared(notices):
        where = rule(notices, "RPT")["where"]
        second = {**rule(notices, "RPT"), "id": "RPT.police-too", "where": where[2:]}
        rule(notices, "RPT")["where"] = where[:2]
        notices["RPT"]["recipients"].insert(1, second)

    assert refused(shared) == []
    assert refused(lambda notices: rule(notices, "RPT").pop("where")) == []


def test_every_report_reaches_somebody() -> None:
    def nobody(notices):
        rule(notices, "RPT", 1)["where"] = {"difficulty": ["D1"]}

    assert "a rule without conditions" in refused(nobody)[0][1]


def test_a_pack_of_tables_is_checked_whole_and_with_file_and_line() -> None:
    texts = files()
    texts["policies/routing/reports.yaml"] = texts["policies/routing/reports.yaml"].replace("as: competent", "as: copy")
    with pytest.raises(InvalidDocument) as wrong:
        load_document(texts, catalogue())
    places = {one.position for one in wrong.value.problems if one.code == "report-kept-from-police"}
    assert places == {"policies/routing/reports.yaml:6", "policies/routing/reports.yaml:53"}


def without_floors() -> str:
    text = files()[FLOORS]
    return text[: text.index("floors:")] + text[text.index("permits:") :]


LOST = {
    "not for one kind of report": {"where": {"notice_type": frozenset({"RPT-M"})}},
    "for a copy": {"where": {"recipient_role": frozenset({"copy"})}},
    "another agency": {"where": {"recipient_agency": frozenset({"health"})}},
    "in an emergency alone": {"where": {"emergency": frozenset({"yes"})}},
    "for a time": {"valid_to": date(2030, 12, 31)},
    "unless": {"unless": ({"purpose": frozenset({"P02"})},)},
    "that they exist": {"facets": Facet.EXISTS},
    "as a limit": {"kind": RuleKind.LIMIT},
}


@pytest.mark.parametrize("name", LOST)
def test_the_police_are_shown_what_they_need_whatever_the_rules_say(name: str) -> None:
    rules = pack().rules
    assert hidden_from_police(rules) == ()
    changed = [
        replace(one, **{**LOST[name], **({"where": {**one.where, **LOST[name]["where"]}} if "where" in LOST[name] else {})})
        if one.id == "floor-report-to-police" else one
        for one in rules
    ]  # fmt: skip
    assert "RPT" in dict(hidden_from_police(changed))


@pytest.mark.parametrize("field", sorted(LEAST))
def test_each_field_that_the_police_need_is_looked_for(field: str) -> None:
    lost = [replace(one, fields=one.fields - {field}) for one in pack().rules]
    assert dict(hidden_from_police(lost)) == {"RPT": (field,), "RPT-M": (field,)}


def test_a_pack_without_the_floor_does_not_load_and_one_without_tables_is_not_asked() -> None:
    texts = {**files(), FLOORS: without_floors()}
    with pytest.raises(InvalidDocument) as wrong:
        load_policy(texts, catalogue(), TODAY)
    found = [one for one in wrong.value.problems if one.code == "proof-floor"]
    assert len(found) == 2 and "RPT-M" in found[1].message
    for name in list(texts):
        if "/routing/" in name:
            del texts[name]
    assert load_document(texts, catalogue()).routing is None  # of a store made before tables were part of a pack


def test_no_waiver_covers_the_floor_of_a_report() -> None:
    texts = files()
    texts[FLOORS] += """
waivers:
  - {id: w, proof: floor, of: floor-report-to-police, reason: {zh: 无, en: none}, citation: [x]}
"""
    with pytest.raises(InvalidDocument) as wrong:
        load_document(texts, catalogue())
    assert [one.code for one in wrong.value.problems] == ["unknown-value"]


def test_what_the_police_must_see_are_fields_there_are() -> None:
    assert LEAST - {"notice.deliver"} <= catalogue().keys()

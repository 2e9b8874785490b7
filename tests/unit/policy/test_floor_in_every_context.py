"""A report to the police never shows less than its floor, whatever is known or unknown; emergency access never lifts a compartment."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.access import Facet
from gateway.model.identifiers import FieldId
from gateway.policy.decide import decide
from gateway.policy.facts import facts
from gateway.policy.rules import RuleKind
from tests.unit.policy.default_pack import catalogue, pack

RULES = pack()
FIXED = {"recipient_agency": "police", "recipient_role": "competent"}
NEVER_LIFTED = frozenset({"SEALED", "REPORTER", "COUNSEL", "INVEST"})


def floor_alone(rule_id: str, **fixed: str) -> dict[FieldId, Facet]:
    """What one floor shows of each of its fields to somebody who knows nothing and accepted no obligation."""
    (rule,) = [one for one in RULES.rules if one.id == rule_id and one.kind is RuleKind.FLOOR]
    certain = {name: min(spec.values) for name, spec in RULES.vocabulary.facts.items() if spec.certain}
    decision = decide(facts(RULES.vocabulary, certain | fixed), RULES)
    found = {name: decision.fields[name].floor for name in rule.fields if name in decision.fields}
    assert len(found) == len(rule.fields)
    assert all(found.values())
    return found


@st.composite
def contexts(draw: st.DrawFn, **fixed: str) -> dict[str, str | None]:
    """Any fact with any value, or unknown where it may be."""
    values: dict[str, str | None] = {}
    for name, spec in RULES.vocabulary.facts.items():
        if name in fixed:
            values[name] = fixed[name]
        else:
            options: list[str | None] = list(spec.values)
            values[name] = draw(st.sampled_from(options if spec.certain else [None, *options]))
    return values


accepted = st.sets(st.sampled_from(sorted(RULES.vocabulary.obligations)))


@settings(max_examples=400, deadline=None)
@given(st.data(), accepted, st.sampled_from(["RPT", "RPT-M"]))
def test_a_report_to_the_police_never_shows_less_than_its_floor(
    data: st.DataObject, accepts: set[str], notice_type: str
) -> None:
    values = data.draw(contexts(notice_type=notice_type, **FIXED))
    decision = decide(facts(RULES.vocabulary, values, accepts=accepts), RULES)
    assert decision.delivers
    for name, least in floor_alone("floor-report-to-police", notice_type=notice_type, **FIXED).items():
        assert decision.shown(name) & least == least, (name, values)


@settings(max_examples=300, deadline=None)
@given(st.data(), accepted)
def test_the_duty_offices_get_the_emergency_set_in_any_context(data: st.DataObject, accepts: set[str]) -> None:
    agency = data.draw(st.sampled_from(["police", "civil_affairs", "health", "hotline"]))
    values = data.draw(contexts(emergency="yes", purpose="P01", recipient_agency=agency, recipient_role="duty"))
    decision = decide(facts(RULES.vocabulary, values, accepts=accepts), RULES)
    fixed = {"emergency": "yes", "purpose": "P01", "recipient_agency": agency, "recipient_role": "duty"}
    for name, least in floor_alone("floor-emergency", **fixed).items():
        assert decision.shown(name) & least == least, (name, values)


@settings(max_examples=400, deadline=None)
@given(st.data(), accepted)
def test_emergency_access_shows_the_emergency_set_and_safe_contacts_and_nothing_else(
    data: st.DataObject, accepts: set[str]
) -> None:
    values = data.draw(contexts(recipient_role="duty"))
    decision = decide(facts(RULES.vocabulary, values, accepts=accepts), RULES)
    if not decision.delivers:
        return
    assert values["emergency"] == "yes"
    (floor,) = [one for one in RULES.rules if one.id == "floor-emergency"]
    for name, spec in catalogue().items():
        if decision.shown(name):
            assert spec.compartment not in NEVER_LIFTED, name
            is_contact = name.startswith("guardian.")
            assert name in floor.fields or is_contact or spec.sensitivity in ("S1", "S2"), (name, values)

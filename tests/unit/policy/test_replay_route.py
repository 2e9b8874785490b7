"""By which rules of the tables of then a notice was routed: what it says is asked again, what cannot be known makes no difference."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model.identifiers import AgencyName, OfficeId
from gateway.policy.replay_route import Holds, holds, known_facts, rules_then
from gateway.policy.routing_rules import Clause
from tests.support.routing import notice, shipped_tables

HOSPITAL, POLICE, COUNTY = "health.440113", OfficeId("police.440113"), OfficeId("civil_affairs.440113")


def verdicts(data: dict[str, object], kind: str = "RPT", *, is_whole: bool = True) -> dict[str, str]:
    known = known_facts(notice(HOSPITAL, kind, data), AgencyName("health"), shipped_tables(), is_whole=is_whole)
    table = next(one for name, one in shipped_tables().by_type.items() if name == kind)
    return {rule.id: holds(rule, known).value for rule in table.rules}


@pytest.mark.parametrize(
    ("data", "police"),
    [
        ({"urgency": 1}, "yes"),
        ({"urgency": 0, "harm": {"types": ["H21"]}}, "yes"),
        ({"urgency": 0, "persons": [{"roles": ["minor"], "difficulty": ["D31"]}]}, "no"),
        ({"urgency": 0}, "yes"),
    ],
)
def test_a_rule_holds_by_what_the_notice_says(data: dict[str, object], police: str) -> None:
    assert verdicts(data)["RPT.police"] == police
    assert verdicts(data)["RPT.civil-affairs"] == "yes", "a rule without conditions"


def test_what_is_lost_or_of_the_case_is_unknown_and_what_is_said_still_counts() -> None:
    welfare = {"urgency": 0, "persons": [{"roles": ["minor"], "difficulty": ["D31"]}]}
    assert verdicts(welfare, is_whole=False)["RPT.police"] == "unknown", "what would speak for it may be erased"
    assert verdicts({"urgency": 2}, is_whole=False)["RPT.police"] == "yes"
    assert verdicts({"urgency": 2}, "RPT-M")["RPT-M.procuratorate-filing"] == "unknown", "a local switch"
    of_the_case = [
        rule
        for table in shipped_tables().by_type.values()
        for rule in table.rules
        if any(
            name in ("open_order", "prior_type") for clause in (*rule.where, *rule.unless) for name, _ in clause.needs
        )
    ]
    assert of_the_case
    for rule in of_the_case:
        kind = rule.id.split(".")[0]
        known = known_facts(notice(HOSPITAL, kind, {}), AgencyName("health"), shipped_tables(), is_whole=True)
        assert holds(rule, known) in (Holds.UNKNOWN, Holds.NO), rule.id


def test_an_exception_that_holds_undoes_a_rule_and_one_that_may_hold_leaves_it_open() -> None:
    (rule,) = [one for name, table in shipped_tables().by_type.items() if name == "RPT" for one in table.rules][1:2]
    spared = replace(rule, unless=(Clause((("urgency", frozenset({"2"})),)),))
    assert holds(spared, {"urgency": frozenset({"2"})}) is Holds.NO
    assert holds(spared, {"urgency": frozenset({"1"})}) is Holds.YES
    assert holds(spared, {"urgency": None}) is Holds.UNKNOWN


def test_every_recipient_stands_beside_its_rule_and_one_without_a_rule_does_not_hold() -> None:
    said = notice(HOSPITAL, "RPT", {"urgency": 0, "persons": [{"roles": ["minor"], "difficulty": ["D31"]}]})
    known = known_facts(said, AgencyName("health"), shipped_tables(), is_whole=True)
    recorded = [(POLICE, "RPT.police"), (COUNTY, "RPT.civil-affairs"), (POLICE, "RPT.gone")]
    found = {one.id: one for one in rules_then("RPT", shipped_tables(), known, recorded)}
    assert (found["RPT.police"].holds, found["RPT.police"].offices) == (Holds.NO, (POLICE,))
    assert (found["RPT.civil-affairs"].holds, found["RPT.civil-affairs"].offices) == (Holds.YES, (COUNTY,))
    assert (found["RPT.gone"].rule, found["RPT.gone"].holds) == (None, Holds.NO)
    assert found["RPT.named"].offices == (), "a rule that holds and named nobody is told"
    assert "RPT.education" not in found, "one that does not hold and named nobody is not"

"""What a log record tells of a disclosure is remembered by everything that it depends on."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from gateway.model.access import DELIVER, Decision, Facet, FieldDecision
from gateway.model.identifiers import FieldId, PolicyHash, RuleId
from gateway.policy.decide import decide
from gateway.policy.facts import facts
from gateway.services.shown import Showing, shown
from tests.unit.policy.default_pack import catalogue, pack

THERE = frozenset(catalogue())
USUAL = {
    "recipient_agency": "police", "recipient_level": "county", "recipient_role": "competent", "relation_to_place": "own",
    "purpose": "P01", "legal_basis_kind": "statutory_duty", "notice_type": "RPT-M", "category": "violence", "urgency": "1",
    "age_band": "8-11", "conflict": "none", "consent": "not_needed", "agreement": "in_force", "suspended": "no",
    "sealed": "none", "approval": "none", "emergency": "no", "contract": "none", "own_subject": "no", "track": "PARENTAL",
}  # fmt: skip


def test_the_remembered_answer_is_the_one_found_anew():
    rng, policy, showing = Random(7), pack(), Showing(most=40)
    vocabulary, obligations = policy.vocabulary, sorted(policy.vocabulary.obligations)
    asked = []
    for _ in range(60):
        values = {**USUAL, "recipient_agency": rng.choice(["police", "civil_affairs", "procuratorate"])}
        for name in rng.sample(sorted(USUAL), 2):
            values[name] = rng.choice(list(vocabulary.facts[name].values))
        asked.append(facts(vocabulary, values, accepts=rng.choice([obligations, obligations[:3], []])))
    told = set()
    for one in [*asked, *asked]:
        decision = decide(one, policy)
        for there in (THERE, frozenset(rng.sample(sorted(THERE), 40))):
            assert showing(decision, there) == shown(decision, there)
            told.add(shown(decision, there))
    assert len(told) > 30


def test_two_policies_that_answer_the_same_questions_otherwise_are_not_mixed_up():
    policy, showing = pack(), Showing()
    one = facts(policy.vocabulary, USUAL, accepts=())
    decision = decide(one, policy)
    name = FieldId("minor.name")
    other = replace(
        decision, policy=PolicyHash("another"), fields={name: FieldDecision(Facet(127), because=(RuleId("else"),))}
    )
    assert showing(decision, THERE) != showing(other, THERE) == shown(other, THERE)


def test_a_decision_without_its_closed_facts_is_read_each_time():
    showing = Showing()
    for rule in ("a", "b"):
        made = Decision({DELIVER: FieldDecision(Facet.EXISTS, because=(RuleId(rule),))}, PolicyHash("p"), "o")
        assert showing(made, THERE).because == (rule,)

"""The engine answers as the plain reading of the rules does, on random policies and random facts."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from gateway.model.access import Facet
from gateway.model.identifiers import RuleId
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.facts import Facts, facts
from gateway.policy.oracle import Possible, applies, names_in, plain_decide
from gateway.policy.rules import Rule
from tests.unit.policy.builders import DOMAINS, policy, random_rules, random_values
from tests.unit.policy.default_pack import pack
from tests.unit.policy.test_exports import random_facts

ACCEPTS = [(), ("no_onward",), ("retention_days",), ("no_onward", "retention_days")]


class Remembering:
    """What the oracle said of one rule for the values that rule looks at; rules read alike thousands of times over."""

    def __init__(self, rules: Policy) -> None:
        self._names = {rule.id: names_in(rule) for rule in rules.rules}
        self._said: dict[RuleId, dict[tuple[tuple[str, ...], ...], bool]] = {rule.id: {} for rule in rules.rules}

    def __call__(self, rule: Rule, possible: Possible) -> bool:
        said, key = self._said[rule.id], tuple([possible[name] for name in self._names[rule.id]])
        found = said.get(key)
        if found is None:
            found = said[key] = applies(rule, possible)
        return found


def differs(asked: Facts, rules: Policy, applying: Callable[[Rule, Possible], bool]) -> bool:
    expected = plain_decide(dict(asked), asked.accepts, rules, applying)
    found = dict.fromkeys(expected, Facet.NOTHING)
    found |= {field_id: decided.shown for field_id, decided in decide(asked, rules).fields.items()}
    return found != expected


def differences_on_random_policies(seed: int, policies: int, contexts: int) -> tuple[int, int]:
    rng = random.Random(seed)
    differences = compared = 0
    for _ in range(policies):
        rules = policy(random_rules(rng, rng.randint(1, 25)))
        for _ in range(contexts):
            asked = facts(rules.vocabulary, random_values(rng), accepts=rng.choice(ACCEPTS))
            compared += 1
            differences += differs(asked, rules, applies)
    return compared, differences


def differences_on_the_pack(seed: int, contexts: int) -> tuple[int, int]:
    rng, rules, differences = random.Random(seed), pack(), 0
    applying = Remembering(rules) if contexts > 1_000 else applies
    for _ in range(contexts):
        asked = random_facts(rng, rules, unknown=rng.choice([0.0, 0.05, 0.15]))
        if rng.random() < 0.7:  # most random facts deliver nothing; these do more often
            asked = asked.with_values(
                suspended="no", conflict="none", recipient_conflict="no", legal_basis_kind="statutory_duty"
            )
        differences += differs(asked, rules, applying)
    return contexts, differences


def test_engine_and_oracle_agree_on_random_policies() -> None:
    assert differences_on_random_policies(20260601, 40, 50) == (2_000, 0)


def test_engine_and_oracle_agree_on_the_default_pack() -> None:
    assert differences_on_the_pack(20260602, 300) == (300, 0)


@pytest.mark.slow
def test_engine_and_oracle_agree_twenty_thousand_times_on_each() -> None:
    assert differences_on_random_policies(20260603, 200, 100) == (20_000, 0)
    assert differences_on_the_pack(20260604, 20_000) == (20_000, 0)


def test_a_person_is_decided_by_its_own_facts() -> None:
    rng = random.Random(20260605)
    decided_apart = 0
    for _ in range(40):
        rules = policy(random_rules(rng, 15))
        for _ in range(20):
            values = random_values(rng)
            values.pop("person.conflict", None)
            persons = {f"p{i}": {"person.conflict": rng.choice([*DOMAINS["person.conflict"], None])} for i in range(3)}
            asked = facts(rules.vocabulary, values, accepts=rng.choice(ACCEPTS), persons=persons)
            decision = decide(asked, rules)
            for ref, own in persons.items():
                alone = facts(rules.vocabulary, {**values, **own}, accepts=asked.accepts)
                expected = plain_decide(alone, asked.accepts, rules)
                for field_id, shown in expected.items():
                    if decision.delivers and not field_id.startswith("notice."):
                        assert decision.shown(field_id, ref) == shown
                        decided_apart += shown != decision.shown(field_id)
    assert decided_apart


def test_the_phone_of_a_guardian_in_conflict_is_not_a_safe_contact() -> None:
    rules = pack()
    asked = facts(
        rules.vocabulary,
        {
            "recipient_agency": "hotline", "recipient_role": "executor", "purpose": "P01", "notice_type": "RPT", "emergency": "yes",
            "own_subject": "no", "conflict": "guardian", "recipient_conflict": "no", "suspended": "no",
        },
        accepts=rules.vocabulary.obligations,
        persons={"p1": {"person.conflict": "yes"}, "p2": {"person.conflict": "no"}, "p3": {}},
    )  # fmt: skip
    decision = decide(asked, rules)
    shown = {ref: decision.shown(field_id, ref) for ref in ("p1", "p2", "p3") for field_id in ["guardian.phone"]}  # type: ignore[arg-type]
    assert (bool(shown["p1"]), shown["p2"] & Facet.FULL, bool(shown["p3"])) == (False, Facet.FULL, False)
    assert {owed.name for owed in decision.obligations} >= {"notify_owner", "report_back_hours"}

"""The engine answers as the plain reading of the rules does, on random policies and random facts."""

from __future__ import annotations

import random

from gateway.policy.decide import decide
from gateway.policy.facts import facts
from gateway.policy.oracle import plain_decide
from tests.unit.policy.builders import policy, random_rules, random_values


def test_engine_and_oracle_agree_on_random_policies() -> None:
    rng = random.Random(20260601)
    differences = compared = 0
    for _ in range(100):
        rules = policy(random_rules(rng, rng.randint(1, 25)))
        for _ in range(100):
            asked = facts(
                rules.vocabulary,
                random_values(rng),
                accepts=rng.choice([(), ("no_onward",), ("retention_days",), ("no_onward", "retention_days")]),
            )
            expected = plain_decide(asked, asked.accepts, rules)
            decision = decide(asked, rules)
            compared += 1
            differences += any(decision.shown(field_id) != shown for field_id, shown in expected.items())
    assert (compared, differences) == (10_000, 0)

"""Engines by other authors, given the exported policy, answer as ours does."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from gateway.model.access import Facet
from gateway.model.identifiers import FieldId
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.export_cedar import export_cedar
from gateway.policy.export_rego import export_rego
from gateway.policy.facts import Facts, facts
from gateway.policy.vocabulary import UNKNOWN
from tests.unit.policy.builders import policy, random_rules, random_values
from tests.unit.policy.default_pack import pack

regorus = pytest.importorskip("regorus")


def ask_rego(engine: Any, asked: Facts) -> dict[FieldId, Facet]:
    engine.set_input_json(
        json.dumps({"possible": {k: list(v) for k, v in asked.items()}, "accepts": sorted(asked.accepts)})
    )
    shown: dict[FieldId, Facet] = {}
    for field_id, facet in json.loads(engine.eval_rule_as_json("data.hutong.disclosure.shown")):
        shown[FieldId(field_id)] = shown.get(FieldId(field_id), Facet.NOTHING) | Facet[facet.upper()]
    return shown


def rego_engine(rules: Policy) -> Any:
    engine = regorus.Engine()
    engine.add_policy("disclosure.rego", export_rego(rules))
    return engine


def random_facts(rng: random.Random, rules: Policy, unknown: float = 0.2) -> Facts:
    values = {}
    for name, spec in rules.vocabulary.facts.items():
        values[name] = UNKNOWN if not spec.certain and rng.random() < unknown else rng.choice(list(spec.values))
    names = list(rules.vocabulary.obligations)
    return facts(rules.vocabulary, values, accepts=rng.sample(names, rng.randint(0, len(names))))


def test_rego_agrees_on_random_policies() -> None:
    rng = random.Random(7)
    differences = 0
    for _ in range(40):
        rules = policy(random_rules(rng, rng.randint(1, 20)))
        engine = rego_engine(rules)
        for _ in range(25):
            asked = facts(
                rules.vocabulary,
                random_values(rng),
                accepts=rng.choice([(), ("no_onward",), ("no_onward", "retention_days")]),
            )
            theirs, ours = ask_rego(engine, asked), decide(asked, rules)
            differences += any(ours.shown(one) != theirs.get(one, Facet.NOTHING) for one in rules.group_of)
    assert differences == 0


def test_rego_agrees_on_the_default_pack() -> None:
    rng = random.Random(8)
    rules = pack()
    engine = rego_engine(rules)
    differences = 0
    for _ in range(60):
        asked = random_facts(rng, rules)
        theirs, ours = ask_rego(engine, asked), decide(asked, rules)
        differences += any(ours.shown(one) != theirs.get(one, Facet.NOTHING) for one in rules.group_of)
    assert differences == 0


def test_the_cedar_export_has_a_statement_for_each_rule() -> None:
    exported = export_cedar(pack())
    assert exported.bracket.count("\npermit (") + exported.floors.count("\npermit (") == sum(
        rule.kind.value != "limit" for rule in pack().rules
    )

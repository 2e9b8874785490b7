"""The laws of the algebra, which need no oracle."""

from __future__ import annotations

import random

from gateway.model.access import Decision
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.facts import facts
from gateway.policy.oracle import plain_decide
from tests.unit.policy.builders import CATALOGUE, CERTAIN, DELIVERY, DOMAINS, HEAD, policy, random_rules, random_values
from tests.unit.policy.default_pack import pack
from tests.unit.policy.test_exports import random_facts

ROUNDS = 60
OBLIGATIONS = ("no_onward", "retention_days")


def answers(rules: Policy, rng: random.Random) -> list[tuple[dict[str, str], tuple[str, ...], Decision]]:
    found = []
    for _ in range(40):
        values = random_values(rng)
        accepts = rng.choice([(), OBLIGATIONS[:1], OBLIGATIONS])
        found.append((values, accepts, decide(facts(rules.vocabulary, values, accepts=accepts), rules)))
    return found


def without_floors(text: str) -> str:
    return text.split("floors:\n")[0]


def with_rule(text: str, section: str, rule: str) -> str:
    """Add one rule to a section, making the section where it is missing."""
    return (
        text.replace(f"{section}:\n", f"{section}:\n{rule}", 1)
        if f"{section}:\n" in text
        else text + f"{section}:\n{rule}"
    )


def a_rule(rng: random.Random, section: str) -> str:
    """One rule of a random policy, with an id of its own."""
    while True:
        lines = random_rules(rng, 12).split(f"{section}:\n")
        if len(lines) == 2:
            first = next((line for line in lines[1].splitlines() if line.startswith("  - {id: r")), None)
            if first:
                return first.replace("{id: r", "{id: extra", 1) + "\n"


def test_a_permit_never_lowers_and_a_limit_never_raises() -> None:
    rng = random.Random(11)
    for _ in range(ROUNDS):
        text = random_rules(rng, rng.randint(1, 15))
        rules = policy(text)
        more = policy(with_rule(text, "permits", a_rule(rng, "permits")))
        fewer = policy(with_rule(text, "limits", a_rule(rng, "limits")))
        for values, accepts, decision in answers(rules, rng):
            up = decide(facts(more.vocabulary, values, accepts=accepts), more)
            down = decide(facts(fewer.vocabulary, values, accepts=accepts), fewer)
            for field_id in rules.group_of:
                assert not decision.shown(field_id) & ~up.shown(field_id)
                assert not down.shown(field_id) & ~decision.shown(field_id)


def test_order_and_repetition_of_rules_do_not_matter() -> None:
    rng = random.Random(12)
    for _ in range(ROUNDS):
        text = without_floors(random_rules(rng, rng.randint(2, 15)))
        head, body = text.split("permits:\n", 1)
        permits, _, limits = body.partition("limits:\n")
        lines = permits.splitlines(keepends=True)
        rng.shuffle(lines)
        again = [line.replace("{id: ", "{id: again-", 1) for line in lines]
        other = head + "permits:\n" + "".join(lines + again) + ("limits:\n" + limits if limits else "")
        first, second = policy(text), policy(other)
        for values, accepts, decision in answers(first, rng):
            same = decide(facts(second.vocabulary, values, accepts=accepts), second)
            assert all(decision.shown(one) == same.shown(one) for one in first.group_of)


def test_without_a_permit_nothing_is_shown() -> None:
    rng = random.Random(13)
    for _ in range(ROUNDS):
        text = without_floors(random_rules(rng, 10))
        limits = text.partition("limits:\n")[2]
        rules = policy(HEAD + DELIVERY + ("limits:\n" + limits if limits else ""))
        for _, _, decision in answers(rules, rng):
            assert not any(decision.shown(one) for one in CATALOGUE)


def test_less_knowledge_never_shows_more() -> None:
    rng = random.Random(14)
    for _ in range(ROUNDS):
        rules = policy(without_floors(random_rules(rng, rng.randint(1, 20))))
        for values, accepts, decision in answers(rules, rng):
            forget = rng.sample(sorted(set(DOMAINS) - CERTAIN), rng.randint(1, 3))
            fewer = {name: value for name, value in values.items() if name not in forget}
            less = decide(facts(rules.vocabulary, fewer, accepts=accepts), rules)
            assert not any(less.shown(one) & ~decision.shown(one) for one in rules.group_of)


def test_the_default_pack_agrees_with_the_oracle() -> None:
    rng = random.Random(15)
    rules = pack()
    for _ in range(150):
        asked = random_facts(rng, rules, unknown=0.1)
        expected = plain_decide(asked, asked.accepts, rules)
        decision = decide(asked, rules)
        assert all(decision.shown(one) == shown for one, shown in expected.items())


def test_a_report_to_the_competent_police_never_shows_less_than_its_floor() -> None:
    rng = random.Random(16)
    rules = pack()
    floor = next(rule for rule in rules.rules if rule.id == "floor-report-to-police")
    for _ in range(500):
        asked = random_facts(rng, rules, unknown=rng.random())
        report = asked.with_values(
            recipient_agency="police", recipient_role="competent", notice_type=rng.choice(["RPT", "RPT-M"])
        )
        decision = decide(report, rules)
        assert decision.delivers
        assert all(not floor.facets & ~decision.shown(one) for one in floor.fields)

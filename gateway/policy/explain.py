"""Why does this recipient see (or not see) this field, who sees it at all, and what could an office ever get?

Computed from the rules, exact over the modelled facts, unknown values
included. How facts get their values (consent, conflict, purpose) lies outside.
Recipients may ask about the policy, never why a concrete notice lacks a field:
that is for the callers of this module to keep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.model.access import DELIVER, Facet, FieldDecision
from gateway.model.identifiers import FieldId, RuleId
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.facts import Facts, UnknownFactValue
from gateway.policy.masks import reachable
from gateway.policy.rows import Row, merge_rows
from gateway.policy.rules import Rule, RuleKind
from gateway.policy.space import Space
from gateway.policy.vocabulary import UNKNOWN


@dataclass(frozen=True, slots=True)
class Change:
    """If this one fact had this value instead, the field would show `shown`."""

    fact: str
    value: str
    instead: str
    shown: Facet


@dataclass(frozen=True, slots=True)
class Missed:
    """A permit that would have given something more, and the facts that kept it from applying. Nearest first."""

    rule: RuleId
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Why:
    field: FieldId
    delivers: bool
    decision: FieldDecision
    granting: tuple[Rule, ...]
    cutting: tuple[Rule, ...]
    missed: tuple[Missed, ...]
    changes: tuple[Change, ...]


def _fails(rule: Rule, facts: Facts) -> tuple[str, ...]:
    """The facts that keep a permit from applying."""
    failing = {name for name, values in rule.where.items() if not set(facts[name]) <= values}
    for box in rule.unless:
        if all(set(facts[name]) & values for name, values in box.items()):
            failing.update(box)
    return tuple(name for name in facts if name in failing)


def why(facts: Facts, policy: Policy, field_id: FieldId) -> Why:
    """Explain one field of one decision, with every single change of one fact that would alter it.

    `changes` are sorted: those that show more first, then by the order of
    facts. KeyError for a field the catalogue lacks.
    """
    decision = decide(facts, policy)
    found = decision.fields.get(field_id, FieldDecision(Facet.NOTHING))
    rules = {rule.id: rule for rule in policy.rules}
    group = policy.group(field_id)
    missed = [
        Missed(rule.id, failing)
        for rule in group.rules
        if rule.kind is RuleKind.PERMIT and rule.facets & ~found.shown and (failing := _fails(rule, facts))
    ]
    specs = policy.vocabulary.facts
    missed.sort(key=lambda one: (len(one.facts), sum(specs[name].certain for name in one.facts), one.rule))
    matter = {name for name, _ in group.axes} | {name for name, _ in policy.group(DELIVER).axes}
    changes: list[Change] = []
    for name, spec in policy.vocabulary.facts.items():
        if name not in matter:
            continue
        had = facts.value(name)
        for value in (*spec.values, *(() if spec.certain else (UNKNOWN,))):
            if value == had:
                continue
            shown = decide(facts.with_value(name, value), policy).shown(field_id)
            if shown != found.shown:
                changes.append(Change(name, had, value, shown))
    order = list(policy.vocabulary.facts)
    changes.sort(key=lambda one: (not one.shown & ~found.shown, order.index(one.fact), one.instead))
    return Why(
        field=field_id,
        delivers=decision.delivers,
        decision=found,
        granting=tuple(rules[one] for one in found.because if one in rules),
        cutting=tuple(rules[one] for one in found.cut_by if one in rules),
        missed=tuple(missed),
        changes=tuple(changes),
    )


def who_sees(policy: Policy, field_id: FieldId) -> tuple[Row, ...]:
    """Under which circumstances the field shows what, where the notice is delivered. Raises SpaceTooLarge, KeyError."""
    group = policy.group(field_id)
    space = Space(policy.tables, group.mask)

    def label(match: int) -> tuple[int, int] | None:
        shown = group.answers[match & group.mask].shown
        return (0, shown) if shown else None

    rows = [
        Row((field_id,), box, Facet.NOTHING, Facet(shown))
        for (_, shown), cells in space.partition(label).items()
        for box in space.cover(cells)
    ]
    return merge_rows(rows)


def ceiling(
    policy: Policy, fixed: Mapping[str, str], fields: Collection[FieldId] | None = None
) -> dict[FieldId, Facet]:
    """All that could ever be shown to whom these facts describe, over every purpose and circumstance, where it is delivered.

    `fixed` is for instance `{"recipient_agency": "education"}`, `fields` those
    that are asked about (None: all). Fields that are never shown are left out. Raises UnknownFactValue for a fact or value that does not exist.
    """
    tables = {name: dict(table) for name, table in policy.tables.items()}
    for name, value in fixed.items():
        if name not in tables or value not in tables[name]:
            raise UnknownFactValue(f"the fact `{name}` has no such value")
        tables[name] = {value: tables[name][value]}
    gate = policy.group(DELIVER)
    most: dict[FieldId, Facet] = {}
    for group in policy.groups:
        asked = group.fields if fields is None else [one for one in group.fields if one in fields]
        if not asked:
            continue
        shown = 0
        for match in reachable(tables, group.mask | gate.mask):
            if gate.answers[match & gate.mask].shown:
                shown |= group.answers[match & group.mask].shown
        if shown:
            most.update(dict.fromkeys(asked, Facet(shown)))
    return most

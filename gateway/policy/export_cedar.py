"""What does the policy look like to another engine: Cedar?

An outside check. Cedar answers allow or deny for one (field, facet), so each
facet is an action; permits become `permit`, limits `forbid` over the facets
they do not let through. Cedar's forbid outweighs every permit, so floors go
into a policy set of their own, whose answer is joined with OR. Facts are
strings in `context`; an unknown fact cannot be said in Cedar, so only
questions whose facts are all known compare.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from gateway.model.access import Facet
from gateway.policy.compiled import Policy
from gateway.policy.export_rego import facet_list
from gateway.policy.rules import EVERY_FACET, Condition, Rule, RuleKind


@dataclass(frozen=True, slots=True)
class CedarPolicies:
    """Two policy sets: a facet is shown if `bracket` or `floors` allows it."""

    bracket: str
    floors: str


def _text(value: str) -> str:
    return orjson.dumps(value).decode()


def _box(box: Condition) -> str:
    tests = []
    for name, values in sorted(box.items()):
        allowed = ", ".join(_text(value) for value in sorted(values))
        tests.append(f"[{allowed}].contains(context[{_text(name)}])")
    return " && ".join(tests) or "true"


def _statement(effect: str, rule: Rule, facets: Facet) -> str:
    actions = ", ".join(f'Action::"{name}"' for name in facet_list(facets))
    conditions = f"when {{ {_box(rule.where)} }}"
    conditions += "".join(f"\nunless {{ {_box(box)} }}" for box in rule.unless)
    accepted = " && ".join(f"context.accepts.contains({_text(owed.name)})" for owed in rule.obligations)
    if accepted:
        conditions += f"\n{'when' if effect == 'permit' else 'unless'} {{ {accepted} }}" if effect == "permit" else ""
    fields = ", ".join(f"Field::{_text(field_id)}" for field_id in sorted(rule.fields))
    return (
        f"@id({_text(rule.id)})\n{effect} (principal, action in [{actions}], resource)\n"
        f"when {{ [{fields}].contains(resource) }}\n{conditions};\n"
    )


def _limits(rule: Rule) -> Iterable[str]:
    forbidden = EVERY_FACET & ~rule.facets
    if forbidden:
        yield _statement("forbid", rule, forbidden)
    if rule.obligations:
        accepted = " && ".join(f"context.accepts.contains({_text(owed.name)})" for owed in rule.obligations)
        whole = _statement("forbid", rule, EVERY_FACET).rstrip().removesuffix(";")
        yield (
            whole.replace(f"@id({_text(rule.id)})", f"@id({_text(rule.id + '-unaccepted')})")
            + f"\nunless {{ {accepted} }};\n"
        )


def export_cedar(policy: Policy) -> CedarPolicies:
    """The policy as Cedar policy sets. Deterministic."""
    bracket: list[str] = []
    floors: list[str] = []
    for rule in policy.rules:
        if rule.kind is RuleKind.PERMIT:
            bracket.append(_statement("permit", rule, rule.facets))
        elif rule.kind is RuleKind.LIMIT:
            bracket.extend(_limits(rule))
        else:
            floors.append(_statement("permit", rule, rule.facets))
    return CedarPolicies("\n".join(bracket), "\n".join(floors))

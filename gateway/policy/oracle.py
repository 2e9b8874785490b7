"""What do the rules say when read literally?

The reference for `decide`: no tables, no bits, no groups, one rule after the
other and one context after the other. Slow and plain on purpose; the
differential tests hold the engine to it, and exported policies too.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from gateway.model.access import DELIVER, Facet
from gateway.model.identifiers import FieldId
from gateway.policy.compile import Policy
from gateway.policy.rules import EVERY_FACET, Rule, RuleKind


def holds(rule: Rule, context: Mapping[str, str]) -> bool:
    return all(context[name] in values for name, values in rule.where.items()) and not any(
        all(context[name] in values for name, values in box.items()) for box in rule.unless
    )


def applies(rule: Rule, possible: Mapping[str, tuple[str, ...]]) -> bool:
    """A permit must hold for every combination of possible values; a limit or floor for any."""
    names = sorted({name for box in (rule.where, *rule.unless) for name in box})
    contexts = (dict(zip(names, values, strict=True)) for values in itertools.product(*(possible[n] for n in names)))
    return (all if rule.kind is RuleKind.PERMIT else any)(holds(rule, context) for context in contexts)


def plain_decide(
    possible: Mapping[str, tuple[str, ...]], accepts: frozenset[str], policy: Policy
) -> dict[FieldId, Facet]:
    """What each field shows, by the definition of DESIGN 4."""
    active = [rule for rule in policy.rules if applies(rule, possible)]
    shown: dict[FieldId, Facet] = {}
    for field_id in policy.document.catalogue:
        granted, allowed, floor = Facet.NOTHING, EVERY_FACET, Facet.NOTHING
        for rule in (rule for rule in active if field_id in rule.fields):
            is_accepted = all(owed.name in accepts for owed in rule.obligations)
            if rule.kind is RuleKind.PERMIT:
                granted |= rule.facets if is_accepted else Facet.NOTHING
            elif rule.kind is RuleKind.LIMIT:
                allowed &= rule.facets if is_accepted else Facet.NOTHING
            else:
                floor |= rule.facets
        shown[field_id] = (granted & allowed) | floor
    return shown if shown[DELIVER] else dict.fromkeys(shown, Facet.NOTHING)

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
    nothing = dict.fromkeys(policy.document.catalogue, Facet.NOTHING)
    granted, floor = dict(nothing), dict(nothing)
    allowed = dict.fromkeys(policy.document.catalogue, EVERY_FACET)
    for rule in policy.rules:
        if applies(rule, possible):
            is_accepted = all(owed.name in accepts for owed in rule.obligations)
            for field_id in rule.fields:
                if rule.kind is RuleKind.PERMIT:
                    granted[field_id] |= rule.facets if is_accepted else Facet.NOTHING
                elif rule.kind is RuleKind.LIMIT:
                    allowed[field_id] &= rule.facets if is_accepted else Facet.NOTHING
                else:
                    floor[field_id] |= rule.facets
    shown = {one: (granted[one] & allowed[one]) | floor[one] for one in nothing}
    return shown if shown[DELIVER] else nothing

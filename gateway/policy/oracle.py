"""What do the rules say when read literally?

The reference for `decide`: no tables, no bits, no groups, one rule after the
other and one context after the other. Slow and plain on purpose; the
differential tests hold the engine to it, and exported policies too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from gateway.model.access import DELIVER, Facet
from gateway.model.identifiers import FieldId
from gateway.policy.compiled import Policy
from gateway.policy.rules import EVERY_FACET, Rule, RuleKind

Possible = Mapping[str, tuple[str, ...]]
_FACETS = tuple(map(Facet, range(EVERY_FACET + 1)))  # sets of facets by their bits: numbers fold faster than flags


def holds(rule: Rule, context: Mapping[str, str]) -> bool:
    return all(context[name] in values for name, values in rule.where.items()) and not any(
        all(context[name] in values for name, values in box.items()) for box in rule.unless
    )


def names_in(rule: Rule) -> tuple[str, ...]:
    """The facts a rule looks at; no other fact can change whether it applies."""
    return tuple(sorted({name for box in (rule.where, *rule.unless) for name in box}))


def applies(rule: Rule, possible: Possible) -> bool:
    """A permit must hold for every combination of possible values; a limit or floor for any."""
    names = names_in(rule)
    contexts = (dict(zip(names, values, strict=True)) for values in itertools.product(*(possible[n] for n in names)))
    return (all if rule.kind is RuleKind.PERMIT else any)(holds(rule, context) for context in contexts)


def plain_decide(
    possible: Possible,
    accepts: frozenset[str],
    policy: Policy,
    applying: Callable[[Rule, Possible], bool] = applies,
) -> dict[FieldId, Facet]:
    """What each field shows, by the definition of DESIGN 4. `applying` may remember what `applies` said, nothing else."""
    fields, every = policy.document.catalogue, int(EVERY_FACET)
    granted, floor, allowed = dict.fromkeys(fields, 0), dict.fromkeys(fields, 0), dict.fromkeys(fields, every)
    for rule in policy.rules:
        if applying(rule, possible):
            is_accepted = all(owed.name in accepts for owed in rule.obligations)
            facets = int(rule.facets)
            for field_id in rule.fields:
                if rule.kind is RuleKind.PERMIT:
                    granted[field_id] |= facets if is_accepted else 0
                elif rule.kind is RuleKind.LIMIT:
                    allowed[field_id] &= facets if is_accepted else 0
                else:
                    floor[field_id] |= facets
    shown = {one: _FACETS[(granted[one] & allowed[one]) | floor[one]] for one in fields}
    return shown if shown[DELIVER] else dict.fromkeys(fields, Facet.NOTHING)

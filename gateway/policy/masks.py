"""Which boxes does each value of a fact leave standing?

Every condition is a set of *boxes* (fact name to allowed values), and every
box is one bit. For each fact and value, UNKNOWN included, a mask says which
boxes the value leaves standing; the AND of one mask per fact is the *match*,
and what a field shows depends on its match alone. Two readings of UNKNOWN are
folded into the masks, so nothing remains to be done when deciding:

- a permit's `where` stands only if every value would leave it standing (AND);
- a limit's boxes, and a permit's `unless`, stand if any value would (OR).

A limit's `unless` is expanded here: `W unless (a and b) or c` is the boxes
`W, not a, not c` and `W, not b, not c`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.model.access import Obligation
from gateway.policy.rules import Condition, Rule, RuleKind
from gateway.policy.vocabulary import UNKNOWN, FactSpec, Vocabulary


@dataclass(frozen=True, slots=True)
class Bits:
    """Where one rule lives in the match. A permit stands by `stands` and falls by any of `falls`; others need any of `stands`."""

    rule: Rule
    stands: int
    falls: int
    owed: int
    facets: int  # the rule's, as a bare number: operators of an enumeration cost many times as much


@dataclass(frozen=True, slots=True)
class ValueClass:
    """Values of one fact that a set of rules cannot tell apart."""

    values: tuple[str, ...]
    mask: int


def standing_boxes(rule: Rule, vocabulary: Vocabulary) -> list[Condition]:
    """The boxes whose union is `where` without `unless`."""
    boxes: list[Condition] = []
    for choice in itertools.product(*(sorted(box) for box in rule.unless)):
        box: dict[str, frozenset[str]] = dict(rule.where)
        for name, unless in zip(choice, rule.unless, strict=True):
            spare = frozenset(vocabulary.facts[name].values) - unless[name]
            box[name] = box.get(name, spare) & spare
        if all(box.values()) and box not in boxes:
            boxes.append(box)
    return boxes


def lay_out(
    rules: Sequence[Rule], vocabulary: Vocabulary, obligations: Sequence[Obligation]
) -> tuple[list[Bits], list[tuple[Condition, bool]]]:
    """Give each rule its bits; each bit is a box with `must_be_certain`."""
    boxes: list[tuple[Condition, bool]] = []
    laid: list[Bits] = []
    index = {owed: i for i, owed in enumerate(obligations)}

    def bits_of(conditions: Iterable[Condition], must_be_certain: bool) -> int:
        mask = 0
        for condition in conditions:
            mask |= 1 << len(boxes)
            boxes.append((condition, must_be_certain))
        return mask

    for rule in rules:
        if rule.kind is RuleKind.PERMIT:
            stands, falls = bits_of([rule.where], True), bits_of(rule.unless, False)
        else:
            stands, falls = bits_of(standing_boxes(rule, vocabulary), False), 0
        owed = sum(1 << index[one] for one in set(rule.obligations))
        laid.append(Bits(rule, stands, falls, owed, int(rule.facets)))
    return laid, boxes


def table_of(spec: FactSpec, boxes: Sequence[tuple[Condition, bool]]) -> dict[str, int]:
    everything = (1 << len(boxes)) - 1
    table = dict.fromkeys(spec.values, everything)
    certain = 0
    for i, (box, must_be_certain) in enumerate(boxes):
        certain |= must_be_certain << i
        allowed = box.get(spec.name)
        if allowed is not None:
            for value in spec.values:
                if value not in allowed:
                    table[value] &= ~(1 << i)
    if not spec.certain:
        every, some = everything, 0
        for mask in table.values():
            every, some = every & mask, some | mask
        table[UNKNOWN] = (every & certain) | (some & ~certain)
    return table


def value_classes(table: Mapping[str, int], mask: int) -> tuple[ValueClass, ...]:
    """Values (UNKNOWN among them) grouped by what they leave standing of `mask`."""
    by_mask: dict[int, list[str]] = {}
    for value, standing in table.items():
        by_mask.setdefault(standing & mask, []).append(value)
    return tuple(ValueClass(tuple(values), standing) for standing, values in by_mask.items())


def axes_of(tables: Mapping[str, Mapping[str, int]], mask: int) -> tuple[tuple[str, tuple[ValueClass, ...]], ...]:
    """The facts that matter to the rules in `mask`, with their classes of values."""
    axes = ((name, value_classes(table, mask)) for name, table in tables.items())
    return tuple((name, classes) for name, classes in axes if len(classes) > 1)


def reachable(tables: Mapping[str, Mapping[str, int]], mask: int, most: int | None = None) -> set[int]:
    """Every match, cut to `mask`, that some facts have. Exact; costs the number of different partial matches.

    Contexts with one match cannot be told apart by the rules. With `most`, stops once there are more matches than that.
    """
    matches = {mask}
    for table in tables.values():
        standing = {value & mask for value in table.values()}
        if standing != {mask}:
            matches = {match & value for match in matches for value in standing}
            if most is not None and len(matches) > most:
                break
    return matches

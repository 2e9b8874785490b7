"""Who newly sees what, and who loses what, when one policy takes the place of another?

Exact over the modelled facts, unknown values included: for each group of
fields the two policies are laid over each other, and the contexts in which
the answers differ are written as the fewest boxes. Obligations are compared
as if every recipient accepted them. A field's answer counts where the notice
is delivered; delivery itself is the field `notice.deliver`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.model.access import Facet
from gateway.model.identifiers import FieldId
from gateway.policy.compiled import Group, Policy
from gateway.policy.diff_beside import Beside, changes_beside
from gateway.policy.rows import Row, describe, merge_rows
from gateway.policy.space import Space, SpaceTooLarge
from gateway.policy.vocabulary import Text, Vocabulary


@dataclass(frozen=True, slots=True)
class Diff:
    """`gained` and `lost` are rows of fields and circumstances; a row that does both is in `mixed`.

    `vocabulary` tells changed facts and values: contexts with a value that
    only one side knows are not compared. `rules` tells added (+), removed (-)
    and changed (~) rules. `too_large` are fields whose circumstances are too
    many to be listed.
    """

    gained: tuple[Row, ...]
    lost: tuple[Row, ...]
    mixed: tuple[Row, ...]
    rules: tuple[str, ...]
    vocabulary: tuple[str, ...]
    too_large: tuple[FieldId, ...]
    beside: tuple[Beside, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.gained or self.lost or self.mixed or self.too_large or self.beside)

    def sentences(self, policy: Policy) -> tuple[tuple[str, Text], ...]:
        """(+ - ±, sentence) for each row, in the words of `policy`."""
        marked = [("+", self.gained), ("-", self.lost), ("±", self.mixed)]
        return tuple((mark, describe(row, policy.document)) for mark, rows in marked for row in rows)


def _meaning(group: Group | None) -> frozenset[object]:
    if group is None:
        return frozenset()
    return frozenset(
        (
            rule.kind,
            frozenset(rule.where.items()),
            frozenset(frozenset(box.items()) for box in rule.unless),
            int(rule.facets),
        )
        for rule in group.rules
    )


def _vocabulary_changes(old: Vocabulary, new: Vocabulary) -> tuple[str, ...]:
    changes = [f"-{name}" for name in old.facts if name not in new.facts]
    changes += [f"+{name}" for name in new.facts if name not in old.facts]
    for name, spec in new.facts.items():
        before = old.facts.get(name)
        if before is not None:
            changes += [f"-{name}={value}" for value in before.values if value not in spec.values]
            changes += [f"+{name}={value}" for value in spec.values if value not in before.values]
            changes += [f"~{name}"] if before.certain != spec.certain else []
    return tuple(changes)


def _rule_changes(old: Policy, new: Policy) -> tuple[str, ...]:
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    changes = [f"-{rule_id}" for rule_id in before if rule_id not in after]
    for rule_id, rule in after.items():
        had = before.get(rule_id)
        if had is None:
            changes.append(f"+{rule_id}")
        elif (had.where, had.unless, had.fields, had.facets, set(had.obligations), had.citation) != (
            rule.where,
            rule.unless,
            rule.fields,
            rule.facets,
            set(rule.obligations),
            rule.citation,
        ):
            changes.append(f"~{rule_id}")
    return tuple(sorted(changes, key=lambda change: change[1:]))


def _overlaid(old: Policy, new: Policy, old_mask: int, new_mask: int, shift: int) -> dict[str, dict[str, int]]:
    """One table per fact that leaves standing the boxes of both policies; only values both know."""
    tables: dict[str, dict[str, int]] = {}
    for name in dict.fromkeys((*old.tables, *new.tables)):
        before: Mapping[str, int] | None = old.tables.get(name)
        after: Mapping[str, int] | None = new.tables.get(name)
        values = [value for value in (after or before or {}) if (before is None or value in before)]
        tables[name] = {
            value: (before[value] & old_mask if before else old_mask)
            | (after[value] & new_mask if after else new_mask) << shift
            for value in values
        }
    return tables


def diff(old: Policy, new: Policy) -> Diff:
    """Compare two policies cell by cell. Usually well below a second; groups whose rules mean the same cost nothing."""
    pairs: dict[tuple[int | None, int | None], list[FieldId]] = {}
    for field_id in dict.fromkeys((*old.group_of, *new.group_of)):
        pairs.setdefault((old.group_of.get(field_id), new.group_of.get(field_id)), []).append(field_id)
    changed_words = _vocabulary_changes(old.vocabulary, new.vocabulary)
    rows: list[Row] = []
    too_large: list[FieldId] = []
    for (a, b), field_ids in pairs.items():
        before = None if a is None else old.groups[a]
        after = None if b is None else new.groups[b]
        if not changed_words and _meaning(before) == _meaning(after):
            continue
        try:
            rows.extend(_compare(old, new, before, after, field_ids))
        except SpaceTooLarge:
            too_large.extend(field_ids)
    merged = merge_rows(rows)
    return Diff(
        gained=tuple(row for row in merged if not row.before & ~row.after),
        lost=tuple(row for row in merged if not row.after & ~row.before),
        mixed=tuple(row for row in merged if row.before & ~row.after and row.after & ~row.before),
        rules=_rule_changes(old, new),
        vocabulary=changed_words,
        too_large=tuple(too_large),
        beside=changes_beside(old.document, new.document),
    )


def _compare(
    old: Policy, new: Policy, before: Group | None, after: Group | None, field_ids: list[FieldId]
) -> list[Row]:
    old_mask, new_mask = (before.mask if before else 0), (after.mask if after else 0)
    shift = old_mask.bit_length()
    tables = _overlaid(old, new, old_mask, new_mask, shift)

    def label(match: int) -> tuple[int, int] | None:
        had = before.answers[match & old_mask].shown if before else 0
        has = after.answers[match >> shift & new_mask].shown if after else 0
        return None if had == has else (had, has)

    space = Space(tables, old_mask | new_mask << shift)
    return [
        Row(tuple(field_ids), box, Facet(had), Facet(has))
        for (had, has), cells in space.partition(label).items()
        for box in space.cover(cells)
    ]

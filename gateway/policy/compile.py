"""How does a policy document become tables that answer at once?

Rules become masks (`masks.py`), fields hit by the same rules become a group
with an answer for every match that some facts have, and groups become
clusters (`compiled.py`). A document whose fields depend on too many contexts
is refused here, not met when deciding.
"""

from __future__ import annotations

import functools
import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from gateway.model.access import DELIVER
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, Problem
from gateway.model.identifiers import FieldId, PolicyHash
from gateway.policy.compiled import Cluster, Group, Policy, answer
from gateway.policy.masks import Bits, axes_of, lay_out, reachable, table_of
from gateway.policy.rules import Condition, PolicyDocument, Rule, RuleKind

MAX_CONTEXTS = 200_000
MAX_JOINT_MATCHES = 600


def policy_hash(document: PolicyDocument, rules: Iterable[Rule]) -> PolicyHash:
    """SHA-256 over what the rules in force and the vocabulary mean; order and file layout do not matter."""

    def box(condition: Condition) -> dict[str, list[str]]:
        return {name: sorted(values) for name, values in condition.items()}

    said = {
        "facts": [[spec.name, list(spec.values), spec.certain] for spec in document.vocabulary.facts.values()],
        "fields": sorted(document.catalogue),
        "rules": [
            {
                "id": rule.id,
                "kind": rule.kind.value,
                "where": box(rule.where),
                "unless": sorted((box(one) for one in rule.unless), key=canonical_json),
                "fields": sorted(rule.fields),
                "facets": int(rule.facets),
                "obligations": sorted([owed.name, owed.value or 0] for owed in rule.obligations),
                "citation": list(rule.citation),
            }
            for rule in sorted(rules, key=lambda rule: rule.id)
        ],
    }
    return PolicyHash("sha256:" + hashlib.sha256(canonical_json(said)).hexdigest())


def compile_policy(document: PolicyDocument, as_of: date, division: str = "") -> Policy:
    """Compile the rules in force on `as_of` in `division` (a division code; empty: the national rules alone).

    Raises InvalidDocument when a field group depends on more than 200,000 contexts.
    """
    rules = tuple(
        sorted((rule for rule in document.rules if rule.is_in_force(as_of, division)), key=lambda rule: rule.id)
    )
    vocabulary = document.vocabulary
    obligations = tuple(
        sorted({owed for rule in rules for owed in rule.obligations}, key=lambda owed: (owed.name, owed.value or 0))
    )
    laid, boxes = lay_out(rules, vocabulary, obligations)
    tables = {spec.name: table_of(spec, boxes) for spec in vocabulary.facts.values()}
    groups = _groups(document, laid, tables)
    clusters = _clusters(groups, tables)
    used = {name for name, table in tables.items() if len(set(table.values())) > 1}
    places = [(i, spec) for i, spec in enumerate(vocabulary.facts.values()) if spec.name in used]
    return Policy(
        document=document,
        hash=policy_hash(document, rules),
        as_of=as_of,
        division=division,
        rules=rules,
        groups=tuple(groups),
        group_of={field_id: group.number for group in groups for field_id in group.fields},
        gate=next(group for group in groups if DELIVER in group.fields),
        tables=tables,
        obligations=obligations,
        notice_tables=tuple((i, tables[spec.name]) for i, spec in places if not spec.is_personal),
        personal_tables=tuple((i, tables[spec.name]) for i, spec in places if spec.is_personal),
        person_tables=tuple(tables[spec.name] for spec in vocabulary.facts.values() if spec.is_personal),
        personal_groups=tuple(group for group in groups if group.is_personal),
        clusters=clusters,
        lookups=tuple((cluster.mask, cluster.bundles) for cluster in clusters),
        places={
            field_id: (number, place)
            for number, cluster in enumerate(clusters)
            for place, group in enumerate(cluster.groups)
            for field_id in group.fields
        },
    )


def _groups(document: PolicyDocument, laid: Sequence[Bits], tables: Mapping[str, Mapping[str, int]]) -> list[Group]:
    """Fields that the same rules hit, with an answer for each match. Raises InvalidDocument where that would be too many."""
    groups: list[Group] = []
    problems: list[Problem] = []
    for own, field_ids in _hit_alike(document, laid):
        mask = functools.reduce(operator.or_, (bits.stands | bits.falls for bits in own), 0)
        axes = axes_of(tables, mask)
        matches = reachable(tables, mask, MAX_CONTEXTS)
        if len(matches) > MAX_CONTEXTS:
            problems.append(_too_many(own, field_ids[0], [name for name, _ in axes]))
            continue
        groups.append(
            Group(
                number=len(groups),
                fields=tuple(field_ids),
                mask=mask,
                bits=own,
                axes=axes,
                answers={match: answer(own, match) for match in matches},
                is_personal=any(document.vocabulary.facts[name].is_personal for name, _ in axes),
                owed=functools.reduce(operator.or_, (bits.owed for bits in own), 0),
            )
        )
    if problems:
        raise InvalidDocument("the policy depends on too many contexts", problems=tuple(problems))
    return groups


def _hit_alike(document: PolicyDocument, laid: Sequence[Bits]) -> list[tuple[tuple[Bits, ...], list[FieldId]]]:
    hits: dict[FieldId, list[int]] = {field_id: [] for field_id in document.catalogue}
    for number, bits in enumerate(laid):
        for field_id in bits.rule.fields:
            hits[field_id].append(number)
    alike: dict[tuple[int, ...], list[FieldId]] = {}
    for field_id, numbers in hits.items():
        alike.setdefault(tuple(numbers), []).append(field_id)
    return [(tuple(laid[number] for number in numbers), field_ids) for numbers, field_ids in alike.items()]


def _too_many(own: Sequence[Bits], field_id: FieldId, facts: Sequence[str]) -> Problem:
    first = min((bits.rule.origin for bits in own), key=lambda origin: (origin.file, origin.line))
    return Problem(
        "too-many-contexts",
        str(first),
        f"the field group of `{field_id}` depends on more than {MAX_CONTEXTS} different contexts",
        "let fewer facts matter to these fields: " + ", ".join(facts),
    )


def _clusters(groups: Sequence[Group], tables: Mapping[str, Mapping[str, int]]) -> tuple[Cluster, ...]:
    """Put groups that look at the same facts together as long as their joint matches stay few."""
    ordered = sorted(
        groups, key=lambda group: (DELIVER not in group.fields, [name for name, _ in group.axes], group.number)
    )
    found: list[Cluster] = []
    waiting = list(ordered)
    while waiting:
        members, mask = [waiting[0]], waiting[0].mask
        matches = reachable(tables, mask)
        if DELIVER not in waiting[0].fields:
            for group in waiting[1:]:
                joint = reachable(tables, mask | group.mask, MAX_JOINT_MATCHES)
                if len(joint) > MAX_JOINT_MATCHES:
                    break
                members.append(group)
                mask, matches = mask | group.mask, joint
        waiting = waiting[len(members) :]
        floored = tuple(
            place for place, group in enumerate(members) if any(bits.rule.kind is RuleKind.FLOOR for bits in group.bits)
        )
        cluster = Cluster(mask, tuple(members), floored, {})
        for match in matches:
            cluster.bundles[match] = cluster.bundle(group.answers[match & group.mask] for group in members)
        found.append(cluster)
    return tuple(found)


def next_change(document: PolicyDocument, after: date) -> date | None:
    """The first day after `after` on which other rules are in force than the day before; None when that never comes."""
    days = {rule.valid_from for rule in document.rules} | {
        date.fromordinal(rule.valid_to.toordinal() + 1) for rule in document.rules if rule.valid_to is not None
    }
    return min((day for day in days if day > after), default=None)

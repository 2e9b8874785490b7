"""How does a policy document become tables that answer at once?

Every condition is a set of *boxes* (fact name to allowed values), and every
box is one bit. For each fact and value, UNKNOWN included, a mask says which
boxes the value leaves standing; the AND of one mask per fact is the *match*,
and what a field shows depends on its match alone. Two readings of UNKNOWN are
folded into the masks, so nothing remains to be done when deciding:

- a permit's `where` stands only if every value would leave it standing (AND);
- a limit's boxes, and a permit's `unless`, stand if any value would (OR).

A limit's `unless` is expanded here: `W unless (a and b) or c` is the boxes
`W, not a, not c` and `W, not b, not c`.

Fields hit by the same rules form a *group*. A group depends on few facts, so
all its matches are enumerated at load and each has its answer ready.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from gateway.model.access import DELIVER, Facet, FieldDecision, Obligation
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, Problem
from gateway.model.identifiers import FieldId, PolicyHash, RuleId
from gateway.policy.rules import Condition, PolicyDocument, Rule, RuleKind
from gateway.policy.vocabulary import UNKNOWN, FactSpec, Vocabulary

MAX_CONTEXTS = 200_000
MAX_JOINT_MATCHES = 600
_FACETS = tuple(map(Facet, range(128)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What one group shows for one match, the floor's part of it, and the bits of the obligations that go with it."""

    shown: int
    floor: int
    decision: FieldDecision
    owed: int


@dataclass(frozen=True, slots=True)
class _Bits:
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


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that the same rules decide. `axes` are the facts they depend on, each with its classes of values."""

    number: int
    fields: tuple[FieldId, ...]
    mask: int
    bits: tuple[_Bits, ...]
    axes: tuple[tuple[str, tuple[ValueClass, ...]], ...]
    answers: dict[int, Answer]
    is_personal: bool
    owed: int
    partial: dict[tuple[int, int], Answer] = field(default_factory=dict, compare=False, repr=False)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(bits.rule for bits in self.bits)

    def answer(self, match: int, accepted: int = -1) -> Answer:
        """The answer for a match (any bits beyond the group's are ignored) when these obligations are accepted."""
        match &= self.mask
        full = self.answers[match]
        key = (match, accepted & self.owed)
        if key[1] == self.owed:
            return full
        found = self.partial.get(key)
        if found is None:
            found = answer(self.bits, match, accepted)
            if len(self.partial) < 65536:
                self.partial[key] = found
        return found

    @property
    def contexts(self) -> int:
        """How many combinations of value classes there are; `answers` holds those the rules can tell apart."""
        product = 1
        for _, classes in self.axes:
            product *= len(classes)
        return product


@dataclass(frozen=True, slots=True)
class Bundle:
    """Groups that are looked up at once: their answers for one joint match, with the bytes that name them and what they owe."""

    answers: tuple[Answer, ...]
    shape: bytes
    owed: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Groups whose joint matches are few, so that one look-up answers them all."""

    mask: int
    groups: tuple[Group, ...]
    floored: tuple[int, ...]  # the places of those that some floor touches
    bundles: dict[int, Bundle]

    def bundle(self, answers: Iterable[Answer]) -> Bundle:
        found = tuple(answers)
        shape = [answer.shown for answer in found] + [found[place].floor for place in self.floored]
        return Bundle(found, bytes(shape), functools.reduce(operator.or_, (answer.owed for answer in found), 0))


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy. `group_of` says which group decides a field; `tables` are in the order of the vocabulary's facts."""

    document: PolicyDocument
    hash: PolicyHash
    as_of: date
    division: str
    rules: tuple[Rule, ...]
    groups: tuple[Group, ...]
    group_of: Mapping[FieldId, int]
    gate: Group  # decides whether a notice is delivered at all
    tables: Mapping[str, Mapping[str, int]]
    obligations: tuple[Obligation, ...]
    notice_tables: tuple[tuple[int, Mapping[str, int]], ...]
    personal_tables: tuple[tuple[int, Mapping[str, int]], ...]
    person_tables: tuple[Mapping[str, int], ...]  # of every personal fact, in the order of a person's signature
    personal_groups: tuple[Group, ...]
    clusters: tuple[Cluster, ...]
    lookups: tuple[tuple[int, dict[int, Bundle]], ...]
    places: Mapping[FieldId, tuple[int, int]]  # of a field: its cluster, and its group there
    accepted: dict[frozenset[str], int] = field(default_factory=dict, compare=False, repr=False)
    owed: dict[int, tuple[Obligation, ...]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.document.vocabulary

    def group(self, field_id: FieldId) -> Group:
        return self.groups[self.group_of[field_id]]

    def accepted_bits(self, accepts: frozenset[str]) -> int:
        found = self.accepted.get(accepts)
        if found is None:
            found = sum(1 << i for i, owed in enumerate(self.obligations) if owed.name in accepts)
            if len(self.accepted) < 4096:
                self.accepted[accepts] = found
        return found

    def obligations_of(self, owed: int) -> tuple[Obligation, ...]:
        """Union of names, minimum of numbers, sorted by name."""
        found = self.owed.get(owed)
        if found is None:
            found = combine_obligations(o for i, o in enumerate(self.obligations) if owed >> i & 1)
            if len(self.owed) < 4096:
                self.owed[owed] = found
        return found


def combine_obligations(owed: Iterable[Obligation]) -> tuple[Obligation, ...]:
    least: dict[str, int | None] = {}
    for one in owed:
        had = least.get(one.name)
        least[one.name] = one.value if had is None or one.value is None else min(had, one.value)
    return tuple(Obligation(name, least[name]) for name in sorted(least))


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


def _lay_out(
    rules: Sequence[Rule], vocabulary: Vocabulary, obligations: Sequence[Obligation]
) -> tuple[list[_Bits], list[tuple[Condition, bool]]]:
    """Give each rule its bits; each bit is a box with `must_be_certain`."""
    boxes: list[tuple[Condition, bool]] = []
    laid: list[_Bits] = []
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
        laid.append(_Bits(rule, stands, falls, owed, int(rule.facets)))
    return laid, boxes


def _table(spec: FactSpec, boxes: Sequence[tuple[Condition, bool]]) -> dict[str, int]:
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


def answer(bits: Sequence[_Bits], match: int, accepted: int = -1) -> Answer:
    """The bracket of DESIGN 4 for one match: floor | (OR of permits & AND of limits).

    A permit whose obligations are not all in `accepted` grants nothing; a
    limit whose obligations are not lets nothing through.
    """
    granted, allowed, floor = 0, 127, 0
    permits: list[_Bits] = []
    limits: list[_Bits] = []
    refused: list[_Bits] = []
    floors: list[RuleId] = []
    for rule in bits:
        if not match & rule.stands or match & rule.falls:
            continue
        if rule.rule.kind is RuleKind.PERMIT:
            if rule.owed & ~accepted:
                refused.append(rule)
            else:
                granted |= rule.facets
                permits.append(rule)
        elif rule.rule.kind is RuleKind.LIMIT:
            allowed &= 0 if rule.owed & ~accepted else rule.facets
            limits.append(rule)
        else:
            floor |= rule.facets
            floors.append(rule.rule.id)
    bracket = granted & allowed
    giving = [rule for rule in permits if rule.facets & bracket]
    cutting = [rule.rule.id for rule in limits if granted & ~(0 if rule.owed & ~accepted else rule.facets)]
    cutting += [rule.rule.id for rule in refused if rule.facets & allowed & ~bracket]
    owed = 0
    if bracket:
        for rule in (*giving, *limits):
            owed |= rule.owed
    because = tuple(sorted({*(rule.rule.id for rule in giving), *floors}))
    shown = bracket | floor
    decision = FieldDecision(_FACETS[shown], because, tuple(sorted(set(cutting))), _FACETS[floor])
    return Answer(shown, floor, decision, owed)


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
    laid, boxes = _lay_out(rules, vocabulary, obligations)
    tables = {spec.name: _table(spec, boxes) for spec in vocabulary.facts.values()}
    by_rules: dict[tuple[int, ...], list[FieldId]] = {}
    hits: dict[FieldId, list[int]] = {field_id: [] for field_id in document.catalogue}
    for i, bits in enumerate(laid):
        for field_id in bits.rule.fields:
            hits[field_id].append(i)
    for field_id in document.catalogue:
        by_rules.setdefault(tuple(hits[field_id]), []).append(field_id)
    groups: list[Group] = []
    problems: list[Problem] = []
    for hit, field_ids in by_rules.items():
        own = tuple(laid[i] for i in hit)
        mask = 0
        for bits in own:
            mask |= bits.stands | bits.falls
        axes = axes_of(tables, mask)
        group = Group(
            number=len(groups),
            fields=tuple(field_ids),
            mask=mask,
            bits=own,
            axes=axes,
            answers={},
            is_personal=any(vocabulary.facts[name].is_personal for name, _ in axes),
            owed=functools.reduce(operator.or_, (bits.owed for bits in own), 0),
        )
        matches = reachable(tables, mask, MAX_CONTEXTS)
        if len(matches) > MAX_CONTEXTS:
            first = min((bits.rule.origin for bits in own), key=lambda origin: (origin.file, origin.line))
            problems.append(
                Problem(
                    "too-many-contexts",
                    str(first),
                    f"the field group of `{field_ids[0]}` depends on more than {MAX_CONTEXTS} different contexts",
                    "let fewer facts matter to these fields: " + ", ".join(name for name, _ in axes),
                )
            )
        else:
            for match in matches:
                group.answers[match] = answer(own, match)
        groups.append(group)
    if problems:
        raise InvalidDocument("the policy depends on too many contexts", problems=tuple(problems))
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

"""What does a compiled policy hold, and what does it answer for a match?

Fields hit by the same rules form a *group*. A group depends on few facts, so
all its matches are enumerated at load and each has its answer ready. Groups
whose joint matches are few form a *cluster*, which one look-up answers.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from gateway.model.access import Facet, FieldDecision, Obligation
from gateway.model.identifiers import FieldId, PolicyHash, RuleId
from gateway.policy.masks import Bits, ValueClass
from gateway.policy.rules import PolicyDocument, Rule, RuleKind
from gateway.policy.vocabulary import Vocabulary

_FACETS = tuple(map(Facet, range(128)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What one group shows for one match, the floor's part of it, and the bits of the obligations that go with it."""

    shown: int
    floor: int
    decision: FieldDecision
    owed: int


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that the same rules decide. `axes` are the facts they depend on, each with its classes of values."""

    number: int
    fields: tuple[FieldId, ...]
    mask: int
    bits: tuple[Bits, ...]
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


def answer(bits: Sequence[Bits], match: int, accepted: int = -1) -> Answer:
    """The bracket of DESIGN 4 for one match: floor | (OR of permits & AND of limits).

    A permit whose obligations are not all in `accepted` grants nothing; a
    limit whose obligations are not lets nothing through.
    """
    granted, allowed, floor = 0, 127, 0
    permits: list[Bits] = []
    limits: list[Bits] = []
    refused: list[Bits] = []
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


def combine_obligations(owed: Iterable[Obligation]) -> tuple[Obligation, ...]:
    least: dict[str, int | None] = {}
    for one in owed:
        had = least.get(one.name)
        least[one.name] = one.value if had is None or one.value is None else min(had, one.value)
    return tuple(Obligation(name, least[name]) for name in sorted(least))

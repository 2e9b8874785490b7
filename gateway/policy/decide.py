"""Decide what one recipient may see of a notice, field by field.

This is the policy decision point. `decide` is a pure function: no clock, no
storage, no network. Whatever a rule may look at is already in the facts, so a
recorded request can be decided again years later and give the same answer.

How rules combine:

1. A permit applies when its condition holds for every value each fact may
   have; a limit applies when it holds for any. An unknown fact may have all
   values of its domain, so less knowledge never shows more.
2. A field shows the union of what applicable permits grant, cut by every
   applicable limit, and never less than its floor.
3. No applicable permit, nothing shown.
4. A permit whose obligations the recipient has not accepted grants nothing, and
   a limit whose obligations it has not accepted lets nothing through. A floor
   asks for nothing in return.
5. Where the notice may not be delivered at all, no field is shown.

The order of the rules doesn't matter, nor does saying one twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from gateway.model.access import DELIVER, Decision, FieldDecision, Obligation
from gateway.model.identifiers import FieldId, PolicyHash
from gateway.policy.compiled import Bundle, Policy
from gateway.policy.facts import Facts, Signature
from gateway.policy.facts import facts as make_facts
from gateway.policy.rules import RuleKind
from gateway.policy.vocabulary import UNKNOWN

_NOTHING_PERSONAL: Mapping[str, Mapping[FieldId, FieldDecision]] = MappingProxyType({})


class Decider:
    """`decide` with a memory of its last answers.

    The key is the closed facts, the obligations and the policy's hash, so it
    holds everything an answer depends on. Facts built for another vocabulary
    are decided each time: their values stand in other places. When full, the
    memory starts anew.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: dict[
            tuple[PolicyHash, Signature, frozenset[str], tuple[tuple[str, Signature], ...]], Decision
        ] = {}

    def __call__(self, facts: Facts, policy: Policy) -> Decision:
        """As `decide`; raises what it raises, and remembers nothing then."""
        if facts.vocabulary is not policy.document.vocabulary:
            return decide(facts, policy)
        key = (policy.hash, facts.signature, facts.accepts, tuple(facts.persons.items()))
        found = self._known.get(key)
        if found is None:
            found = decide(facts, policy)
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[key] = found
        return found


class FieldDecisions(Mapping[FieldId, FieldDecision]):
    """The answers of all groups, seen field by field."""

    __slots__ = ("_bundles", "_places")

    def __init__(self, places: Mapping[FieldId, tuple[int, int]], bundles: Sequence[Bundle]) -> None:
        self._places = places
        self._bundles = bundles

    def __getitem__(self, field_id: FieldId) -> FieldDecision:
        cluster, place = self._places[field_id]
        return self._bundles[cluster].answers[place].decision

    def __iter__(self) -> Iterator[FieldId]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"FieldDecisions({dict(self)!r})"


def decide(facts: Facts, policy: Policy) -> Decision:
    """Say for each field which facets are shown, and which rules said so.

    Total for a policy that `compile_policy` accepted. `because` is sorted;
    `cut_by` names the limits that took something away, or the permits whose
    obligations were not accepted. The caller owes the decision's obligations
    before the notice leaves. `elements` holds, per person of `facts.persons`,
    the fields that are decided by that person's own facts.

    Raises UnknownFactValue when the facts were built for another vocabulary and do not fit this one.
    """
    if facts.vocabulary is not policy.document.vocabulary:
        facts = _rebuilt(facts, policy)
    signature = facts.signature
    base = -1
    for place, table in policy.notice_tables:
        base &= table[signature[place]]
    match = base
    for place, table in policy.personal_tables:
        match &= table[signature[place]]
    accepted = policy.accepted_bits(facts.accepts)
    gate = policy.gate.answers[match & policy.gate.mask]
    if gate.owed & ~accepted:
        gate = policy.gate.answer(match, accepted)
    if not gate.shown:
        return Decision({DELIVER: gate.decision}, policy.hash, policy.hash[7:23] + ":-", (), facts)
    bundles = [ready[match & mask] for mask, ready in policy.lookups]
    owed = 0
    for bundle in bundles:
        owed |= bundle.owed
    if owed & ~accepted:
        bundles = [
            cluster.bundle([group.answer(match, accepted) for group in cluster.groups]) for cluster in policy.clusters
        ]
        owed = 0
        for bundle in bundles:
            owed |= bundle.owed
    shape = b"".join([bundle.shape for bundle in bundles]).hex()
    elements = _NOTHING_PERSONAL
    if facts.persons and policy.personal_tables:
        shape, elements, owed = _persons(facts, policy, base, shape, owed, accepted)
    obligations: tuple[Obligation, ...] = policy.obligations_of(owed) if owed else ()
    return Decision(
        FieldDecisions(policy.places, bundles),
        policy.hash,
        policy.hash[7:23] + ":" + shape,
        obligations,
        facts,
        elements,
    )


def floors_alone(decision: Decision, policy: Policy) -> Decision:
    """What a decision shows whatever else is true: for a notice whose stored content is in doubt. Owes nothing, as floors do."""
    floors = {rule.id for rule in policy.rules if rule.kind is RuleKind.FLOOR}
    kept = {
        name: FieldDecision(found.floor, tuple(rule for rule in found.because if rule in floors), (), found.floor)
        for name, found in decision.fields.items()
        if found.floor
    }
    return Decision(kept, decision.policy, decision.outcome + ":floor", (), dict(decision.facts))


def _persons(
    facts: Facts, policy: Policy, base: int, shape: str, owed: int, accepted: int
) -> tuple[str, dict[str, Mapping[FieldId, FieldDecision]], int]:
    general = base
    for _, table in policy.personal_tables:
        general &= table[UNKNOWN]
    elements: dict[str, Mapping[FieldId, FieldDecision]] = {}
    for ref, own in facts.persons.items():
        match = base
        for table, value in zip(policy.person_tables, own, strict=True):
            match &= table[value]
        differing = match ^ general
        decided: dict[FieldId, FieldDecision] = {}
        shapes = bytearray()
        for group in policy.personal_groups:
            if not differing & group.mask:
                continue
            answer = group.answer(match, accepted)
            owed |= answer.owed
            shapes += bytes((group.number & 0xFF, answer.shown, answer.floor))
            for field_id in group.fields:
                decided[field_id] = answer.decision
        if decided:
            elements[ref] = decided
            shape += f".{ref}={shapes.hex()}"
    return shape, elements, owed


def _rebuilt(facts: Facts, policy: Policy) -> Facts:
    names = [spec.name for spec in facts.vocabulary.facts.values() if spec.is_personal]
    persons = {ref: dict(zip(names, own, strict=True)) for ref, own in facts.persons.items()}
    return make_facts(policy.vocabulary, facts.known(), accepts=facts.accepts, persons=persons)

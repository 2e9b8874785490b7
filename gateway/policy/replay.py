"""Would a recorded decision come out the same today, and what would a draft have changed?

A recorded decision holds closed values and rule outcomes, never anything of a
notice, so it can be decided again years later. `replay` asks the policy that
was then in force; `simulate` asks a draft over many records and counts what
would have been seen more and less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.model.access import Decision, Facet
from gateway.model.identifiers import FieldId, PolicyHash
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.facts import UnknownFactValue, facts


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """What the log keeps of one decision. `facts` holds known values only; `shown` leaves out what was withheld."""

    id: str
    policy: PolicyHash
    outcome: str
    facts: Mapping[str, str]
    accepts: frozenset[str]
    shown: Mapping[FieldId, Facet]
    persons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    field: FieldId
    recorded: Facet
    now: Facet


@dataclass(frozen=True, slots=True)
class Replay:
    """`same_policy` tells whether the policy asked is the one recorded; `undecidable` why it could not be asked at all."""

    id: str
    same_policy: bool
    differences: tuple[Difference, ...]
    undecidable: str = ""

    @property
    def holds(self) -> bool:
        return not self.differences and not self.undecidable


@dataclass(frozen=True, slots=True)
class Simulation:
    """Totals over all records, and the records a draft would have changed. `by_field` counts (more, less)."""

    records: int
    changed: tuple[Replay, ...]
    undecidable: tuple[Replay, ...]
    no_longer_delivered: int
    newly_delivered: int
    by_field: Mapping[FieldId, tuple[int, int]]


def record(decision_id: str, decision: Decision, accepts: frozenset[str]) -> RecordedDecision:
    """The record of a decision just made."""
    known = {name: values[0] for name, values in decision.facts.items() if len(values) == 1}
    shown = {field_id: found.shown for field_id, found in decision.fields.items() if found.shown}
    return RecordedDecision(decision_id, decision.policy, decision.outcome, known, accepts, shown)


def replay(recorded: RecordedDecision, policy: Policy) -> Replay:
    """Decide a record again and name every field that differs."""
    same = recorded.policy == policy.hash
    try:
        asked = facts(policy.vocabulary, recorded.facts, accepts=recorded.accepts, persons=recorded.persons)
    except UnknownFactValue as error:
        words = "; ".join(problem.message for problem in error.problems)
        return Replay(recorded.id, same, (), words)
    decision = decide(asked, policy)
    differences = tuple(
        Difference(field_id, recorded.shown.get(field_id, Facet.NOTHING), decision.shown(field_id))
        for field_id in sorted({*recorded.shown, *policy.group_of})
        if recorded.shown.get(field_id, Facet.NOTHING) != decision.shown(field_id)
    )
    return Replay(recorded.id, same, differences)


def simulate(draft: Policy, records: Iterable[RecordedDecision]) -> Simulation:
    """Ask a draft about recorded decisions."""
    deliver = FieldId("notice.deliver")
    changed: list[Replay] = []
    undecidable: list[Replay] = []
    counts: dict[FieldId, tuple[int, int]] = {}
    total = lost = gained = 0
    for one in records:
        total += 1
        again = replay(one, draft)
        if again.undecidable:
            undecidable.append(again)
        elif again.differences:
            changed.append(again)
        for difference in again.differences:
            more, less = counts.get(difference.field, (0, 0))
            more += bool(difference.now & ~difference.recorded)
            less += bool(difference.recorded & ~difference.now)
            counts[difference.field] = (more, less)
            if difference.field == deliver:
                lost += not difference.now
                gained += not difference.recorded
    return Simulation(total, tuple(changed), tuple(undecidable), lost, gained, counts)

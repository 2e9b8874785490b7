"""Why was this shown then, and would it come out the same today?

A disclosure record names the compiled policy by hash, and the closed facts it was
decided on: those of the matter in the slot of one child, those of a person in that
person's slot, what the office accepted in the envelope. So a decision can be made
again years later from its record, and proved: every part is under the record's root.
When a person is erased their slot closes, and what depended on it can no longer be
decided again; the record says so rather than guess.

`Replays` needs the running gateway, since slots open with the persons' keys alone.
Every use is an event of the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.audit.findings import Wrong
from gateway.audit.opening import Opening, OpenSlot, check_envelope, open_slot, read_opening
from gateway.model.access import Decision
from gateway.model.audit import PERSON, EventName, LogValue, Slot, shown_name
from gateway.model.errors import NotFound, NotPermitted, Tampered
from gateway.model.identifiers import EventId, FieldId, NoticeId, PolicyHash
from gateway.policy.compiled import Policy
from gateway.policy.decide import decide
from gateway.policy.facts import Facts, UnknownFactValue, facts
from gateway.policy.replay import RecordedDecision, Simulation, simulate
from gateway.policy.vocabulary import UNKNOWN
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogQuery, LogStorage, StoredRecord
from gateway.ports.storage import NoticeStorage
from gateway.services.facts import Gathered
from gateway.services.govern import Policies
from gateway.services.keep import Keeper, OpenedNotice, person_ref
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import Teller

PAGE = 200


def outcome_code(decision: Decision) -> str:
    """The outcome in the log's words: equal for equal vectors of shown facets under one policy."""
    return "o-" + hashlib.sha256(decision.outcome.encode()).hexdigest()[:32]


def decided_on(gathered: Gathered, opened: OpenedNotice) -> tuple[dict[str, LogValue | None], tuple[Slot, ...]]:
    """What a record says of the facts a decision was made on: in the envelope, and in the persons' slots.

    The facts of the matter stand in the slot of the first minor, so that they are erased with the child;
    in the envelope only where the notice is about no person at all.
    """
    asked = gathered.facts
    matter = _pairs(asked.known())
    said: dict[str, LogValue | None] = {"accepts": tuple(sorted(asked.accepts))}
    if not gathered.slots:
        return {**said, "facts": matter}, ()
    names = [spec.name for spec in asked.vocabulary.facts.values() if spec.is_personal]
    first = next((n for n, slot in enumerate(gathered.slots) if "minor" in _roles(slot)), 0)
    slots: list[Slot] = []
    for number, (slot, ref) in enumerate(zip(gathered.slots, opened.persons, strict=True)):
        own = dict(zip(names, asked.persons.get(ref, ()), strict=False))
        known = {name: value for name, value in own.items() if value != UNKNOWN}
        told = matter if number == first else ()
        pairs = tuple(sorted({**dict(told), **known}.items()))
        slots.append(replace(slot, values={**slot.values, "facts": pairs}) if pairs else slot)
    return said, tuple(slots)


def opened_record(record: StoredRecord) -> Opening:
    """What a record says, held against its entry. Raises Tampered where the store says something else."""
    try:
        opening = read_opening(record.opening)
        check_envelope(opening, record.entry)
    except Wrong as wrong:
        raise Tampered("a record of the log was changed in the store") from wrong
    return opening


def _roles(slot: Slot) -> tuple[str, ...]:
    roles = slot.values.get("roles", ())
    return tuple(str(role) for role in roles) if isinstance(roles, tuple) else ()


def _pairs(known: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(known.items()))


@dataclass(frozen=True, slots=True)
class FieldChange:
    field: FieldId
    recorded: str
    now: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded disclosure, decided again. `undecidable` says why it could not be: policy or facts are gone."""

    event: EventId
    at: datetime
    recipient: str
    purpose: str
    policy: PolicyHash
    facts: Mapping[str, str]
    fields: Mapping[str, str]
    because: tuple[str, ...]
    limits: tuple[str, ...]
    differences: tuple[FieldChange, ...] = ()
    same_outcome: bool = False
    undecidable: str = ""

    @property
    def holds(self) -> bool:
        return self.same_outcome and not self.differences and not self.undecidable


@dataclass(frozen=True, slots=True)
class _Recorded:
    event: EventId
    at: datetime
    envelope: Mapping[str, object]
    known: Mapping[str, str] | None
    persons: Mapping[str, Mapping[str, str]]

    def text(self, name: str) -> str:
        return str(self.envelope.get(name, ""))

    def words(self, name: str) -> tuple[str, ...]:
        found = self.envelope.get(name, ())
        return tuple(str(word) for word in found) if isinstance(found, (list, tuple)) else ()

    @property
    def fields(self) -> dict[str, str]:
        found = self.envelope.get("fields", {})
        return {str(name): str(form) for name, form in found.items()} if isinstance(found, dict) else {}


class Replays:
    def __init__(
        self,
        *,
        log: LogStorage,
        notices: NoticeStorage,
        keeper: Keeper,
        policies: Policies,
        staff: StaffDirectory,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._log, self._notices, self._keeper = log, notices, keeper
        self._policies, self._staff, self._teller, self._clock = policies, staff, teller, clock

    async def replay(self, event: EventId, *, by: str) -> Replayed:
        """Decide a disclosure again under the policy it names. Raises NotFound for what is no disclosure, Tampered for a changed record."""
        await require(self._staff, by, *Role)
        recorded = await self._read(await self._disclosure(event))
        await self._tell("replay", 1, by)
        found = Replayed(
            recorded.event,
            recorded.at,
            recorded.text("recipient"),
            recorded.text("purpose"),
            PolicyHash(recorded.text("policy")),
            recorded.known or {},
            recorded.fields,
            recorded.words("because"),
            recorded.words("limits"),
        )
        policy = await self._policies.decided_by(found.policy, recorded.at)
        if policy is None:
            return replace(found, undecidable="the policy of this decision is not in the store")
        if recorded.known is None:
            return replace(found, undecidable="a person of this notice was erased, and the facts with them")
        try:
            again = decide(_facts(recorded, policy), policy)
        except UnknownFactValue:
            return replace(found, undecidable="the facts of this record do not fit its policy")
        changes = tuple(
            FieldChange(FieldId(name), form, now)
            for name, form in sorted(recorded.fields.items())
            if (now := shown_name(again.shown(FieldId(name)))) != form
        )
        return replace(found, differences=changes, same_outcome=outcome_code(again) == recorded.text("outcome"))

    async def asked(self, event: EventId, person: str, instead: Policy | None, *, by: str) -> tuple[Facts, Policy]:
        """The facts a disclosure was decided on, with those of one of its persons where a ref is given, and the policy that
        decided it (or another one). Raises NotFound for what is no disclosure, NotPermitted where it cannot be decided any more."""
        await require(self._staff, by, *Role)
        recorded = await self._read(await self._disclosure(event))
        await self._tell("why", 1, by)
        policy = instead or await self._policies.decided_by(PolicyHash(recorded.text("policy")), recorded.at)
        if policy is None or recorded.known is None:
            raise NotPermitted("this disclosure cannot be decided again", remedy="hutong policy replay tells why")
        asked = _facts(recorded, policy)
        if not person:
            return asked, policy
        if person not in recorded.persons:
            known = " ".join(recorded.persons) or "none"
            raise NotFound(f"the notice has no person `{person[:16]}`", remedy=f"its persons: {known}")
        for name, value in recorded.persons[person].items():
            asked = asked.with_value(name, value)
        return asked, policy

    async def simulate(
        self, draft: Policy, *, by: str, since: datetime | None = None, most: int = 10_000
    ) -> Simulation:
        """What a draft would have changed in the disclosures of the log, the newest first, `most` of them.

        Each is decided again under its own policy, then under the draft. A field counts as seen more where the
        draft shows more of it, whether or not that notice held it.
        """
        await require(self._staff, by, *Role)
        records: list[RecordedDecision] = []
        before: int | None = None
        seen = 0
        while seen < most:
            query = LogQuery(event=EventName.DISCLOSURE_DECIDED.value, since=since)
            page = await self._log.search(query, before, min(PAGE, most - seen))
            for record in page:
                one = await self._read(record)
                decision = await self._again(one)
                records.append(
                    RecordedDecision(
                        one.event,
                        PolicyHash(one.text("policy")),
                        one.text("outcome"),
                        one.known or {"undecidable": "undecidable"},
                        frozenset(one.words("accepts")),
                        {}
                        if decision is None
                        else {name: found.shown for name, found in decision.fields.items() if found.shown},
                        one.persons,
                    )
                )
            seen += len(page)
            if len(page) < PAGE:
                break
            before = page[-1].index
        await self._tell("simulation", seen, by)
        return simulate(draft, records)

    async def _disclosure(self, event: EventId) -> StoredRecord:
        record = await self._log.record(event)
        if record is None or record.name != EventName.DISCLOSURE_DECIDED:
            raise NotFound(
                "there is no such disclosure in the log", remedy="hutong log search --event disclosure_decided"
            )
        return record

    async def _again(self, one: _Recorded) -> Decision | None:
        policy = await self._policies.decided_by(PolicyHash(one.text("policy")), one.at)
        if policy is None or one.known is None:
            return None
        try:
            return decide(_facts(one, policy), policy)
        except UnknownFactValue:
            return None

    async def _read(self, record: StoredRecord) -> _Recorded:
        opening = opened_record(record)
        accepted = opening.fields.get("facts")
        matter = {str(k): str(v) for k, v in accepted.items()} if isinstance(accepted, dict) else {}
        numbers = [number for number, slot in enumerate(opening.slots, 1) if slot.kind == PERSON]
        persons: dict[str, dict[str, str]] = {}
        closed = False
        if numbers:
            opened = await self._opened(NoticeId(str(opening.fields["notice"])))
            refs = (
                [] if opened is None else [person_ref(one, n) for n, one in enumerate(opened.data.get("persons", ()))]
            )
            found: dict[str, dict[str, str]] = {}
            for number in numbers:
                slot, ref = _slot(opening, number, opened)
                if slot is None:
                    closed = True
                    continue
                pairs = {str(name): str(value) for name, value in slot.values.get("facts", {}).items()}
                matter.update({name: value for name, value in pairs.items() if "." not in name})
                found[ref] = {name: value for name, value in pairs.items() if "." in name}
            persons = {ref: found[ref] for ref in [*refs, *sorted(found.keys() - set(refs))] if ref in found}
        known = None if closed or not matter else matter
        return _Recorded(record.event, record.at, opening.fields, known, persons)

    async def _opened(self, notice: NoticeId) -> OpenedNotice | None:
        stored = await self._notices.load(notice)
        return None if stored is None else self._keeper.open(stored)

    async def _tell(self, report: str, rows: int, by: str) -> None:
        await self._log.append([self._teller.report_read(self._clock.now(), report, rows, by)])


def _slot(opening: Opening, number: int, opened: OpenedNotice | None) -> tuple[OpenSlot | None, str]:
    """The slot, opened by the person whose it is, and that person's ref in the notice."""
    for ref, person in (opened.persons if opened is not None else {}).items():
        try:
            return open_slot(opening, number, person.log_secret), ref
        except Wrong:  # another person's slot
            continue
    return None, ""


def _facts(recorded: _Recorded, policy: Policy) -> Facts:
    return facts(policy.vocabulary, recorded.known or {}, accepts=recorded.words("accepts"), persons=recorded.persons)

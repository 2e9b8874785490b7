"""How is an unknown conflict of a guardian cleared, and taken back?

DOMAIN 5.6 K6: what is not known counts as a conflict for sexual harm and M1 to M3 until two persons have found that there
is none, with a reason; the finding is reversible. The steps, and what a crash after each leaves behind:

1. one person asks: a record that clears nothing yet.
2. a second one confirms within a day: the record clears, in the transaction of its log record, which also raises the
   consent epoch, so that whatever was decided before is decided anew.
3. anybody of the same role reverses it: the same in the other direction. The answer comes when nothing decided
   before can leave any more.

A clearing holds for one guardian in one case and for what was received before it: later news is looked at anew. It
lifts what is unknown, never what is known. It is kept under the guardian's own key, so erasing the guardian erases it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from gateway.consent.conflict import Clearing, Conflict, Finding, Reason
from gateway.crypto.sealing import NONCE_BYTES, keyed_digest, seal, unseal
from gateway.model.audit import EventName, LogValue
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, NotFound, NotPermitted
from gateway.model.identifiers import CaseId, KeyId, PersonId
from gateway.ports.clock import Clock, Ids
from gateway.ports.keys import KeyStore
from gateway.ports.registry_storage import ConsentRecord, ConsentStorage
from gateway.ports.retention_storage import RetentionStorage
from gateway.ports.storage import NoticeStorage
from gateway.services.consents import CLEARING
from gateway.services.directory import Directories
from gateway.services.keep import OpenedNotice
from gateway.services.people import People
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import STAFF, Teller

ASKED, CLEARED, REVERSED = "asked", "cleared", "reversed"
ASKED_LIFE = timedelta(days=1)
_LOOKED_AT = 200
_CODE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class KeptClearing:
    """`officers` are references to staff; the second is empty while one person alone has asked."""

    id: str
    guardian: PersonId
    case: CaseId
    officers: tuple[str, str]
    reason: str
    at: datetime
    state: str
    reversed_at: datetime | None = None


class ClearConflict:
    def __init__(
        self,
        *,
        storage: ConsentStorage,
        retention: RetentionStorage,
        notices: NoticeStorage,
        people: People,
        keys: KeyStore,
        ids: Ids,
        teller: Teller,
        staff: StaffDirectory,
        directories: Directories,
        clock: Clock,
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        self._storage, self._retention, self._notices = storage, retention, notices
        self._people, self._keys, self._ids, self._teller = people, keys, ids, teller
        self._staff, self._directories, self._clock, self._settle = staff, directories, clock, settle
        self._secret = keys.secret("consent-names")
        self._one_at_a_time = asyncio.Lock()

    async def clear(self, guardian: str, case: CaseId, reason: str, *, by: str) -> KeptClearing:
        """Ask for a clearing, or make it as the second person.

        `guardian` is `KIND:NUMBER` or a person id. Raises RoleMissing for who is no compliance officer, NotFound for
        nobody known or nobody of this case, NotPermitted for the same person twice.
        """
        await require(self._staff, by, Role.COMPLIANCE_OFFICER)
        if not reason.strip() or len(reason) > _CODE_LENGTH:
            raise InvalidDocument("a reason is given, as a code", remedy="for instance: other-parent-lives-apart")
        person = (await self._people.named(guardian)).person
        async with self._one_at_a_time:
            newest = await self._newest_of_case(person, case)
            now, name = self._clock.now(), self._name(person, case)
            before = next((one for one in await self.of(person) if one.id == name), None)
            if before is not None and before.state == CLEARED and newest <= before.at:
                return before
            waits = before is not None and before.state == ASKED and now - before.at <= ASKED_LIFE
            if before is None or not waits:
                asked = KeptClearing(name, person, case, (by, ""), reason, now, ASKED)
                await self._put(asked, None, by)
                return asked
            if before.officers[0] == by:
                raise NotPermitted(
                    "a conflict is cleared by two different persons", remedy="let a second person confirm"
                )
            cleared = replace(before, officers=(before.officers[0], by), at=now, state=CLEARED)
            await self._put(cleared, EventName.CONFLICT_CLEARED, by)
            return cleared

    async def reverse(self, guardian: str, case: CaseId, reason: str, *, by: str) -> KeptClearing:
        """Take a clearing back, alone: doubt is a no. Raises RoleMissing, and NotFound where nothing is cleared or asked."""
        await require(self._staff, by, Role.COMPLIANCE_OFFICER)
        person = (await self._people.named(guardian)).person
        async with self._one_at_a_time:
            name = self._name(person, case)
            found = next((one for one in await self.of(person) if one.id == name and one.state != REVERSED), None)
            if found is None:
                raise NotFound("nothing is cleared for this guardian in this case")
            now = self._clock.now()
            reversed_ = replace(found, state=REVERSED, reversed_at=now, reason=reason or found.reason)
            await self._put(reversed_, EventName.CONFLICT_RECORDED, by)
        await self._settle()
        return reversed_

    async def of(self, person: PersonId) -> list[KeptClearing]:
        """The newest state of every clearing of this person. What was erased is not there."""
        records = await self._storage.consents_of([person])
        return [kept for one in records if one.id.startswith(CLEARING) and (kept := self._open(one)) is not None]

    async def covers(self, person: PersonId, case: CaseId, received_at: datetime) -> bool:
        """Whether a clearing holds for what this case received at an instant."""
        return bool(await self._holding(person, case, received_at))

    async def for_notice(
        self, opened: OpenedNotice, findings: Mapping[str, Finding], case: CaseId
    ) -> Sequence[Clearing]:
        """The clearings, by `ref`, that hold for this notice; asked only for guardians of whom nothing is known."""
        found: list[Clearing] = []
        for ref in doubtful(findings):
            if (known := opened.persons.get(ref)) is not None:
                holding = await self._holding(known.link.person, case, opened.stored.received_at)
                found += [replace(one, guardian=ref) for one in holding]
        return found

    async def _holding(self, person: PersonId, case: CaseId, received_at: datetime) -> list[Clearing]:
        now = self._clock.now()
        kept = [one for one in await self.of(person) if one.case == case and received_at <= one.at]
        found = [Clearing(str(person), one.officers, one.reason, one.at, one.reversed_at) for one in kept]
        return [one for one in found if one.holds(now)]

    async def _newest_of_case(self, person: PersonId, case: CaseId) -> datetime:
        """When the case's newest notice of this person came."""
        summaries = [
            await self._notices.summary(notice) for notice, _ in await self._notices.notices_of(person, _LOOKED_AT)
        ]
        received = [one.received_at for one in summaries if one is not None and one.case == case]
        if not received:
            raise NotFound("this person is in no notice of that case", remedy="see `hutong case show`")
        return max(received)

    async def _put(self, kept: KeptClearing, event: EventName | None, by: str) -> None:
        key = await self._retention.key_of(kept.guardian)
        secret = None if key is None else self._keys.open(key)
        if key is None or secret is None:
            raise NotFound("nobody is known under this")
        document = {
            "case": kept.case, "officers": list(kept.officers), "reason": kept.reason, "at": kept.at.isoformat(),
            "state": kept.state, "reversed_at": "" if kept.reversed_at is None else kept.reversed_at.isoformat(),
        }  # fmt: skip
        sealed = seal(secret, self._ids.secret(NONCE_BYTES), canonical_json(document), _place(kept.guardian, kept.id))
        now = self._clock.now()
        record = ConsentRecord(kept.id, kept.guardian, key.encode() + b"\n" + sealed, kept.state, now)
        told = []
        if event is not None:
            values: dict[str, LogValue | None] = {"conflict": Conflict.UNKNOWN.value}
            if event is EventName.CONFLICT_CLEARED:
                values |= {"reason": kept.reason, "approval": kept.id}
            slot = self._teller.person_slot(kept.guardian, keyed_digest(secret, b"log"))
            told = [self._teller.event(event, now, values, actor=STAFF, officer=by, persons=[slot])]
        await self._storage.put_consent(record, told)
        await self._directories.refresh()

    def _open(self, record: ConsentRecord) -> KeptClearing | None:
        key, _, sealed = record.document.partition(b"\n")
        secret = self._keys.open(KeyId(key.decode("ascii", "replace")))
        if secret is None:
            return None
        read = orjson.loads(unseal(secret, sealed, _place(record.person, record.id)))
        first, second = read["officers"]
        ended = read["reversed_at"]
        return KeptClearing(
            record.id, record.person, CaseId(read["case"]), (first, second), read["reason"],
            datetime.fromisoformat(read["at"]), read["state"], datetime.fromisoformat(ended) if ended else None,
        )  # fmt: skip

    def _name(self, person: PersonId, case: CaseId) -> str:
        return CLEARING + keyed_digest(self._secret, b"clearing", person.encode(), case.encode()).hex()[:31]


def doubtful(findings: Mapping[str, Finding]) -> Iterable[str]:
    """The guardians whose conflict is not known: the only ones a clearing is for."""
    return [
        ref
        for ref, finding in findings.items()
        if finding.conflict is Conflict.UNKNOWN or finding.reasons == (Reason.UNKNOWN_IN_GRAVE_HARM,)
    ]


def _place(guardian: PersonId, record: str) -> bytes:
    return f"{guardian}|clearing|{record}".encode()

"""How is a person erased, so that the log goes on proving and nothing of the person opens?

Two people: one asks, another approves. A legal hold blocks both, also one on somebody whom officers found to be the same
person (who is erased by asking for them too). Then, in this order, with what a crash after each step leaves behind:

1. approved, durably. Crash: `resume` at start goes on with step 2.
2. keys destroyed in the key store: the person's own, those of the bytes as received
   of every notice that names the person, and of what such a notice tells and of the
   documents it names, with its last child. From here nothing opens. Crash: step 2 again, destroying what is gone already.
3. the files of those documents are removed, and those who were one by way of the person are linked (`stay_joined`).
   Crash: step 2 and this again.
4. one transaction: aliases, likenesses, findings on pairs, places, consents, raw bytes and the person's chain in the
   log's index are deleted, the erasure is logged, the journal is cut. Crash before: steps 2 and 3
   again; after: done, and doing it again does nothing.

Proofs hold throughout: leaves and envelopes name no person, and slots stay closed under
their roots. Copies of the key store end at most seven days later (ops/runbooks/erasure.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.model.audit import EventName
from gateway.model.errors import NotFound, NotPermitted
from gateway.model.identifiers import KeyId, PersonId
from gateway.ports.clock import Clock, Ids
from gateway.ports.keys import KeyStore
from gateway.ports.log_storage import LogStorage
from gateway.ports.object_storage import ObjectName
from gateway.ports.retention_storage import Erasure, LegalHold, RetentionStorage
from gateway.ports.storage import NoticeStorage
from gateway.services.attachments import Attachments, names_in
from gateway.services.keep import Keeper
from gateway.services.people import People
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.stay_joined import StayJoined
from gateway.services.tell import STAFF, Teller

KEY_BACKUPS = timedelta(days=7)  # DESIGN 3: how long a copy of the key store may live


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure destroyed. `shared` counts notices whose common text stays for another child in them."""

    erasure: str
    records: int
    keys: int
    raw_bodies: int
    shared: int


class Erase:
    def __init__(
        self,
        *,
        people: People,
        retention: RetentionStorage,
        notices: NoticeStorage,
        keeper: Keeper,
        attachments: Attachments,
        stay_joined: StayJoined,
        keys: KeyStore,
        log: LogStorage,
        staff: StaffDirectory,
        teller: Teller,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._people, self._retention, self._notices = people, retention, notices
        self._keeper, self._keys, self._log, self._staff = keeper, keys, log, staff
        self._attachments, self._stay_joined = attachments, stay_joined
        self._teller, self._clock, self._ids = teller, clock, ids

    async def ask(self, person: str, *, authority: str, by: str) -> Erasure:
        """Ask for a person's erasure. `person` is `KIND:NUMBER` or a person id, `authority` a code (rights-request, court ...).

        Raises NotFound for nobody known, NotPermitted while a legal hold stands (logged as refused).
        """
        await self._may(by)
        found = await self._people.named(person)
        now = self._clock.now()
        erasure = Erasure(str(self._ids.event()), found.person, authority, by, now)
        slot = self._teller.person_slot(found.person, found.log_secret)
        await self._refuse_if_held(erasure.id, found.person, by)
        record = self._teller.event(
            EventName.ERASURE_REQUESTED, now, {"erasure": erasure.id, "authority": authority},
            actor=STAFF, officer=by, persons=[slot],
        )  # fmt: skip
        await self._retention.ask_erasure(erasure, [record])
        return erasure

    async def approve(self, erasure_id: str, *, by: str) -> Erased:
        """Approve as the second person, and carry it out. Raises NotFound, NotPermitted for the same person or under a hold."""
        await self._may(by)
        erasure = await self._retention.erasure(erasure_id)
        if erasure is None or erasure.person is None:
            raise NotFound("no such erasure waits")
        if erasure.asked_by == by:
            raise NotPermitted("an erasure is approved by a second person", remedy="let somebody else approve it")
        await self._refuse_if_held(erasure_id, erasure.person, by)
        if erasure.approved_by is None and not await self._retention.approve_erasure(erasure_id, by):
            raise NotPermitted("somebody else approved it meanwhile")
        return await self._carry_out(erasure, by)

    async def resume(self) -> int:
        """At start: finish what was approved and not done; returns how many."""
        waiting = [one for one in await self._retention.open_erasures() if one.approved_by is not None]
        for erasure in waiting:
            if erasure.person is not None and not await self._held(erasure.person):
                await self._carry_out(erasure, erasure.approved_by or "")
        return len(waiting)

    async def waiting(self) -> Sequence[Erasure]:
        return await self._retention.open_erasures()

    async def same_as(self, person: PersonId) -> Sequence[PersonId]:
        """The further persons whom officers found to be this one: an erasure is of the one it names, so each is asked for."""
        found = await self._people.by_id(person)
        return () if found is None else [one.person for one in found.also]

    async def _refuse_if_held(self, erasure: str, person: PersonId, by: str) -> None:
        """Log the refusal and raise NotPermitted while a legal hold stands, also on somebody whose own key is gone already."""
        if not await self._held(person):
            return
        found = await self._people.by_id(person)
        slots = [] if found is None else [self._teller.person_slot(found.person, found.log_secret)]
        refused = self._teller.event(
            EventName.ERASURE_REFUSED, self._clock.now(), {"erasure": erasure, "reason": "legal-hold"},
            actor=STAFF, officer=by, persons=slots,
        )  # fmt: skip
        await self._log.append([refused])
        raise NotPermitted(
            "a legal hold stands on this person", remedy="see it and lift it first: hutong legal-hold list, lift"
        )

    async def _held(self, person: PersonId) -> bool:
        """Whether a legal hold stands on this person, or on one whom officers found to be the same, on whichever node."""
        await self._people.look_again()
        found = await self._people.by_id(person)
        persons = (person,) if found is None else tuple(one.person for one in found.everybody)
        return any([await self._retention.holds_of(one) for one in persons])

    async def _carry_out(self, erasure: Erasure, by: str) -> Erased:
        assert erasure.person is not None
        person = erasure.person
        subject = self._teller.subject(person)
        keys: set[KeyId] = set()
        documents: set[ObjectName] = set()
        shared = 0
        own = await self._retention.key_of(person)
        if own is not None:
            keys.add(own)
        for naming in await self._retention.naming(person):
            if naming.raw_key is not None:
                keys.add(naming.raw_key)
            stored = await self._notices.load(naming.notice)
            if stored is not None:
                of_notice, stays = self._keeper.erased_with(stored, person)
                keys |= of_notice
                if not stays:
                    header = self._keeper.open(stored).header
                    keys |= set(await self._attachments.keys_of(header))
                    documents |= set(names_in(header))
                shared += stays
        keys.update(await self._retention.files_naming(person))
        records = len(await self._log.places_of(subject))
        await self._keys.destroy(sorted(keys))
        await self._attachments.remove(documents)
        await self._stay_joined.without(person, (erasure.asked_by, by))
        now = self._clock.now()
        record = self._teller.event(
            EventName.ERASURE_COMPLETED,
            now,
            {
                "erasure": erasure.id,
                "authority": erasure.authority,
                "records": records,
                "keys": len(keys),
                "backups_until": now + KEY_BACKUPS,
            },
            actor=STAFF,
            officer=by,
        )
        raw = await self._retention.forget(erasure.id, person, subject, now, [record])
        return Erased(erasure.id, records, len(keys), raw, shared)

    async def _may(self, by: str) -> None:
        await require(self._staff, by, Role.COMPLIANCE_OFFICER, Role.SECURITY_ADMINISTRATOR)


class LegalHolds:
    """Whose content is kept whatever else would destroy it."""

    def __init__(
        self,
        *,
        people: People,
        retention: RetentionStorage,
        staff: StaffDirectory,
        teller: Teller,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._people, self._retention, self._staff = people, retention, staff
        self._teller, self._clock, self._ids = teller, clock, ids

    async def set(self, person: str, *, authority: str, by: str) -> LegalHold:
        """Raises NotFound for nobody known."""
        await require(self._staff, by, Role.COMPLIANCE_OFFICER, Role.SECURITY_ADMINISTRATOR)
        found, now = await self._people.named(person), self._clock.now()
        hold = LegalHold(str(self._ids.event()), found.person, authority, by, now)
        record = self._teller.event(
            EventName.LEGAL_HOLD_SET, now, {"hold": hold.id, "authority": authority},
            actor=STAFF, officer=by, persons=[self._teller.person_slot(found.person, found.log_secret)],
        )  # fmt: skip
        await self._retention.set_hold(hold, [record])
        return hold

    async def lift(self, hold_id: str, *, by: str) -> None:
        """Raises NotFound for no such hold, NotPermitted for the person who set it: two people end a hold."""
        await require(self._staff, by, Role.COMPLIANCE_OFFICER, Role.SECURITY_ADMINISTRATOR)
        hold = await self._retention.hold(hold_id)
        if hold is None or hold.lifted_at is not None:
            raise NotFound("no such legal hold stands")
        if hold.set_by == by:
            raise NotPermitted("a legal hold is lifted by a second person")
        now, found = self._clock.now(), await self._people.by_id(hold.person)
        slots = [] if found is None else [self._teller.person_slot(found.person, found.log_secret)]
        record = self._teller.event(
            EventName.LEGAL_HOLD_LIFTED, now, {"hold": hold.id, "authority": hold.authority},
            actor=STAFF, officer=by, persons=slots,
        )  # fmt: skip
        await self._retention.lift_hold(hold_id, now, [record])

    async def standing(self, *, by: str) -> Sequence[LegalHold]:
        """Every hold that stands, oldest first; they name persons, if only by the gateway's own ids."""
        await require(self._staff, by, Role.COMPLIANCE_OFFICER, Role.SECURITY_ADMINISTRATOR)
        return await self._retention.standing_holds()

    async def of(self, person: PersonId) -> Sequence[LegalHold]:
        return await self._retention.holds_of(person)

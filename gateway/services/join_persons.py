"""How do two officers find that two persons on record are one, or that they are two after all?

A finding is a record of its own; persons, notices, keys and pseudonyms stay as they are, so it can be taken back. The
steps, and what a crash after each leaves behind:

1. one officer asks (`join` or `part`): a state that changes nothing yet, for a day, with its log record.
2. a second one confirms: the state that counts, in the transaction of its log record, which also raises the consent
   epoch, so that whatever was decided before is decided anew.
3. the answer comes when nothing decided before can leave any more.

`part` takes two officers as well, since it lifts limits: a refusal of one holds for the other no more. `decline` is
for one alone: it leaves things as they are, and ends what somebody asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.model.audit import EventName, LogValue
from gateway.model.errors import InvalidDocument, NotFound, NotPermitted
from gateway.ports.clock import Clock
from gateway.ports.person_storage import PairState, PersonPair, PersonStorage
from gateway.services.directory import Directories
from gateway.services.kin import Kin, pair_of
from gateway.services.people import FoundPerson, People
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import STAFF, Teller

ASKED_LIFE = timedelta(days=1)
_REASON = re.compile(r"(?=.{1,64}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+){0,11}")
_EVENTS: Mapping[PairState, tuple[EventName, str | None]] = {
    PairState.ASKED: (EventName.PERSONS_FINDING_ASKED, "joining"),
    PairState.JOINED: (EventName.PERSONS_JOINED, None),
    PairState.PARTING: (EventName.PERSONS_FINDING_ASKED, "parting"),
    PairState.PARTED: (EventName.PERSONS_PARTED, None),
    PairState.DECLINED: (EventName.PERSONS_HELD_APART, None),
}


@dataclass(frozen=True, slots=True)
class _Two:
    """Two persons as an officer named them, in the order of a pair, and what stands of them."""

    persons: tuple[FoundPerson, FoundPerson]
    stands: PersonPair | None


class JoinPersons:
    def __init__(
        self,
        *,
        storage: PersonStorage,
        kin: Kin,
        people: People,
        teller: Teller,
        staff: StaffDirectory,
        directories: Directories,
        clock: Clock,
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        self._storage, self._kin, self._people, self._teller = storage, kin, people, teller
        self._staff, self._directories, self._clock, self._settle = staff, directories, clock, settle
        self._one_at_a_time = asyncio.Lock()

    async def join(self, one: str, other: str, reason: str, *, by: str) -> PersonPair:
        """Ask that two persons be taken for one, or find so as the second officer. Joined already: as it stands.

        Persons are `KIND:NUMBER` or person ids, the reason is a code. Raises RoleMissing for who is no compliance
        officer, NotFound for nobody known, NotPermitted for the same officer twice.
        """
        async with self._one_at_a_time:
            two = await self._two(one, other, reason, by)
            if two.stands is not None and two.stands.is_one:
                return two.stands
            found = await self._next(two, PairState.ASKED, PairState.JOINED, reason, by)
        if found.state is PairState.JOINED:
            await self._settle()
        return found

    async def part(self, one: str, other: str, reason: str, *, by: str) -> PersonPair:
        """Ask that two joined persons be two again, or find so as the second officer. Raises as `join`, and NotFound
        where they are not joined with each other."""
        async with self._one_at_a_time:
            two = await self._two(one, other, reason, by)
            if two.stands is None or not two.stands.is_one:
                raise NotFound("these two are not joined", remedy="see `hutong person proposals --joined`")
            found = await self._next(two, PairState.PARTING, PairState.PARTED, reason, by)
        if found.state is PairState.PARTED:
            await self._settle()
        return found

    async def decline(self, one: str, other: str, reason: str, *, by: str) -> PersonPair:
        """Find that two persons are two, alone: they are proposed no more, and what was asked is off. Raises as `join`,
        and NotPermitted where they are joined."""
        async with self._one_at_a_time:
            two = await self._two(one, other, reason, by)
            if two.stands is not None and two.stands.is_one:
                raise NotPermitted("these two are joined", remedy="part them: hutong person part, with two officers")
            if two.stands is not None and two.stands.state is PairState.DECLINED:
                return two.stands
            return await self._put(two, PairState.DECLINED, reason, (by, ""), self._clock.now())

    async def _next(self, two: _Two, asked: PairState, found: PairState, reason: str, by: str) -> PersonPair:
        now, stands = self._clock.now(), two.stands
        if stands is None or stands.state is not asked or now - stands.at > ASKED_LIFE:
            return await self._put(two, asked, reason, (by, ""), now)
        if stands.asked_by == by:
            raise NotPermitted("this takes two different officers", remedy="let a second person confirm")
        return await self._put(two, found, stands.reason, (stands.asked_by, by), now)

    async def _two(self, one: str, other: str, reason: str, by: str) -> _Two:
        await require(self._staff, by, Role.COMPLIANCE_OFFICER)
        if not _REASON.fullmatch(reason):
            raise InvalidDocument("a reason is given, as a code", remedy="for instance: same-child-by-visit")
        found = [await self._people.named(text) for text in (one, other)]
        if found[0].person == found[1].person:
            raise InvalidDocument("this is one person already", remedy="name two different ones")
        await self._directories.refresh()  # what stands may have been found on another node
        first, second = sorted(found, key=lambda person: person.person)
        return _Two((first, second), self._kin.pair(first.person, second.person))

    async def _put(
        self, two: _Two, state: PairState, reason: str, officers: tuple[str, str], now: datetime
    ) -> PersonPair:
        first, second = pair_of(*(found.person for found in two.persons))
        asked_by, confirmed_by = officers
        pair = PersonPair(first, second, state, asked_by, confirmed_by, reason, now)
        event, kind = _EVENTS[state]
        slots = [self._teller.person_slot(found.person, found.log_secret) for found in two.persons]
        values: dict[str, LogValue | None] = {"kind": kind, "reason": reason}
        officer = confirmed_by or asked_by
        record = self._teller.event(event, now, values, actor=STAFF, officer=officer, persons=slots)
        seen = None if two.stands is None else two.stands.state
        await self._storage.put_pair(pair, [record], instead_of=seen)
        await self._directories.refresh()
        return pair

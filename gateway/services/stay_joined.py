"""Who stays one, when somebody is erased by way of whom officers had joined them?

Two officers found that B is A, and that B is C; so A and C are one, and it takes two officers to part them. Erasing B must
not do it. Before B is forgotten A and C are therefore linked, and the log tells so, in the name of the two who asked for
the erasure and approved it. What officers found of A and C themselves stands: nobody is linked whom they held apart. A
parting that one officer had asked for is asked for still.

Each link is a transaction of its own and is made once, so that an erasure which is taken up again after a crash goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.model.audit import EventName
from gateway.model.identifiers import PersonId
from gateway.ports.clock import Clock
from gateway.ports.person_storage import PairState, PersonPair, PersonStorage
from gateway.services.kin import Pair, pair_of
from gateway.services.people import People
from gateway.services.tell import STAFF, Teller

BY_WAY_OF_ERASED = "by-way-of-erased"
_HELD_APART = (PairState.PARTED, PairState.DECLINED)


class StayJoined:
    def __init__(self, *, storage: PersonStorage, people: People, teller: Teller, clock: Clock) -> None:
        self._storage, self._people, self._teller, self._clock = storage, people, teller, clock

    async def without(self, person: PersonId, officers: tuple[str, str]) -> None:
        """Link those who are one by way of this person alone. `officers`: who asked for the erasure and who approved it.
        Raises NotPermitted when an officer finds something of them at this moment."""
        pairs = await self._storage.pairs()
        stands = {(pair.first, pair.second): pair for pair in pairs}
        now = self._clock.now()
        before: list[tuple[PersonId, PersonPair]] = []
        for other, found in sorted(_joined_with(person, pairs), key=lambda one: one[0]):
            for earlier, its in reversed(before):
                two = pair_of(earlier, other)
                known = stands.get(two)
                if known is not None and known.state in _HELD_APART:
                    continue
                if known is None or not known.is_one:
                    await self._link(_linked(two, (its, found), officers, now), known, officers[1])
                break
            before.append((other, found))

    async def _link(self, pair: PersonPair, known: PersonPair | None, by: str) -> None:
        slots = [
            self._teller.person_slot(found.person, found.log_secret)
            for one in (pair.first, pair.second)
            if (found := await self._people.by_id(one)) is not None
        ]
        record = self._teller.event(
            EventName.PERSONS_JOINED, pair.at, {"reason": BY_WAY_OF_ERASED}, actor=STAFF, officer=by, persons=slots
        )
        await self._storage.put_pair(pair, [record], instead_of=None if known is None else known.state)


def _joined_with(person: PersonId, pairs: Sequence[PersonPair]) -> list[tuple[PersonId, PersonPair]]:
    return [
        (pair.second if pair.first == person else pair.first, pair)
        for pair in pairs
        if pair.is_one and person in (pair.first, pair.second)
    ]


def _linked(
    two: Pair, by_way_of: tuple[PersonPair, PersonPair], officers: tuple[str, str], now: datetime
) -> PersonPair:
    for found in by_way_of:
        if found.state is PairState.PARTING:
            return PersonPair(*two, PairState.PARTING, found.asked_by, found.confirmed_by, found.reason, found.at)
    return PersonPair(*two, PairState.JOINED, *officers, BY_WAY_OF_ERASED, now)

"""Which persons on record may be one, so that people are asked?

Whoever shares a likeness and is not one already. Compliance officers are shown ids, agencies, notices and their types,
and where the two contradict each other; never a name, a date or a number. The gateway itself opens what it compares, and
what does not open (erased, sealed, the reporter) is not compared. Of a likeness that many share, each group of persons
that are one is proposed once, with the earliest group it was not found to differ from. Looking is itself an event of
the log; offices are never told that anybody looks like anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.model.audit import EventName
from gateway.model.errors import InvalidDocument, Tampered
from gateway.model.identifiers import NoticeId, NoticeType, OfficeId, PersonId
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogStorage
from gateway.ports.person_storage import Alike, PersonPair, PersonStorage
from gateway.ports.storage import NoticeStorage
from gateway.services.join_persons import ASKED_LIFE
from gateway.services.keep import Keeper, aliases_of, person_ref
from gateway.services.kin import Kin
from gateway.services.people import People
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import STAFF, Teller

PAGE = 20  # likenesses looked at together
MOST = 200  # proposals in one answer
NOTICES_SHOWN = 5  # of each person, newest first; the same are compared
MOST_OF_ONE = 60  # persons of one likeness that are looked at: what has no number is told anew every month


class Contradiction(StrEnum):
    """What speaks against two persons being one. Codes, never values."""

    IDENTIFIERS = "conflicting-identifiers"
    SEX = "conflicting-sex"


@dataclass(frozen=True, slots=True)
class Told:
    """One notice that names a person; no content."""

    notice: NoticeId
    type: NoticeType
    sender: OfficeId
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Proposed:
    """Somebody who may be another. `same` are further persons found to be this one."""

    person: PersonId
    same: tuple[PersonId, ...]
    notices: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """`asked_by` names the officer who asked that the two be joined, while a second one may confirm it."""

    first: Proposed
    second: Proposed
    contradictions: tuple[Contradiction, ...]
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class Proposals:
    """`after` goes on behind these; empty at the end."""

    proposals: tuple[Proposal, ...]
    after: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is compared of one person, for as long as it takes."""

    notices: tuple[Told, ...]
    numbers: Mapping[str, frozenset[str]]
    sexes: frozenset[str]


_NOBODY = _Known((), {}, frozenset())


class ProposeJoining:
    def __init__(
        self,
        *,
        storage: PersonStorage,
        kin: Kin,
        people: People,
        notices: NoticeStorage,
        keeper: Keeper,
        staff: StaffDirectory,
        log: LogStorage,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._storage, self._kin, self._people, self._notices = storage, kin, people, notices
        self._keeper, self._staff, self._log = keeper, staff, log
        self._teller, self._clock = teller, clock

    async def __call__(self, after: str = "", limit: int = 50, *, by: str) -> Proposals:
        """Proposals from behind a place. Raises RoleMissing for who is no compliance officer."""
        await require(self._staff, by, Role.COMPLIANCE_OFFICER)
        place, limit = _place(after), max(1, min(limit, MOST))
        found: list[Proposal] = []
        seen: set[frozenset[PersonId]] = set()
        while len(found) < limit:
            page = await self._storage.alike(place, PAGE)
            for alike in page:
                place = alike.likeness
                found += await self._of(alike, seen)
                if len(found) >= limit:
                    break
            if len(page) < PAGE and len(found) < limit:
                place = b""
                break
        await self._told(len(found), by)
        return Proposals(tuple(found), place.hex())

    async def joined(self, *, by: str) -> Sequence[PersonPair]:
        """The pairs that are one now, as officers found. Raises RoleMissing."""
        await require(self._staff, by, Role.COMPLIANCE_OFFICER)
        await self._kin.refresh()
        found = [pair for pair in await self._storage.pairs() if pair.is_one]
        await self._told(len(found), by)
        return found

    async def contradictions(self, pair: PersonPair) -> tuple[Contradiction, ...]:
        """What speaks against these two being one."""
        first, second = [await self._known(person) for person in (pair.first, pair.second)]
        return _contradictions(first, second)

    async def _of(self, alike: Alike, seen: set[frozenset[PersonId]]) -> list[Proposal]:
        groups: list[tuple[PersonId, ...]] = []  # those who are one, each with who of them is alike in front
        for person in alike.persons[:MOST_OF_ONE]:
            if await self._people.by_id(person) is not None and not any(person in group for group in groups):
                groups.append(self._kin.of(person))
        known = {group[0]: await self._known(group[0]) for group in groups} if len(groups) > 1 else {}
        groups.sort(key=lambda group: (_first(known.get(group[0], _NOBODY)), group[0]))
        found = []
        for number, group in enumerate(groups):
            other = next((one for one in groups[:number] if not self._are_apart(one, group)), None)
            if other is None or (two := frozenset((other[0], group[0]))) in seen:
                continue
            seen.add(two)
            asked = self._asked(other, group)
            if asked is not None:  # the two whom the first officer named are those whom the second has to
                shown = (asked.first, asked.second) if asked.first in other else (asked.second, asked.first)
            else:
                shown = (other[0], group[0])
            pair = [known.get(one) or await self._known(one) for one in shown]
            first, second = [
                Proposed(person, tuple(sorted(set(self._kin.of(person)) - {person})), facts.notices)
                for person, facts in zip(shown, pair, strict=True)
            ]
            contradictions = _contradictions(pair[0], pair[1])
            found.append(Proposal(first, second, contradictions, "" if asked is None else asked.asked_by))
        return found

    def _pairs(self, one: Iterable[PersonId], other: Iterable[PersonId]) -> list[PersonPair]:
        others = list(other)
        return [pair for first in one for second in others if (pair := self._kin.pair(first, second)) is not None]

    def _are_apart(self, one: Iterable[PersonId], other: Iterable[PersonId]) -> bool:
        """Whether officers found of any two of these groups that they are two."""
        return any(pair.state in ("declined", "parted") for pair in self._pairs(one, other))

    def _asked(self, one: Iterable[PersonId], other: Iterable[PersonId]) -> PersonPair | None:
        now = self._clock.now()
        pairs = self._pairs(one, other)
        return next((pair for pair in pairs if pair.state == "asked" and now - pair.at <= ASKED_LIFE), None)

    async def _known(self, person: PersonId) -> _Known:
        told: list[Told] = []
        numbers: dict[str, set[str]] = {}
        sexes: set[str] = set()
        for notice, kind in await self._notices.notices_of(person, NOTICES_SHOWN):
            stored = await self._notices.load(notice)
            if stored is None:
                continue
            told.append(Told(notice, kind, stored.sender, stored.received_at))
            try:
                opened = self._keeper.open(stored)
            except Tampered:
                continue  # told where it is read for itself; here nothing of it is compared
            for described in _described(opened.data, {ref for ref, who in stored.persons.items() if who == person}):
                for name, value in aliases_of(described):
                    numbers.setdefault(name, set()).add(value)
                sexes |= {described["sex"]} if described.get("sex") in ("1", "2") else set()
        return _Known(
            tuple(told), {name: frozenset(values) for name, values in numbers.items()}, frozenset(sexes)
        )  # fmt: skip

    async def _told(self, rows: int, by: str) -> None:
        record = self._teller.event(
            EventName.PERSON_PROPOSALS_READ, self._clock.now(), {"rows": rows}, actor=STAFF, officer=by
        )
        await self._log.append([record])


def _described(data: Mapping[str, Any], refs: set[str]) -> Iterable[Mapping[str, Any]]:
    people = enumerate(data.get("persons", ()))
    return [person for ordinal, person in people if person_ref(person, ordinal) in refs]


def _contradictions(one: _Known, other: _Known) -> tuple[Contradiction, ...]:
    found = []
    if any(values.isdisjoint(other.numbers[kind]) for kind, values in one.numbers.items() if kind in other.numbers):
        found.append(Contradiction.IDENTIFIERS)
    if one.sexes and other.sexes and one.sexes.isdisjoint(other.sexes):
        found.append(Contradiction.SEX)
    return tuple(found)


def _first(known: _Known) -> str:
    """When the oldest of the notices looked at came, as text that sorts."""
    return min((told.received_at.isoformat() for told in known.notices), default="~")


def _place(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidDocument("`after` is what an answer gave") from None

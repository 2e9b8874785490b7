"""What do other notices say about a guardian, or the school, of this one?

A guardian suspected in one report is in conflict in every notice that names them (DOMAIN 5.6 K1), so
a later notice without an infringer must not look harmless; a school that a report about a child accuses gets nothing
more of that child, of older notices either (K5, S9). Found by the person, never by a name, and by whoever two officers
found to be the same person (`Kin`); somebody without an identifier whom nobody joined with another is nobody the gateway
has met before, and costs no question.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.consent.conflict import Conflict, Reason, guardian_conflicts, institution_conflict
from gateway.model.agency import Office
from gateway.model.errors import Tampered
from gateway.model.identifiers import CaseId, NoticeId, NoticeType, PersonId
from gateway.model.notice import REPORTS
from gateway.ports.storage import NoticeStorage, StoredNotice
from gateway.services.keep import KnownPerson, OpenedNotice, aliases_of
from gateway.services.kin import Kin

# Of the newest notices that name a person, by id and type alone; those that may speak against somebody are then read. Few
# enough to bound a question, and so many that no suspicion is outgrown by visits and answers that came after it.
LOOKED_AT = 1000
_REMEMBERED = 2048
_BY_TYPE: Mapping[str, Reason] = {
    "RPT": Reason.SUSPECTED,
    "RPT-M": Reason.SUSPECTED,
    "GRD-W": Reason.WARNED,
    "GRD-PA": Reason.UNDER_ORDER,
    "GRD-P": Reason.UNDER_ORDER,
    "GRD-RA": Reason.REVOCATION,
    "GRD-R": Reason.REVOCATION,
}

Reasons = frozenset[Reason]
_NONE: Reasons = frozenset()


@dataclass(frozen=True, slots=True)
class _Said:
    """Against whom one notice speaks, and of whom it leaves open in grave harm whether it does.

    One that `is_doubted` is no longer what was stored: it may speak against everybody in it and every school.
    """

    known: frozenset[PersonId]
    unknown: frozenset[PersonId]
    schools: frozenset[str]  # the codes of schools it accuses (K5)
    case: CaseId
    at: datetime
    is_doubted: bool = False


_NOTHING = _Said(frozenset(), frozenset(), frozenset(), CaseId(""), datetime.min.replace(tzinfo=UTC))


class ConflictsOnRecord:
    """Notices never change, so what one says of its persons is remembered (ids and codes, no content).

    What is merely unknown in grave harm counts as said too, unless `is_cleared` tells that two officers have found
    otherwise for that notice (K6); that is asked each time.
    """

    def __init__(
        self,
        notices: NoticeStorage,
        open_notice: Callable[[StoredNotice], OpenedNotice],
        is_cleared: Callable[[PersonId, CaseId, datetime], Awaitable[bool]],
        kin: Kin,
    ) -> None:
        self._notices, self._open, self._is_cleared, self._kin = notices, open_notice, is_cleared, kin
        self._said: OrderedDict[NoticeId, _Said] = OrderedDict()
        self._looking: dict[NoticeId, asyncio.Future[_Said]] = {}  # one look for all who ask meanwhile

    async def of_guardians(self, opened: OpenedNotice, people: Iterable[Mapping[str, Any]]) -> dict[str, Reasons]:
        """Reasons by `ref`, for the guardians and carers of a notice who can be known from elsewhere."""
        found: dict[str, Reasons] = {}
        for person in people:
            known = opened.persons.get(str(person.get("ref")))
            if known is None or not {"guardian", "carer"} & set(person.get("roles", ())):
                continue
            if self._may_be_known(person, known):
                found[known.link.ref] = await self.of(known.link.person, besides=opened.stored.id)
        return found

    async def of(self, person: PersonId, *, besides: NoticeId | None = None) -> Reasons:
        """What the newest notices say against a person, and against whoever is the same one. Raises Unavailable when the
        store is out of reach. What two officers cleared of one is not cleared of another."""
        reasons = _NONE
        for one in self._kin.of(person):
            for notice, kind in await self._notices.notices_of(one, LOOKED_AT):
                if kind in _BY_TYPE and notice != besides:
                    said = await self._said_by(notice, kind)
                    if (
                        said.is_doubted
                        or one in said.known
                        or (one in said.unknown and not await self._is_cleared(one, said.case, said.at))
                    ):
                        reasons |= {_BY_TYPE[kind]}
        return reasons

    async def accuse(self, school: str, opened: OpenedNotice, people: Iterable[Mapping[str, Any]]) -> bool:
        """Whether another notice about a child of this one accuses the school with this code (K5), however late it came."""
        async for _ in self._accusations(school, opened, people):
            return True
        return False

    async def silent_since(self, office: Office, notice: NoticeId) -> datetime | None:
        """Since when an office that is a school learns nothing more of its own notice (S9): since another notice about
        the child accuses it. None, and no question, for an office that is no school."""
        school = own_school(office)
        stored = None if school is None else await self._notices.load(notice)
        if school is None or stored is None:
            return None
        opened = self._open(stored)
        people = [person for person in opened.data.get("persons", ()) if isinstance(person, Mapping)]
        return min([at async for at in self._accusations(school, opened, people)], default=None)

    async def _accusations(
        self, school: str, opened: OpenedNotice, people: Iterable[Mapping[str, Any]]
    ) -> AsyncIterator[datetime]:
        """When each other notice came that accuses the school about a child of this one."""
        for person in people:
            known = opened.persons.get(str(person.get("ref")))
            if known is None or "minor" not in person.get("roles", ()) or not self._may_be_known(person, known):
                continue
            for one in self._kin.of(known.link.person):
                for notice, kind in await self._notices.notices_of(one, LOOKED_AT):
                    if kind not in REPORTS or notice == opened.stored.id:
                        continue
                    said = await self._said_by(notice, kind)
                    if said.is_doubted or school in said.schools:
                        yield said.at

    def _may_be_known(self, person: Mapping[str, Any], known: KnownPerson) -> bool:
        """Whether somebody can be known from elsewhere: by an identifier, or because officers found so."""
        return any(aliases_of(person)) or self._kin.is_joined(known.link.person)

    async def _said_by(self, notice: NoticeId, kind: NoticeType) -> _Said:
        said = self._said.get(notice)
        if said is not None:
            self._said.move_to_end(notice)
            return said
        looking = self._looking.get(notice)
        if looking is None:
            looking = self._looking[notice] = asyncio.ensure_future(self._look(notice))
            looking.add_done_callback(lambda _: self._looking.pop(notice))
        return await asyncio.shield(looking)

    async def _look(self, notice: NoticeId) -> _Said:
        stored = await self._notices.load(notice)
        said = _NOTHING if stored is None else self._read(stored)
        if said.is_doubted:
            return said
        self._said[notice] = said
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return said

    def _read(self, stored: StoredNotice) -> _Said:
        """Doubt is a no: what was taken from a notice that no longer opens may be what it says against somebody. Not
        remembered, so that it counts again when it was restored."""
        try:
            opened = self._open(stored)
        except Tampered:
            return _Said(frozenset(), frozenset(), frozenset(), stored.case, stored.received_at, is_doubted=True)
        people = [person for person in opened.data.get("persons", ()) if isinstance(person, Mapping)]
        accused = {str(person.get("ref")) for person in people if "infringer" in person.get("roles", ())}
        found = guardian_conflicts(opened.data, at=stored.received_at)
        unknown = {
            ref for ref, finding in found.items() if finding.reasons == (Reason.UNKNOWN_IN_GRAVE_HARM,)
        } - accused
        accused |= {ref for ref, finding in found.items() if finding.conflict is Conflict.YES} - unknown
        persons = {ref: known.link.person for ref, known in opened.persons.items()}
        return _Said(
            frozenset(persons[ref] for ref in accused if ref in persons),
            frozenset(persons[ref] for ref in unknown if ref in persons),
            accused_schools(opened.data, people),
            stored.case,
            stored.received_at,
        )


def own_school(office: Office) -> str | None:
    """The code of the school that an office *is*. A bureau answers for its schools and is none of them (K5)."""
    return office.attributes.get("school_code") if office.id.count(".") > 1 else None


def accused_schools(data: Mapping[str, Any], people: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    schools = {
        code
        for person in people
        if isinstance(person, Mapping)
        and isinstance(school := person.get("school"), Mapping)
        and isinstance(code := school.get("code"), str)
    }
    return frozenset(code for code in schools if institution_conflict(data, school_code=code).conflict is Conflict.YES)

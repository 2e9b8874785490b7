"""May a guardian be told who received what about a child?

Somebody who is a guardian of the child in a notice on record, and in conflict in none (DOMAIN 5.6 K1, K2, K6). Doubt is a no:
a conflict that may be is one, until two officers cleared it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from gateway.consent.conflict import Clearing, Conflict, Finding, guardian_conflicts
from gateway.model.errors import NotFound
from gateway.model.identifiers import CaseId, NoticeId
from gateway.ports.clock import Clock
from gateway.ports.retention_storage import RetentionStorage
from gateway.ports.storage import NoticeStorage
from gateway.services.conflicts import ConflictsOnRecord
from gateway.services.keep import Keeper, OpenedNotice
from gateway.services.people import FoundPerson, People

# What two officers cleared (K6) of the guardians of a notice in a case.
Clearings = Callable[[OpenedNotice, Mapping[str, Finding], CaseId], Awaitable[Sequence[Clearing]]]


class GuardianMayKnow:
    def __init__(
        self,
        *,
        people: People,
        notices: NoticeStorage,
        retention: RetentionStorage,
        keeper: Keeper,
        conflicts: ConflictsOnRecord,
        clearings: Clearings,
        clock: Clock,
    ) -> None:
        self._people, self._notices, self._retention, self._keeper = people, notices, retention, keeper
        self._conflicts, self._clearings, self._clock = conflicts, clearings, clock

    async def __call__(self, child: FoundPerson, guardian: str) -> bool:
        """`guardian` as the desk is asked: KIND:NUMBER, or a person id. One whom nobody named may not."""
        try:
            asker = await self._people.named(guardian)
        except NotFound:
            return False
        if await self._conflicts.of(asker.person):
            return False
        askers = {one.person for one in asker.everybody}
        common = await self._naming(child) & await self._naming(asker)
        is_guardian = False
        for notice in common:
            stored = await self._notices.load(notice)
            if stored is None:
                continue
            opened = self._keeper.open(stored)
            findings = guardian_conflicts(opened.data, at=stored.received_at)
            if cleared := await self._clearings(opened, findings, stored.case):
                findings = guardian_conflicts(opened.data, clearings=cleared, at=self._clock.now())
            for ref, known in opened.persons.items():
                if known.link.person in askers:
                    if ref not in findings or findings[ref].conflict is not Conflict.NO:
                        return False
                    is_guardian = True
        return is_guardian

    async def _naming(self, person: FoundPerson) -> set[NoticeId]:
        """The notices that name a person, or whoever is the same one."""
        return {
            naming.notice for one in person.everybody for naming in await self._retention.naming(one.person)
        }  # fmt: skip

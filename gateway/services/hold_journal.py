"""What happened during a forensic hold, told outside the database that is in doubt?

Every record is still committed to the database first. On the same steady beat on which
checkpoints are signed otherwise, what was added is read back and copied to the hold's
journal, which is signed under its own name. A second hold of the same database goes on in
the same journal; a database that lost what the journal has (restored once more) gets a new one, and
the old one stays as evidence. When the hold ends, or was found to be over, the log names
size and root of each journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.audit.merkle import EMPTY_ROOT, Edge, leaf_hash
from gateway.model.audit import LogValue
from gateway.model.errors import Tampered
from gateway.ports.clock import Clock
from gateway.ports.hold_journal import HoldJournal, HoldJournals
from gateway.ports.log_storage import Head, LogStorage

READ_AT_ONCE = 1024


class JournalOfHolds:
    """One per gateway. Only the node that signs calls `follow`."""

    def __init__(self, journals: HoldJournals, log: LogStorage, clock: Clock) -> None:
        self._journals, self._log, self._clock = journals, log, clock
        self._current: HoldJournal | None = None
        self._signed = Head(0, EMPTY_ROOT)

    def forget(self) -> None:
        """Look for the journal anew: another node may have signed, or another database may be there."""
        self._current = None

    async def follow(self, start: int) -> None:
        """Copy and sign what the log has more than the journal; `start` is where a journal begins that is not there yet.

        Raises OSError and Unavailable when files or store cannot be used, Tampered when records are missing from the store.
        """
        if (journal := self._current) is None:
            if (journal := await self._continued()) is None:
                journal = await asyncio.to_thread(self._journals.begin, start)
            self._signed, self._current = await asyncio.to_thread(journal.head), journal
        signed = self._signed
        end = (await self._log.head()).size
        while journal.start + signed.size < end:
            first = journal.start + signed.size
            records = await self._log.records(first, min(first + READ_AT_ONCE, end))
            if not records or [one.index for one in records] != list(range(first, first + len(records))):
                raise Tampered("records since the hold began are missing from the store")
            entries, openings = [one.entry for one in records], [one.opening for one in records]
            signed = await asyncio.to_thread(journal.extend, signed.size, entries, openings, self._clock.now())
            self._signed = signed

    async def unjoined(self) -> Sequence[tuple[HoldJournal, Head]]:
        """The journals that the log does not name yet, and how each was last signed. One that does not hold is left out."""
        found = []
        for journal in await asyncio.to_thread(self._journals.all):
            if not journal.is_joined and (signed := await _head_of(journal)) is not None:
                found.append((journal, signed))
        return found

    async def show(self) -> dict[str, Any]:
        """Every journal, and the name and keys of the next one. Roots are hex."""
        rows = []
        for journal in await asyncio.to_thread(self._journals.all):
            signed = await _head_of(journal)
            rows.append(
                {
                    "journal": journal.name,
                    "origin": journal.origin,
                    "keys": list(journal.vkeys),
                    "folder": journal.place,
                    "holds": signed is not None,
                    "size": None if signed is None else signed.size,
                    "root": None if signed is None else signed.root.hex(),
                    "joined": journal.is_joined,
                }
            )
        origin, keys = await asyncio.to_thread(self._journals.following)
        return {"journals": rows, "next": {"origin": origin, "keys": list(keys)}}

    async def _continued(self) -> HoldJournal | None:
        """The journal that this database goes on with: not joined, and all of it is in the log as it is."""
        for journal, signed in reversed(await self.unjoined()):
            end = journal.start + signed.size
            if end <= (await self._log.head()).size and await self._root(journal.start, end) == signed.root:
                return journal
        return None

    async def _root(self, start: int, stop: int) -> bytes:
        edge = Edge()
        for place in range(start, stop, READ_AT_ONCE):
            entries = await self._log.entries(place, min(place + READ_AT_ONCE, stop))
            edge.extend([leaf_hash(entry) for entry in entries])
        return edge.root()


def joined_values(journal: HoldJournal, signed: Head) -> dict[str, LogValue | None]:
    """What the log says of a journal that is over."""
    return {"journal": journal.name, "journal_size": signed.size, "journal_root": signed.root.hex()}


async def _head_of(journal: HoldJournal) -> Head | None:
    try:
        return await asyncio.to_thread(journal.head)
    except Tampered:
        return None

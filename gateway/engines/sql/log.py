"""What is kept of the exchange log beside the writes that make it: records, entries, tiles, checkpoints, cosignatures?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.engines.sql.log_search import END, found_by, indexed, of_row, stored
from gateway.engines.sql.transaction import Kind, Readers, Statements, Transaction, Writer
from gateway.engines.sql.values import instant, known_blob, millis
from gateway.model.errors import Tampered
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import Head, LogQuery, StoredRecord

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord

_INDEX_STEP = 2_000
_RECORDS_AT_ONCE = 1_024


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    size: int
    root: bytes
    note: bytes
    signed_at: int


class SqlLog(ABC):
    """LogStorage but for the two questions that only an engine can answer: where a record goes, and where the log ends."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._index: Kind[int, int] = Kind("index", 80, lambda tx, units: [indexed(tx, unit) for unit in units])
        self._cosignature: Kind[tuple[int, str, int, bytes], bool] = Kind(
            "cosignature", 6, lambda tx, units: [_kept_cosignature(tx, unit) for unit in units]
        )
        self._checkpoint: Kind[_Checkpoint, bool] = Kind(
            "checkpoint", 5, lambda tx, units: [_put_checkpoint(tx, unit) for unit in units]
        )

    @abstractmethod
    async def append(self, records: Sequence[PreparedRecord]) -> Sequence[int]: ...

    @abstractmethod
    async def head(self) -> Head: ...

    async def entries(self, start: int, stop: int) -> Sequence[bytes]:
        return await self._readers.ask(lambda sql: [row[0] for row in sql.all("leaf_entries", (start, stop))])

    async def tile(self, level: int, index: int) -> bytes | None:
        row = await self._readers.ask(lambda sql: sql.one("tile", (level, index)))
        return None if row is None else row[0]

    async def record(self, event: EventId) -> StoredRecord | None:
        blob = known_blob(event)

        def question(sql: Statements) -> StoredRecord | None:
            place = sql.one("place_of_event", (blob,))
            return None if place is None else stored(sql.one("log_record_at", place))

        return await self._readers.ask(question)

    async def records(self, start: int, stop: int) -> Sequence[StoredRecord]:
        """Asked piece by piece, since they never change: a page of a whole log would hold up the event loop, or outlast the
        time that PostgreSQL gives a transaction whose node is busy."""

        found = list[StoredRecord]()
        for piece in range(start, stop, _RECORDS_AT_ONCE):
            found += await self._piece(piece, min(piece + _RECORDS_AT_ONCE, stop))
        return found

    async def _piece(self, start: int, stop: int) -> Sequence[StoredRecord]:
        def question(sql: Statements) -> list[StoredRecord]:
            return [of_row(row) for row in sql.all("log_records", (start, stop))]

        return await self._readers.ask(question)

    async def record_at(self, index: int) -> StoredRecord | None:
        return await self._readers.ask(lambda sql: stored(sql.one("log_record_at", (index,))))

    async def records_at(self, places: Sequence[int]) -> Sequence[StoredRecord]:
        def question(sql: Statements) -> list[StoredRecord]:
            return [record for place in places if (record := stored(sql.one("log_record_at", (place,))))]

        return await self._readers.ask(question)

    async def search(self, query: LogQuery, after: int | None, limit: int) -> Sequence[StoredRecord]:
        while await self._writer.submit(self._index, _INDEX_STEP):
            pass
        return await self._readers.ask(lambda sql: found_by(sql, query, END if after is None else after, limit))

    async def index(self, limit: int) -> int:
        while limit > 0 and (done := await self._writer.submit(self._index, min(limit, _INDEX_STEP))):
            limit -= done
        row = await self._readers.ask(lambda sql: sql.one("indexed_until"))
        return (await self.head()).size - (int(row[0]) if row else 0)

    async def told_of(self, deliveries: Sequence[str]) -> Sequence[frozenset[str]]:
        def question(sql: Statements) -> list[frozenset[str]]:
            return [
                frozenset(name for (name,) in sql.all("events_with_word", (f"delivery={one}",))) for one in deliveries
            ]

        return await self._readers.ask(question)

    async def reindex(self) -> None:
        """Throw the search index away; the next search makes it again."""
        await self._writer.submit(self._index, -1)

    async def put_checkpoint(self, size: int, root: bytes, note: bytes, signed_at: datetime) -> None:
        await self._writer.submit(self._checkpoint, _Checkpoint(size, root, note, millis(signed_at)))

    async def latest_checkpoint(self) -> tuple[int, bytes] | None:
        row = await self._readers.ask(lambda sql: sql.one("latest_checkpoint"))
        return None if row is None else (row[0], row[1])

    async def checkpoint(self, size: int) -> bytes | None:
        row = await self._readers.ask(lambda sql: sql.one("checkpoint", (size,)))
        return None if row is None else row[1]

    async def checkpoints(self, after: int, limit: int) -> Sequence[tuple[int, bytes, bytes]]:
        return await self._readers.ask(
            lambda sql: [(row[0], row[1], row[2]) for row in sql.all("checkpoints_after", (after, limit))]
        )

    async def cosigned(self, size: int) -> Sequence[tuple[str, bytes]]:
        return await self._readers.ask(lambda sql: [(row[0], row[1]) for row in sql.all("cosigned", (size,))])

    async def keep_cosignature(self, size: int, witness: str, line: bytes, at: datetime) -> None:
        await self._writer.submit(self._cosignature, (size, witness, millis(at), line))

    async def cosignatures(self, size: int) -> Sequence[bytes]:
        return await self._readers.ask(lambda sql: [row[0] for row in sql.all("cosignatures", (size,))])

    async def last_cosigned(self, witness: str) -> tuple[datetime, int] | None:
        row = await self._readers.ask(lambda sql: sql.one("last_cosigned", (witness,)))
        return None if row is None else (instant(row[0]), row[1])

    async def places_of(self, subject: bytes) -> Sequence[int]:
        return await self._readers.ask(lambda sql: [row[0] for row in sql.all("places_of_subject", (subject,))])


def _put_checkpoint(tx: Transaction, unit: _Checkpoint) -> bool:
    """Whether the note is new."""
    there = tx.sql.one("checkpoint", (unit.size,))
    if there is None:
        tx.sql.run("put_checkpoint", (unit.size, unit.root, unit.note, unit.signed_at))
        return True
    if there != (unit.root, unit.note):
        raise Tampered("another note was signed for this size of the log", remedy="stop signing and let a person look")
    return False


def _kept_cosignature(tx: Transaction, unit: tuple[int, str, int, bytes]) -> bool:
    tx.sql.run("keep_cosignature", unit)
    return True

"""How is the log of many nodes read, when a record may still wait for its place?

Whoever asks for the head, a record or a search first has everything that was committed before given its place: what was
durable when a question was asked is in its answer, on whichever node.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from gateway.audit.record import PreparedRecord
from gateway.engines.postgres.readers import Readers
from gateway.engines.postgres.sequencer import Sequencer
from gateway.engines.postgres.writer import Writer
from gateway.engines.sql.deliveries import has_events
from gateway.engines.sql.log import SqlLog
from gateway.engines.sql.transaction import Kind, Transaction
from gateway.engines.sql.values import blob_of
from gateway.model.errors import Tampered, Unavailable
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import Head, LogQuery, StoredRecord


class PostgresLog(SqlLog):
    """LogStorage on the clustered store."""

    def __init__(self, writer: Writer, readers: Readers, sequencer: Sequencer) -> None:
        super().__init__(writer, readers)
        self._sequencer = sequencer
        self._tell: Kind[Sequence[PreparedRecord], bool] = Kind(
            "append", 70, lambda tx, units: [_told(tx, unit) for unit in units], _told_before
        )

    async def append(self, records: Sequence[PreparedRecord]) -> Sequence[int]:
        await self._writer.submit(self._tell, tuple(records))
        await self._sequencer.settle()
        events = [blob_of(record.event_id) for record in records]
        rows = await self._readers.ask(lambda sql: sql.all("places_of_events", (events,)))
        places = [place for (place,) in rows]
        if None in places:
            raise Unavailable("the log is busy")
        return places

    async def head(self) -> Head:
        return await self._sequencer.settle()

    async def record(self, event: EventId) -> StoredRecord | None:
        found = await super().record(event)
        if found is None:
            await self._sequencer.settle()
            found = await super().record(event)
        return found

    async def search(self, query: LogQuery, after: int | None, limit: int) -> Sequence[StoredRecord]:
        await self._sequencer.settle()
        return await super().search(query, after, limit)

    async def told_of(self, deliveries: Sequence[str]) -> Sequence[frozenset[str]]:
        await self._sequencer.settle()
        return await super().told_of(deliveries)

    async def places_of(self, subject: bytes) -> Sequence[int]:
        await self._sequencer.settle()
        return await super().places_of(subject)

    async def put_checkpoint(self, size: int, root: bytes, note: bytes, signed_at: datetime) -> None:
        try:
            await super().put_checkpoint(size, root, note, signed_at)
        except asyncpg.IntegrityConstraintViolationError as other:
            raise Tampered("another note was signed for this size of the log") from other


def _told(tx: Transaction, records: Sequence[PreparedRecord]) -> bool:
    tx.log(records)
    return True


def _told_before(tx: Transaction, records: Sequence[PreparedRecord]) -> bool:
    if not has_events(tx.sql, records):
        raise LookupError("not in the log")
    return True

"""What does the one owner of a database know, that many nodes would have to ask each other?

Where the log ends and which epochs are in force are as of the writer's last commit; a record gets its place in the
transaction that adds it; and what is erased is gone from the journal too, because the owner can empty it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.engines.sql.log import SqlLog
from gateway.engines.sql.registry import SqlDirectory
from gateway.engines.sql.retention import SqlRetention
from gateway.engines.sql.transaction import Kind, Statements, Transaction
from gateway.engines.sql.values import blob_of
from gateway.engines.sqlite.readers import Readers
from gateway.engines.sqlite.writer import Writer
from gateway.ports.log_storage import Head
from gateway.ports.storage import Epochs

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord
    from gateway.ports.clock import Clock


class SqliteLog(SqlLog):
    """LogStorage on the embedded store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        super().__init__(writer, readers)
        self._owner = writer
        self._append: Kind[Sequence[PreparedRecord], Sequence[int]] = Kind(
            "append", 70, lambda tx, units: [_appended(tx, unit) for unit in units], _appended_before
        )

    async def append(self, records: Sequence[PreparedRecord]) -> Sequence[int]:
        return await self._owner.submit(self._append, tuple(records))

    async def entries(self, start: int, stop: int) -> Sequence[bytes]:
        """In one row: for each row that is fetched the reader gives up the interpreter's lock, and beside a thread that
        hashes it waits for each return of it. All of one length, as the log's own are, they can be told apart again."""

        def question(sql: Statements) -> Sequence[bytes]:
            count, shortest, longest, joined = sql.one("joined_entries", (start, stop)) or (0, None, None, b"")
            if count and shortest == longest > 0 and len(joined) == count * longest:
                return [joined[at : at + longest] for at in range(0, len(joined), longest)]
            return [row[0] for row in sql.all("leaf_entries", (start, stop))] if count else []

        return await self._readers.ask(question)

    async def head(self) -> Head:
        edge = self._owner.committed.edge
        return Head(edge.size, edge.root())


class SqliteDirectory(SqlDirectory):
    """DirectoryStorage on the embedded store."""

    def __init__(self, writer: Writer, readers: Readers, clock: Clock) -> None:
        super().__init__(writer, readers, clock)
        self._owner = writer

    async def epochs(self) -> Epochs:
        return self._owner.committed.epochs


class SqliteRetention(SqlRetention):
    """RetentionStorage on the embedded store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        super().__init__(writer, readers)
        self._owner = writer

    async def empty_journal(self) -> None:
        await self._owner.empty_journal()


def _appended(tx: Transaction, records: Sequence[PreparedRecord]) -> Sequence[int]:
    first = tx.log(records)
    return range(first, first + len(records))


def _appended_before(tx: Transaction, records: Sequence[PreparedRecord]) -> Sequence[int]:
    places = [tx.sql.one("place_of_event", (blob_of(record.event_id),)) for record in records]
    if None in places:
        raise LookupError("not in the log")
    return [place[0] for place in places if place is not None]

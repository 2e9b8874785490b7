"""What is the embedded store as a whole, and how does it begin and end?

    SqliteStore.create(directory)          once, on request
    store = SqliteStore.open(directory, clock)
    ids = SystemIds(clock, store.delivery_ids)
    await store.notices.accept(...)
    await store.close()

`open` takes the owner's lock, checks the shape, reads the state back and compares the
log's edge with its head: the same steps after a clean end and after a crash.
"""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from gateway.crypto.scatter import Scatter
from gateway.engines.files.lock import OwnerLock
from gateway.engines.queries import load
from gateway.engines.sql import QUERIES as SHARED
from gateway.engines.sql.deliveries import SqlDeliveries
from gateway.engines.sql.emergencies import SqlEmergencies
from gateway.engines.sql.files import SqlFiles
from gateway.engines.sql.notices import SqlNotices
from gateway.engines.sql.persons import SqlPersons
from gateway.engines.sql.registry import SqlConsents, SqlPolicies, SqlStaff
from gateway.engines.sql.relays import SqlRelays
from gateway.engines.sql.transaction import State
from gateway.engines.sqlite.append import load_edge, write_log
from gateway.engines.sqlite.committed import SqliteDirectory, SqliteLog, SqliteRetention
from gateway.engines.sqlite.connection import FaultPoint, Statements, no_fault
from gateway.engines.sqlite.migrate import STORE_FILE, check_shape, create_store, migrate_store, open_existing, steps
from gateway.engines.sqlite.readers import Readers
from gateway.engines.sqlite.writer import Writer
from gateway.model.errors import InvalidDocument, Unavailable
from gateway.ports.clock import Clock
from gateway.ports.retention_storage import Discarded
from gateway.ports.storage import Epochs

# What is said to this engine alone stands in its own file, as on the other.
QUERIES = {**SHARED, **load("gateway.engines.sqlite", "queries.sql")}


def load_state(sql: Statements) -> State:
    """What the writer has to know, read back from the database. Tampered when the log does not fit its head."""
    row = sql.one("epochs")
    if row is None:
        raise sqlite3.DatabaseError("the store has no epochs")
    return State(Epochs(*row), _last_notice(sql) + 1, load_edge(sql))


def _last_notice(sql: Statements) -> int:
    """The number of the newest notice, 0 when there is none."""
    row = sql.one("last_notice")
    if row is None:
        raise sqlite3.DatabaseError("an aggregate gave no row")
    return int(row[0] or 0)


class SqliteStore:
    """The open store, one object per port: `notices`, `deliveries`, `directory`, `policies`, `consents`, `log`."""

    def __init__(self, lock: OwnerLock, writer: Writer, readers: Readers, clock: Clock, order_key: bytes) -> None:
        self._lock = lock
        self._writer = writer
        self._readers = readers
        self.delivery_ids = Scatter(order_key)
        self.notices = SqlNotices(writer, readers, clock, self.delivery_ids)
        self.deliveries = SqlDeliveries(writer, readers, clock, self.delivery_ids)
        self.directory = SqliteDirectory(writer, readers, clock)
        self.policies = SqlPolicies(writer, readers)
        self.staff = SqlStaff(writer, readers)
        self.consents = SqlConsents(writer, readers)
        self.persons = SqlPersons(writer, readers)
        self.emergencies = SqlEmergencies(writer, readers, self.delivery_ids)
        self.log = SqliteLog(writer, readers)
        self.retention = SqliteRetention(writer, readers)
        self.files = SqlFiles(writer, readers)
        self.relays = SqlRelays(readers, self.delivery_ids)

    @classmethod
    def create(cls, directory: Path) -> None:
        """Make a new, empty store. Raises InvalidDocument when there is one already."""
        create_store(directory)

    @classmethod
    def migrate(cls, directory: Path, *, only_before: bool = False) -> int:
        """Bring a store that nobody has open to this code's shape; returns its version. Raises as `migrate_store`."""
        if not (directory / STORE_FILE).exists():
            raise Unavailable("there is no store in this directory", remedy="make one with `hutong init`")
        lock = OwnerLock(directory)
        try:
            return migrate_store(directory, only_before=only_before)
        finally:
            lock.release()

    @classmethod
    def open(
        cls,
        directory: Path,
        clock: Clock,
        *,
        reader_threads: int = 2,
        cache_mib: int = 128,
        wal_limit_bytes: int = 64 << 20,
        testing_only_fault: FaultPoint = no_fault,
    ) -> SqliteStore:
        """Open an existing store of this code's shape and become its owner.

        Raises Unavailable when there is none or another process owns it, InvalidDocument for
        another shape, Tampered when the log does not fit its head.
        """
        path = directory / STORE_FILE
        if not path.exists():
            raise Unavailable("there is no store in this directory", remedy="make one with `hutong init`")
        lock = OwnerLock(directory)
        try:
            order_key = _read_shape(path)
            writer = Writer(
                path,
                QUERIES,
                load_state,
                write_log,
                wal_limit_bytes=wal_limit_bytes,
                cache_mib=cache_mib,
                testing_only_fault=testing_only_fault,
            )
        except BaseException:
            lock.release()
            raise
        writer.start()
        readers = Readers(path, QUERIES, reader_threads)
        return cls(lock, writer, readers, clock, order_key)

    async def close(self) -> None:
        """Commit what waits, fold the journal into the database, give the store free. A second call does nothing."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.close()
        self._writer.stop()
        self._lock.release()

    async def clock_difference(self) -> timedelta:
        """None: this store has no clock but ours."""
        return timedelta(0)

    async def discard_expired(self, now: datetime, limit: int = 500) -> Discarded:
        """Forget raw bodies, receipts and noted instants whose time has run out at `now`, at most `limit` of each."""
        return await self.retention.discard_expired(now, limit)


def _read_shape(path: Path) -> bytes:
    connection = open_existing(path)
    try:
        version = check_shape(connection)
        if version < len(steps()) - 1:
            raise InvalidDocument(
                f"the store has shape {version}, this code wants {len(steps())}", remedy="run `hutong migrate`"
            )
        row = Statements(connection, QUERIES).one("property", ("delivery-order",))
        if row is None:
            raise InvalidDocument("the store lacks its delivery order key")
        return bytes(row[0])
    finally:
        connection.close()

"""What is the clustered store as a whole, and how does a node begin and end with it?

    await PostgresStore.create(url)                  once, on request
    store = await PostgresStore.open(url, clock)     on every node
    await store.notices.accept(...)
    await store.close()

Any number of nodes have it open; none of them keeps anything of it but caches. What a write means is said
once for both engines (`engines/sql`): here it runs over another connection, with `locks` and the `sequencer` for what
many nodes would do to each other.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from gateway.crypto.scatter import Scatter
from gateway.engines.postgres.connection import AWAY, FaultPoint, connect, no_fault, unavailable
from gateway.engines.postgres.deliveries import PostgresDeliveries
from gateway.engines.postgres.dialect import said_here
from gateway.engines.postgres.log import PostgresLog
from gateway.engines.postgres.migrate import check_usable, create_store, migrate_store, read_shape
from gateway.engines.postgres.readers import Readers
from gateway.engines.postgres.registry import PostgresDirectory
from gateway.engines.postgres.retention import PostgresRetention
from gateway.engines.postgres.sequencer import Sequencer
from gateway.engines.postgres.writer import Writer
from gateway.engines.queries import load
from gateway.engines.sql import QUERIES as SHARED
from gateway.engines.sql.emergencies import SqlEmergencies
from gateway.engines.sql.files import SqlFiles
from gateway.engines.sql.notices import SqlNotices
from gateway.engines.sql.persons import SqlPersons
from gateway.engines.sql.registry import SqlConsents, SqlPolicies, SqlStaff
from gateway.engines.sql.relays import SqlRelays
from gateway.model.errors import InvalidDocument
from gateway.ports.clock import Clock
from gateway.ports.retention_storage import Discarded

QUERIES = said_here(SHARED, load("gateway.engines.postgres", "queries.sql"))


class PostgresStore:
    """The open store of one node, one object per port."""

    def __init__(
        self, url: str, clock: Clock, order_key: bytes, readers: int = 8, fault: FaultPoint = no_fault
    ) -> None:
        self.delivery_ids = Scatter(order_key)
        self.sequencer = Sequencer(url, QUERIES, fault)
        self._writer = writer = Writer(url, QUERIES, self.delivery_ids, self.sequencer.wake, fault)
        self._readers = questions = Readers(url, QUERIES, readers, fault)
        on = (writer, questions)
        self.notices = SqlNotices(*on, clock, self.delivery_ids)
        self.deliveries = PostgresDeliveries(*on, clock, self.delivery_ids)
        self.directory = PostgresDirectory(*on, clock)
        self.policies = SqlPolicies(*on)
        self.staff = SqlStaff(*on)
        self.consents = SqlConsents(*on)
        self.persons = SqlPersons(*on)
        self.emergencies = SqlEmergencies(*on, self.delivery_ids)
        self.log = PostgresLog(writer, questions, self.sequencer)
        self.retention = PostgresRetention(writer, questions, self.sequencer, url)
        self.files = SqlFiles(*on)
        self.relays = SqlRelays(questions, self.delivery_ids)
        self._sequencing: asyncio.Task[None] | None = None
        self._clock, self._is_closed = clock, False

    @classmethod
    async def create(cls, url: str) -> None:
        """Make a new, empty store. Raises InvalidDocument when the database holds anything."""
        await create_store(url)

    @classmethod
    async def migrate(cls, url: str, *, only_before: bool = False) -> int:
        """Bring a store to this code's shape; returns its version. Raises as `migrate_store`."""
        return await migrate_store(url, only_before=only_before)

    @classmethod
    async def open(
        cls, url: str, clock: Clock, *, readers: int = 8, testing_only_fault: FaultPoint = no_fault
    ) -> PostgresStore:
        """Open an existing store of this code's shape, beside other nodes.

        Raises Unavailable when there is none or the server is away, InvalidDocument for another shape, Tampered when
        the log does not fit its head.
        """
        connection = await connect(url)
        try:
            check_usable(await read_shape(connection))
            order_key = await connection.fetchval("SELECT value FROM property WHERE name = 'delivery-order'")
        except AWAY as error:
            raise unavailable(error) from error
        finally:
            connection.terminate()
        if order_key is None:
            raise InvalidDocument("the store lacks its delivery order key")
        store = cls(url, clock, order_key, readers, testing_only_fault)
        try:
            await store.sequencer.check()
        except BaseException:
            await store.close()
            raise
        store._sequencing = asyncio.create_task(store.sequencer.run(), name="sequencer")
        return store

    async def close(self) -> None:
        """Commit what waits, then end. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._writer.close()
        await self._readers.close()
        if self._sequencing is not None:
            self._sequencing.cancel()
            with suppress(asyncio.CancelledError):
                await self._sequencing
        await self.sequencer.close()

    async def clock_difference(self) -> timedelta:
        """By how much the database's clock is ahead of ours, to half of what the question took."""
        before = self._clock.now()
        row = await self._readers.ask(lambda sql: sql.one("clock"))
        theirs: datetime = row[0]
        return theirs - (before + (self._clock.now() - before) / 2)

    async def discard_expired(self, now: datetime, limit: int = 500) -> Discarded:
        """Forget raw bodies, receipts and noted instants whose time has run out at `now`, at most `limit` of each."""
        return await self.retention.discard_expired(now, limit)

"""How do many callers of one node share one commit, and how do the commits of many nodes stay apart?

What callers hand over in one turn of the event loop, and what comes while a commit is under way, becomes one
transaction:

1. BEGIN. The group's locks are taken (`locks`), in one order for everybody: what two nodes would do to the same key,
   person, lane or sender happens one after the other, everything else side by side.
2. The epochs are read, numbers for new notices are drawn; the requests are applied, kind by kind, in few statements.
3. The log records of all of them go into the log's outbox.
4. COMMIT. A crash before its return leaves all or nothing. From then on the sequencer may give the records their places.

A request that breaks a rule of the schema makes the group go again one by one, each in a savepoint, so one caller's
trouble is never another's. A transaction that lost against another (deadlock) is tried again as a whole. When the
server is away everyone in the group gets `Unavailable`: the write may or may not have happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from gateway.audit.merkle import Edge
from gateway.engines.postgres import crossing
from gateway.engines.postgres.connection import AWAY, LOST, FaultPoint, connect, no_fault, unavailable
from gateway.engines.postgres.dialect import Query
from gateway.engines.postgres.locks import take_locks
from gateway.engines.postgres.statements import Statements
from gateway.engines.sql.group import Groups, Waiting, resolve
from gateway.engines.sql.transaction import Kind, State, Transaction
from gateway.engines.sql.values import blob_of, millis
from gateway.model.errors import Unavailable
from gateway.ports.storage import Epochs

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord
    from gateway.crypto.scatter import Scatter

Request = TypeVar("Request")
Result = TypeVar("Result")

MAX_GROUP = 128
MAX_WAITING = 20_000
NUMBERS_A_GROUP = 256  # what `notice_numbers` is raised by at each draw; more than a group can need
_TRIES = 8


@dataclass(slots=True)
class ClusterTransaction(Transaction):
    """One open transaction. Its log records go to the outbox: they have no place yet."""

    def log(self, records: Sequence[PreparedRecord]) -> int:
        self.records.extend(records)
        return -1


@dataclass(slots=True)
class Writer:
    """The one write connection of a node. `close` ends it; everything happens in one event loop."""

    url: str
    queries: Mapping[str, Query]
    scatter: Scatter
    logged: Callable[[], None]  # told after a commit with log records
    fault: FaultPoint = no_fault
    groups: int = 0
    _connection: asyncpg.Connection | None = None
    _gathered: list[Waiting] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _is_closed: bool = False

    async def submit(self, kind: Kind[Request, Result], request: Request) -> Result:
        """Apply a request in the next transaction; returns once that is durable.

        Raises Unavailable when the store is out of reach or too many wait: then the write may or may not have
        happened. A caller that is cancelled meanwhile leaves its write standing.
        """
        if self._is_closed or len(self._gathered) > MAX_WAITING:
            raise Unavailable("the store takes no more writes now")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._gathered.append(Waiting(kind, request, future))
        if self._task is None:
            self._task = asyncio.create_task(self._serve_all(), name="store-writer")
        return await future

    async def close(self) -> None:
        """Commit what waits, then end. A second call does nothing."""
        self._is_closed = True
        if self._task is not None:
            await self._task
        connection, self._connection = self._connection, None
        if connection is not None:
            await _end(connection)

    async def _serve_all(self) -> None:
        try:
            await asyncio.sleep(0)  # to the end of this turn of the loop: who comes in it shares the commit
            while self._gathered:
                group, self._gathered = self._gathered[:MAX_GROUP], self._gathered[MAX_GROUP:]
                await self._serve(group)
                self.groups += 1
                resolve(group)
        finally:
            self._task = None

    async def _serve(self, group: list[Waiting]) -> None:
        """Give every one of the group its outcome: a result, or an exception to be raised."""
        for _ in range(_TRIES):
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await connect(self.url)
                await self._transact(self._connection, group)
                return None
            except LOST:
                await self._rolled_back()
            except AWAY as error:
                return await self._lose(group, unavailable(error))
            except Unavailable as away:
                return await self._lose(group, away)
            except Exception as error:  # noqa: BLE001 - goes to the callers: nothing of the group was stored
                return await self._lose(group, error)
        return await self._lose(group, Unavailable("the store is too busy with the same records"))

    async def _lose(self, group: list[Waiting], error: Exception) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _end(connection)
        for one in group:
            one.outcome = error

    async def _rolled_back(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            with suppress(*AWAY):
                await self._connection.execute("ROLLBACK")

    async def _transact(self, connection: asyncpg.Connection, group: list[Waiting]) -> None:
        sql = Statements(connection, self.queries, self.fault)
        self.fault("begin")
        await connection.execute("BEGIN")
        try:
            has_logged = await crossing.run(lambda: _GROUPS.together(self._begun(sql, group), group))
        except _FATAL:
            raise
        except Exception:  # noqa: BLE001 - whose request it was shows in the second attempt, one by one
            await connection.execute("ROLLBACK")
            await connection.execute("BEGIN")
            has_logged = await crossing.run(lambda: _GROUPS.one_by_one(self._begun(sql, group), group))
        self.fault("commit")
        await connection.execute("COMMIT")
        self.fault("committed")
        if has_logged:
            self.logged()

    def _begun(self, sql: Statements, group: list[Waiting]) -> ClusterTransaction:
        requests = [one.request for one in group]
        take_locks(sql, [one.kind.name for one in group], requests, self.scatter)
        is_accepting = any(one.kind.name == "accept" for one in group)
        row = sql.one("epochs_and_numbers" if is_accepting else "epochs")
        if row is None:
            raise Unavailable("the store has no epochs", remedy="run `hutong migrate`")
        policy, consent, directory, *first = row
        # the tree's edge belongs to the sequencer
        return ClusterTransaction(sql, State(Epochs(policy, consent, directory), first[0] if first else 0, Edge()))


def _write_outbox(tx: ClusterTransaction) -> None:
    events = [blob_of(record.event_id) for record in tx.records]
    # an event is told once, also when its record was given its place long ago
    told = [(event,) for event in sorted(events)]
    waiting = [
        (event, record.name, millis(record.at), record.dump()) for event, record in zip(events, tx.records, strict=True)
    ]
    tx.sql.insert_all([("add_log_events", told), ("add_to_outbox", waiting)])


_FATAL = (*LOST, *AWAY, Unavailable)
_GROUPS: Groups[ClusterTransaction] = Groups(_FATAL, asyncpg.IntegrityConstraintViolationError, _write_outbox)


async def _end(connection: asyncpg.Connection) -> None:
    """Close without waiting for a server that may be gone."""
    with suppress(*AWAY):
        connection.terminate()

"""How do many callers share one commit, and what does each of them know afterwards?

One thread owns the write connection. Callers hand over a request and await a future.
What the callers of one turn of the event loop hand over goes to the thread together, at
the end of the turn: a busy loop thereby forms groups though each commit is quick, and an
idle one waits for nothing. All that wait at one moment become one transaction:

1. BEGIN; the requests of the group are applied, kind by kind, in few statements.
2. The log records of all of them become leaves; the head moves along.
3. COMMIT. A crash before its return leaves all or nothing, the database decides.
4. The new state (edge of the tree, epochs, next numbers) replaces the old; the
   futures are resolved, with one wake-up of the event loop.

When a request breaks a rule of the schema, nothing of step 1 counts: the group is
rolled back and every request is applied again in a savepoint of its own, so one
caller's trouble is never another's. When the disk fails, everyone in the group gets
`Unavailable`. When COMMIT itself raises, the commit may have happened: the connection
is opened anew and the state read back from the database, as at start-up.

Checkpoints (copying the journal into the database) run in a thread of their own; only
when the journal outgrows its bound does the writer spend a moment, between two
groups, on starting it over.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.engines.sql.group import Groups, Waiting, resolve
from gateway.engines.sql.transaction import Kind, Request, Result, State, Transaction
from gateway.engines.sqlite.connection import FaultPoint, Statements, no_fault, open_writer
from gateway.model.errors import Tampered, Unavailable

MAX_GROUP = 256
MAX_WAITING = 20_000


_FATAL = (sqlite3.OperationalError, OSError)
_NOTHING: Kind[None, None] = Kind("nothing", 99, lambda tx, units: [None for _ in units])


class Writer:
    """The one owner of the write connection. `start` and `stop` are called once each, from the thread that made it."""

    def __init__(
        self,
        path: Path,
        queries: Mapping[str, str],
        load_state: Callable[[Statements], State],
        write_log: Callable[[Transaction], None],
        *,
        wal_limit_bytes: int = 64 << 20,
        cache_mib: int = 128,
        testing_only_fault: FaultPoint = no_fault,
    ) -> None:
        self._path = path
        self._queries = queries
        self._load_state = load_state
        self._groups: Groups[Transaction] = Groups(_FATAL, sqlite3.IntegrityError, write_log)
        self._cache_mib = cache_mib
        self._fault = testing_only_fault
        self._gathered: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
        self._waiting: queue.SimpleQueue[list[Waiting] | None] = queue.SimpleQueue()
        self._pending = 0  # handed over and not yet answered
        self._connection: sqlite3.Connection | None = None
        self._tampered: Tampered | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._checkpointer = _Checkpointer(path, wal_limit_bytes)
        self._journal_wanted = threading.Event()
        self._journal_is_empty = False
        self.state: State
        self.groups = 0
        self._open()

    def start(self) -> None:
        self._thread.start()
        self._checkpointer.start()

    def stop(self) -> None:
        """Finish what waits, then close. Later requests get `Unavailable`."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._turn_away()
        self._checkpointer.stop()
        if self._connection is not None:
            if self._tampered is None:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._connection = None

    def _turn_away(self) -> None:
        """Answer those who came while the store was being closed."""
        late: list[Waiting] = []
        while not self._waiting.empty():
            late += self._waiting.get_nowait() or ()
        for one in late:
            one.outcome = Unavailable("the store is closed")
        _wake(late)

    async def submit(self, kind: Kind[Request, Result], request: Request) -> Result:
        """Apply a request in the next transaction; returns once that is durable.

        Raises Unavailable when the store is out of reach or too many wait: then the write may or may
        not have happened. A caller that is cancelled meanwhile leaves its write standing.
        """
        if self._is_stopped or self._pending > MAX_WAITING:
            raise Unavailable("the store takes no more writes now")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        gathered = self._gathered.get(loop)
        if gathered is None:
            gathered = self._gathered[loop] = []
            loop.call_soon(self._hand_over, loop)
        gathered.append(Waiting(kind, request, future))
        self._pending += 1
        try:
            return await future
        finally:
            self._pending -= 1

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        gathered = self._gathered.pop(loop)
        if self._is_stopped:
            for one in gathered:
                one.outcome = Unavailable("the store takes no more writes now")
            resolve(gathered)
            return
        for start in range(0, len(gathered), MAX_GROUP):
            self._waiting.put(gathered[start : start + MAX_GROUP])

    async def empty_journal(self) -> None:
        """Copy the journal into the file and cut it to nothing, between two groups. Unavailable while a reader stands in the way."""
        for _ in range(20):
            self._journal_wanted.set()
            await self.submit(_NOTHING, None)
            if self._journal_is_empty:
                return
            await asyncio.sleep(0.05)
        raise Unavailable("a reader stands in the way of emptying the journal")

    @property
    def committed(self) -> State:
        """The state as of the last commit. Unavailable while it can't be read, Tampered when it doesn't fit."""
        if self._tampered is not None:
            raise self._tampered
        if self._connection is None:
            raise Unavailable("the store is out of reach")
        return self.state

    # The thread.

    def _run(self) -> None:
        last = False
        while not last:
            group: list[Waiting] = []
            item = self._waiting.get()
            while True:
                if item is None:
                    last = True
                    break
                group.extend(item)
                if len(group) >= MAX_GROUP:
                    break
                try:
                    item = self._waiting.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._serve(group)
                if self._journal_wanted.is_set() and self._connection is not None:
                    self._journal_wanted.clear()
                    self._journal_is_empty = self._checkpointer.empty(self._connection)
                self.groups += 1
                _wake(group)
                self._checkpointer.committed()
                if self._checkpointer.wants_restart and self._connection is not None:
                    self._checkpointer.restart(self._connection)

    def _serve(self, group: list[Waiting]) -> None:
        """Give every one of the group its outcome: a result, or an exception to be raised."""
        try:
            if self._connection is None:
                self._open()
            self._transact(group)
        except (sqlite3.Error, OSError):
            self._connection_lost()
            unavailable = Unavailable("the store is out of reach")
            for one in group:
                one.outcome = unavailable
        except Tampered as tampered:
            for one in group:
                one.outcome = tampered
        except Exception as unforeseen:  # noqa: BLE001 - goes to the callers: without this thread every later write would wait for ever
            self._connection_lost()
            for one in group:
                one.outcome = unforeseen

    def _transact(self, group: list[Waiting]) -> None:
        connection = self._connection
        if connection is None:
            raise sqlite3.OperationalError("the store is not open")
        sql = Statements(connection, self._queries, self._fault)
        self._fault("begin")
        sql.bare("BEGIN IMMEDIATE")
        tx = Transaction(sql, self.state.copy())
        try:
            self._groups.together(tx, group)
        except _FATAL:
            raise
        except Exception:  # noqa: BLE001 - whose request it was shows in the second attempt, one by one
            sql.bare("ROLLBACK")
            sql.bare("BEGIN IMMEDIATE")
            tx = Transaction(sql, self.state.copy())
            self._groups.one_by_one(tx, group)
        self._fault("commit")
        sql.bare("COMMIT")
        self._fault("committed")
        tx.state.chains.settle()
        self.state = tx.state

    def _open(self) -> None:
        if self._tampered is not None:
            raise self._tampered
        connection = open_writer(self._path, self._cache_mib)
        try:
            self.state = self._load_state(Statements(connection, self._queries))
        except Tampered as tampered:
            connection.close()
            self._tampered = tampered
            raise
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _connection_lost(self) -> None:
        """Drop the connection and with it the open transaction, open it again and read the state back.

        When that fails too, the next group tries it again; until then there is no state to tell.
        """
        connection, self._connection = self._connection, None
        with suppress(sqlite3.Error, OSError, Tampered):
            if connection is not None:
                connection.close()
            self._open()


def _wake(group: Sequence[Waiting]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
    for one in group:
        loops.setdefault(one.future.get_loop(), []).append(one)
    for loop, several in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve, several)


class _Checkpointer:
    """Copies the journal into the database beside the writer, and says when the journal has to start over."""

    def __init__(self, path: Path, limit_bytes: int, every_seconds: float = 0.25) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._every_seconds = every_seconds
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-checkpoint", daemon=True)
        self.wants_restart = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def committed(self) -> None:
        if not self._changed.is_set():
            self._changed.set()

    def restart(self, connection: sqlite3.Connection) -> None:
        """On the writer's connection, between two groups: copy the rest and begin the journal anew. Gives way to readers."""
        self.wants_restart = False
        connection.execute("PRAGMA busy_timeout=20")
        try:
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
        except sqlite3.DatabaseError:
            return  # a full or broken disk or a long reader: the next round tries again, and commits tell the callers
        finally:
            connection.execute("PRAGMA busy_timeout=5000")

    def empty(self, connection: sqlite3.Connection) -> bool:
        """On the writer's connection, between two groups: copy everything and cut the journal. False when a reader prevents it."""
        try:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.DatabaseError:
            return False
        return not busy

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute("PRAGMA synchronous=FULL")
        try:
            while not self._stopping.is_set():
                self._changed.wait()
                self._changed.clear()
                if self._stopping.wait(self._every_seconds):
                    return
                try:
                    _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                except sqlite3.DatabaseError:
                    continue  # locked, no room or a broken disk: the journal holds everything, the next round tries again
                self.wants_restart = frames * page_bytes > self._limit_bytes
        finally:
            connection.close()

"""How do records of many nodes become one tree, and why can two sequencers never fork it?

A write leaves its log records in the outbox, in its own transaction; from its commit on they are durable in the log.
Whoever runs a sequencer gives them their places, in one transaction:

1. The sequencer's lock is taken; it ends with the transaction, so the duty moves by itself when a node dies. A node
   that stands still in the middle of it is cut off by the server after a few seconds.
2. The head is read. When it is not where this node left it, somebody else went on: the edge is read back and compared.
3. The waiting records, oldest first, get places, links and hashes; leaves, openings, tiles and chains are written.
4. The head is moved by compare-and-set on size *and* root. A sequencer that was overtaken changes nothing; a place is
   also a primary key. So even two sequencers without any lock cannot both be right.
5. What has its place leaves the outbox. COMMIT. A crash before leaves the outbox as it was.

An event has one row in `log_event` for ever, so it is told once, also when the same write is repeated much later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from gateway.audit.leaf import entry_bytes, entry_root, leaf_hash
from gateway.audit.merkle import EMPTY_ROOT, TILE_WIDTH, Edge
from gateway.audit.record import PreparedRecord, load_prepared
from gateway.engines.postgres import crossing
from gateway.engines.postgres.connection import AWAY, LOST, FaultPoint, connect, no_fault, unavailable
from gateway.engines.postgres.dialect import Query
from gateway.engines.postgres.locks import lock_number
from gateway.engines.postgres.statements import Statements
from gateway.engines.sql.values import subject_blob, text_of
from gateway.model.audit import FIRST_LINK, Link
from gateway.model.errors import Tampered, Unavailable
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import Head

AT_ONCE = 1000
GATHER_SECONDS = 0.2  # what waits is durable already, and whoever asks for the log does not wait for this
BEAT_SECONDS = 1.0  # looks for what a node left behind that died between its commit and its own integration
LOCK = lock_number("sequencer", "")
_TRIES = 20
_REMEDY = "restore the store from a backup"


class Overtaken(Exception):
    """Another sequencer moved the head meanwhile; nothing was written."""


@dataclass(slots=True)
class Sequencer:
    """One per node. `settle` gives everything that was committed before it its place."""

    url: str
    queries: Mapping[str, Query]
    fault: FaultPoint = no_fault
    takes_lock: bool = True  # tests leave the lock out, to show that the head alone is enough
    batches: int = 0
    _edge: Edge = field(default_factory=Edge)
    _root: bytes = EMPTY_ROOT
    _connection: asyncpg.Connection | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _is_closed: bool = False

    def wake(self) -> None:
        """Something was committed."""
        self._woken.set()

    async def run(self) -> None:
        """Integrate what is committed, for ever."""
        while not self._is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._woken.wait()
            if self._woken.is_set():
                await asyncio.sleep(GATHER_SECONDS)
            self._woken.clear()
            with suppress(Unavailable):  # the next beat finds the same outbox
                await self.settle()

    async def check(self) -> None:
        """At start: the log has to fit its head. Raises Tampered."""
        async with self._turn:
            if self._connection is None:
                self._connection = await connect(self.url)
            sql = Statements(self._connection, self.queries)
            try:
                await self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                self._edge = await crossing.run(lambda: load_edge(sql))
                self._root = self._edge.root()
                await self._connection.execute("ROLLBACK")
            except AWAY as error:
                raise unavailable(error) from error

    async def settle(self) -> Head:
        """Give every record that is committed now its place; returns the head. Raises Unavailable, or Tampered."""
        async with self._turn:
            for _ in range(_TRIES):
                try:
                    return await self._step()
                except (Overtaken, asyncpg.UniqueViolationError, *LOST):  # a place that is taken is a head that moved
                    await self._rolled_back()
                    self._edge = Edge()
                    continue
                except AWAY as error:
                    await self._drop()
                    raise unavailable(error) from error
                except Unavailable:
                    await self._drop()
                    raise
                except BaseException:
                    await self._drop()
                    raise
            raise Unavailable("the log is busy")

    async def close(self) -> None:
        self._is_closed = True
        self._woken.set()
        async with self._turn:
            await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._edge = Edge()
        if connection is not None:
            connection.terminate()

    async def _rolled_back(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            with suppress(*AWAY):
                await self._connection.execute("ROLLBACK")

    async def _step(self) -> Head:
        """One transaction after the other, while anything waits that was committed before this was asked."""
        if self._is_closed:
            raise Unavailable("the store is closed")
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self.url)
        connection = self._connection
        sql = Statements(connection, self.queries, self.fault)
        heads, [(end,)] = await crossing.run(lambda: sql.together((("log_head", ()), ("outbox_end", ()))))
        if end is None:
            size, root = heads[0][:2] if heads else (0, EMPTY_ROOT)
            return Head(size, root)
        has_more = True
        while has_more:
            self.fault("begin")
            await connection.execute("BEGIN")
            edge, root, has_more = await crossing.run(lambda: self._integrate(sql, end))
            self.fault("commit")
            await connection.execute("COMMIT")
            self.fault("committed")
            self._edge, self._root = edge, root
            self.batches += 1
        return Head(self._edge.size, self._root)

    def _integrate(self, sql: Statements, end: int) -> tuple[Edge, bytes, bool]:
        """The edge and root after one transaction, and whether a record up to the number `end` may still wait."""
        if self.takes_lock:
            sql.run("lock", ([LOCK], [True]))
        heads, waiting = sql.together((("log_head", ()), ("waiting_records", (AT_ONCE,))))
        if not heads:
            sql.run("begin_log_head", (EMPTY_ROOT,))
            heads = sql.all("log_head")
        edge, root = self._edge_at(sql, heads[0])
        if not waiting:
            return edge, root, False  # another node was faster
        has_more = len(waiting) == AT_ONCE and waiting[-1][0] < end
        return *append(sql, edge, root, waiting), has_more

    def _edge_at(self, sql: Statements, row: tuple[Any, ...]) -> tuple[Edge, bytes]:
        """A copy of the edge at the head as committed, read back when it is not the one this node knows."""
        size, root, _ = row
        if size != self._edge.size or root != self._root or size == 0:
            try:
                return load_edge(sql), root
            except Tampered:
                if sql.one("log_head") != row:
                    raise Overtaken from None  # somebody without the lock went on while this was read
                raise
        return self._edge.copy(), root


def load_edge(sql: Statements) -> Edge:
    """The edge as committed. Tampered when leaves, rows above them and head do not fit each other."""
    row = sql.one("log_head")
    count = sql.one("leaf_count")
    leaves = int(count[0] or 0) if count else 0
    if row is None or row[0] != leaves:
        if row is None and not leaves:
            return Edge()
        raise Tampered("the log's head counts other leaves than there are", remedy=_REMEDY)
    size, root, upper = row
    last = [leaf_hash(entry) for (entry,) in sql.all("leaf_entries", (size - size % TILE_WIDTH, size))]
    try:
        edge = Edge.load(size, last, upper)
    except ValueError as broken:
        raise Tampered("the log's edge does not fit its size", remedy=_REMEDY) from broken
    if edge.root() != root:
        raise Tampered("the log's leaves do not give its root", remedy=_REMEDY)
    return edge


def append(sql: Statements, edge: Edge, root: bytes, waiting: Sequence[tuple[Any, ...]]) -> tuple[Edge, bytes]:
    """Give waiting records their places after `edge`, whose head has `root`. Raises Overtaken when the head moved."""
    before, place = edge.size, edge.size
    records: list[PreparedRecord] = [load_prepared(prepared) for *_, prepared in waiting]
    named = [[subject_blob(subject) for subject in record.subjects] for record in records]
    heads = _chain_heads(sql, {name for names in named for name in names})
    leaves: list[tuple[int, bytes, bytes]] = []
    kept: list[tuple[int, str, int, bytes]] = []
    subjects: list[tuple[bytes, int, int]] = []
    hashes: list[bytes] = []
    for (_, event, name, at, _), record, names in zip(waiting, records, named, strict=True):
        links = [heads.get(one, FIRST_LINK) for one in names]
        record_root, packed = record.keep(links)
        for one, link in zip(names, links, strict=True):
            subjects.append((one, link.seq, place))
            heads[one] = Link(link.seq + 1, record.event_id, record_root)
        entry = entry_bytes(record_root)
        hashes.append(leaf_hash(entry))
        leaves.append((place, event, entry))
        kept.append((place, name, at, packed))
        place += 1
    tiles = edge.extend(hashes)
    sql.insert_all(
        (
            ("add_leaves", leaves),
            ("add_log_records", kept),
            ("add_log_subjects", sorted(subjects)),
            ("add_tiles", [(tile.level, tile.index, tile.data) for tile in tiles]),
        )
    )
    after = edge.root()
    if tiles or before == 0:
        moved = sql.run("set_log_head", (edge.size, after, edge.upper(), before, root)).rowcount
    else:
        moved = sql.run("move_log_head", (edge.size, after, before, root)).rowcount
    if moved != 1:
        raise Overtaken
    sql.run("leave_outbox", ([number for number, *_ in waiting],))
    return edge, after


def _chain_heads(sql: Statements, subjects: set[bytes]) -> dict[bytes, Link]:
    """The link that the next record of each known subject gets."""
    if not subjects:
        return {}
    return {
        subject: Link(chain + 1, EventId(text_of(event)), entry_root(entry))
        for subject, chain, event, entry in sql.run("chain_heads", (sorted(subjects),)).fetchall()
    }

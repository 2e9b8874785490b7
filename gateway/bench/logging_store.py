"""What does the log add to the commits of the embedded store?

Goals 2 and 5 of the audit anchors: records appended by the store against the same bytes inserted into a bare table of the same SQLite,
with the same journal and flushes, in alternation. Records are prepared beforehand. Wall clock, because the flush is what counts.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.audit.record import PreparedRecord, prepare
from gateway.bench.logging_samples import disclosures
from gateway.bench.measuring import Effort, Row, at_least, at_most
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock

CALLERS = 10
_BARE = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE event (id BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID"


async def store(effort: Effort) -> Sequence[Row]:
    """One event a commit, and ten callers at once."""
    count = 200 if effort.is_quick else 2_000
    ones, groups, raw = list[float](), list[float](), dict[str, list[float]]()
    for number in range(effort.rounds):
        effort.tell(f"log-store {number + 1}/{effort.rounds}")
        with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
            found = await _rates(Path(folder), count, number)
        ones.append(found["bare_per_second"] / found["one_per_second"])
        groups.append(found["ten_per_second"] / found["bare_ten_per_second"])
        for name, value in found.items():
            raw.setdefault(name, []).append(value)
    told = {name: statistics.median(values) for name, values in raw.items()}
    return (
        Row("log-commit-one", "日志：每次提交一条", "time of a commit with one event", "a bare insert", at_most(1.15), ones, told),
        Row("log-commit-ten", "日志：十路并发提交", "events a second of ten callers", "bare commits of ten", at_least(0.6, 0.75), groups, told),
    )  # fmt: skip


async def _rates(folder: Path, count: int, seed: int) -> dict[str, float]:
    SqliteStore.create(folder / "store")
    opened = SqliteStore.open(folder / "store", SystemClock())
    made = [prepare(event) for event in disclosures(2 * count, persons=True, seed=seed)]
    bodies = [(event.id.encode(), os.urandom(600)) for event in disclosures(2 * count, seed=seed + 1000)]
    try:
        with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as bare:
            bare.executescript(_BARE)
            bare_one = _bare(bare, bodies[:count], 1)
            one = await _appended(opened, [made[:count]])
            bare_ten = _bare(bare, bodies[count:], CALLERS)
            ten = await _appended(opened, [made[count + n :: CALLERS] for n in range(CALLERS)])
    finally:
        await opened.close()
    return {"bare_per_second": bare_one, "one_per_second": one, "bare_ten_per_second": bare_ten, "ten_per_second": ten}


def _bare(connection: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes]], together: int) -> float:
    begin = time.monotonic()
    for start in range(0, len(rows), together):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO event VALUES (?, ?)", rows[start : start + together])
        connection.execute("COMMIT")
    return len(rows) / (time.monotonic() - begin)


async def _appended(opened: SqliteStore, lanes: Sequence[Sequence[PreparedRecord]]) -> float:
    async def lane(records: Sequence[PreparedRecord]) -> None:
        for record in records:
            await opened.log.append([record])

    begin = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for records in lanes:
            tasks.create_task(lane(records))
    total = sum(map(len, lanes))
    if (await opened.log.head()).size < total:
        raise AssertionError("the store did not keep what it was given")
    return total / (time.monotonic() - begin)

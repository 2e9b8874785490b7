"""What does the log add to the commits of the embedded store?

Goals 2 and 5 of the audit anchors: the same commit with its record and without, of the same store, in alternation. The
commit is the smallest that the store has, a consent of 600 bytes as it is recorded. Records are prepared beforehand, with the ids
that the gateway gives. Wall clock, because the flush is what counts; processor time, and a bare table of SQLite, are told beside it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.audit.record import PreparedRecord, prepare
from gateway.bench.logging_samples import disclosures
from gateway.bench.measuring import Effort, Row, at_least, at_most, medians
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.model.identifiers import PersonId
from gateway.ports.registry_storage import ConsentRecord

CALLERS = 10
BODY_BYTES = 600
EVENTS_PER_SECOND = 20_000
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_BARE = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE event (id INTEGER PRIMARY KEY, body BLOB)"


async def store(effort: Effort) -> Sequence[Row]:
    """One event a commit, and ten callers at once."""
    count = 200 if effort.is_quick else 2_000
    rounds = list[dict[str, float]]()
    for number in range(effort.rounds):
        effort.tell(f"log-store {number + 1}/{effort.rounds}")
        with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
            rounds.append(await _costs(Path(folder), count, number))
    raw = medians(rounds)
    same = "同一提交不带日志 the same commit without"
    ones = [one["one_us"] / one["one_without_us"] for one in rounds]
    groups = [one["ten_without_us"] / one["ten_us"] for one in rounds]
    speeds = [1e6 / one["ten_us"] / EVENTS_PER_SECOND for one in rounds]
    return (
        Row("log-commit-one", "日志：每次提交一条", "time of a commit of one event with its record", same, at_most(1.15), ones, raw),
        Row("log-commit-ten", "日志：十路并发提交", "rate of ten callers whose events have records", same, at_least(0.6, 0.75), groups, raw),
        Row("log-commit-rate", "日志：十路并发每秒条数", "audited events a second of ten callers", f"{EVENTS_PER_SECOND:,}/s", at_least(1, 2), speeds, raw),
    )  # fmt: skip


async def _costs(folder: Path, count: int, seed: int) -> dict[str, float]:
    """Microseconds of an event, wall clock and processor, by what is committed."""
    SqliteStore.create(folder / "store")
    opened = SqliteStore.open(folder / "store", SystemClock())
    turns = 5
    events = iter(disclosures((turns + 1) * count, persons=True, seed=seed))
    costs: dict[str, list[float]] = {}

    def keep(name: str, seconds: float, cpu: float, events: int) -> None:
        costs.setdefault(f"{name}_us", []).append(seconds / events * 1e6)
        costs.setdefault(f"{name}_cpu_us", []).append(cpu / events * 1e6)

    try:
        for _ in range(count):
            for name, records in (("one_without", ()), ("one", (prepare(next(events)),))):
                begin, cpu = time.monotonic(), time.process_time()
                await _put(opened, records)
                keep(name, time.monotonic() - begin, time.process_time() - cpu, 1)
        for _ in range(turns):
            for name in ("ten_without", "ten"):
                lanes = [[(prepare(next(events)),) if name == "ten" else () for _ in range(count // CALLERS)] for _ in range(CALLERS)]  # fmt: skip
                begin, cpu = time.monotonic(), time.process_time()
                async with asyncio.TaskGroup() as tasks:
                    for lane in lanes:
                        tasks.create_task(_put_all(opened, lane))
                keep(name, time.monotonic() - begin, time.process_time() - cpu, count)
        if (await opened.log.head()).size != (turns + 1) * count:
            raise AssertionError("the store did not keep what it was given")
    finally:
        await opened.close()
    for together, seconds in _bare(folder / "bare.db", count):
        costs.setdefault(f"bare_{together}_us", []).append(seconds * 1e6)
    return {name: statistics.median(values) for name, values in costs.items()}


async def _put(opened: SqliteStore, records: Sequence[PreparedRecord]) -> None:
    record = ConsentRecord(str(uuid.uuid4()), PersonId(str(uuid.uuid4())), os.urandom(BODY_BYTES), "given", _AT)
    await opened.consents.put_consent(record, records)


async def _put_all(opened: SqliteStore, lane: Sequence[Sequence[PreparedRecord]]) -> None:
    for records in lane:
        await _put(opened, records)


def _bare(path: Path, count: int) -> Iterator[tuple[int, float]]:
    """Seconds an event of bare commits of one and of ten rows, in a table of SQLite and nothing else."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_BARE)
        for together in (1, CALLERS):
            for _ in range(count // together):
                begin = time.monotonic()
                connection.execute("BEGIN IMMEDIATE")
                for _ in range(together):
                    connection.execute("INSERT INTO event (body) VALUES (?)", (os.urandom(BODY_BYTES),))
                connection.execute("COMMIT")
                yield together, (time.monotonic() - begin) / together

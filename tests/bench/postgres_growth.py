"""Does an operation cost more when a million notices are stored? On PostgreSQL, against ten thousand in the same run.

    python -m tests.bench.postgres_growth postgresql://USER@HOST:PORT/DATABASE --notices 1000000 --records 200000

The first ten thousand notices are accepted like any other. The rest is put there in bulk by the server, with the same
keys, indexes and states (one delivery in fifty is due), but small contents; log records are appended through the log.
Medians of CPU-independent wall time in alternation are not possible here (the store grows once), so the whole is
measured twice at each size and both are told.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from gateway.audit.record import prepare
from gateway.bench.clustered import fresh_database
from gateway.bench.store import RECIPIENTS, UnitMaker, accept_time
from gateway.engines.postgres.store import PostgresStore
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.ids import SystemIds
from gateway.model.audit import EventName, LogEvent
from gateway.ports.log_storage import LogQuery
from tests.support.plans import plans

SMALL = 10_000
_FILL = """
INSERT INTO notice SELECT n, decode(md5('n' || n), 'hex'), 'RPT', decode(md5('c' || n), 'hex'), 'civil_affairs.999999', 0,
  $3::bigint, '', NULL, 'key', ''::bytea, decode('00', 'hex') FROM generate_series($1::bigint, $2::bigint) AS n;
INSERT INTO receipt SELECT n, $3::bigint + 7776000000, decode(md5('i' || n) || md5('j' || n), 'hex'), decode(md5('i' || n) || md5('j' || n), 'hex'),
  decode(md5('b' || n) || md5('b' || n), 'hex'), ''::bytea FROM generate_series($1::bigint, $2::bigint) AS n;
INSERT INTO receipt_key SELECT ('x' || substr(md5('i' || n), 1, 16))::bit(64)::bigint, n FROM generate_series($1::bigint, $2::bigint) AS n;
INSERT INTO raw_body SELECT n, $3::bigint + 2592000000, NULL, 'RAW', 'key', ''::bytea FROM generate_series($1::bigint, $2::bigint) AS n;
INSERT INTO person SELECT decode(md5('p' || n), 'hex'), 'key' FROM generate_series($1::bigint, $2::bigint) AS n;
INSERT INTO person_alias SELECT decode(md5('a' || n || k) || md5('a' || n || k), 'hex'), decode(md5('p' || n), 'hex')
  FROM generate_series($1::bigint, $2::bigint) AS n, generate_series(1, 2) AS k;
INSERT INTO notice_person SELECT decode(md5('p' || n), 'hex'), n, 'p1' FROM generate_series($1::bigint, $2::bigint) AS n;
INSERT INTO delivery SELECT n * 4096 + k, decode(md5('d' || n || k), 'hex'), 'police.999999.unit-' || ((n + k) % 40),
  CASE WHEN n % 50 = 0 THEN 1 ELSE 3 END, 0, 0, decode(md5('l' || n || k), 'hex'), $3::bigint, CASE WHEN n % 50 = 0 THEN $3::bigint END,
  $3::bigint + 2592000000, $3::bigint, NULL, NULL, 0, 1, 1, decode(md5('r' || n), 'hex'), NULL, '', '["P01",["L02"],"r","handling",0]'
  FROM generate_series($1::bigint, $2::bigint) AS n, generate_series(0, 1) AS k;
INSERT INTO expiry SELECT $3::bigint + 2592000000, n FROM generate_series($1::bigint, $2::bigint) AS n
"""


async def fill(url: str, first: int, last: int) -> None:
    now = time.time_ns() // 1_000_000 - 60_000
    connection = await asyncpg.connect(url)
    try:
        for start in range(first, last, 50_000):
            stop = min(start + 50_000, last) - 1
            for statement in _FILL.split(";\n"):
                used = [value for name, value in (("$1", start), ("$2", stop), ("$3", now)) if name in statement]
                await connection.execute(statement, *used)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def fill_log(store: PostgresStore, ids: SystemIds, count: int) -> None:
    for start in range(0, count, 2000):
        records = [
            prepare(
                LogEvent(
                    ids.event(), EventName.NOTICE_ACCEPTED, datetime.now(UTC),
                    {"actor": "civil_affairs.999999", "notice": ids.notice(), "type": "RPT", "purpose": "P01", "transport": "http"},
                    os.urandom(32),
                )
            )
            for _ in range(min(2000, count - start))
        ]  # fmt: skip
        await store.log.append(records)
    while await store.log.index(100_000):
        pass


async def measure(store: PostgresStore, maker: UnitMaker, ids: SystemIds) -> dict[str, float]:
    """Milliseconds of each operation."""
    found: dict[str, float] = {"accept_ms": 1e3 * await accept_time(store, maker, 2000, 100) / 2000}
    leases, searches, lookups = [], [], []
    for n in range(60):
        begun = time.perf_counter()
        leased = await store.deliveries.lease_due(RECIPIENTS[n % 40], datetime.now(UTC), timedelta(seconds=60), 20)
        leases.append(time.perf_counter() - begun)
        assert leased
        begun = time.perf_counter()
        await store.log.search(LogQuery(event="notice_accepted", office="civil_affairs.999999"), None, 50)
        searches.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        assert await store.notices.load(leased[0].notice) is not None
        assert await store.notices.find_receipt(os.urandom(32)) is None
        lookups.append(time.perf_counter() - begun)
    del ids
    for name, times in (("inbox_ms", leases), ("search_ms", searches), ("lookup_ms", lookups)):
        found[name] = 1e3 * statistics.median(times)
    return found


def _indexes(reads: Sequence[str]) -> list[str]:
    """Which, however they are gone through and in whatever order."""
    return sorted({one.rpartition(" ")[2] for one in reads})


async def main(server: str, notices: int, records: int) -> None:
    async with fresh_database(server) as url:
        await PostgresStore.create(url)
        store = await PostgresStore.open(url, SystemClock())
        ids = SystemIds(SystemClock(), store.delivery_ids)
        maker = UnitMaker(ids)
        try:
            await accept_time(store, maker, SMALL, 100)
            await fill_log(store, ids, SMALL)
            small = [await measure(store, maker, ids) for _ in range(2)]
            small_plans = await plans(url)
            print("10k:", [{name: round(value, 3) for name, value in one.items()} for one in small], flush=True)
            begun = time.perf_counter()
            await fill(url, 100_000_000, 100_000_000 + notices - SMALL)
            await fill_log(store, ids, records)
            print(f"filled in {time.perf_counter() - begun:.0f} s", flush=True)
            large = [await measure(store, maker, ids) for _ in range(3)]
            large_plans = await plans(url)
            others = [name for name, now in large_plans.items() if _indexes(now) != _indexes(small_plans[name])]
            print(f"{len(large_plans)} queries, of them by other indexes than before:")
            for name in others:
                print(f"    {name}: {small_plans[name]} -> {large_plans[name]}")
            print(f"{notices}:", [{name: round(value, 3) for name, value in one.items()} for one in large], flush=True)
            for name in small[0]:
                ratio = min(one[name] for one in large) / min(one[name] for one in small)
                print(f"{name.removesuffix('_ms')}: x {ratio:.2f}")
        finally:
            await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--notices", type=int, default=1_000_000)
    parser.add_argument("--records", type=int, default=200_000)
    given = parser.parse_args()
    asyncio.run(main(given.server, given.notices, given.records))

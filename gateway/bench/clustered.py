"""What does a node reach whose record is in PostgreSQL, against the embedded store and against PostgreSQL itself?

Needs a server that runs: `HUTONG_BENCH_POSTGRES` names it (postgresql://USER@HOST:PORT/DATABASE, a role that may create
databases); without it the rows are left out. Yardsticks of the same minute: the embedded node under the same load (both
nodes have the same core, one idle while the other works), and commits a second of one connection that inserts 4 KiB.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import asyncpg

from gateway.bench.accept import Bursts
from gateway.bench.measuring import Effort, Row, Target, at_least, medians
from gateway.bench.node import running_node
from gateway.bench.processes import CORES, load_generator
from gateway.bench.store import UnitMaker, accept_time
from gateway.engines.postgres.store import PostgresStore
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.ids import SystemIds

VARIABLE = "HUTONG_BENCH_POSTGRES"
_ABSENT = f"no PostgreSQL named in {VARIABLE}"
_GROUP = 100


@asynccontextmanager
async def fresh_database(server: str) -> AsyncIterator[str]:
    """The address of an empty database, dropped when the block is left."""
    name = f"hutong_bench_{uuid4().hex[:10]}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        yield f"{server.rsplit('/', 1)[0]}/{name}"
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


async def accepting(effort: Effort) -> Sequence[Row]:
    """clustered-accept: notices a second of one node, and clustered-cpu: of the node's own processor time."""
    title = ("集群受理比嵌入式", "clustered accept against embedded")
    costs = ("集群节点每条处理器时间比嵌入式", "CPU of the node for one notice against embedded")
    server = os.environ.get(VARIABLE)
    if not server:
        return (
            Row("clustered-accept", *title, "embedded", at_least(0.7, 1.0), skipped=_ABSENT),
            Row("clustered-cpu", *costs, "embedded", Target(None, None, is_least=False), skipped=_ABSENT),
        )
    rates, spent, raws = [], [], []
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(server))
        clustered = await stack.enter_async_context(running_node(CORES[:1], database))
        embedded = await stack.enter_async_context(running_node(CORES[:1]))
        load = await stack.enter_async_context(load_generator())
        ours, theirs = Bursts(clustered, load), Bursts(embedded, load)
        for one in (ours, theirs):
            await one(1.5)
        for number in range(effort.rounds):
            effort.tell(f"clustered {number + 1}/{effort.rounds}")
            before = await theirs(effort.seconds / 2)
            done = await ours(effort.seconds)
            after = await theirs(effort.seconds / 2)
            embedded_rate = (before.per_second + after.per_second) / 2
            embedded_cpu = (before.cpu_each + after.cpu_each) / 2
            rates.append(done.per_second / embedded_rate)
            spent.append(done.cpu_each / embedded_cpu)
            raws.append(
                {
                    "clustered_per_second": done.per_second, "embedded_per_second": embedded_rate,
                    "clustered_cpu_us": done.cpu_each * 1e6, "embedded_cpu_us": embedded_cpu * 1e6,
                    "others_share": done.others,
                }
            )  # fmt: skip
    raw = medians(raws)
    return (
        Row("clustered-accept", *title, "embedded", at_least(0.7, 1.0), rates, raw),
        Row("clustered-cpu", *costs, "embedded", Target(None, None, is_least=False), spent, raw),
    )


async def storing(effort: Effort) -> Sequence[Row]:
    """clustered-store: notices stored in groups of 100 for each commit that one connection could do."""
    title = ("集群存储：每组 100 条", "clustered store alone, groups of 100")
    server = os.environ.get(VARIABLE)
    if not server:
        return (Row("clustered-store", *title, "commits", Target(None, None), skipped=_ABSENT),)
    ratios, raws = [], []
    for number in range(effort.rounds):
        effort.tell(f"clustered store {number + 1}/{effort.rounds}")
        async with fresh_database(server) as database:
            await PostgresStore.create(database)
            store = await PostgresStore.open(database, SystemClock())
            try:
                maker = UnitMaker(SystemIds(SystemClock(), store.delivery_ids))
                notices = 1_000 if effort.is_quick else 5_000
                before = await commit_rate(database)
                accepted = notices / await accept_time(store, maker, notices, _GROUP)
                begun = time.perf_counter()
                await store.log.head()
                settled = time.perf_counter() - begun
                commits = (before + await commit_rate(database)) / 2
            finally:
                await store.close()
        ratios.append(accepted / commits)
        raws.append({"accepted_per_second": accepted, "commits_per_second": commits, "settle_ms": settled * 1e3})
    return (Row("clustered-store", *title, "commits", Target(None, None), ratios, medians(raws)),)


async def commit_rate(database: str, seconds: float = 0.7) -> float:
    """Transactions a second of one connection, each inserting 4 KiB."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS probe (page bytea)")
        insert = await connection.prepare("INSERT INTO probe VALUES ($1)")
        page, count, begin = os.urandom(4096), 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            await insert.fetch(page)
            count += 1
        await connection.execute("DROP TABLE probe")
        return count / elapsed
    finally:
        await connection.close()

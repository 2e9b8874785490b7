"""A store with a publisher beside it, in a folder that can be copied, cut and opened again; as a program, one to be killed."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from gateway.audit.record import prepare
from gateway.audit.trust import parse_trust_policy
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.sqlite.connection import FaultPoint, no_fault
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.model.audit import EventName
from gateway.services.publish import Publisher
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN
from tests.support.log_events import event_of

TRUST = parse_trust_policy(f"log {LOG.key.vkey}\nlog {LOG_PQ.key.vkey}\nquorum none\n".encode())
PERSON = ("ab" * 32, b"s" * 32)


def create(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    SqliteStore.create(folder / "store")
    FileCheckpointGuard.create(folder / "guard")


def open_store(folder: Path, fault: FaultPoint = no_fault) -> SqliteStore:
    return SqliteStore.open(folder / "store", SystemClock(), cache_mib=8, testing_only_fault=fault)


def publisher_of(store: SqliteStore, folder: Path, guard: Any = None) -> Publisher:
    kept = FileCheckpointGuard(folder / "guard") if guard is None else guard
    return Publisher(store.log, ORIGIN, (LOG, LOG_PQ), kept, TRUST, SystemClock())


@contextmanager
def journal_kept(folder: Path) -> Iterator[Path]:
    """The journal of a store, of which nothing is folded into the database meanwhile: a reader from before stands in the way.

    Without it the store begins its journal anew after a while, and a journal is worth nothing beside an older database.
    """
    with closing(sqlite3.connect(folder / "store" / "store.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM log_leaf").fetchone()
        yield folder / "store" / "store.db-wal"
        reader.execute("COMMIT")


async def log(store: SqliteStore, rng: random.Random, count: int) -> None:
    names = list(EventName)
    await store.log.append([prepare(event_of(rng.choice(names), rng, people=(PERSON,))) for _ in range(count)])


async def run_until_killed(folder: Path) -> None:
    """Append and sign for ever; after each step say on standard output what is promised: `size signed_size signed_root`."""
    store = open_store(folder)
    publisher = publisher_of(store, folder)
    if await publisher.open() is not None:
        raise SystemExit("a hold without a cause")
    rng = random.Random()
    while True:
        await log(store, rng, rng.randrange(1, 40))
        size = (await store.log.head()).size
        print(size, 0, "", flush=True)
        published = await publisher.publish()
        if published is not None:
            print(size, published.checkpoint.size, published.checkpoint.root.hex(), flush=True)


if __name__ == "__main__":
    asyncio.run(run_until_killed(Path(sys.argv[1])))

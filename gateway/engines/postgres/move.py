"""How does an embedded store become a clustered one?

Row by row, table by table, in one transaction of the database: all of it is there, or nothing. Both engines have the same
tables; what the clustered log has besides is made from them. The caller verifies the log on both sides.

Durable steps, and what a crash after each leaves behind:

1. An empty store is made in the database. Crash: it is empty; drop the database and begin again.
2. The rows are copied and committed. Crash: two stores, of which the settings still name the embedded one, and the
   copy is not used; drop the database and begin again.
3. The embedded store is put aside under another name, after the caller has compared both. From here on the database is
   the only record: an embedded gateway finds no store, so the log cannot go on in two places.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg

from gateway.engines.file_drop.durable import sync_folder
from gateway.engines.postgres.connection import AWAY, connect, unavailable
from gateway.engines.postgres.migrate import create_store
from gateway.engines.postgres.writer import NUMBERS_A_GROUP
from gateway.engines.sqlite.migrate import STORE_FILE, check_shape, open_existing, steps
from gateway.model.errors import InvalidDocument, Unavailable

MOVED = ".moved"
_AT_ONCE = 2000
_KEPT = ("delivery-order", "store-id")
_INDEXED = "log-indexed"
_NOT_TABLES = ("property", "epoch")


async def copy_store(directory: Path, url: str) -> int:
    """Copy the embedded store of `directory` into an empty database; returns how many rows. The caller owns the store.

    Raises Unavailable, or InvalidDocument for a store of another shape or a table that this release cannot move.
    """
    if not (directory / STORE_FILE).exists():
        raise Unavailable("there is no store in this directory", remedy="nothing is to be moved")
    source = open_existing(directory / STORE_FILE)
    try:
        if check_shape(source) != len(steps()):
            raise InvalidDocument("the store has the shape of another release", remedy="run `hutong migrate` first")
        await create_store(url)
        target = await connect(url, takes_its_time=True)
        try:
            async with target.transaction():
                return await _copy(source, target)
        except AWAY as error:
            raise unavailable(error) from error
        finally:
            target.terminate()
    finally:
        source.close()


def put_aside(directory: Path) -> Path:
    """Rename the embedded store, durably, so that nothing opens it any more."""
    store = directory / STORE_FILE
    aside = store.with_name(STORE_FILE + MOVED)
    connection = open_existing(store)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    store.rename(aside)
    sync_folder(directory)
    return aside


async def _copy(source: sqlite3.Connection, target: asyncpg.Connection) -> int:
    rows = 0
    there = {
        row[0] for row in await target.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    }
    # in the order in which they were made: what is referred to comes first
    for (table,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall():
        if table in _NOT_TABLES or table.startswith("sqlite_"):
            continue
        if table not in there:
            raise InvalidDocument(f"the clustered store has no table `{table}`", remedy="use a release that has it")
        columns = [row[1] for row in source.execute(f"PRAGMA table_info({table})")]
        text = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - names of our own schema
        for page in _pages(source, text):
            await target.copy_records_to_table(table, records=_each(page), columns=columns)
            rows += len(page)
    for name, value in source.execute("SELECT name, value FROM property").fetchall():
        if name in _KEPT:
            await target.execute("UPDATE property SET value = $2 WHERE name = $1", name, value)
        elif name == _INDEXED:
            await target.execute("INSERT INTO log_indexed (one, until) VALUES (1, $1)", int(value))
        else:
            raise InvalidDocument(f"the store has a property `{name}` that this release cannot move")
    epochs = source.execute("SELECT policy, consent, directory FROM epoch").fetchone()
    await target.execute("UPDATE epoch SET policy = $1, consent = $2, directory = $3", *epochs)
    await target.execute("INSERT INTO log_event (event) SELECT event FROM log_leaf")
    last = await target.fetchval("SELECT coalesce(max(number), 0) FROM notice")
    await target.execute("SELECT setval('notice_numbers', $1)", last + NUMBERS_A_GROUP)
    return rows


def _pages(source: sqlite3.Connection, text: str) -> Iterator[list[tuple[object, ...]]]:
    cursor = source.execute(text)
    while page := cursor.fetchmany(_AT_ONCE):
        yield page


async def _each(page: list[tuple[object, ...]]) -> AsyncIterator[tuple[object, ...]]:
    for row in page:
        yield row

"""An open, empty clustered store for the behaviour suites."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from gateway.engines.postgres.store import PostgresStore
from tests.support.stored import SetClock, Units


@pytest.fixture(scope="session")
def empty_store(postgres):
    """A database with an empty store, made once."""

    async def make():
        url = await postgres.make_database()
        await PostgresStore.create(url)
        return url

    return asyncio.run(make())


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
async def database(empty_store):
    """The database, emptied again: that is ten times faster than a new one."""
    connection = await asyncpg.connect(empty_store)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        filled = ", ".join(row[0] for row in tables if row[0] not in ("property", "store_shape"))
        await connection.execute("SET session_replication_role = replica")  # leaves out what keeps the log from it
        await connection.execute(f"TRUNCATE {filled}")
        await connection.execute("INSERT INTO epoch VALUES (1, 0, 0, 0)")
    finally:
        await connection.close()
    return empty_store


@pytest.fixture
async def store(database, clock):
    opened = await PostgresStore.open(database, clock, readers=3)
    yield opened
    await opened.close()


@pytest.fixture
def units(store, clock):
    return Units(clock, store.delivery_ids)


@pytest.fixture
async def other(database, store, clock):
    """A second node on the same database."""
    opened = await PostgresStore.open(database, clock, readers=2)
    yield opened
    await opened.close()


@pytest.fixture
async def fresh(postgres):
    """A new, empty database."""
    url = await postgres.make_database()
    yield url
    await postgres.drop_database(url)

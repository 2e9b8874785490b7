"""Which shape has a database, and how does it get the one this code wants?

As in the embedded store: the shape is twice the number of the last migration, less one while only its first half was
run. `before` halves leave everything that the older code needs, so a cluster is upgraded in three steps with nobody
turned away: `hutong migrate --before`, the nodes one after the other, `hutong migrate`. Each half is one transaction
with the number it leads to; two who migrate at once do so one after the other. A store is made on request alone.
"""

from __future__ import annotations

import secrets

import asyncpg

from gateway.engines.migrations import OLDEST_CODE, Step, check_not_newer, shape_as_property, steps_in
from gateway.engines.postgres.connection import AWAY, connect, unavailable
from gateway.engines.postgres.locks import lock_number
from gateway.model.errors import InvalidDocument, Unavailable

_LOCK = lock_number("migration", "")
_OLDEST = 150_000
_SHAPE = """
CREATE TABLE IF NOT EXISTS store_shape (one bigint PRIMARY KEY CHECK (one = 1), version bigint NOT NULL);
"""
_REMEMBER = "INSERT INTO property VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def steps() -> tuple[Step, ...]:
    """All halves of this engine's migrations in order; `version` is the shape it leads to."""
    return steps_in("gateway.engines.postgres.migrations")


async def create_store(url: str) -> None:
    """Make a new, empty store in a database. Raises InvalidDocument when there is one already, or something else."""
    connection = await connect(url, takes_its_time=True)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if connection.get_server_version().major * 10_000 < _OLDEST:
                raise InvalidDocument("the server is older than PostgreSQL 15", remedy="use PostgreSQL 15 or newer")
            taken = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
            if taken:
                raise InvalidDocument("the database is not empty", remedy="use an empty database of its own")
            await connection.execute(_SHAPE)
            await connection.execute("INSERT INTO store_shape VALUES (1, 0)")
            await _run(connection, 0, len(steps()))
            await connection.execute("INSERT INTO property VALUES ('delivery-order', $1)", secrets.token_bytes(32))
            await connection.execute("INSERT INTO property VALUES ('store-id', $1)", secrets.token_bytes(16))
    except AWAY as error:
        raise unavailable(error) from error
    finally:
        connection.terminate()


async def migrate_store(url: str, *, only_before: bool = False) -> int:
    """Bring an existing store to this code's shape and return its version; does nothing when it has it.

    `only_before` leaves out an `after` half that is last, so that older nodes go on working beside newer ones. Raises
    InvalidDocument for a shape of newer code, Unavailable when there is no store.
    """
    connection = await connect(url, takes_its_time=True)
    try:
        while True:  # a transaction for each half: a crash leaves whole ones
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                version = await read_shape(connection)
                last = len(steps()) - 1 if only_before else len(steps())
                if version >= last:
                    return version
                await _run(connection, version, version + 1)
    except AWAY as error:
        raise unavailable(error) from error
    finally:
        connection.terminate()


async def read_shape(connection: asyncpg.Connection) -> int:
    """The version of a store. Raises Unavailable when there is none, InvalidDocument when newer code took away what this needs."""
    try:
        version = await connection.fetchval("SELECT version FROM store_shape")
    except asyncpg.UndefinedTableError as missing:
        raise Unavailable("there is no store in this database", remedy="make one with `hutong init`") from missing
    if version is None:
        raise Unavailable("there is no store in this database", remedy="make one with `hutong init`")
    if version > len(steps()):
        oldest = await connection.fetchval("SELECT value FROM property WHERE name = $1", OLDEST_CODE)
        check_not_newer(version, len(steps()), oldest)
    return int(version)


def check_usable(version: int) -> None:
    """InvalidDocument when this code needs a shape that the store does not have yet."""
    if version < len(steps()) - 1:
        raise InvalidDocument(
            f"the store has shape {version}, this code wants {len(steps())}", remedy="run `hutong migrate`"
        )


async def _run(connection: asyncpg.Connection, version: int, last: int) -> None:
    for step in steps()[version:last]:
        await connection.execute(f"{step.sql}\nUPDATE store_shape SET version = {step.version:d}")
        if step.takes_away:
            await connection.execute(_REMEMBER, OLDEST_CODE, shape_as_property(step.version))

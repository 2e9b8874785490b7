"""Is this database as a cluster needs it? For `hutong doctor`; reads alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from gateway.engines.postgres.clocks import clock_difference
from gateway.engines.postgres.connection import AWAY, connect, unavailable
from gateway.engines.postgres.migrate import read_shape, steps
from gateway.ports.clock import Clock

_MOST_DRIFT_SECONDS = 1.0
_LOCKS = 6000  # about eight nodes with full groups of writes
_CONNECTIONS = 40

# What was looked at, whether it holds, how bad it is if not, and what to do.
Finding = tuple[str, bool, str, str]


async def inspect_database(url: str, clock: Clock, allowed_skew: timedelta) -> Sequence[Finding]:
    """`allowed_skew`: with a larger difference to the database's clock a node is not ready. Raises Unavailable when the database is away or holds no store."""
    connection = await connect(url)
    try:
        return await _inspect(connection, clock, allowed_skew)
    except AWAY as error:
        raise unavailable(error) from error
    finally:
        connection.terminate()


async def _inspect(connection: asyncpg.Connection, clock: Clock, allowed_skew: timedelta) -> Sequence[Finding]:
    version = connection.get_server_version()
    shape = await read_shape(connection)
    settings = {
        name: await connection.fetchval("SELECT current_setting($1)", name)
        for name in ("fsync", "full_page_writes", "synchronous_commit", "server_encoding")
    }
    connections = int(await connection.fetchval("SELECT current_setting('max_connections')"))
    locks = connections * int(await connection.fetchval("SELECT current_setting('max_locks_per_transaction')"))
    drift = abs(await clock_difference(connection, clock)).total_seconds()
    waiting = await connection.fetchval("SELECT count(*) FROM log_outbox")
    leading = await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hutong'")
    return [
        (
            f"database: PostgreSQL {version.major}.{version.minor}",
            version.major >= 15,
            "wrong",
            "use PostgreSQL 15 or newer",
        ),
        (f"store shape {shape} of {len(steps())}", shape >= len(steps()), "warning", "run `hutong migrate`"),
        (
            "database syncs what it commits",
            settings["fsync"] == "on",
            "wrong",
            "set fsync = on: a crash would lose notices",
        ),
        (
            "database writes full pages",
            settings["full_page_writes"] == "on",
            "warning",
            "set full_page_writes = on unless the file system never tears pages",
        ),
        (
            "database speaks UTF-8",
            settings["server_encoding"] == "UTF8",
            "wrong",
            "make the database with ENCODING 'UTF8'",
        ),
        (
            f"database takes {connections} connections",
            connections >= _CONNECTIONS,
            "warning",
            "raise max_connections: each node wants postgres.connections and four more",
        ),
        (f"database holds {locks} locks", locks >= _LOCKS, "warning", "raise max_locks_per_transaction"),
        (
            f"clock within {drift:.2f} s of the database's",
            drift < _MOST_DRIFT_SECONDS,
            "warning" if drift <= allowed_skew.total_seconds() else "wrong",
            "let NTP set the clocks of nodes and database; beyond limits.clock_skew_seconds the node takes no work",
        ),
        (f"records waiting for their place in the log: {waiting}", waiting < 10_000, "warning", "is any node running?"),
        (f"connections of gateway nodes: {leading}", True, "warning", ""),
    ]

"""Which of the nodes signs the log and watches the clock?

The one that holds a lock of its session at the database. It asks every two seconds whether it still does; when the
connection is gone, or the database has cut it off because the node stood still, its duties are cancelled and whoever
gets the lock begins them. A node that was paused in the middle of a duty may finish one step of it afterwards: signing
is fenced by the guard and by one note per size, everything else is decided by the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from gateway.engines.postgres.connection import AWAY, connect
from gateway.engines.postgres.locks import lock_number
from gateway.model.errors import Unavailable

ASK_SECONDS = 2.0
CUT_OFF_SECONDS = 8


class Leadership:
    """One per node. `lead_for_ever` runs the duties whenever this node is the one."""

    def __init__(self, url: str, name: str = "duties") -> None:
        self._url, self._lock = url, lock_number("leader", name)
        self.is_leading = False

    async def lead_for_ever(self, duties: Callable[[], Awaitable[None]]) -> None:
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await connect(self._url)
                await connection.execute(f"SET idle_session_timeout = '{CUT_OFF_SECONDS}s'")
                while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", self._lock):  # noqa: ASYNC110
                    await asyncio.sleep(ASK_SECONDS / 2)
                await self._lead(connection, duties)
            except (*AWAY, Unavailable):
                await asyncio.sleep(ASK_SECONDS / 2)  # the database is away, or it cut this node off
            finally:
                if connection is not None:
                    connection.terminate()

    async def _lead(self, connection: asyncpg.Connection, duties: Callable[[], Awaitable[None]]) -> None:
        self.is_leading = True
        work = asyncio.ensure_future(duties())
        try:
            while True:
                done, _ = await asyncio.wait({work}, timeout=ASK_SECONDS)
                if done:
                    await work  # duties go on for ever: an end is an error, and belongs to the assembly
                    return
                async with asyncio.timeout(ASK_SECONDS):
                    await connection.fetchval("SELECT 1")
        finally:
            self.is_leading = False
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

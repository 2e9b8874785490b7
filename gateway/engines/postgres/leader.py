"""Which of the nodes signs the log and watches the clock?

The one that holds a lock of its session at the database. It asks every two seconds whether it still does; when the
connection is gone, or the database has cut it off because the node stood still, its duties are cancelled and whoever
gets the lock begins them. A node that was paused in the middle of a duty may finish one step of it afterwards: signing
is fenced by the guard and by one note per size, everything else is decided by the store.

A node whose clock is wrong takes no duties and gives up those it has: what they expire and forget goes by the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import asyncpg

from gateway.engines.postgres.clocks import clock_difference
from gateway.engines.postgres.connection import AWAY, connect
from gateway.engines.postgres.locks import lock_number
from gateway.model.errors import Unavailable
from gateway.ports.clock import Clock

ASK_SECONDS = 2.0
CUT_OFF_SECONDS = 8


class Leadership:
    """One per node. `lead_for_ever` runs the duties whenever this node is the one."""

    def __init__(self, url: str, clock: Clock, allowed_skew: timedelta, name: str = "duties") -> None:
        self._url, self._lock = url, lock_number("leader", name)
        self._clock, self._allowed_skew = clock, allowed_skew
        self.is_leading = False

    async def lead_for_ever(self, duties: Callable[[], Awaitable[None]]) -> None:
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await connect(self._url)
                await connection.execute(f"SET idle_session_timeout = '{CUT_OFF_SECONDS}s'")
                while not await self._may_lead(connection):  # noqa: ASYNC110
                    await asyncio.sleep(ASK_SECONDS / 2)
                await self._lead(connection, duties)
            except (*AWAY, Unavailable):
                await asyncio.sleep(ASK_SECONDS / 2)  # the database is away, or it cut this node off
            finally:
                if connection is not None:
                    connection.terminate()

    async def _may_lead(self, connection: asyncpg.Connection) -> bool:
        """Whether the clock is right and the lock is ours now."""
        return await self._has_time(connection) and bool(
            await connection.fetchval("SELECT pg_try_advisory_lock($1)", self._lock)
        )

    async def _has_time(self, connection: asyncpg.Connection) -> bool:
        return abs(await clock_difference(connection, self._clock)) <= self._allowed_skew

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
                    if not await self._has_time(connection):
                        return
        finally:
            self.is_leading = False
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

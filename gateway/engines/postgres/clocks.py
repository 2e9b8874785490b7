"""Does this node's clock agree with the database's?

Nodes stamp and compare with their own clocks. One that is wrong by more than offices are allowed to be refuses good tokens
and makes what it accepts due late, and the duties of a leader (expiry, retention, statutory clocks) would act too soon.
The database's clock is the one that all nodes have in common, so it is what each is held to.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg

from gateway.ports.clock import Clock


async def clock_difference(connection: asyncpg.Connection, clock: Clock) -> timedelta:
    """By how much the database's clock is ahead of ours (negative: behind), to half of the question's journey."""
    before = clock.now()
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return theirs - (before + (clock.now() - before) / 2)

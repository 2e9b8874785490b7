"""What every doorbell must do. A module of one engine gives the fixture `bell`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.support.stored import HOSPITAL, POLICE, SCHOOL

SOON = timedelta(milliseconds=20)
LATE = timedelta(seconds=60)


async def settle():
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


class DoorbellSuite:
    async def test_nobody_rings_and_the_time_runs_out(self, bell):
        assert await bell.wait(POLICE, SOON) is False

    async def test_a_ring_wakes_everyone_who_waits_for_that_office(self, bell):
        waiting = [asyncio.create_task(bell.wait(POLICE, LATE)) for _ in range(3)]
        other = asyncio.create_task(bell.wait(SCHOOL, SOON))
        await settle()
        bell.ring([POLICE])
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await other is False

    async def test_a_ring_between_two_waits_is_not_lost(self, bell):
        bell.ring([POLICE, SCHOOL])
        bell.ring([POLICE])
        assert await bell.wait(POLICE, SOON) is True
        assert await bell.wait(POLICE, SOON) is False
        assert await bell.wait(SCHOOL, SOON) is True

    async def test_who_waits_for_any_office_hears_every_ring(self, bell):
        waiting = asyncio.create_task(bell.wait(None, LATE))
        await settle()
        bell.ring([HOSPITAL])
        assert await waiting is True
        bell.ring([SCHOOL])
        assert await bell.wait(None, SOON) is True
        assert await bell.wait(SCHOOL, SOON) is True

    async def test_ringing_for_nobody_wakes_nobody(self, bell):
        bell.ring([])
        assert await bell.wait(None, SOON) is False

    async def test_a_ring_that_only_a_cancelled_waiter_heard_is_heard_by_the_next(self, bell):
        waiting = asyncio.create_task(bell.wait(POLICE, LATE))
        await settle()
        bell.ring([POLICE])
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await bell.wait(POLICE, SOON) is True

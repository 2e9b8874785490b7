"""Work that loses a cancellation, as `asyncio.wait_for` did before Python 3.12, ends all the same."""

import asyncio

import pytest
from aiormq.exceptions import AMQPConnectionError

from gateway.engines.rabbitmq.insist import ended, insisted


class Deaf:
    """Goes on after the first cancellations it hears."""

    def __init__(self, losses):
        self.losses, self.heard, self.began = losses, 0, asyncio.Event()

    async def work(self):
        self.began.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.heard += 1
                if self.heard > self.losses:
                    raise


async def test_what_lost_a_cancellation_is_told_again_until_it_ends():
    deaf = Deaf(losses=2)
    task = asyncio.create_task(deaf.work())
    await deaf.began.wait()
    await ended([task], again_seconds=0)
    assert task.cancelled()
    assert deaf.heard == 3


async def test_a_caller_who_is_cancelled_leaves_nothing_running():
    deaf = Deaf(losses=1)
    caller = asyncio.create_task(insisted(deaf.work()))
    await deaf.began.wait()
    caller.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert deaf.heard == 2


async def test_patience_ends_and_so_does_the_work():
    deaf = Deaf(losses=1)
    with pytest.raises(TimeoutError):
        await insisted(deaf.work(), patience_seconds=0.01)
    assert deaf.heard == 2


async def test_a_cancellation_that_comes_from_within_or_an_error_without_a_kind_is_a_lost_connection():
    async def rejected(kind):
        raise kind

    with pytest.raises(AMQPConnectionError):
        await insisted(rejected(asyncio.CancelledError))
    with pytest.raises(AMQPConnectionError):
        await insisted(rejected(Exception))


async def test_results_and_errors_come_through():
    async def says(what):
        if isinstance(what, Exception):
            raise what
        return what

    assert await insisted(says("ok"), 5) == "ok"
    with pytest.raises(ValueError, match="no"):
        await insisted(says(ValueError("no")))

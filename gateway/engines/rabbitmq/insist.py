"""How does work with aio-pika end when it is told to, and how when the broker goes?

Before Python 3.12 `asyncio.wait_for`, which aiormq uses for all that it asks a broker, loses a cancellation that comes
in the same turn as the answer (CPython issue 86296): what was told to end goes on, and nobody tells it a second time.
A node that is to stop would then wait for ever. So such work runs in a task of its own, and is told until it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

from aio_pika.exceptions import AMQPException
from aiormq.exceptions import AMQPConnectionError, AMQPError

# What asking a broker raises when it or the connection is gone. RuntimeError is aio-pika's word for a connection or channel
# that ended before it was asked.
BROKEN = (AMQPError, AMQPException, OSError, asyncio.TimeoutError, RuntimeError)

Result = TypeVar("Result")
AGAIN_SECONDS = 1.0


async def insisted(work: Coroutine[Any, Any, Result], patience_seconds: float | None = None) -> Result:
    """Do `work` and return what it returns; end it when the patience is over or the caller is cancelled.

    Raises TimeoutError, what the work raises, and AMQPConnectionError when aiormq ended it with its connection.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait([task], timeout=patience_seconds)
    finally:
        await ended([task])
    if not done:
        raise TimeoutError
    if task.cancelled():
        raise AMQPConnectionError("the connection ended meanwhile")
    error = task.exception()
    if type(error) is Exception:  # so aiormq answers, without a reason, what was asked while its connection ended
        raise AMQPConnectionError("the connection ended meanwhile") from error
    return task.result()


async def ended(tasks: Collection[asyncio.Future[Any]], again_seconds: float = AGAIN_SECONDS) -> None:
    """Tell each of the tasks to end, as often as it takes."""
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=again_seconds)

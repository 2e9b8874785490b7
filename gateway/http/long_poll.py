"""How long does a request wait for something to be there?

In slices, so that a closing gateway or a vanished caller is noticed before anything more is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from aiohttp import web

from gateway.http.draining import Drain
from gateway.http.reading import whole_number
from gateway.http.settings import HttpSettings

Found = TypeVar("Found")


async def long_poll(
    request: web.Request,
    drain: Drain,
    settings: HttpSettings,
    ask: Callable[[timedelta], Awaitable[Found]],
    is_something: Callable[[Found], bool],
) -> Found:
    """Ask until something is there, the caller's `wait` (query, seconds) is over, the caller is gone or we are closing.

    `ask` waits up to the time it is given; it is asked at least once.
    """
    wait = float(whole_number(request.query, "wait", 0, 0, settings.max_wait_seconds))
    ends_at = asyncio.get_running_loop().time() + wait
    while True:
        left = 0.0 if drain.is_draining else max(0.0, ends_at - asyncio.get_running_loop().time())
        part = min(left, settings.poll_slice_seconds)
        found = await ask(timedelta(seconds=part))
        if is_something(found) or part >= left or request.transport is None:
            return found

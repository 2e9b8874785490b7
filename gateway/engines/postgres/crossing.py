"""How does code that thinks in plain calls wait for an asynchronous driver?

What a write means is said once, in the rooms of `engines/sql`: functions that run named queries one after another.
Here they run in a greenlet of the event loop: where a query has to wait for the server, `wait` hands the awaitable to
the task outside and the greenlet sleeps until the answer is there. No thread is involved, so a busy loop and a busy
store never fight for the interpreter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

Result = TypeVar("Result")


def wait(awaited: Awaitable[Result]) -> Result:
    """Inside `run`: wait for something asynchronous. RuntimeError anywhere else."""
    outside = getcurrent().parent
    if outside is None:
        raise RuntimeError("only what `run` runs can wait")
    answer: Result = outside.switch(awaited)
    return answer


async def run(work: Callable[[], Result]) -> Result:
    """Run plain code that may `wait`. What it raises is raised here; a cancellation is raised inside it first."""
    inside = greenlet(work)
    step: Any = inside.switch()
    while not inside.dead:
        try:
            answer = await step
        except BaseException as error:  # noqa: BLE001 - belongs to whoever waits for it
            step = inside.throw(error)
        else:
            step = inside.switch(answer)
    result: Result = step
    return result

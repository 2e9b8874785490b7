"""How does this node publish, whatever happens to its connection?

`run` keeps one connection open, to the first broker that answers, and looks for another when it ends. While there is
none, publishing answers Unavailable at once: what is to be published stays in the store and comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from gateway.engines.rabbitmq.address import Address
from gateway.engines.rabbitmq.frames import Message
from gateway.engines.rabbitmq.wire import Wire
from gateway.model.errors import Unavailable

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
CONNECT_SECONDS = timedelta(seconds=5)


class Late(Unavailable):
    """No confirm in time, on a connection that is alive: it is the queue that is silent."""


class Publisher:
    """`signal` hears the name of what happened to the connection, for the event log."""

    def __init__(
        self, addresses: Sequence[Address], window: int, heartbeat: float, signal: Callable[[str], None]
    ) -> None:
        self._addresses, self._window, self._heartbeat, self._signal = addresses, window, heartbeat, signal
        self._wire: Wire | None = None
        self._up = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return self._wire is not None and self._wire.is_open

    async def wait_up(self) -> None:
        await self._up.wait()

    async def publish(self, message: Message, timeout: timedelta, begin_within: float | None = None) -> None:
        """Returns when the broker confirmed. Raises NotTaken when it did not want it, Unavailable when nobody knows, or
        when it could not begin within so many seconds: then nothing was sent."""
        wire = self._wire
        if wire is None or not wire.is_open:
            raise Unavailable("there is no connection to RabbitMQ", retry_after=timedelta(seconds=1))
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await wire.publish(message, begin_within)
        except TimeoutError as late:
            raise Late("RabbitMQ did not confirm in time", retry_after=timedelta(seconds=1)) from late

    def renew(self) -> None:
        """Go on with another connection; who waits for a confirm hears that nobody knows. A channel numbers what it sends to
        a quorum queue, and a queue that was made anew behind its back waits for ever for the numbers before."""
        if self._wire is not None:
            self._wire.close()

    async def run(self) -> None:
        pause, place = FIRST_PAUSE, 0
        while True:
            address = self._addresses[place % len(self._addresses)]
            try:
                self._wire = await Wire.open(address, self._window, self._heartbeat, CONNECT_SECONDS)
            except Unavailable:
                place += 1
                if place % len(self._addresses) == 0:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            self._signal("connected")
            self._up.set()
            try:
                await asyncio.shield(self._wire.lost)
            finally:
                self._up.clear()
                self._wire.close()
            self._signal("connection-lost")

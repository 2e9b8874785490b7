"""How does a ring on one node wake who waits on another?

Within a node a ring is heard at once. To the others it goes through the broker, once per turn of the event loop, as the
names of the offices; each node has a queue of its own that goes with its connection. A lost ring costs a delay, bounded
by the waiters' own time. After a broken connection everyone is woken, since rings may have been missed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from gateway.engines.embedded_broker.doorbell import EmbeddedDoorbell
from gateway.engines.rabbitmq.frames import Message
from gateway.engines.rabbitmq.publisher import Publisher
from gateway.engines.rabbitmq.topology import BELLS
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId

_NODE = "node"
_WAITING_RINGS = 1000
_CONFIRM = timedelta(seconds=5)


class RabbitDoorbell:
    """The doorbell port over one node's own bells and the broker. `relay` is a name that every ring rings too."""

    def __init__(self, publisher: Publisher, relay: OfficeId | None = None) -> None:
        self._local, self._publisher, self._relay = EmbeddedDoorbell(), publisher, relay
        self._node = secrets.token_hex(8)
        self._unsent: set[OfficeId] = set()
        self._sending: asyncio.Task[None] | None = None

    def ring(self, offices: Iterable[OfficeId]) -> None:
        names = set(offices)
        if not names:
            return
        self._ring_here(names)
        self._unsent |= names
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="send-bells")

    async def wait(self, office: OfficeId | None, timeout: timedelta) -> bool:
        return await self._local.wait(office, timeout)

    async def listen(self, connection: AbstractConnection) -> None:
        """Hear the other nodes over this connection, as long as it lives."""
        channel = await connection.channel()
        queue = await channel.declare_queue(
            exclusive=True, auto_delete=True, arguments={"x-max-length": _WAITING_RINGS, "x-overflow": "drop-head"}
        )
        await queue.bind(BELLS)
        await queue.consume(self._heard, no_ack=True)
        self._local.ring_everyone()

    async def _heard(self, message: AbstractIncomingMessage) -> None:
        if (message.headers or {}).get(_NODE) != self._node:
            self._ring_here({OfficeId(name) for name in message.body.decode().split("\n") if name})

    def _ring_here(self, names: set[OfficeId]) -> None:
        self._local.ring(names if self._relay is None else {*names, self._relay})

    async def _send(self) -> None:
        """What is rung while one message is under way goes with the next."""
        while self._unsent:
            names, self._unsent = self._unsent, set()
            body = "\n".join(sorted(names)).encode()
            with suppress(Unavailable):  # a bell for nobody: the other nodes look again by themselves
                await self._publisher.publish(Message(BELLS, "", body, headers={_NODE: self._node}), _CONFIRM)

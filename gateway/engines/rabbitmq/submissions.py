"""How is a message of an office's submit queue worked on, and when is it gone from the queue?

It is acknowledged to the broker only after its answer was confirmed, so that a crash in between brings it again and the
first answer with it. Messages of one lane are worked on one after another, in the order of the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aio_pika.abc import AbstractIncomingMessage

from gateway.engines.rabbitmq.arrivals import arrived
from gateway.engines.rabbitmq.frames import Message
from gateway.engines.rabbitmq.insist import BROKEN
from gateway.engines.rabbitmq.repairs import Begin, Signal
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.agency_queues import Answer, Arrived, Desk, receipts_queue

DIRECT_REPLY = "amq.rabbitmq.reply-to."
Publish = Callable[[str, Message], Awaitable[None]]


class Submissions:
    """Of one session. `begin` starts work that ends with it."""

    def __init__(self, desk: Desk, publish: Publish, signal: Signal, begin: Begin) -> None:
        self._desk, self._publish, self._signal, self._begin = desk, publish, signal, begin
        self._lanes: dict[tuple[OfficeId, str], asyncio.Task[None]] = {}

    def begin(self, office: OfficeId, message: AbstractIncomingMessage) -> None:
        """Start on a message, behind the one before it in its lane. Called in the order of the queue."""
        came = arrived(office, message)
        name = self._desk.lane_of(came)
        lane = (office, name)
        before = self._lanes.get(lane) if name else None
        task = self._begin(self._handle(came, message, before), f"submission {office}")
        if name:
            self._lanes[lane] = task

        def ended(done: asyncio.Task[None]) -> None:
            if self._lanes.get(lane) is done:
                del self._lanes[lane]

        task.add_done_callback(ended)

    async def _handle(self, came: Arrived, message: AbstractIncomingMessage, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        answer = await self._desk.take(came)
        await self._answer(came, message, answer)
        with suppress(*BROKEN):
            if answer.is_poison:
                self._signal("submission-set-aside", office=came.office)
                await message.reject(requeue=False)
            else:
                await message.ack()

    async def _answer(self, came: Arrived, message: AbstractIncomingMessage, answer: Answer) -> None:
        """Until the answer is safe in a queue. A direct reply is not: whoever is gone by then asks again."""
        own = receipts_queue(came.office)
        target = message.reply_to or own
        if not (target == own or target.startswith(DIRECT_REPLY)):
            target = own  # an office must not have us write into somebody else's queue
        while True:
            reply = Message(
                "", target, answer.body, answer.media_type, answer.headers,
                correlation_id=message.correlation_id or message.message_id or "", kind=answer.kind,
                is_mandatory=target == own,
            )  # fmt: skip
            try:
                await self._publish(target, reply)
            except Unavailable as away:
                await asyncio.sleep(away.retry_after.total_seconds())
            else:
                return

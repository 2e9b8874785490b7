"""Offices that hand in and read over AMQP through every loss of the broker, and what the outside saw of it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import defaultdict
from contextlib import suppress

import aio_pika
from aiormq.exceptions import AMQPError

from gateway.client.agency import Answered
from gateway.model.errors import Unavailable
from tests.scenarios.test_webhooks import report
from tests.support.amqp_office import AmqpOffice

LOST = (AMQPError, aio_pika.exceptions.AMQPException, OSError, TimeoutError, Unavailable, Answered, RuntimeError)
PATIENCE, CONNECT = (
    3.0,
    10.0,
)  # seconds for one answer and for entering: shorter than any repair, so that an office asks again


class Load:
    """`received` counts, for every notice the sender holds a receipt for, the deliveries the recipient applied."""

    def __init__(self, brokers, vhost, sender, recipient, key):
        self._brokers, self._next = list(brokers), 0
        self._vhost, self._sender, self._recipient, self._key = vhost, sender, recipient, key
        self.receipts: dict[int, dict] = {}
        self.changed: list[int] = []
        self.applied: dict[str, set[str]] = defaultdict(set)  # by the notice's number: delivery ids
        self.grew = asyncio.Condition()

    def _any(self):
        """One broker after the other, so that a dead one is got over."""
        self._next += 1
        return self._brokers[self._next % len(self._brokers)]

    async def send(self, numbers):
        """Until each has its receipt; whatever is not answered is asked again with the same bytes."""
        waiting = list(numbers)
        while waiting:
            try:
                async with AmqpOffice(self._any(), self._vhost, self._sender, None, CONNECT) as office:
                    while waiting:
                        answer = await asyncio.wait_for(office.submit(report(waiting[0])), PATIENCE)
                        if answer.headers["status"] == "202":
                            await self.has(waiting.pop(0), json.loads(answer.body))
            except LOST:
                await asyncio.sleep(0.05)

    async def has(self, number, receipt):
        if self.receipts.setdefault(number, receipt) != receipt:
            self.changed.append(number)
        async with self.grew:
            self.grew.notify_all()

    async def until(self, count):
        async with self.grew:
            await self.grew.wait_for(lambda: len(self.receipts) >= count)

    async def receive(self):
        """For ever: read, apply by delivery, acknowledge to the gateway, then to the broker."""
        while True:
            with suppress(*LOST):
                async with AmqpOffice(self._any(), self._vhost, self._recipient, self._key, CONNECT) as office:
                    await office.read_inbox()
                    while True:
                        message = await office.next(PATIENCE)
                        item = office.open(message)
                        self.applied[self._number(item)].add(item["delivery"])
                        await asyncio.wait_for(office.acknowledge(item), PATIENCE)
                        await message.ack()
                        async with self.grew:
                            self.grew.notify_all()
            await asyncio.sleep(0.05)

    async def all_received(self):
        async with self.grew:
            await self.grew.wait_for(lambda: len(self.applied) >= len(self.receipts))

    def _number(self, item):
        """The recipient's own handle of the case: one for each notice here."""
        body = base64.b64decode(item["data_base64"])
        return json.loads(body)["subject"]

"""One gateway's queues at a real broker, before a desk that answers with what it was sent."""

import asyncio
from contextlib import suppress

import aio_pika

from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.doorbell import RabbitDoorbell
from gateway.engines.rabbitmq.management import Management
from gateway.engines.rabbitmq.publisher import Publisher
from gateway.engines.rabbitmq.queues import RabbitQueues
from gateway.model.agency import QueueUse
from gateway.ports.agency_queues import Answer
from tests.support.stored import POLICE, SCHOOL


class Desk:
    """Answers with what it was sent; `slow` bodies wait until they are let go; `bad` ones are poison."""

    def __init__(self):
        self.began, self.let_go = [], asyncio.Event()
        self.came_back, self.empty = asyncio.Queue(), []
        self.grew = asyncio.Event()

    def lane_of(self, message):
        return message.headers.get("case", "")

    async def take(self, message):
        self.began.append(message.body)
        self.grew.set()
        if message.body.startswith(b"slow"):
            await self.let_go.wait()
        return Answer(message.body, "text/plain", "test", {"status": "200"}, is_poison=message.body == b"bad")

    async def returned(self, release):
        await self.came_back.put(release)

    def emptied(self, office):
        self.empty.append(office)

    async def has_begun(self, count):
        async with asyncio.timeout(60):
            while len(self.began) < count:
                self.grew.clear()
                await self.grew.wait()


def fail(error):
    raise error


class Node:
    """One gateway's queues, running."""

    def __init__(self, settings):
        known, self.signals, self.signals_grew = addresses(settings), [], asyncio.Event()
        self.desk = Desk()
        self.publisher = Publisher(known, 100, 5.0, lambda _: None)
        bell = RabbitDoorbell(self.publisher)
        self.queues = RabbitQueues(
            known, settings, self.publisher, bell, Management(settings.management, known[0]), self.hear, fail
        )

    def hear(self, name, **about):
        self.signals.append((name, *about.values()))
        self.signals_grew.set()

    async def serve(self):
        await self.queues.serve({POLICE: QueueUse.RELEASES, SCHOOL: QueueUse.DOORBELLS})

    async def __aenter__(self):
        await self.serve()
        self._tasks = [asyncio.create_task(self.publisher.run()), asyncio.create_task(self.queues.run(self.desk))]
        await self.publisher.wait_up()
        async with asyncio.timeout(60):
            while not self.queues.is_up:
                await self.serve()
                await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def say(channel, *bodies, case="", **properties):
    exchange = await channel.get_exchange("hutong.submit", ensure=False)
    for body in bodies:
        message = aio_pika.Message(
            body, headers={"Case": case}, delivery_mode=2, message_id=body.decode(), **properties
        )
        await exchange.publish(message, f"submit.{POLICE}")


async def answers(channel, count, queue=f"receipts.{POLICE}"):
    came = asyncio.Queue()
    consumer = await channel.get_queue(queue, ensure=False)
    tag = await consumer.consume(came.put, no_ack=True)
    got = [await asyncio.wait_for(came.get(), 60) for _ in range(count)]
    await consumer.cancel(tag)
    return [(one.body, one.correlation_id, one.type, one.headers["status"]) for one in got]


async def count(channel, queue):
    return (await channel.declare_queue(queue, passive=True)).declaration_result.message_count

"""How is a queue made, or made anew, while other nodes make and delete the same ones?

RabbitMQ (seen with 3.10) forgets a queue that one connection deletes while another declares it, and its process runs on:
nobody can declare it again ("cluster_not_formed") until that broker is restarted. So whoever makes or deletes a queue
holds meanwhile another one, `forming.<queue>`, that only one connection can have; it goes with that connection. And looks
again once it is alone: what one node has made anew is not made anew by the next, and so on without end.

Making is done on connections of its own: a broker that cannot do it ends the connection, and deleting a queue without a
leader takes seconds. One queue that cannot be made is no reason to stop reading the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelLockedResource, ChannelPreconditionFailed

from gateway.engines.rabbitmq.insist import BROKEN, insisted
from gateway.engines.rabbitmq.silence import silent_queues
from gateway.engines.rabbitmq.topology import QueueSpec, Topology, is_there

ALONE_SECONDS, ALONE_AGAIN_SECONDS = 30.0, 0.1
DELETE_SECONDS = FORM_SECONDS = 30.0
Connect = Callable[[], Awaitable[AbstractConnection]]


class NotFormed(Exception):
    """The broker answers, and cannot make this queue; nor will it by being asked again at once."""

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self.queue = queue


async def declare(connection: AbstractConnection, connect: Connect, topology: Topology) -> frozenset[str]:
    """Make what is missing; returns the queues that had to be made. Repeating it changes nothing.

    `connection` looks, others that `connect` makes change. A refillable queue of another kind is made anew. Raises
    ChannelPreconditionFailed for any other that differs, NotFormed, TimeoutError when the broker does neither, and BROKEN
    when it went.
    """
    channel = await connection.channel()
    for name, kind in topology.exchanges.items():
        await channel.declare_exchange(name, aio_pika.ExchangeType(kind), durable=True)
    made = set()
    for spec in topology.queues:
        channel, found = await is_there(connection, channel, spec.name)
        if found:
            try:
                await _declare_one(channel, spec)
                continue
            except ChannelPreconditionFailed:
                if not spec.is_refillable:
                    raise
                channel = await connection.channel()
        async with _alone(connect, spec.name):
            if found:  # of another kind
                await _delete(connect, spec)
            await _form(connect, spec)
        made.add(spec.name)
    await channel.close()
    return frozenset(made)


async def make_anew(
    connect: Connect, spec: QueueSpec, patience_seconds: float, *, though_it_answers: bool = False
) -> bool:
    """Delete the queue with what is in it, and declare it again. False: it answers by now, and was left. Raises NotFormed
    when it is gone and could not be declared, one of BROKEN when nothing was done."""
    async with _alone(connect, spec.name):
        if not though_it_answers and [one async for one in silent_queues(connect, [spec.name], patience_seconds)] == []:
            return False
        with suppress(*BROKEN):
            await _delete(connect, spec)
        try:
            await _form(connect, spec)
        except BROKEN as gone:
            raise NotFormed(spec.name) from gone
    return True


async def _delete(connect: Connect, spec: QueueSpec) -> None:
    async with await connect() as connection:
        await insisted((await connection.channel()).queue_delete(spec.name), DELETE_SECONDS)


async def _form(connect: Connect, spec: QueueSpec) -> None:
    async with await connect() as connection:
        channel = await connection.channel()
        try:
            await insisted(_declare_one(channel, spec), FORM_SECONDS)
        except TimeoutError:
            raise
        except BROKEN as refused:
            raise NotFormed(spec.name) from refused


async def _declare_one(channel: AbstractChannel, spec: QueueSpec) -> None:
    queue = await channel.declare_queue(spec.name, durable=True, arguments=dict(spec.arguments))
    for exchange, key in spec.bindings:
        await queue.bind(exchange, key)


@asynccontextmanager
async def _alone(connect: Connect, name: str) -> AsyncIterator[None]:
    """While no other connection makes or deletes the queue. Raises TimeoutError when another does so for too long."""
    async with await connect() as connection:
        async with asyncio.timeout(ALONE_SECONDS):
            while True:
                channel = await connection.channel()
                try:
                    await channel.declare_queue(f"forming.{name}", exclusive=True)
                    break
                except ChannelLockedResource:  # which ended the channel
                    await asyncio.sleep(ALONE_AGAIN_SECONDS)
        yield

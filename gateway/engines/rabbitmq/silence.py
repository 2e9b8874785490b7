"""Which queues are there and answer nobody?

A quorum queue without a leader is declared like any other and counts as empty; whoever asks it for a message waits, and
in some versions of RabbitMQ loses his connection over it. So it is asked on connections of their own. One that counts its
messages has a leader and is not asked for any: from RabbitMQ 4 on, a message that was handed over twenty times is dropped,
whoever looked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aio_pika.abc import AbstractConnection

from gateway.engines.rabbitmq.insist import BROKEN, insisted


async def silent_queues(
    connect: Callable[[], Awaitable[AbstractConnection]], names: Sequence[str], patience_seconds: float
) -> AsyncIterator[str]:
    """Name each queue of `names` that does not say within `patience_seconds` whether it holds a message.

    One that does not is asked once more on a fresh connection, so that a broker that goes away meanwhile makes no queue
    silent. A message that comes in this very moment is given back in its place. A queue that is missing is silent too.
    Raises what `connect` raises when the broker itself is away.
    """
    waiting, doubted = list(names), set[str]()
    while waiting:
        async with await connect() as connection:
            channel = await connection.channel()
            while waiting:
                name = waiting.pop(0)
                try:
                    queue = await insisted(channel.declare_queue(name, passive=True), patience_seconds)
                    if queue.declaration_result.message_count:
                        continue
                    held = await queue.get(fail=False, timeout=patience_seconds)
                    if held is not None:
                        await held.nack(requeue=True)
                except BROKEN:
                    if name in doubted:
                        yield name
                    else:
                        doubted.add(name)
                        waiting.insert(0, name)
                    break

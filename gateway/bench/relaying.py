"""Publishing to RabbitMQ against aio-pika (P), and how soon a killed leader is got over.

Both publish the same 2.4 KB to a quorum queue with confirms, 100 unconfirmed at once, in alternation. The broker is one of
our own; where RabbitMQ is not installed the rows are skipped and say so.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import aio_pika
from aiormq.abc import FieldTable

from gateway.bench.measuring import Effort, Row, at_least, at_most, medians
from gateway.bench.rabbitmq import IS_INSTALLED, Broker, Cluster
from gateway.engines.rabbitmq.address import Address
from gateway.engines.rabbitmq.frames import Message
from gateway.engines.rabbitmq.publisher import Publisher
from gateway.engines.rabbitmq.wire import Wire
from gateway.model.errors import Unavailable

WINDOW, BODY, QUEUE = 100, b"x" * 2400, "bench"
TIME = timedelta(seconds=10)
_KEPT: FieldTable = {"x-queue-type": "quorum", "x-max-length": 500_000, "x-overflow": "drop-head"}
_ABSENT = "RabbitMQ is not installed"


async def relaying(effort: Effort) -> Sequence[Row]:
    """Messages confirmed a second, ours for each of aio-pika's."""
    words = ("relay", "转发到 RabbitMQ，窗口 100", "relay to RabbitMQ, quorum, window 100", "P", at_least(1, 3))
    if not IS_INSTALLED:
        return (Row(*words, skipped=_ABSENT),)
    ratios, raws, seconds = [], [], min(2.0, effort.seconds / 2)
    with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
        cluster = Cluster(Path(folder) / "one")
        try:
            await asyncio.to_thread(cluster.start)
            for number in range(effort.rounds):
                effort.tell(f"relay {number + 1}/{effort.rounds}")
                ours, our_cpu = await _ours(cluster.brokers[0], seconds)
                theirs, their_cpu = await _theirs(cluster.brokers[0], seconds)
                ratios.append(ours / theirs)
                raws.append(
                    {
                        "confirmed_per_second": ours, "aio_pika_per_second": theirs,
                        "cpu_us_each": our_cpu, "aio_pika_cpu_us_each": their_cpu,
                    }
                )  # fmt: skip
        finally:
            await asyncio.to_thread(cluster.stop)
    return (Row(*words, ratios, medians(raws)),)


async def failover(effort: Effort) -> Sequence[Row]:
    """Seconds without a confirm after SIGKILL of the queue's leader, one of three; what was confirmed and is gone."""
    words = (
        "failover",
        "仲裁队列主节点被杀：恢复秒数",
        "broker leader killed: seconds to the next confirm",
        "s",
        at_most(1, 0.5),
    )
    if not IS_INSTALLED:
        return (Row(*words, skipped=_ABSENT),)
    if effort.is_quick:
        return (Row(*words, skipped="not in a quick run: three brokers take half a minute to start"),)
    seconds, raws = [], []
    for number in range(min(effort.rounds, 2)):
        effort.tell(f"failover {number + 1}")
        with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
            cluster = Cluster(Path(folder) / "three", 3)
            try:
                await asyncio.to_thread(cluster.start)
                gap, confirmed, lost = await _kill_leader(cluster)
            finally:
                await asyncio.to_thread(cluster.stop)
        seconds.append(gap)
        raws.append({"confirmed": float(confirmed), "lost": float(lost)})
    return (Row(*words, seconds, medians(raws)),)


def _address(broker: Broker) -> Address:
    return Address("127.0.0.1", broker.port, "/", "hutong", broker.cluster.password)


async def _connection(broker: Broker) -> aio_pika.abc.AbstractConnection:
    return await aio_pika.connect(host="127.0.0.1", port=broker.port, login="hutong", password=broker.cluster.password)


async def _fresh_queue(broker: Broker) -> None:
    async with await _connection(broker) as connection, connection.channel() as channel:
        await channel.queue_delete(QUEUE)
        await channel.declare_queue(QUEUE, durable=True, arguments=_KEPT)


async def _for(seconds: float, one: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """How many a second WINDOW callers get done, and CPU microseconds of this process for each."""
    done, ends = 0, time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await one()
            done += 1

    begin, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(WINDOW)))
    return done / (time.perf_counter() - begin), (time.process_time() - cpu) / done * 1e6


async def _ours(broker: Broker, seconds: float) -> tuple[float, float]:
    await _fresh_queue(broker)
    wire = await Wire.open(_address(broker), WINDOW, 10, TIME)
    message = Message("", QUEUE, BODY, "application/json", {"kind": "bench"}, "m-1")
    try:
        return await _for(seconds, lambda: wire.publish(message))
    finally:
        wire.close()


async def _theirs(broker: Broker, seconds: float) -> tuple[float, float]:
    await _fresh_queue(broker)
    async with await _connection(broker) as connection, connection.channel(publisher_confirms=True) as channel:
        exchange = channel.default_exchange

        def publish() -> Awaitable[object]:
            message = aio_pika.Message(
                BODY, content_type="application/json", headers={"kind": "bench"}, message_id="m-1", delivery_mode=2
            )
            return exchange.publish(message, QUEUE)

        return await _for(seconds, publish)


async def _kill_leader(cluster: Cluster) -> tuple[float, int, int]:
    """Publish through the first node while the leader, on another, is killed; then count what is there."""
    first, leader = cluster.brokers[0], cluster.brokers[1]
    async with await _connection(leader) as connection, connection.channel() as channel:
        # a quorum queue's leader starts on the node that the declaring client is connected to
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    publisher = Publisher([_address(broker) for broker in (first, cluster.brokers[2])], 20, 5.0, lambda _: None)
    running = asyncio.create_task(publisher.run())
    confirmed, times, is_over = 0, [], False

    async def publish(number: int) -> None:
        nonlocal confirmed
        while not is_over:
            try:
                await publisher.publish(Message("", QUEUE, BODY, message_id=f"{number}"), timedelta(seconds=5))
            except Unavailable:
                await asyncio.sleep(0.01)
                continue
            confirmed += 1
            times.append(time.perf_counter())

    await publisher.wait_up()
    callers = [asyncio.create_task(publish(number)) for number in range(10)]
    await asyncio.sleep(2.0)
    await asyncio.to_thread(leader.kill)
    killed = time.perf_counter()
    await asyncio.sleep(6.0)
    is_over = True
    await asyncio.gather(*callers)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    around = [at for at in times if at > killed - 0.5]
    gap = max((later - earlier for earlier, later in pairwise(around)), default=float("inf"))
    async with await _connection(first) as connection, connection.channel() as channel:
        found = await channel.declare_queue(QUEUE, passive=True)
        there = found.declaration_result.message_count or 0
    return gap, confirmed, max(0, confirmed - there)

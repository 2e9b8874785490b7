"""Publishing, topology and the doctor's check, against a real broker."""

import asyncio
from datetime import timedelta

import aio_pika
import pytest

from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.check import check_broker
from gateway.engines.rabbitmq.forming import declare
from gateway.engines.rabbitmq.frames import Message
from gateway.engines.rabbitmq.queues import connect
from gateway.engines.rabbitmq.topology import SHARED, Topology, differences, queues_of
from gateway.engines.rabbitmq.wire import NotTaken, Wire
from gateway.model.agency import QueueUse
from gateway.model.errors import InvalidDocument, Unavailable
from tests.support.cut_proxy import CutProxy
from tests.support.stored import POLICE, SCHOOL

pytestmark = pytest.mark.services

TIME = timedelta(seconds=10)
OFFICES = {POLICE: QueueUse.RELEASES, SCHOOL: QueueUse.DOORBELLS}


@pytest.fixture
def address(rabbitmq, vhost):
    return addresses(rabbitmq.settings(vhost))[0]


@pytest.fixture
async def connection(address):
    async with await connect(address, 5.0) as made:
        yield made


@pytest.fixture
def another(address):
    return lambda: connect(address, 5.0)


async def count(connection, queue):
    channel = await connection.channel()
    return (await channel.declare_queue(queue, passive=True)).declaration_result.message_count


async def test_what_was_confirmed_is_in_its_queue_whole_and_in_order(address, connection):
    channel = await connection.channel()
    queue = await channel.declare_queue("q", durable=True, arguments={"x-queue-type": "quorum"})
    wire = await Wire.open(address, 100, 5.0, TIME)
    bodies = [b"x" * size for size in (0, 1, 131_000, 131_064, 131_065, 400_000)] + [b"%d" % n for n in range(500)]
    messages = [
        Message("", "q", body, "text/plain", {"h": "值"}, f"m{n}", f"c{n}", "k", 60_000)
        for n, body in enumerate(bodies)
    ]
    await asyncio.gather(*(wire.publish(one) for one in messages))
    assert wire.unconfirmed == 0
    for number, body in enumerate(bodies):
        got = await queue.get()
        assert got.body == body
        assert (got.message_id, got.correlation_id, got.type, got.content_type) == (
            f"m{number}",
            f"c{number}",
            "k",
            "text/plain",
        )
        assert (got.headers["h"], got.delivery_mode) == ("值", aio_pika.DeliveryMode.PERSISTENT)
    wire.close()


async def test_a_queue_that_is_full_or_not_there_is_told_apart_from_a_lost_connection(rabbitmq, address, connection):
    channel = await connection.channel()
    full = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
    await channel.declare_queue("full", durable=True, arguments=full)
    async with CutProxy(rabbitmq.port) as proxy:
        wire = await Wire.open(
            type(address)("127.0.0.1", proxy.port, address.vhost, address.user, address.password), 10, 5.0, TIME
        )
        with pytest.raises(NotTaken) as missing:
            await wire.publish(Message("", "nowhere", b""))
        assert missing.value.is_full is False
        with pytest.raises(NotTaken) as refused:
            while True:
                await wire.publish(Message("", "full", b""))
        assert refused.value.is_full is True
        proxy.hang()
        waiting = [asyncio.create_task(wire.publish(Message("", "full", b""))) for _ in range(20)]
        await asyncio.sleep(0)
        assert wire.unconfirmed == 10, "the window holds the others back"
        with pytest.raises(Unavailable):
            await wire.publish(Message("", "full", b""), 0.01)
        assert wire.unconfirmed == 10, "what must begin in time and cannot is not sent at all"
        proxy.cut()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in ended} == {Unavailable}


async def test_a_wrong_password_and_an_address_without_broker_are_unavailable(address):
    for host, port, password in ((address.host, address.port, "wrong"), ("127.0.0.1", 1, "x")):
        with pytest.raises(Unavailable):
            await Wire.open(type(address)(host, port, address.vhost, address.user, password), 10, 5.0, TIME)


async def test_declaring_may_be_repeated_and_says_what_had_to_be_made(rabbitmq, vhost, connection, another):
    settings = rabbitmq.settings(vhost)
    queues = (*SHARED.queues, *(spec for office, use in OFFICES.items() for spec in queues_of(office, use, settings)))
    everything = Topology(SHARED.exchanges, queues)
    assert {how for _, how in await differences(connection, everything)} == {"missing"}
    assert await declare(connection, another, everything) == {spec.name for spec in queues}
    assert await declare(connection, another, everything) == frozenset()
    assert await differences(connection, everything) == []
    other = Topology({}, queues_of(POLICE, QueueUse.DOORBELLS, settings))
    assert await differences(connection, other) == [(f"inbox.{POLICE}", "differs")]
    assert await declare(connection, another, other) == {f"inbox.{POLICE}"}, "what can be refilled is made anew"


async def test_the_doctor_names_what_is_missing_and_what_differs_and_changes_nothing(rabbitmq, vhost, connection):
    settings = rabbitmq.settings(vhost)
    channel = await connection.channel()
    await channel.declare_queue(f"submit.{POLICE}", durable=True)
    found = {what: state for what, state, _ in await check_broker(settings, OFFICES)}
    assert found[f"submit.{POLICE}: differs"] == "wrong"
    assert found[f"inbox.{SCHOOL}: missing"] == "warning"
    assert found == {what: state for what, state, _ in await check_broker(settings, OFFICES)}
    gone = type(settings)(addresses=("amqp://hutong@127.0.0.1:1/",))
    assert [state for _, state, _ in await check_broker(gone, {})] == ["warning", "wrong"]


def test_an_address_with_a_password_is_refused_without_repeating_it(rabbitmq):
    with pytest.raises(InvalidDocument) as refused:
        addresses(type(rabbitmq.settings("/"))(addresses=("amqp://hutong:secret@host/",)))
    assert "secret" not in str(refused.value)


async def test_a_message_the_consumer_falls_over_is_set_aside_after_its_limit_and_the_others_flow(
    rabbitmq, vhost, connection, another
):
    settings = rabbitmq.settings(vhost, delivery_limit=2)
    everything = Topology(SHARED.exchanges, (*SHARED.queues, *queues_of(POLICE, QueueUse.RELEASES, settings)))
    await declare(connection, another, everything)
    channel = await connection.channel()
    for body in (b"poison", b"good"):
        exchange = await channel.get_exchange("hutong.submit", ensure=False)
        await exchange.publish(aio_pika.Message(body, delivery_mode=2), f"submit.{POLICE}")
    seen = []
    while seen[-1:] != [b"good"]:
        async with await connect(addresses(settings)[0], 5.0) as falling, falling.channel() as their:
            await their.set_qos(prefetch_count=1)
            came = asyncio.Queue()
            await (await their.get_queue(f"submit.{POLICE}", ensure=False)).consume(came.put)
            message = await asyncio.wait_for(came.get(), 60)
            seen.append(message.body)
            if message.body == b"good":
                await message.ack()
    assert seen == [b"poison"] * 3 + [b"good"], "two more tries after the first"
    async with asyncio.timeout(60):
        while await count(connection, "dead.submit") != 1:
            pass

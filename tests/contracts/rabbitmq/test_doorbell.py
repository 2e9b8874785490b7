"""The RabbitMQ doorbell does what every doorbell must, and wakes who waits on another node."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.doorbell import RabbitDoorbell
from gateway.engines.rabbitmq.forming import declare
from gateway.engines.rabbitmq.publisher import Publisher
from gateway.engines.rabbitmq.queues import connect
from gateway.engines.rabbitmq.topology import SHARED
from gateway.model.identifiers import OfficeId
from tests.contracts.doorbell_suite import DoorbellSuite
from tests.support.stored import POLICE, SCHOOL

pytestmark = pytest.mark.services

SOON, LATE = timedelta(milliseconds=20), timedelta(seconds=60)
RELAY = OfficeId("gateway/relay")


@asynccontextmanager
async def node(rabbitmq, vhost):
    (address,) = addresses(rabbitmq.settings(vhost))
    publisher = Publisher([address], 100, 5.0, lambda _: None)
    running = asyncio.create_task(publisher.run())
    connection = await connect(address, 5.0)
    await declare(connection, lambda: connect(address, 5.0), SHARED)
    bell = RabbitDoorbell(publisher, RELAY)
    await bell.listen(connection)
    await publisher.wait_up()
    try:
        yield bell
    finally:
        await connection.close()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def bell(rabbitmq, vhost):
    async with node(rabbitmq, vhost) as made:
        yield made


class TestRabbitDoorbell(DoorbellSuite):
    async def test_a_ring_wakes_who_waits_on_another_node_and_nobody_else(self, bell, rabbitmq, vhost):
        async with node(rabbitmq, vhost) as other:
            bell.ring([POLICE])
            assert await other.wait(POLICE, LATE) is True
            assert await other.wait(None, LATE) is True
            assert await other.wait(SCHOOL, SOON) is False

    async def test_every_ring_rings_the_relay_of_every_node_too(self, bell, rabbitmq, vhost):
        async with node(rabbitmq, vhost) as other:
            bell.ring([SCHOOL])
            assert await bell.wait(RELAY, LATE) is True
            assert await other.wait(RELAY, LATE) is True

    async def test_a_ring_of_ones_own_does_not_come_back_from_the_broker(self, bell, rabbitmq, vhost):
        async with node(rabbitmq, vhost) as other:
            bell.ring([POLICE])
            assert await bell.wait(POLICE, LATE) is True
            assert await other.wait(POLICE, LATE) is True
            other.ring([SCHOOL])
            assert await bell.wait(SCHOOL, LATE) is True
            assert await bell.wait(POLICE, SOON) is False

    async def test_whoever_waits_is_woken_when_rings_may_have_been_missed(self, bell, rabbitmq, vhost):
        waiting = asyncio.create_task(bell.wait(SCHOOL, LATE))
        connection = await connect(addresses(rabbitmq.settings(vhost))[0], 5.0)
        await asyncio.sleep(0)
        await bell.listen(connection)
        assert await waiting is True
        await connection.close()

"""The broker is killed under load, loses its disk, its connections are cut or hang: nothing answered is lost or applied twice."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from gateway.config import RabbitSettings
from gateway.model.agency import QueueUse
from gateway.model.delivery import DeliveryState
from gateway.model.identifiers import parse_office_id
from gateway.services.verify_log import verify_log
from tests.scenarios.test_webhooks import report
from tests.support import rabbitmq as brokers
from tests.support.amqp_load import Load
from tests.support.amqp_office import encryption_pair
from tests.support.amqp_town import POLICE, SENDER, use_queue
from tests.support.cut_proxy import CutProxy
from tests.support.town import CANONICAL, town

pytestmark = [pytest.mark.slow, pytest.mark.services]

QUICK = {"heartbeat_seconds": 1.0, "confirm_seconds": 2.0}


@pytest.fixture
def own_broker(tmp_path_factory):
    """One node for one test that breaks it."""
    if not brokers.IS_INSTALLED:
        pytest.skip("RabbitMQ is not installed; see ops/test-services.sh")
    cluster = brokers.Cluster(tmp_path_factory.mktemp("own") / "one")
    try:
        yield cluster.start().brokers[0]
    finally:
        cluster.stop()


@asynccontextmanager
async def under_load(folder, broker, vhost, settings, **delivery):
    key, jwk = encryption_pair()
    given = {"rabbitmq": settings, "port": broker.gateway_port, "first_backoff_seconds": 0.1, **delivery}
    async with town(folder, **given) as whole:
        await use_queue(whole, broker, vhost, SENDER, QueueUse.DOORBELLS)
        enrol = whole.gateway.services.enrol
        await enrol.change(parse_office_id(POLICE), {"adapter": "canonical", "media_type": CANONICAL}, by="test")
        await use_queue(whole, broker, vhost, POLICE, QueueUse.RELEASES, jwk)
        load = Load([broker], vhost, whole.clients[SENDER], whole.clients[POLICE], key)
        receiving = asyncio.create_task(load.receive())
        try:
            yield whole, load
        finally:
            receiving.cancel()
            with suppress(asyncio.CancelledError):
                await receiving


async def within(step, seconds=240):
    await asyncio.wait_for(step, seconds)


async def judge(whole, load, count):
    """Every answered notice came, each once, each decided before; one receipt for one notice; the log verifies."""
    await within(load.all_received())
    assert len(load.receipts) == count
    assert load.changed == []
    assert len({receipt["notice"] for receipt in load.receipts.values()}) == count
    assert len(load.applied) == count, "each case came"
    assert {len(ids) for ids in load.applied.values()} == {1}, "and each under one delivery"
    assert (await verify_log(whole.gateway.engines.store.log)).is_verified
    assert whole.failures() == []


async def test_a_broker_that_is_killed_and_then_loses_its_disk_costs_time_and_nothing_else(tmp_path, own_broker):
    running = brokers.Running.of(own_broker)
    async with under_load(tmp_path, running, "%2F", running.settings("/", **QUICK)) as (whole, load):
        load._vhost = "/"
        sending = asyncio.create_task(load.send(range(60)))
        await within(load.until(15))
        own_broker.kill()
        await asyncio.to_thread(own_broker.start().wait)
        await within(load.until(35))
        own_broker.kill()
        own_broker.wipe()
        await asyncio.to_thread(own_broker.start().wait)
        await within(sending)
        await judge(whole, load, 60)


async def test_connections_that_are_cut_or_hang_are_replaced_and_nothing_is_lost(tmp_path, rabbitmq, vhost):
    if not rabbitmq.gateway_port:
        pytest.skip("the named broker asks another gateway who may do what")
    async with CutProxy(rabbitmq.port) as proxy:
        through = replace(rabbitmq, port=proxy.port)
        settings: RabbitSettings = through.settings(vhost, **QUICK)
        async with under_load(tmp_path, rabbitmq, vhost, settings) as (whole, load):
            sending = asyncio.create_task(load.send(range(80)))
            for at in (10, 25):
                await within(load.until(at))
                proxy.cut()
            await within(load.until(40))
            proxy.hang()
            gone = asyncio.create_task(lost(whole))
            await asyncio.wait_for(gone, 60)  # nothing comes through: noticed by its silence
            proxy.heal()
            await within(sending)
            await judge(whole, load, 80)


async def test_what_the_broker_does_not_confirm_is_held_back_no_longer_than_any_lease_and_against_no_office(
    tmp_path, rabbitmq, vhost
):
    """Whatever ends before the confirm (node, broker, store) leaves the lease: an hour would be too long to wait for it. A
    broker that is ill makes no dead letters, however few attempts an office has."""
    if not rabbitmq.gateway_port:
        pytest.skip("the named broker asks another gateway who may do what")
    async with CutProxy(rabbitmq.port) as proxy:
        settings = replace(rabbitmq, port=proxy.port).settings(vhost, heartbeat_seconds=10.0, confirm_seconds=1.0)
        async with under_load(tmp_path, rabbitmq, vhost, settings, max_attempts=1) as (whole, load):
            deliveries, clock = whole.gateway.engines.store.deliveries, whole.gateway.engines.clock
            await within(load.send(range(1)))
            await within(load.all_received())
            proxy.hang()
            receipt = await whole.clients[SENDER].submit(report(1), CANONICAL)
            await load.has(1, receipt)

            async def leased():  # the first one's answer may hang too: its lease is another
                all_leased = await deliveries.leased(parse_office_id(POLICE), clock.now(), 10)
                return next((one for one in all_leased if one.notice == receipt["notice"]), None)

            async with asyncio.timeout(60):
                while (second := await leased()) is None:
                    pass
            assert second.lease_expires_at <= clock.now() + whole.gateway.settings.lease
            async with asyncio.timeout(60):
                while not (tried := await deliveries.delivery(second.id)).reason:
                    pass
            assert (tried.state, tried.reason) == (DeliveryState.DUE, "no-answer")
            proxy.heal()
            await judge(whole, load, 2)


async def lost(whole):
    """Once the node knows that it has no broker."""
    while whole.gateway.engines.broker.publisher.is_up:
        await whole.clients[SENDER].changes(wait_seconds=0)

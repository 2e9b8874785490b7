"""An office with encrypted releases is cut off when suspended; what it leaves unread is bounded and comes back."""

import asyncio
from datetime import UTC, datetime, timedelta

import aio_pika
import aiohttp
import pytest

from gateway.model.agency import OfficeState, QueueUse
from gateway.model.identifiers import parse_office_id
from gateway.ports.agency_queues import Returned
from gateway.services import relay as relay_room
from tests.scenarios.test_webhooks import report
from tests.support.amqp_office import CANONICAL, AmqpOffice, encryption_pair
from tests.support.amqp_town import POLICE, SENDER, events, opened, use_queue, waiting_in

pytestmark = [pytest.mark.slow, pytest.mark.services]


async def test_a_suspended_office_is_cut_off_at_the_broker_and_what_waits_for_it_is_taken_back(
    tmp_path, rabbitmq, vhost
):
    key, jwk = encryption_pair()
    async with opened(tmp_path, rabbitmq, vhost) as whole:
        await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.RELEASES, jwk)
        await whole.clients[SENDER].submit(report(1), CANONICAL)
        (waiting,) = await waiting_in(rabbitmq, vhost, f"inbox.{POLICE}", 1)
        store, kept = whole.gateway.engines.store, datetime.now(UTC) + timedelta(minutes=50)
        async with asyncio.timeout(60):  # as long as it may wait there, and no shorter: it would be put there twice
            while not await store.deliveries.count_leased(parse_office_id(POLICE), kept):
                await rabbitmq.ask("GET", "overview")
        police = AmqpOffice(rabbitmq, vhost, whole.clients[POLICE], key)
        async with police:
            closed = asyncio.get_running_loop().create_future()
            police.connection.close_callbacks.add(lambda *_: closed.done() or closed.set_result(True))
            await whole.gateway.services.enrol.set_state(
                parse_office_id(POLICE), OfficeState.SUSPENDED, reason="test", by="test"
            )
            assert await asyncio.wait_for(closed, 60)
        (told,) = await events(whole, "delivery_deferred")
        assert told["reason"] == "office-suspended"
        (again,) = await waiting_in(rabbitmq, vhost, f"inbox.{POLICE}", 1)
        assert again["payload"] != waiting["payload"], "decided anew: a report's floor goes to a suspended office too"
        async with AmqpOffice(rabbitmq, vhost, whole.clients[POLICE], key) as police:
            answer = await police.submit(report(2).replace(SENDER.encode(), POLICE.encode()))
            assert answer.headers["status"] == "202", "a suspended office still reports"
        await whole.gateway.services.enrol.set_state(
            parse_office_id(POLICE), OfficeState.COMPROMISED, reason="test", by="test"
        )
        with pytest.raises((aio_pika.exceptions.AMQPConnectionError, ConnectionError)):
            await police.__aenter__()


async def test_what_waits_unread_is_bounded_and_comes_back_when_nobody_fetches_or_wants_it(
    tmp_path, rabbitmq, vhost, monkeypatch
):
    monkeypatch.setattr(relay_room, "IDLE", timedelta(seconds=0.5))
    key, jwk = encryption_pair()
    async with opened(tmp_path, rabbitmq, vhost, max_waiting=3, waiting_seconds=2.0) as whole:
        await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.RELEASES, jwk)
        for number in range(5):
            await whole.clients[SENDER].submit(report(number), CANONICAL)
        first = {one["properties"]["message_id"] for one in await waiting_in(rabbitmq, vhost, f"inbox.{POLICE}", 3)}
        assert len(await events(whole, "disclosure_decided")) == 3, "what waits there is disclosed already"
        async with asyncio.timeout(60):
            while len(await events(whole, "delivery_deferred")) < 3:
                await rabbitmq.ask("GET", "overview")
        assert {one["reason"] for one in await events(whole, "delivery_deferred")} == {"not-fetched"}
        async with AmqpOffice(rabbitmq, vhost, whole.clients[POLICE], key) as police:
            await police.read_inbox(prefetch=1)
            unwanted = await police.next()
            await unwanted.reject(requeue=False)
            seen = set()
            while len(seen) < 5:
                message = await police.next()
                item = police.open(message)
                receipt = await police.acknowledge(item)
                await message.ack()
                if receipt.headers["status"] == "200":
                    seen.add(item["delivery"])
        assert {name.split(".")[0] for name in first} <= seen
        reasons = [one["reason"] for one in await events(whole, "delivery_deferred")]
        assert "rejected-by-office" in reasons
        stray = {"properties": {}, "routing_key": f"inbox.{POLICE}", "payload": "stray", "payload_encoding": "string"}
        with pytest.raises(aiohttp.ClientResponseError):
            while True:  # until the queue takes no more, whatever the store counts
                await rabbitmq.ask("POST", f"exchanges/{vhost}/hutong.inbox/publish", stray)
        receipt = await whole.clients[SENDER].submit(report(6), CANONICAL)
        async with asyncio.timeout(60):
            while "queue-full" not in {one["reason"] for one in await events(whole, "delivery_deferred")}:
                await rabbitmq.ask("GET", "overview")
        await rabbitmq.ask("DELETE", f"queues/{vhost}/inbox.{POLICE}/contents")
        async with AmqpOffice(rabbitmq, vhost, whole.clients[POLICE], key) as police:
            await police.read_inbox()
            message = await police.next()
            item = police.open(message)
            late = Returned(parse_office_id(POLICE), message.message_id, "the digest of an older lease", "rejected")
            await whole.gateway.services.relay.returned(late)
            assert (await police.acknowledge(item)).headers["status"] == "200", "nobody's any more, it ends no lease"
        found = await whole.gateway.engines.store.deliveries.delivery(item["delivery"])
        assert found.notice == receipt["notice"], "what was not taken is put again"

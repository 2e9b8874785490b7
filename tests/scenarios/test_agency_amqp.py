"""An office that speaks AMQP hands in notices, hears bells or reads encrypted releases, and is cut off when suspended."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import aio_pika
import pytest
from aiormq.exceptions import ChannelAccessRefused

from gateway.client.agency import Answered
from gateway.engines.rabbitmq.topology import queues_of
from gateway.model.agency import OfficeState, QueueUse
from gateway.model.identifiers import parse_office_id
from gateway.ports.log_storage import LogQuery
from tests.scenarios.test_s7_consent_withdrawn import CITY, CONTRACTOR, agreed, referral
from tests.scenarios.test_webhooks import report
from tests.support.amqp_office import CANONICAL, AmqpOffice, encryption_pair
from tests.support.family import notice
from tests.support.offices import join
from tests.support.town import town

pytestmark = [pytest.mark.slow, pytest.mark.services]

SENDER, POLICE = "health.440113", "police.440113"


@asynccontextmanager
async def opened(folder, rabbitmq, vhost, **limits):
    if not rabbitmq.gateway_port:
        pytest.skip("the named broker asks another gateway who may do what")
    settings = rabbitmq.settings(vhost, **limits)
    async with town(folder, rabbitmq=settings, port=rabbitmq.gateway_port, first_backoff_seconds=0.1) as whole:
        yield whole


@pytest.fixture
async def whole(tmp_path, rabbitmq, vhost):
    async with opened(tmp_path, rabbitmq, vhost) as found:
        yield found


async def use_queue(whole, broker, vhost, office, use, *keys):
    """Change the office's entry, as an operator does, and wait until its queues are there."""
    enrol = whole.gateway.services.enrol
    known = enrol.office(parse_office_id(office))
    await enrol.add(replace(known, queue=use, keys=(*known.keys, *(enrol.key(jwk, "enc") for jwk in keys))), by="test")
    wanted = {spec.name: dict(spec.arguments) for spec in queues_of(known.id, use, whole.gateway.settings.rabbitmq)}
    async with asyncio.timeout(20):
        while not wanted.items() <= (await queues_at(broker, vhost)).items():
            whole.gateway.engines.doorbell.ring([known.id])


async def queues_at(broker, vhost):
    return {one["name"]: one.get("arguments") for one in await broker.ask("GET", f"queues/{vhost}")}


async def events(whole, name, **where):
    """The fields of the newest such events, oldest first."""
    found = await whole.gateway.engines.store.log.search(LogQuery(event=name, **where), None, 200)
    return [json.loads(one.opening)["envelope"]["fields"] for one in reversed(list(found))]


async def test_a_notice_over_amqp_is_answered_with_the_receipt_that_http_gives(whole, rabbitmq, vhost):
    await use_queue(whole, rabbitmq, vhost, SENDER, QueueUse.DOORBELLS)
    client = whole.clients[SENDER]
    async with AmqpOffice(rabbitmq, vhost, client) as hospital:
        answer = await hospital.submit(report(1))
        assert (answer.headers["status"], answer.type, answer.content_type) == (
            "202",
            "hutong.receipt.v1",
            "application/json",
        )
        claims = await client.verify_receipt(json.loads(answer.body)["receipt"])
        assert claims["type"] == "accepted"
        again = await hospital.submit(report(1))
        assert again.body == answer.body
        assert again.headers["hutong-replayed"] == "true"
        over_http = await client.submit(report(1), CANONICAL)
        assert over_http == json.loads(answer.body), "one way, whatever the transport"
        wrong = await hospital.say(report(2), headers={"Hutong-Signature": "x..y"})
        assert (wrong.headers["status"], wrong.type) == ("400", "hutong.problem.v1")
        assert json.loads(wrong.body)["code"] == "bad-signature"
        token = await whole.clients[POLICE].token()
        stolen = await hospital.submit(report(3), authorization=f"Bearer {token}")
        assert json.loads(stolen.body)["code"] == "unauthenticated"
        for body in (b'{"specversion":', b"[]", b"<x/>"):
            answer = await hospital.submit(body)
            with pytest.raises(Answered) as refused:
                await client.submit(body, CANONICAL)
            assert json.loads(answer.body) == refused.value.problem
        odd = await hospital.say(b"{}", "application/json", "hutong.odd.v9")
        assert json.loads(odd.body)["code"] == "invalid-parameter"
    assert whole.failures() == []


async def test_a_bell_says_that_something_waits_and_nothing_of_what(whole, rabbitmq, vhost):
    await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.DOORBELLS)
    async with AmqpOffice(rabbitmq, vhost, whole.clients[POLICE]) as police:
        for number in range(5):
            await whole.clients[SENDER].submit(report(number), CANONICAL)
        await police.read_inbox()
        bell = await police.next()
        await bell.ack()
        event = json.loads(bell.body)
        assert event.keys() == {"specversion", "id", "source", "type"}
        assert event["type"] == "hutong.doorbell.v1"
        items = await police.client.pull()
        assert len(items) == 5
        for item in items:
            await police.client.acknowledge(item)


async def test_a_release_comes_encrypted_and_is_acknowledged_by_a_message(whole, rabbitmq, vhost):
    key, jwk = encryption_pair()
    await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.RELEASES, jwk)
    sender = whole.clients[SENDER]
    notice = (await sender.submit(report(1), CANONICAL))["notice"]
    async with AmqpOffice(rabbitmq, vhost, whole.clients[POLICE], key) as police:
        await police.read_inbox()
        message = await police.next()
        item = police.open(message)
        assert message.message_id == f"{item['delivery']}.{item['revision']}"
        body = base64.b64decode(item["data_base64"])
        assert b"<REQUEST>" in body, "the police read their own format"
        assert message.body.count(b".") == 4, "compact JWE"
        await police.client._verified(item["signature"], body)
        (told,) = await events(whole, "disclosure_decided", delivery=item["delivery"])
        assert told["transport"] == "amqp"
        (status,) = [one for one in (await sender.notice(notice))["deliveries"] if one["recipient"] == POLICE]
        assert status["state"] == "due", "in the queue is not yet with the office"
        receipt = await police.acknowledge(item)
        assert json.loads(receipt.body)["state"] == "acknowledged"
        await message.ack()
        again = await police.acknowledge(item)
        assert json.loads(again.body)["state"] == "acknowledged"
        (told,) = await events(whole, "delivery_acknowledged", delivery=item["delivery"])
        assert told["transport"] == "amqp"
        assert (await police.acknowledge({**item, "lease_token": "another"})).headers["status"] in ("200", "409")


async def test_an_office_may_use_its_own_queues_and_no_others(whole, rabbitmq, vhost):
    await use_queue(whole, rabbitmq, vhost, SENDER, QueueUse.DOORBELLS)
    await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.DOORBELLS)
    async with AmqpOffice(rabbitmq, vhost, whole.clients[SENDER]) as hospital:
        for step in (
            lambda ch: ch.get_queue("inbox.police.440113", ensure=False),
            lambda ch: ch.get_queue("submit.health.440113", ensure=False),
            lambda ch: ch.get_queue("dead.submit", ensure=False),
        ):
            channel = await hospital.connection.channel()
            queue = await step(channel)
            with pytest.raises(ChannelAccessRefused):
                await queue.get(fail=False)
        for exchange, key in (
            ("hutong.submit", "submit.police.440113"),
            ("hutong.inbox", "inbox.police.440113"),
            ("", "receipts.police.440113"),
        ):
            channel = await hospital.connection.channel()
            target = channel.default_exchange if not exchange else await channel.get_exchange(exchange, ensure=False)
            with pytest.raises(
                (
                    ChannelAccessRefused,
                    aio_pika.exceptions.ChannelClosed,
                    aio_pika.exceptions.DeliveryError,
                )
            ):
                await target.publish(aio_pika.Message(b"{}"), key)
        channel = await hospital.connection.channel()
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_queue("mine")
    for user, password in (
        (SENDER, await whole.clients[POLICE].token()),
        ("nobody.440113", "x"),
        ("education.440113", await whole.clients["education.440113"].token()),
    ):
        with pytest.raises((aio_pika.exceptions.AMQPConnectionError, ConnectionError)):
            await aio_pika.connect(
                host=rabbitmq.host, port=rabbitmq.port, login=user, password=password, virtualhost=vhost
            )


async def waiting_in(broker, vhost, queue, count):
    """What the queue holds, once it holds exactly so many messages. Looked at once alone: a look counts as a hand-over."""
    connection = await aio_pika.connect(broker.url(vhost, secret=True))
    async with asyncio.timeout(30), connection, connection.channel() as channel:
        while (await channel.declare_queue(queue, passive=True)).declaration_result.message_count != count:
            pass
    look = {"count": 200, "ackmode": "ack_requeue_true", "encoding": "auto"}
    return await broker.ask("POST", f"queues/{vhost}/{queue}/get", look)


async def test_a_suspended_office_is_cut_off_at_the_broker_and_what_waits_for_it_is_taken_back(whole, rabbitmq, vhost):
    key, jwk = encryption_pair()
    await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.RELEASES, jwk)
    await whole.clients[SENDER].submit(report(1), CANONICAL)
    (waiting,) = await waiting_in(rabbitmq, vhost, f"inbox.{POLICE}", 1)
    police = AmqpOffice(rabbitmq, vhost, whole.clients[POLICE], key)
    async with police:
        closed = asyncio.get_running_loop().create_future()
        police.connection.close_callbacks.add(lambda *_: closed.done() or closed.set_result(True))
        await whole.gateway.services.enrol.set_state(
            parse_office_id(POLICE), OfficeState.SUSPENDED, reason="test", by="test"
        )
        assert await asyncio.wait_for(closed, 20)
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


async def test_what_waits_unread_is_bounded_and_comes_back_when_nobody_fetches_or_wants_it(tmp_path, rabbitmq, vhost):
    key, jwk = encryption_pair()
    async with opened(tmp_path, rabbitmq, vhost, max_waiting=3, waiting_seconds=2.0) as whole:
        await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.RELEASES, jwk)
        for number in range(5):
            await whole.clients[SENDER].submit(report(number), CANONICAL)
        first = {one["properties"]["message_id"] for one in await waiting_in(rabbitmq, vhost, f"inbox.{POLICE}", 3)}
        async with asyncio.timeout(30):
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


async def test_withdrawn_notices_and_consents_are_taken_out_of_the_queue(whole, rabbitmq, vhost):
    committee, key_pair = whole.clients[CITY], encryption_pair()
    contractor = await join(whole, CONTRACTOR, contract_until="2099-12-31")
    await use_queue(whole, rabbitmq, vhost, CONTRACTOR, QueueUse.RELEASES, key_pair[1])
    await committee.record_consent("c-1", agreed())
    referred = []
    for number in range(1, 4):
        body = referral(number).replace(b"case-s7", b"case-%d" % number)
        referred.append((await committee.submit(body, CANONICAL))["notice"])
    before = await waiting_in(rabbitmq, vhost, f"inbox.{CONTRACTOR}", 4)
    wdr = notice("WDR", CITY, 9, {"urgency": 0, "purpose": "P08", "legal_basis": ["L07"], "supersedes": referred[1],
                                  "withdrawal": {"reason": "mistaken", "effect": "review"}}, "case-2")  # fmt: skip
    await committee.submit(wdr, CANONICAL)
    withdrawn = (await committee.notice(referred[1]))["deliveries"][0]
    assert withdrawn["state"] == "withdrawn"
    async with contractor, AmqpOffice(rabbitmq, vhost, contractor, key_pair[0]) as office:
        left = await deliveries_in(office, await waiting_in(rabbitmq, vhost, f"inbox.{CONTRACTOR}", 3))
        gone = await deliveries_in(office, before) - left
        assert len(gone) == 1, "the withdrawn one, and only it, is out of the queue"
        assert len(await deliveries_in(office, before) & left) == 3
        await committee.withdraw_consent("c-1")
        await office.read_inbox()
        kinds, is_withdrawn = [], False
        while not is_withdrawn:
            message = await office.next()
            item = office.open(message)
            event = json.loads(base64.b64decode(item["data_base64"]))
            kinds.append(event["type"].split(".")[2])
            is_withdrawn = event["data"].get("consent", {}).get("status") == "withdrawn"
            await office.acknowledge(item)
            await message.ack()
        assert set(kinds) == {"CON"}, "of what rested on the consent nothing waits any more"


async def deliveries_in(office, messages):
    return {office.open_text(one["payload"])["delivery"] for one in messages}

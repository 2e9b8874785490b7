"""An office that speaks AMQP hands in notices, hears bells or reads encrypted releases, and is cut off when suspended."""

import asyncio
import base64
import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import aio_pika
import jsonschema
import pytest
import pytest_asyncio
from aiormq.exceptions import ChannelAccessRefused

from gateway.client.agency import Answered
from gateway.http.asyncapi import asyncapi_document
from gateway.model.agency import Caller, QueueUse
from gateway.model.identifiers import NoticeType, parse_office_id
from gateway.model.notice import SubmittedNotice
from gateway.services.enforce import Sendable
from tests.scenarios.test_s7_consent_withdrawn import CITY, CONTRACTOR, agreed, referral
from tests.scenarios.test_s9_accused_school import CODE, SCHOOL
from tests.scenarios.test_s9_accused_school import report as of_a_pupil
from tests.scenarios.test_webhooks import report
from tests.support.amqp_office import CANONICAL, AmqpOffice, encryption_pair
from tests.support.amqp_town import POLICE, SENDER, deliveries_in, events, opened, use_queue, waiting_in
from tests.support.family import notice
from tests.support.offices import join

pytestmark = [pytest.mark.slow, pytest.mark.services]

COMMITTEE = "civil_affairs.440113"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory, rabbitmq):
    """A town with its vhost, for tests that leave offices and queues to each other."""
    name = await rabbitmq.make_vhost(f"test-{uuid4().hex[:12]}")
    async with opened(tmp_path_factory.mktemp("shared"), rabbitmq, name) as found:
        yield found, name
    await rabbitmq.drop_vhost(name)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_notice_over_amqp_is_answered_with_the_receipt_that_http_gives(shared, rabbitmq):
    whole, vhost = shared
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


@pytest.mark.asyncio(loop_scope="module")
async def test_a_bell_says_that_something_waits_and_nothing_of_what(shared, rabbitmq):
    whole, vhost = shared
    await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.DOORBELLS)
    async with AmqpOffice(rabbitmq, vhost, whole.clients[POLICE]) as police:
        for number in range(100, 105):
            await whole.clients[SENDER].submit(report(number), CANONICAL)
        await police.read_inbox()
        bell = await police.next()
        await bell.ack()
        event = json.loads(bell.body)
        assert event.keys() == {"specversion", "id", "source", "type"}
        jsonschema.validate(event, asyncapi_document(whole.gateway.url)["components"]["schemas"]["Doorbell"])
        items = await police.client.pull()
        assert len(items) >= 5
        for item in items:
            await police.client.acknowledge(item)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_release_comes_encrypted_and_is_acknowledged_by_a_message(shared, rabbitmq):
    whole, vhost = shared
    key, jwk = encryption_pair()
    await use_queue(whole, rabbitmq, vhost, COMMITTEE, QueueUse.RELEASES, jwk)
    sender = whole.clients[SENDER]
    await sender.submit(report(200), CANONICAL)
    async with AmqpOffice(rabbitmq, vhost, whole.clients[COMMITTEE], key) as office:
        await office.read_inbox()
        message = await office.next()
        item = office.open(message)
        notice = (await whole.gateway.engines.store.deliveries.delivery(item["delivery"])).notice
        assert message.message_id == f"{item['delivery']}.{item['revision']}"
        body = base64.b64decode(item["data_base64"])
        assert item["content_type"] == whole.gateway.services.enrol.office(COMMITTEE).media_type
        assert message.body.count(b".") == 4, "compact JWE"
        await office.client._verified(item["signature"], body)
        (told,) = await events(whole, "disclosure_decided", delivery=item["delivery"])
        assert told["transport"] == "amqp"
        (status,) = [one for one in (await sender.notice(notice))["deliveries"] if one["recipient"] == COMMITTEE]
        assert status["state"] == "due", "in the queue is not yet with the office"
        receipt = await office.acknowledge(item)
        assert json.loads(receipt.body)["state"] == "acknowledged"
        await message.ack()
        again = await office.acknowledge(item)
        assert json.loads(again.body)["state"] == "acknowledged"
        (told,) = await events(whole, "delivery_acknowledged", delivery=item["delivery"])
        assert told["transport"] == "amqp"
        assert (await office.acknowledge({**item, "lease_token": "another"})).headers["status"] in ("200", "409")


@pytest.mark.asyncio(loop_scope="module")
async def test_an_office_may_use_its_own_queues_and_no_others(shared, rabbitmq):
    whole, vhost = shared
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


@pytest.mark.asyncio(loop_scope="module")
async def test_withdrawn_notices_and_consents_are_taken_out_of_the_queue(shared, rabbitmq):
    whole, vhost = shared
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


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_that_an_office_gave_up_while_its_releases_were_decided_encrypts_none_of_them(
    shared, rabbitmq, monkeypatch
):
    whole, vhost = shared
    (_, given_up), (key, jwk) = encryption_pair(), encryption_pair()
    await use_queue(whole, rabbitmq, vhost, COMMITTEE, QueueUse.RELEASES, given_up)
    relay, enrol = whole.gateway.services.relay, whole.gateway.services.enrol
    decide, changing, began = relay._attempt, [], whole.gateway.engines.clock.now()

    async def after_a_change_of_the_key(delivery, office, way):
        if delivery.created_at < began:
            return await decide(delivery, office, way)
        monkeypatch.undo()
        known = enrol.office(office.id)
        kept = tuple(one for one in known.keys if one.use != "enc")
        pause, in_force = enrol._pause, asyncio.Event()

        async def pausing(time):  # the change is answered later, when nothing waits under the old key
            in_force.set()
            await pause(time)

        monkeypatch.setattr(enrol, "_pause", pausing)
        keys = (*kept, enrol.key(jwk, "enc"))
        changing.append(asyncio.create_task(enrol.change(known.id, {"keys": keys}, by="test")))
        await in_force.wait()
        return await decide(delivery, office, way)

    after_a_change_of_the_key.void = decide.void
    monkeypatch.setattr(relay, "_attempt", after_a_change_of_the_key)
    receipt = await whole.clients[SENDER].submit(report(300), CANONICAL)
    told = await whole.gateway.engines.store.notices.summary(receipt["notice"])
    (mine,) = [one.delivery for one in told.deliveries if one.recipient == COMMITTEE]
    async with AmqpOffice(rabbitmq, vhost, whole.clients[COMMITTEE], key) as office:
        await office.read_inbox()
        while not (message := await office.next()).message_id.startswith(mine):
            await message.ack()
        assert office.open(message)["delivery"] == mine
    assert [one["why"] for one in await events(whole, "ticket_voided", delivery=mine)] == ["key-changed"]
    await changing[0]


def key_of(message):
    """The kid that a release is encrypted to."""
    header = message["payload"].split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_ran_out_of_its_tickets_time_before_it_could_be_put_is_not_put(shared, rabbitmq, monkeypatch):
    whole, vhost = shared
    key, jwk = encryption_pair()
    await use_queue(whole, rabbitmq, vhost, COMMITTEE, QueueUse.RELEASES, jwk)
    relay, held_up = whole.gateway.services.relay, set()
    decide = relay._attempt

    async def and_be_held_up(delivery, office, way):
        """Each delivery's first decision comes back when its time is over."""
        made = await decide(delivery, office, way)
        if delivery.id in held_up or not isinstance(made, Sendable):
            return made
        held_up.add(delivery.id)
        return replace(made, send_before=0.0)

    and_be_held_up.void = decide.void
    monkeypatch.setattr(relay, "_attempt", and_be_held_up)
    receipt = await whole.clients[SENDER].submit(report(301), CANONICAL)
    told = await whole.gateway.engines.store.notices.summary(receipt["notice"])
    (mine,) = [one.delivery for one in told.deliveries if one.recipient == COMMITTEE]
    async with AmqpOffice(rabbitmq, vhost, whole.clients[COMMITTEE], key) as office:
        await office.read_inbox()
        while not (message := await office.next()).message_id.startswith(mine):
            await message.ack()
        await message.ack()
    assert [one["why"] for one in await events(whole, "ticket_voided", delivery=mine)] == ["expired"]
    assert len(await events(whole, "disclosure_decided", delivery=mine)) == 2, "decided anew, and then put"


async def taken_back(whole, office, why):
    """How many deliveries were taken out of an office's queue for this reason."""
    return sum(one["reason"] == why and one["recipient"] == office for one in await events(whole, "delivery_deferred"))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_changed_entry_and_a_report_that_accuses_a_school_take_back_what_waits_for_it_unread(shared, rabbitmq):
    whole, vhost = shared
    city, (_, jwk) = whole.clients[CITY], encryption_pair()
    async with await join(whole, SCHOOL, school_code=CODE):
        await use_queue(whole, rabbitmq, vhost, SCHOOL, QueueUse.RELEASES, jwk)
        await city.submit(of_a_pupil("harmless", pupil=31, school_related=False), CANONICAL)
        await waiting_in(rabbitmq, vhost, f"inbox.{SCHOOL}", 1)
        await whole.gateway.services.enrol.change(parse_office_id(SCHOOL), {"agreements": frozenset()}, by="test")
        assert await taken_back(whole, SCHOOL, "office-changed") == 1
        (under_the_old_key,) = await waiting_in(rabbitmq, vhost, f"inbox.{SCHOOL}", 1)
        enrol = whole.gateway.services.enrol
        kept = tuple(one for one in enrol.office(parse_office_id(SCHOOL)).keys if one.use != "enc")
        replaced = {"keys": (*kept, enrol.key(encryption_pair()[1], "enc"))}
        await enrol.change(parse_office_id(SCHOOL), replaced, by="test")
        assert await taken_back(whole, SCHOOL, "office-changed") == 2, "nothing waits under a key that was replaced"
        (under_the_new_key,) = await waiting_in(rabbitmq, vhost, f"inbox.{SCHOOL}", 1)
        assert key_of(under_the_old_key) != key_of(under_the_new_key)
        await city.submit(of_a_pupil("accusing", pupil=31, school_related=True), CANONICAL)
        await waiting_in(rabbitmq, vhost, f"inbox.{SCHOOL}", 0)
        async with asyncio.timeout(60):
            while not await taken_back(whole, SCHOOL, "conflict-recorded"):
                await whole.gateway.engines.doorbell.wait(SCHOOL, timedelta(milliseconds=50))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_consent_withdrawn_in_a_bulk_file_takes_back_what_waits_unread(shared, rabbitmq):
    whole, vhost = shared
    committee, counsellors = whole.clients[CITY], "contractor.440113.fudao"
    await join(whole, counsellors, contract_until="2099-12-31")
    await use_queue(whole, rabbitmq, vhost, counsellors, QueueUse.RELEASES, encryption_pair()[1])
    said = {**agreed(recipients=(counsellors,)), "consent_id": "c-2", "status": "given"}
    people, subject = said.pop("persons"), said.pop("subject")
    await committee.submit(notice("CON", CITY, "yes", {"persons": people, "consent": said}, subject), CANONICAL)
    await waiting_in(rabbitmq, vhost, f"inbox.{counsellors}", 1)
    office = whole.gateway.services.enrol.office(parse_office_id(CITY))
    ended = {"persons": people, "consent": {**said, "status": "withdrawn"}}
    row = SubmittedNotice(office.id, "row", NoticeType("CON"), ended, subject=subject)
    await whole.gateway.services.submit.rows(Caller(office), [("file#0", row)], 1, lambda: asyncio.sleep(0))
    assert await taken_back(whole, counsellors, "consent-withdrawn")

"""The agencies' queues: order within a case, answers before acknowledgements, poison set aside, nobody else's queue written to."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from gateway.engines.rabbitmq import queues as queues_room
from gateway.engines.rabbitmq import repairs as repairs_room
from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.doorbell import RabbitDoorbell
from gateway.engines.rabbitmq.forming import make_anew
from gateway.engines.rabbitmq.insist import BROKEN, insisted
from gateway.engines.rabbitmq.management import Management
from gateway.engines.rabbitmq.publisher import Late, Publisher
from gateway.engines.rabbitmq.queues import RabbitQueues, connect
from gateway.engines.rabbitmq.silence import silent_queues
from gateway.engines.rabbitmq.topology import SHARED, queues_of
from gateway.model.agency import QueueUse
from gateway.model.errors import Unavailable
from gateway.ports.agency_queues import QueueFull, Release
from tests.support.amqp_node import Desk, Node, answers, count, fail, say
from tests.support.cut_proxy import CutProxy
from tests.support.stored import POLICE, SCHOOL

pytestmark = pytest.mark.services

HOUR = timedelta(hours=1)


@pytest.fixture
async def node(rabbitmq, vhost):
    async with Node(rabbitmq.settings(vhost, max_waiting=2, delivery_limit=2)) as made:
        yield made


@pytest.fixture
async def channel(rabbitmq, vhost):
    async with await connect(addresses(rabbitmq.settings(vhost))[0], 5.0) as connection:
        yield await connection.channel()


async def test_messages_of_one_case_are_worked_on_in_their_order_and_others_pass_by(node, channel):
    await say(channel, b"slow-1", b"second", case="one")
    await say(channel, b"other", case="two")
    await say(channel, b"alone-1", b"alone-2")
    await node.desk.has_begun(4)
    assert set(node.desk.began) == {b"slow-1", b"other", b"alone-1", b"alone-2"}, "the second waits for the first"
    node.desk.let_go.set()
    got = await answers(channel, 5)
    order = [body for body, *_ in got]
    assert order.index(b"slow-1") < order.index(b"second")
    assert all(one == (body, body.decode(), "test", "200") for one, body in zip(got, order, strict=True))
    assert await count(channel, f"submit.{POLICE}") == 0


async def test_what_was_in_work_when_a_node_died_is_worked_on_by_another_in_the_same_order(rabbitmq, vhost, channel):
    settings = rabbitmq.settings(vhost)
    async with Node(settings) as first:
        await say(channel, b"slow-1", b"slow-2", case="one")
        await first.desk.has_begun(1)
    async with Node(settings) as second:
        second.desk.let_go.set()
        assert [body for body, *_ in await answers(channel, 2)] == [b"slow-1", b"slow-2"]


async def test_a_message_is_gone_only_when_its_answer_is_safe(rabbitmq, vhost, channel, monkeypatch):
    settings, tried = rabbitmq.settings(vhost), asyncio.Queue()
    async with Node(settings) as first:

        async def never(*_):
            await tried.put(None)
            await asyncio.Event().wait()

        monkeypatch.setattr(first.publisher, "publish", never)
        await say(channel, b"one")
        await asyncio.wait_for(tried.get(), 60)
    async with Node(settings) as second:
        assert [body for body, *_ in await answers(channel, 1)] == [b"one"], "worked on again, as its answer was lost"
        publish = second.publisher.publish

        async def not_at_first(*given):
            monkeypatch.setattr(second.publisher, "publish", publish)
            raise Unavailable("away", retry_after=timedelta(milliseconds=1))

        monkeypatch.setattr(second.publisher, "publish", not_at_first)
        await say(channel, b"two")
        assert [body for body, *_ in await answers(channel, 1)] == [b"two"], "answered once the broker takes it"


async def test_of_two_nodes_one_works_on_an_offices_messages_so_that_a_case_keeps_its_order(rabbitmq, vhost, channel):
    settings = rabbitmq.settings(vhost)
    async with Node(settings) as first, Node(settings) as second:
        await say(channel, b"slow-1", b"second", b"third", case="one")
        await say(channel, *(b"other-%d" % n for n in range(9)))
        await first.desk.has_begun(10)
        assert second.desk.began == []
        first.desk.let_go.set()
        got = [body for body, *_ in await answers(channel, 12)]
        assert [body for body in got if not body.startswith(b"other")] == [b"slow-1", b"second", b"third"]


async def test_no_more_is_in_work_than_may_be_and_a_full_queue_refuses_its_sender(rabbitmq, vhost, channel):
    async with Node(rabbitmq.settings(vhost, concurrency=2, max_submissions=5)) as node:
        taken = 0
        with pytest.raises(aio_pika.exceptions.DeliveryError):
            for taken in range(50):  # a quorum queue takes a few more than it is told while messages are on their way
                await say(channel, b"slow-%d" % taken)
        await node.desk.has_begun(2)
        assert node.desk.began == [b"slow-0", b"slow-1"]
        node.desk.let_go.set()
        assert [body for body, *_ in await answers(channel, taken)] == [b"slow-%d" % n for n in range(taken)]
        async with asyncio.timeout(60):
            while True:  # until the queue has told the channel that there is room again
                with suppress(aio_pika.exceptions.DeliveryError):
                    await say(channel, b"again")
                    break


async def test_a_poison_message_is_answered_and_set_aside_for_a_person(node, channel):
    await say(channel, b"bad", b"good")
    assert {body for body, *_ in await answers(channel, 2)} == {b"bad", b"good"}
    async with asyncio.timeout(60):
        while await count(channel, "dead.submit") != 1:
            pass


async def test_an_answer_goes_to_a_direct_reply_or_the_own_queue_and_nowhere_else(node, channel):
    await channel.declare_queue("victim", durable=True)
    await say(channel, b"misled", reply_to="victim")
    assert [body for body, *_ in await answers(channel, 1)] == [b"misled"]
    assert await count(channel, "victim") == 0
    direct = asyncio.Queue()
    reply = await channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
    await reply.consume(direct.put, no_ack=True)
    await say(channel, b"direct", reply_to="amq.rabbitmq.reply-to")
    assert (await asyncio.wait_for(direct.get(), 60)).body == b"direct"
    assert await count(channel, f"receipts.{POLICE}") == 0, "answered once"


async def test_releases_are_bounded_and_bells_do_not_pile_up(node, channel):
    for name in ("d1.1", "d2.1"):
        await node.queues.put(POLICE, Release(b"locked", name, "lease"), HOUR)
    with pytest.raises(QueueFull):
        while True:  # a quorum queue takes a few more than it is told while messages are on their way
            await node.queues.put(POLICE, Release(b"locked", "d3.1", "lease"), HOUR)
    for _ in range(5):
        await node.queues.ring(SCHOOL)
    assert await count(channel, f"inbox.{SCHOOL}") == 1
    await node.queues.purge(POLICE)
    assert await count(channel, f"inbox.{POLICE}") == 0
    assert node.desk.empty == [POLICE, SCHOOL], "both had to be made"


async def test_what_runs_out_of_time_or_is_rejected_comes_back_with_its_name_and_lease(node, channel, monkeypatch):
    await node.queues.put(POLICE, Release(b"locked", "d1.1", "l1"), timedelta(milliseconds=50))
    back = await asyncio.wait_for(node.desk.came_back.get(), 60)
    assert (back.office, back.name, back.lease, back.why) == (POLICE, "d1.1", "l1", "expired")
    await node.queues.put(POLICE, Release(b"locked", "d2.3", "l2"), HOUR)
    inbox = await channel.get_queue(f"inbox.{POLICE}", ensure=False)
    told = node.desk.returned

    async def not_at_first(_):
        monkeypatch.setattr(node.desk, "returned", told)
        raise Unavailable("the store is away", retry_after=timedelta(milliseconds=1))

    monkeypatch.setattr(node.desk, "returned", not_at_first)
    await (await inbox.get()).reject(requeue=False)
    back = await asyncio.wait_for(node.desk.came_back.get(), 60)
    assert (back.name, back.lease, back.why) == ("d2.3", "l2", "rejected")


async def test_a_queue_that_does_not_answer_is_found_and_what_the_others_hold_stays(rabbitmq, vhost):
    address = addresses(rabbitmq.settings(vhost))[0]
    async with await connect(address, 5.0) as connection:
        channel = await connection.channel()
        handed_over_once = {
            "x-queue-type": "quorum",
            "x-delivery-limit": 0,
        }  # RabbitMQ 4: twenty times, unless it is said
        held = await channel.declare_queue("receipts.held", durable=True, arguments=handed_over_once)
        await channel.declare_queue("receipts.empty", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"one"), held.name)
        names = ["receipts.missing", held.name, "receipts.gone", "receipts.empty"]
        for _ in range(2):
            found = [name async for name in silent_queues(lambda: connect(address, 5.0), names, 5.0)]
            assert found == ["receipts.missing", "receipts.gone"]
        assert (await held.get(timeout=60)).body == b"one"


async def test_queues_that_lost_their_processes_are_noticed_and_made_anew(rabbitmq, vhost, monkeypatch):
    """As after a full disk: they refuse everything as if they were full, and who read them is told nothing."""
    if rabbitmq.broker is None:
        pytest.skip("the broker is not ours to break")
    monkeypatch.setattr(repairs_room, "LOOK_AGAIN_SECONDS", 0.2)
    address = addresses(rabbitmq.settings(vhost))[0]
    async with Node(rabbitmq.settings(vhost, confirm_seconds=2)) as node:
        # whose publisher has numbered a message for the queue: after that it would wait for ever for the confirm of the new one
        await node.queues.put(POLICE, Release(b"sealed", "d0.1", "l0"), HOUR)
        await rabbitmq.end_queues(vhost)
        async with asyncio.timeout(60):
            while True:
                with suppress(Unavailable, QueueFull):
                    await node.queues.put(POLICE, Release(b"sealed", "d1.1", "l1"), HOUR)
                    await node.queues.ring(SCHOOL)
                    break
                await asyncio.sleep(0.05)
            while True:
                with suppress(*BROKEN):
                    async with await connect(address, 5.0) as connection:
                        channel = await connection.channel()
                        await say(channel, b"one")
                        assert await answers(channel, 1) == [(b"one", "one", "test", "200")]
                        inbox = await channel.get_queue(f"inbox.{POLICE}", ensure=False)
                        await (await inbox.get()).reject(requeue=False)
                        break
                await asyncio.sleep(0.05)
            assert (await node.desk.came_back.get()).name == "d1.1"
        assert set(node.desk.empty) >= {POLICE, SCHOOL}, "what waited there is told to be gone"


async def test_every_node_writes_again_to_a_queue_that_one_of_them_made_anew(rabbitmq, vhost):
    if rabbitmq.broker is None:
        pytest.skip("the broker is not ours to break")
    settings = rabbitmq.settings(vhost, confirm_seconds=1)
    async with Node(settings) as one, Node(settings) as other:
        for node in (one, other):
            await node.queues.put(POLICE, Release(b"sealed", "d0.1", "l0"), HOUR)
        await rabbitmq.end_queues(vhost)
        async with asyncio.timeout(60):
            for node in (one, other):
                while True:
                    with suppress(Unavailable):
                        await node.queues.put(POLICE, Release(b"sealed", "d1.1", "l1"), HOUR)
                        break
                    await asyncio.sleep(0.05)
    assert [*one.signals, *other.signals].count(("queue-made-anew", f"inbox.{POLICE}")) == 1


async def test_a_queue_that_answers_and_confirms_nothing_is_made_anew_in_the_end(rabbitmq, vhost, monkeypatch):
    asked = []

    async def noted(connect, spec, patience_seconds, *, though_it_answers):
        asked.append(though_it_answers)
        return though_it_answers

    async def never(*_):
        raise Late("no confirm")

    monkeypatch.setattr(repairs_room, "make_anew", noted)
    async with Node(rabbitmq.settings(vhost)) as node:
        monkeypatch.setattr(node.publisher, "publish", never)
        async with asyncio.timeout(60):
            while len(asked) < 4:
                with suppress(Unavailable):
                    await node.queues.put(POLICE, Release(b"sealed", "d1.1", "l1"), HOUR)
                await asyncio.sleep(0)
    assert asked == [False, False, True, False]


async def test_a_queue_that_an_office_reads_and_that_is_gone_is_made_anew_until_it_is_there(
    rabbitmq, vhost, monkeypatch
):
    """A broker that just came back failed to form its members when it was made anew, and its office was told for good that
    there is none."""
    monkeypatch.setattr(repairs_room, "LOOK_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(repairs_room, "ANEW_SECONDS", 0.01)
    tried = []

    async def not_at_first(connect, spec, patience_seconds, **how):
        tried.append(spec)
        if len(tried) < 3:
            raise TimeoutError
        return await make_anew(connect, spec, patience_seconds, **how)

    async with Node(rabbitmq.settings(vhost, confirm_seconds=2)):
        monkeypatch.setattr(repairs_room, "make_anew", not_at_first)
        async with await connect(addresses(rabbitmq.settings(vhost))[0], 5.0) as connection:
            await (await connection.channel()).queue_delete(f"receipts.{POLICE}")
            async with asyncio.timeout(60):
                while True:
                    with suppress(ChannelNotFoundEntity):
                        await (await connection.channel()).declare_queue(f"receipts.{POLICE}", passive=True)
                        break
                    await asyncio.sleep(0.05)
    assert len(tried) == 3


async def test_what_is_still_to_be_made_is_not_taken_for_lost(rabbitmq, vhost, channel, monkeypatch):
    """It was deleted while it was being made, and 3.10 then refuses for good to make it."""
    monkeypatch.setattr(repairs_room, "LOOK_AGAIN_SECONDS", 0)
    looks, has_looked = 0, asyncio.Event()

    async def counted(*given):
        nonlocal looks
        looks += 1
        if looks == 20:
            has_looked.set()
        return await insisted(*given)

    monkeypatch.setattr(repairs_room, "insisted", counted)
    held = await channel.declare_queue(f"forming.inbox.{SCHOOL}", exclusive=True)  # as by a node that makes it just now
    node = Node(rabbitmq.settings(vhost))
    starting = asyncio.create_task(node.__aenter__())
    await has_looked.wait()
    assert not node.queues.is_up
    await held.delete()
    await starting
    await node.__aexit__()
    assert ("queue-made-anew",) not in {signal[:1] for signal in node.signals}
    assert await count(channel, f"inbox.{SCHOOL}") == 0


async def test_nobody_makes_a_queue_anew_while_another_does(rabbitmq, vhost, channel):
    settings = rabbitmq.settings(vhost)
    (spec, *_) = SHARED.queues
    async with Node(settings):
        await channel.default_exchange.publish(aio_pika.Message(b"one", delivery_mode=2), spec.name)
        held = await channel.declare_queue(f"forming.{spec.name}", exclusive=True)
        tries = 0

        async def connected():
            nonlocal tries
            tries += 1
            return await connect(addresses(settings)[0], 5.0)

        making = asyncio.create_task(make_anew(connected, spec, 5.0, though_it_answers=True))
        done, _ = await asyncio.wait([making], timeout=0.3)
        assert (done, tries, await count(channel, spec.name)) == (set(), 1, 1)
        await held.delete()
        assert await making
        assert await count(channel, spec.name) == 0


async def test_what_one_node_made_anew_the_next_ones_leave(rabbitmq, vhost, channel):
    """Three nodes made a silent queue anew in turn, each before another could read it, and never came to an end."""
    settings = rabbitmq.settings(vhost)
    spec = queues_of(POLICE, QueueUse.RELEASES, settings)[-1]  # a missing one answers as little as a silent one
    held = await channel.declare_queue(f"forming.{spec.name}", exclusive=True)
    making = [make_anew(lambda: connect(addresses(settings)[0], 5.0), spec, 5.0) for _ in range(3)]
    together = asyncio.gather(*making)
    await asyncio.sleep(0)
    await held.delete()
    assert sorted(await together) == [False, False, True]


async def test_an_office_whose_queue_cannot_be_made_costs_no_other_office_its_queues(
    rabbitmq, vhost, channel, monkeypatch
):
    if rabbitmq.broker is None:
        pytest.skip("the broker is not ours to break")
    monkeypatch.setattr(queues_room, "FORM_AGAIN_SECONDS", 0.1)
    receipts = await channel.declare_queue(f"receipts.{SCHOOL}", durable=True, arguments={"x-queue-type": "quorum"})
    await rabbitmq.forget_queue(vhost, receipts.name)
    async with Node(rabbitmq.settings(vhost)) as node:
        await say(channel, b"one")
        assert [body for body, *_ in await answers(channel, 1)] == [b"one"]
        assert ("queue-not-formed", receipts.name) in node.signals
        await rabbitmq.end_forgotten_queue(vhost, receipts.name)
        async with asyncio.timeout(60), await connect(addresses(rabbitmq.settings(vhost))[0], 5.0) as connection:
            while True:
                await node.serve()
                with suppress(ChannelNotFoundEntity):
                    await (await connection.channel()).declare_queue(receipts.name, passive=True)
                    break
                await asyncio.sleep(0.05)


async def test_an_office_stays_signed_in_while_a_queue_of_its_own_cannot_be_made_anew(rabbitmq, vhost, monkeypatch):
    """It reads its other queue meanwhile; once the queue is there its channels are renewed."""
    if rabbitmq.broker is None:
        pytest.skip("the broker is not ours to break")
    monkeypatch.setattr(repairs_room, "LOOK_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(repairs_room, "ANEW_SECONDS", 0.1)
    cut_off, receipts = asyncio.Queue(), f"receipts.{SCHOOL}"
    async with asyncio.timeout(60), Node(rabbitmq.settings(vhost)) as node:

        async def disconnect(_, office, why):
            await cut_off.put(office)

        monkeypatch.setattr(Management, "disconnect", disconnect)
        await rabbitmq.forget_queue(vhost, receipts)
        while node.signals.count(("queue-not-formed", receipts)) < 3:
            node.signals_grew.clear()
            await node.signals_grew.wait()
        assert cut_off.empty()
        await rabbitmq.end_forgotten_queue(vhost, receipts)
        assert await cut_off.get() == SCHOOL
    assert cut_off.empty()
    assert node.signals.count(("queue-made-anew", receipts)) == 1


@pytest.mark.parametrize("turns", [5, 60])
async def test_a_node_that_is_told_to_stop_while_the_broker_is_silent_ends(rabbitmq, vhost, turns):
    async with CutProxy(rabbitmq.port) as proxy:
        settings = rabbitmq.settings(vhost)
        through = [replace(one, port=proxy.port) for one in addresses(settings)]
        publisher = Publisher(through, 100, 5.0, lambda _: None)
        bell, management = RabbitDoorbell(publisher), Management(settings.management, through[0])
        queues = RabbitQueues(through, settings, publisher, bell, management, lambda _: None, fail)
        await queues.serve({POLICE: QueueUse.RELEASES, SCHOOL: QueueUse.DOORBELLS})
        running = [asyncio.create_task(publisher.run()), asyncio.create_task(queues.run(Desk()))]
        await publisher.wait_up()
        for _ in range(turns):  # somewhere on the way of signing in and declaring
            await asyncio.sleep(0)
        proxy.hang()
        for task in running:
            task.cancel()
        done, left = await asyncio.wait(running, timeout=60)
        assert not left
        assert all(task.cancelled() for task in done)


class Leaving(RabbitDoorbell):
    """The first time, the connection it was given ends before it could use it; the second time aiormq gives no reason, and
    the third time there is an error nobody foresaw."""

    times = 0

    async def listen(self, connection):
        self.times += 1
        if self.times == 1:
            await connection.close()
        elif self.times == 2:
            raise Exception  # as aiormq does
        elif self.times == 3:
            raise LookupError
        await super().listen(connection)


async def test_a_connection_is_made_again_whatever_ended_it(rabbitmq, vhost):
    settings = rabbitmq.settings(vhost)
    known, signals, errors = addresses(settings), [], []
    publisher = Publisher(known, 100, 5.0, lambda _: None)
    bell, management = Leaving(publisher), Management(settings.management, known[0])
    queues = RabbitQueues(known, settings, publisher, bell, management, signals.append, errors.append)
    async with asyncio.timeout(60), asyncio.TaskGroup() as running:
        tasks = [running.create_task(publisher.run()), running.create_task(queues.run(Desk()))]
        while not queues.is_up:
            await queues.serve({})
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    assert signals == ["queues-trouble"] * 3
    assert [type(error) for error in errors] == [LookupError]

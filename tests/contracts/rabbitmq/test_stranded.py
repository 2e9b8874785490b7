"""Messages that a queue counts as handed over, and nobody has, are noticed and come anew; what somebody holds is left to him."""

import asyncio
from contextlib import suppress

import pytest

from gateway.engines.rabbitmq import check
from gateway.engines.rabbitmq import repairs as repairs_room
from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.insist import BROKEN
from gateway.engines.rabbitmq.management import CheckedOut, Management
from gateway.engines.rabbitmq.queues import connect
from gateway.model.agency import QueueUse
from gateway.ports.agency_queues import Release
from tests.contracts.rabbitmq.test_queues import HOUR
from tests.support.amqp_node import Node, answers, say
from tests.support.stored import POLICE, SCHOOL

pytestmark = pytest.mark.services

SUBMIT, INBOX = f"submit.{POLICE}", f"inbox.{POLICE}"


@pytest.fixture(scope="module")
def counted_often(rabbitmq):
    if rabbitmq.broker is None:
        pytest.skip("the broker is not ours to break")
    rabbitmq.count_often(0.2)
    yield
    rabbitmq.count_often(5)


@pytest.fixture
async def node(rabbitmq, vhost, counted_often, monkeypatch):
    monkeypatch.setattr(repairs_room, "COUNT_AGAIN_SECONDS", 0.3)
    async with Node(rabbitmq.settings(vhost, concurrency=20)) as made:
        yield made


@pytest.fixture
async def channel(rabbitmq, vhost, node):
    async with await connect(addresses(rabbitmq.settings(vhost))[0], 5.0) as connection:
        yield await connection.channel()


async def signalled(node, *wanted):
    async with asyncio.timeout(60):
        while wanted not in node.signals:
            await node.signals_grew.wait()
            node.signals_grew.clear()


async def test_what_its_reader_never_got_is_handed_over_anew_to_the_next(rabbitmq, vhost, node, channel):
    await rabbitmq.strand(vhost, SUBMIT, reader_is_gone=False)
    await say(channel, b"one", b"two")
    await signalled(node, "queue-stranded", SUBMIT, 2)
    assert {body for body, *_ in await answers(channel, 2)} == {b"one", b"two"}
    assert not any(name == "queue-made-anew" for name, *_ in node.signals), "the mildest means that helps"


async def test_queues_that_keep_handing_over_to_a_reader_who_is_gone_are_made_anew(rabbitmq, vhost, node, channel):
    await rabbitmq.strand(vhost, SUBMIT, INBOX, reader_is_gone=True)
    node.desk.empty.clear()
    await node.queues.put(POLICE, Release(b"sealed", "d1.1", "l1"), HOUR)
    await say(channel, b"one")
    await signalled(node, "office-disconnected", POLICE)
    await signalled(node, "queue-made-anew", INBOX)
    await signalled(node, "queue-made-anew", SUBMIT)
    async with asyncio.timeout(60):
        while POLICE not in node.desk.empty:  # told, so that the inbox is filled again
            await node.queues.ring(SCHOOL)
        while b"again" not in node.desk.began:  # as a client does that has no answer, and lost its connection over it
            with suppress(*BROKEN):
                async with await connect(addresses(rabbitmq.settings(vhost))[0], 5.0) as another:
                    await say(await another.channel(), b"again")


async def test_what_is_in_work_or_held_by_an_office_is_not_stranded_however_long(
    rabbitmq, vhost, node, channel, monkeypatch
):
    settings = rabbitmq.settings(vhost)
    management = Management(settings.management, addresses(settings)[0])
    await say(channel, *(b"slow-%d" % n for n in range(3)))
    await node.desk.has_begun(3)
    await node.queues.put(POLICE, Release(b"sealed", "d1.1", "l1"), HOUR)
    held = await (await channel.get_queue(INBOX, ensure=False)).get(timeout=60)
    both = {SUBMIT: CheckedOut(3, 3), INBOX: CheckedOut(1, 0)}
    async with asyncio.timeout(60):
        while await management.checked_out({SUBMIT, INBOX}) != both:  # what the test takes is in no office's hands
            pass
    monkeypatch.setattr(check, "BETWEEN_LOOKS_SECONDS", 0.1)
    told = {what: state for what, state, _ in await check.check_broker(settings, {POLICE: QueueUse.RELEASES})}
    assert told[f"{INBOX}: 1 messages handed over, and nobody has them"] == "warning"
    assert not any(SUBMIT in what for what in told)
    await signalled(node, "queue-stranded", INBOX, 1)
    assert not any(queue == SUBMIT for _, queue, *_ in node.signals)
    node.desk.let_go.set()
    assert len(await answers(channel, 3)) == 3
    await held.ack()

"""Two nodes on one database and one broker: each message is answered, each release comes, whoever does it."""

import asyncio

import pytest

from gateway.model.agency import OfficeState, QueueUse
from gateway.model.identifiers import parse_office_id
from tests.scenarios.test_two_nodes import second_node
from tests.scenarios.test_webhooks import report
from tests.support.amqp_office import AmqpOffice, encryption_pair
from tests.support.amqp_town import POLICE, SENDER, use_queue
from tests.support.town import town

pytestmark = [pytest.mark.slow, pytest.mark.services]


async def test_two_nodes_share_the_queues_and_either_cuts_an_office_off(tmp_path, postgres, rabbitmq, vhost):
    if not rabbitmq.gateway_port:
        pytest.skip("the named broker asks another gateway who may do what")
    url, (key, jwk) = await postgres.make_database(), encryption_pair()
    settings = rabbitmq.settings(vhost)
    async with (
        town(tmp_path, postgres=url, rabbitmq=settings, port=rabbitmq.gateway_port) as first,
        second_node(first, tmp_path) as pair,
    ):
        await use_queue(first, rabbitmq, vhost, SENDER, QueueUse.DOORBELLS)
        await use_queue(first, rabbitmq, vhost, POLICE, QueueUse.RELEASES, jwk)
        async with (
            AmqpOffice(rabbitmq, vhost, first.clients[SENDER]) as hospital,
            AmqpOffice(rabbitmq, vhost, first.clients[POLICE], key) as police,
        ):
            await police.read_inbox()
            answers = await asyncio.gather(*(hospital.submit(report(number)) for number in range(12)))
            assert {answer.headers["status"] for answer in answers} == {"202"}
            acknowledged = set()
            while len(acknowledged) < 12:  # one that was taken back while its queue was made comes again, under its id
                message = await police.next()
                item = police.open(message)
                if (await police.acknowledge(item)).headers["status"] == "200":
                    assert item["delivery"] not in acknowledged
                    acknowledged.add(item["delivery"])
                await message.ack()
            closed = asyncio.get_running_loop().create_future()
            police.connection.close_callbacks.add(lambda *_: closed.done() or closed.set_result(True))
            office = parse_office_id(POLICE)
            await pair.gateway.services.enrol.set_state(office, OfficeState.SUSPENDED, reason="test", by="test")
            assert await asyncio.wait_for(closed, 60), "cut off by the node the operator spoke to"
        assert not first.failures()
    await postgres.drop_database(url)

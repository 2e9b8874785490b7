"""A town whose gateway has a message broker, and a look into its queues."""

import asyncio
import json
from contextlib import asynccontextmanager

import aio_pika
import pytest

from gateway.engines.rabbitmq.topology import queues_of
from gateway.model.identifiers import parse_office_id
from gateway.ports.log_storage import LogQuery
from tests.support.town import town

SENDER, POLICE = "health.440113", "police.440113"


@asynccontextmanager
async def opened(folder, rabbitmq, vhost, **limits):
    if not rabbitmq.gateway_port:
        pytest.skip("the named broker asks another gateway who may do what")
    settings = rabbitmq.settings(vhost, **limits)
    async with town(folder, rabbitmq=settings, port=rabbitmq.gateway_port, first_backoff_seconds=0.1) as whole:
        yield whole


async def use_queue(whole, broker, vhost, office, use, *keys):
    """Change the office's entry, as an operator does, and wait until its queues are there."""
    enrol = whole.gateway.services.enrol
    known = enrol.office(parse_office_id(office))
    given = {"queue": use, "keys": (*known.keys, *(enrol.key(jwk, "enc") for jwk in keys))}
    await enrol.change(known.id, given, by="test")
    wanted = {spec.name: dict(spec.arguments) for spec in queues_of(known.id, use, whole.gateway.settings.rabbitmq)}
    async with asyncio.timeout(60):
        while not wanted.items() <= (await queues_at(broker, vhost)).items():
            whole.gateway.engines.doorbell.ring([known.id])


async def queues_at(broker, vhost):
    return {one["name"]: one.get("arguments") for one in await broker.ask("GET", f"queues/{vhost}")}


async def events(whole, name, **where):
    """The fields of the newest such events, oldest first."""
    found = await whole.gateway.engines.store.log.search(LogQuery(event=name, **where), None, 200)
    return [json.loads(one.opening)["envelope"]["fields"] for one in reversed(list(found))]


async def waiting_in(broker, vhost, queue, count):
    """What the queue holds, once it holds exactly so many messages. Looked at once alone: a look counts as a hand-over."""
    connection = await aio_pika.connect(broker.url(vhost, secret=True))
    async with asyncio.timeout(60), connection, connection.channel() as channel:
        while (await channel.declare_queue(queue, passive=True)).declaration_result.message_count != count:
            pass
    look = {"count": 200, "ackmode": "ack_requeue_true", "encoding": "auto"}
    return await broker.ask("POST", f"queues/{vhost}/{queue}/get", look)


async def deliveries_in(office, messages):
    return {office.open_text(one["payload"])["delivery"] for one in messages}

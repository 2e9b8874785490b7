"""Where there is no broker no office has queues: what would need one is refused, what undoes is done already.

The suite of the agencies' queues is RabbitMQ's alone (`tests/contracts/rabbitmq/test_queues.py`): an embedded gateway
speaks no AMQP, so offices cannot be enrolled for it.
"""

import asyncio
from datetime import timedelta

import pytest

from gateway.engines.embedded_broker.no_queues import NoQueues
from gateway.model.agency import QueueUse
from gateway.model.errors import Unavailable
from gateway.ports.agency_queues import Release
from tests.support.stored import POLICE


async def test_an_office_with_queues_is_refused_and_none_is_served():
    queues = NoQueues()
    await queues.serve({})
    with pytest.raises(Unavailable):
        await queues.serve({POLICE: QueueUse.DOORBELLS})
    assert not queues.is_up


async def test_nothing_is_put_and_nothing_waits():
    queues = NoQueues()
    with pytest.raises(Unavailable):
        await queues.put(POLICE, Release(b"", "d.1", "lease"), timedelta(hours=1))
    with pytest.raises(Unavailable):
        await queues.ring(POLICE)
    await queues.purge(POLICE)
    assert await queues.disconnect(POLICE) == 0


async def test_it_serves_until_it_is_cancelled():
    running = asyncio.create_task(NoQueues().run(None))
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

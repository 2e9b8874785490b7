"""The doorbell within one process."""

import asyncio
from datetime import timedelta

import pytest

from gateway.engines.embedded_broker.doorbell import EmbeddedDoorbell
from tests.contracts.doorbell_suite import LATE, DoorbellSuite, settle
from tests.support.stored import POLICE, SCHOOL


@pytest.fixture
def bell():
    return EmbeddedDoorbell()


class TestEmbeddedDoorbell(DoorbellSuite):
    pass


async def test_no_waiter_is_left_behind(bell):
    waiting = [asyncio.create_task(bell.wait(office, LATE)) for office in (POLICE, SCHOOL, None) for _ in range(100)]
    await settle()
    assert bell.waiting == 300
    for task in waiting[:50]:
        task.cancel()
    bell.ring([POLICE])
    await asyncio.gather(*waiting[:100], return_exceptions=True)
    await asyncio.gather(*(bell.wait(SCHOOL, timedelta(milliseconds=1)) for _ in range(10)))
    for task in waiting[100:]:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert bell.waiting == 0
    assert bell._waiters == {}

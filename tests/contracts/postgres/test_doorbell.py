"""The doorbell of a cluster without a message broker does what every doorbell must, and wakes who waits on another node."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from gateway.engines.postgres.doorbell import PostgresDoorbell
from gateway.model.identifiers import OfficeId
from tests.contracts.doorbell_suite import DoorbellSuite
from tests.support.stored import POLICE, SCHOOL

pytestmark = pytest.mark.services

SOON, LATE = timedelta(milliseconds=20), timedelta(seconds=60)


@asynccontextmanager
async def node(database):
    """One node's bell, which hears the others when this is entered."""
    bell = PostgresDoorbell(database)
    hearing = asyncio.create_task(bell.wait(None, LATE))
    running = asyncio.create_task(bell.run())
    try:
        assert await hearing is True, "who waits is woken when the node begins to hear"
        yield bell
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def bell(database):
    async with node(database) as made:
        yield made


class TestPostgresDoorbell(DoorbellSuite):
    async def test_a_ring_wakes_who_waits_on_another_node_and_nobody_else(self, bell, database):
        async with node(database) as other:
            bell.ring([POLICE])
            assert await other.wait(POLICE, LATE) is True
            assert await other.wait(None, LATE) is True
            assert await other.wait(SCHOOL, SOON) is False

    async def test_a_ring_of_ones_own_does_not_come_back_from_the_database(self, bell, database):
        async with node(database) as other:
            bell.ring([POLICE])
            assert await bell.wait(POLICE, LATE) is True
            assert await other.wait(POLICE, LATE) is True
            other.ring([SCHOOL])
            assert await bell.wait(SCHOOL, LATE) is True
            assert await bell.wait(POLICE, SOON) is False

    async def test_more_offices_than_one_notification_takes_are_all_woken(self, bell, database):
        offices = [OfficeId(f"police.999999.{number:04}") for number in range(1000)]
        async with node(database) as other:
            bell.ring(offices)
            assert await asyncio.gather(*(other.wait(office, LATE) for office in offices)) == [True] * len(offices)

"""Nobody is left waiting for an answer of the database, whatever goes wrong."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.engines.postgres import crossing, readers
from gateway.engines.postgres.connection import SESSION
from gateway.engines.postgres.store import QUERIES, PostgresStore

pytestmark = pytest.mark.services


async def test_plain_code_waits_for_what_is_asynchronous_and_gets_its_errors():
    async def value(given):
        await asyncio.sleep(0)
        if given < 0:
            raise KeyError(given)
        return given

    def work():
        total = crossing.wait(value(1)) + crossing.wait(value(2))
        with pytest.raises(KeyError):
            crossing.wait(value(-1))
        return total

    assert await crossing.run(work) == 3
    with pytest.raises(KeyError):
        await crossing.run(lambda: crossing.wait(value(-2)))
    with pytest.raises(RuntimeError):
        crossing.wait(asyncio.get_running_loop().create_future())


async def test_a_question_that_meets_an_error_nobody_foresaw_is_not_left_waiting(database, clock, monkeypatch):
    store = await PostgresStore.open(database, clock)

    async def connect(url, **_):
        raise RuntimeError("the transport is closed")

    monkeypatch.setattr(readers, "connect", connect)
    async with asyncio.timeout(60):
        with pytest.raises(RuntimeError):
            await store.log.latest_checkpoint()
    await store.close()


async def test_a_question_goes_on_where_its_process_stands_still_for_longer_than_a_write_may(database, monkeypatch):
    """A starved machine: `hutong log verify` ended with "out of reach" while the store was sound."""
    monkeypatch.setitem(SESSION, "idle_in_transaction_session_timeout", "50ms")
    asking = readers.Readers(database, QUERIES)

    def stalled(sql):
        before = sql.all("leaf_entries", (0, 1))
        time.sleep(0.2)  # the loop itself stands still: what is tested
        return before, sql.all("leaf_entries", (0, 1))

    before, after = await asking.ask(stalled)
    assert before == after
    await asking.close()

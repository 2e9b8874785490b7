"""Nodes give what was logged its place without ever forking the log, and nothing in the database rewrites it unseen."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from gateway.engines.postgres.sequencer import Sequencer
from gateway.engines.postgres.store import QUERIES, PostgresStore
from gateway.engines.sql.values import blob_of
from gateway.model.errors import Tampered, Unavailable
from gateway.ports.log_storage import LogQuery
from tests.contracts.storage.log_suite import verified_size
from tests.support.stored import SCHOOL

pytestmark = pytest.mark.services


async def test_what_a_node_left_in_the_outbox_another_gives_its_place(store, other, units, database):
    writer = await PostgresStore.open(database, units.clock, readers=1)
    writer._sequencing.cancel()  # this node commits and never integrates
    await writer.notices.accept(units.acceptance(units.delivery(), records=(units.record(), units.record())))
    await writer.close()
    assert await verified_size(store) == 2


async def test_sequencers_without_any_lock_never_fork_the_log(store, units, database):
    """The head's compare-and-set alone decides: five sequencers that believe to be alone, under load."""
    rivals = [Sequencer(database, QUERIES, takes_lock=False) for _ in range(5)]
    done = asyncio.Event()

    async def rival(one):
        while not done.is_set():
            try:
                await one.settle()
            except Unavailable:
                continue  # overtaken too often: nothing was written

    async def load():
        for _ in range(12):
            await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery(SCHOOL))) for _ in range(8)))
        done.set()

    await asyncio.gather(load(), *(rival(one) for one in rivals))
    assert sum(one.batches for one in rivals) > 0
    assert await verified_size(store) == 96
    for one in rivals:
        await one.close()


async def test_a_sequencer_that_was_overtaken_goes_on_from_the_new_head(store, other, units):
    for round_ in range(6):
        node = (store, other)[round_ % 2]
        await node.log.append([units.record() for _ in range(200)])
    assert await verified_size(store) == 1200
    assert await store.log.head() == await other.log.head()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE log_leaf SET entry = ''", "DELETE FROM log_leaf", "TRUNCATE log_leaf", "DELETE FROM log_checkpoint"],
)
async def test_the_database_itself_refuses_to_change_what_was_logged(store, units, database, statement):
    await store.log.append([units.record()])
    connection = await asyncpg.connect(database)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never"):
        await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM log_leaf WHERE place = 9",
        "UPDATE log_leaf SET entry = '\\x00' WHERE place = 9",
        "UPDATE log_head SET size = 9",
        "UPDATE log_head SET root = '\\x00'",
        "DELETE FROM log_head",
    ],
)
async def test_a_log_that_does_not_fit_its_head_is_not_opened(store, units, clock, database, change):
    await store.log.append([units.record() for _ in range(10)])
    connection = await asyncpg.connect(database)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(change)
    await connection.close()
    with pytest.raises(Tampered):
        await PostgresStore.open(database, clock)


async def test_an_older_node_gives_its_place_to_an_event_that_only_newer_code_knows(store, units, database):
    """In a rolling upgrade any node may be the one that integrates."""
    record = units.record()
    assert record.name == "notice_checked"
    prepared = record.dump().replace(b"notice_checked", b"notice_weighed")
    event, newer = blob_of(record.event_id), await asyncpg.connect(database)
    await newer.execute("INSERT INTO log_event (event) VALUES ($1)", event)
    await newer.execute(
        "INSERT INTO log_outbox (event, name, at, prepared) VALUES ($1, $2, 0, $3)", event, "notice_weighed", prepared
    )
    await newer.close()
    assert (await store.log.head()).size == 1
    assert [one.name for one in await store.log.search(LogQuery(), None, 9)] == ["notice_weighed"]

"""Whoever can write to the database could cut the private index of a person's chain; the log itself tells."""

import sqlite3
from contextlib import closing

import pytest

from gateway.audit.record import prepare
from gateway.engines.sqlite.migrate import STORE_FILE
from gateway.engines.sqlite.store import SqliteStore
from gateway.model.audit import EventName, LogEvent, Slot
from gateway.services.verify_chain import VerifiedChain, verify_chain
from tests.contracts.storage.log_suite import SECRET
from tests.support.stored import key_of


@pytest.fixture
async def child(store, units):
    """The keyed name of a child of five records, with records about nobody between them."""
    child, name = units.ids.person(), EventName.NOTICE_WITHDRAWN
    for turn in range(5):
        await store.log.append([units.record(name, persons=(child,), notice=units.ids.notice())])
        await store.log.append([units.record() for _ in range(turn)])
    return key_of(child)


async def test_a_chain_that_lost_nothing_is_whole(store, child):
    size = (await store.log.head()).size
    assert await verify_chain(store.log, child, SECRET) == VerifiedChain(size, 5)
    assert await verify_chain(store.log, b"x" * 32, b"another" * 5) == VerifiedChain(size, 0)


@pytest.mark.parametrize(
    ("change", "bad"),
    [
        ("DELETE FROM log_subject WHERE chain = 5", 10),
        ("DELETE FROM log_subject WHERE chain >= 2", 1),
        ("DELETE FROM log_subject", 0),
        ("UPDATE log_subject SET place = 2 WHERE chain = 3", 2),
        ("INSERT INTO log_subject SELECT subject, 6, 12 FROM log_subject WHERE chain = 5", 12),
    ],
)
async def test_an_index_that_was_cut_or_changed_is_found_at_its_leaf(store, child, tmp_path, change, bad):
    with closing(sqlite3.connect(tmp_path / "store" / STORE_FILE, isolation_level=None)) as insider:
        insider.execute(change)
    found = await verify_chain(store.log, child, SECRET)
    assert (found.is_whole, found.first_bad, found.reason) == (False, bad, "index-differs")


async def test_a_record_after_a_cut_does_not_hide_it(store, units, clock, child, tmp_path):
    """After a start the chain goes on from what the index says: then two records have one number."""
    with closing(sqlite3.connect(tmp_path / "store" / STORE_FILE, isolation_level=None)) as insider:
        insider.execute("DELETE FROM log_subject WHERE chain = 5")
    await store.close()
    again = SqliteStore.open(tmp_path / "store", clock, cache_mib=8)
    try:
        name, one = EventName.NOTICE_WITHDRAWN, Slot({"person": units.ids.person()}, SECRET, child.hex())
        values = {"actor": "gateway", "notice": units.ids.notice()}
        await again.log.append([prepare(LogEvent(units.ids.event(), name, clock.now(), values, b"e" * 32, (one,)))])
        found = await verify_chain(again.log, child, SECRET)
        assert (found.records, found.first_bad, found.reason) == (6, 15, "chain-broken")
    finally:
        await again.close()

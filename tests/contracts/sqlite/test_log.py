"""The tables of the embedded store's exchange log: what changed them is refused, or found when it is opened."""

import sqlite3

import pytest

from gateway.audit.opening import read_opening
from gateway.engines.sqlite.migrate import STORE_FILE
from gateway.engines.sqlite.store import SqliteStore
from gateway.model.errors import Tampered
from tests.contracts.storage.log_suite import verified_size


@pytest.mark.parametrize("table", ["log_leaf", "log_tile", "log_checkpoint"])
async def test_the_database_itself_refuses_to_change_what_was_logged(store, units, clock, tmp_path, table):
    await store.log.append([units.record() for _ in range(256)])
    await store.log.put_checkpoint(256, b"r" * 32, b"note", clock.now())
    await store.close()
    connection = sqlite3.connect(tmp_path / "store" / STORE_FILE)
    column = {"log_leaf": "entry", "log_tile": "data", "log_checkpoint": "note"}[table]
    for statement in (f"UPDATE {table} SET {column} = x'00'", f"DELETE FROM {table}"):
        with pytest.raises(sqlite3.IntegrityError, match=r"never|removed"):
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM log_leaf WHERE place = 9",
        "UPDATE log_leaf SET entry = zeroblob(58) WHERE place = 9",
        "UPDATE log_head SET size = 9",
        "UPDATE log_head SET root = zeroblob(32)",
        "DELETE FROM log_head",
    ],
)
async def test_a_log_that_does_not_fit_its_head_is_not_opened(store, units, clock, tmp_path, change):
    await store.log.append([units.record() for _ in range(10)])
    await store.close()
    connection = sqlite3.connect(tmp_path / "store" / STORE_FILE, isolation_level=None)
    for trigger in ("log_leaf_stays", "log_leaf_remains"):
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(change)
    connection.close()
    with pytest.raises(Tampered):
        SqliteStore.open(tmp_path / "store", clock)


async def test_the_log_goes_on_where_it_ended(store, units, clock, tmp_path):
    for size in (255, 1, 1, 300):
        await store.log.append([units.record() for _ in range(size)])
        head = await store.log.head()
        await store.close()
        store = SqliteStore.open(tmp_path / "store", clock)
        assert await store.log.head() == head
    assert await verified_size(store) == 557
    await store.close()


async def test_an_opening_changed_in_the_file_is_handed_out_as_what_it_is(store, units, clock, tmp_path):
    await store.log.append([units.record() for _ in range(2)])
    await store.close()
    connection = sqlite3.connect(tmp_path / "store" / STORE_FILE, isolation_level=None)
    connection.execute("UPDATE log_record SET opening = x'ff00' WHERE place = 1")
    connection.close()
    store = SqliteStore.open(tmp_path / "store", clock)
    assert (await store.log.record_at(1)).opening == b"\xff\x00"
    read_opening((await store.log.record_at(0)).opening)
    await store.close()

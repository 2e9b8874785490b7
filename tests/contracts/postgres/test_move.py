"""An embedded store moves into a database with everything it knows, and is never opened again."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.assembly_move import move
from gateway.cli.move import _point_to
from gateway.config import Settings, load_settings
from gateway.engines.postgres.store import PostgresStore
from gateway.engines.sqlite.migrate import STORE_FILE
from gateway.engines.sqlite.store import SqliteStore
from gateway.model.delivery import DeliveryState
from gateway.model.errors import InvalidDocument, Tampered, Unavailable
from gateway.ports.log_storage import LogQuery
from gateway.ports.person_storage import PairState, PersonPair
from gateway.ports.storage import Accepted, Replayed
from tests.contracts.storage.log_suite import verified_size
from tests.contracts.storage.steps import change
from tests.support.stored import POLICE, SCHOOL, WELFARE, SetClock, Units, alias_of, key_of

pytestmark = pytest.mark.services
S = DeliveryState
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def empty(postgres):
    url = await postgres.make_database()
    yield url
    await postgres.drop_database(url)


@pytest.fixture
async def embedded(tmp_path):
    """A store with something of every kind, closed; and what was put there."""
    clock = SetClock()
    SqliteStore.create(tmp_path / "store")
    store = SqliteStore.open(tmp_path / "store", clock, cache_mib=8)
    units = Units(clock, store.delivery_ids)
    child = replace(units.person("p1", alias_of("child")), likenesses=(b"l" * 16,))
    unit = units.acceptance(
        units.delivery(lane=b"l" * 16), units.delivery(SCHOOL), persons=(child,), records=(units.record(),)
    )
    await store.notices.accept(unit)
    twin = replace(units.person("p1"), likenesses=(b"l" * 16,))
    await store.notices.accept(units.acceptance(units.delivery(lane=b"l" * 16), persons=(twin,)))
    first, second = sorted((child.person, twin.person))
    await store.persons.put_pair(
        PersonPair(first, second, PairState.ASKED, "li", "", "same-child", clock.now()), [], instead_of=None
    )
    (parked,) = await store.deliveries.lease_due(SCHOOL, clock.now(), MINUTE, 1)
    await store.deliveries.conclude(units.conclusion(parked, S.DEAD_LETTER, reason="gave-up"))
    for what in ("policy", "consent", "directory"):
        await change(store, units, what)
    await store.log.append([units.record() for _ in range(600)])
    await store.log.put_checkpoint(300, b"r" * 32, b"note", clock.now())
    assert await store.log.search(LogQuery(event="notice_checked"), None, 5)
    head, epochs = await store.log.head(), await store.directory.epochs()
    await store.close()
    return tmp_path / "store", clock, unit, head, epochs, child


async def test_everything_is_there_and_goes_on(embedded, empty):
    folder, clock, unit, head, epochs, child = embedded
    moved = await move(Settings(directory=folder), empty, "")
    assert (moved.records, moved.root) == (head.size, head.root)
    assert moved.rows > 1000

    store = await PostgresStore.open(empty, clock, readers=2)
    units = Units(clock, store.delivery_ids)
    try:
        assert await verified_size(store) == head.size
        assert await store.directory.epochs() == epochs
        assert (await store.notices.load(unit.notice)).segments == unit.segments
        assert await store.notices.accept(unit) == Replayed(unit.receipt)
        assert set(await store.notices.find_persons([alias_of("child")])) == {alias_of("child")}
        (alike,), (pair,) = await store.persons.alike(b"", 9), await store.persons.pairs()
        assert alike.persons == (pair.first, pair.second)
        assert [one.state for one in await store.deliveries.changes(WELFARE, 0, 9)] == [S.DEAD_LETTER]
        assert len(await store.log.search(LogQuery(event="notice_checked"), None, 1000)) >= 600
        (first,) = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 5)
        assert first.id == unit.deliveries[0].id
        await store.deliveries.conclude(units.conclusion(first, S.ACKNOWLEDGED))
        assert len(await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 5)) == 1
        assert isinstance(await store.notices.accept(units.acceptance(units.delivery())), Accepted)
        record = units.record(persons=())
        await store.log.append([record])
        assert await verified_size(store) == head.size + 3
        assert await store.log.places_of(key_of(child.person)) == []
    finally:
        await store.close()
    with pytest.raises(Unavailable, match="no store"):
        SqliteStore.open(folder, clock)


async def test_a_log_that_does_not_verify_is_not_moved(embedded, empty):
    folder, clock, *_ = embedded
    connection = sqlite3.connect(folder / STORE_FILE, isolation_level=None)
    connection.execute("UPDATE log_record SET opening = x'00' WHERE place = 17")
    connection.close()
    with pytest.raises(Tampered, match="does not verify"):
        await move(Settings(directory=folder), empty, "")
    await SqliteStore.open(folder, clock).close()


async def test_nothing_is_moved_over_another_store_or_while_the_gateway_runs(embedded, empty, database):
    folder, clock, *_ = embedded
    with pytest.raises(InvalidDocument, match="not empty"):
        await move(Settings(directory=folder), database, "")
    running = SqliteStore.open(folder, clock)
    with pytest.raises(Unavailable, match="another process"):
        await move(Settings(directory=folder), empty, "")
    await running.close()
    shutil.copytree(folder, folder.with_name("copy"))
    await SqliteStore.open(folder.with_name("copy"), clock).close()


def test_the_settings_name_the_new_store_afterwards(tmp_path):
    file = tmp_path / "hutong.toml"
    file.write_text('name = "g.example"\ndirectory = "data"  # here\n\n[server]\nport = 8441\n')
    before = load_settings(file).objects
    _point_to(file, "postgresql://hutong@db/hutong", before)
    settings = load_settings(file)
    assert settings.objects.resolve() == before.resolve(), "the documents are where they were"
    assert (settings.is_clustered, settings.postgres.address) == (True, "postgresql://hutong@db/hutong")
    assert (settings.name, settings.server.port) == ("g.example", 8441)

"""A clustered store is made on request, of a shape this code knows, and its questions read no table as a whole."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta

import asyncpg
import pytest

from gateway.engines.migrations import Step
from gateway.engines.postgres import migrate, statements
from gateway.engines.postgres.inspect import inspect_database
from gateway.engines.postgres.store import QUERIES, PostgresStore
from gateway.engines.sqlite.migrate import STORE_FILE
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.model.errors import InvalidDocument, Unavailable
from tests.support.plans import plans

pytestmark = pytest.mark.services
MINUTE = timedelta(minutes=1)
AFTER = "-- What only older code used.\nALTER TABLE notice_end RENAME reason TO why;"


async def test_a_store_is_never_made_by_accident_or_over_another(fresh, database, clock):
    with pytest.raises(Unavailable, match="no store"):
        await PostgresStore.open(fresh, clock)
    with pytest.raises(Unavailable, match="no store"):
        await PostgresStore.migrate(fresh)
    with pytest.raises(InvalidDocument, match="not empty"):
        await PostgresStore.create(database)


async def test_a_server_that_is_away_is_unavailable(clock):
    with pytest.raises(Unavailable) as away:
        await PostgresStore.open("postgresql://hutong:secret@127.0.0.1:1/none", clock)
    assert "secret" not in str(away.value)


async def test_every_query_is_one_this_server_understands(database):
    connection = await asyncpg.connect(database)
    for name, query in QUERIES.items():
        try:
            await connection.prepare(query.text)
        except asyncpg.PostgresError as wrong:
            raise AssertionError(f"{name}: {wrong}") from wrong
    assert len(QUERIES) > 130
    await connection.close()


async def test_no_query_reads_a_table_as_a_whole_that_grows(database):
    """On an empty store, where the server would think that cheapest, as on one whose statistics are old."""
    whole = {
        name for name, reads in (await plans(database)).items() if any(one.endswith("as a whole") for one in reads)
    }
    of_one_row = {"epochs", "epochs_and_numbers", "set_epochs", "indexed_until", "log_head"}
    assert whole <= of_one_row | {"forget_words", "pairs"}, "the index is thrown away; every pair is wanted"


async def test_no_query_reads_the_whole_of_an_index_that_grows(postgres):
    """Which a server does to join what is asked for with all there is, as long as it believes that to be little. On a store
    that nobody has counted yet: one that was counted while it was empty has nothing to choose by."""
    url = await postgres.make_database()
    await PostgresStore.create(url)
    found = await plans(url)
    await postgres.drop_database(url)
    whole = {name for name, reads in found.items() if any(one.startswith("all of") for one in reads)}
    of_staff = {"offices", "policy_lives", "staff_roles", "pairs_mark", "standing_holds"}
    of_open_files = {"file_to_forget", "drop_orphan_pieces", "files_naming_done", "forget_when_done"}
    of_operators = {"waiting_due", "waiting_held", "waiting_parked"}  # what waits, counted for every office
    of_wrong_clocks = {"bring_forward"}  # of what is open, once a clock that stood ahead went back
    assert whole <= of_staff | of_open_files | of_operators | of_wrong_clocks, (
        "what is wanted as a whole, or is never long"
    )


async def test_twenty_notices_go_to_the_server_in_five_journeys_between_begin_and_commit(store, units, monkeypatch):
    """On a node that is busy each of them waits for a turn of the event loop: they are what a group's commit takes."""
    made, real = [], statements.wait
    monkeypatch.setattr(statements, "wait", lambda awaited: made.append(awaited.__name__) or real(awaited))
    await asyncio.gather(*(store.notices.accept(units.acceptance()) for _ in range(20)))
    assert made == ["_run", "_run", "_together", "_insert_all", "_insert_all"]


_SHAPE = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'public' ORDER BY 1, 2
"""
_PARTS = """
SELECT 'index', indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text || ' ' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text || ' ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'sequence', sequencename::text, increment_by::text FROM pg_sequences ORDER BY 1, 2
"""


async def shape_of(url):
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for query in (_SHAPE, _PARTS) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_a_store_that_was_migrated_step_by_step_is_like_a_fresh_one(fresh, database):
    """The schema diff: from the oldest shape there is, one half after the other."""
    connection = await asyncpg.connect(fresh)
    await connection.execute(
        "CREATE TABLE store_shape (one bigint PRIMARY KEY CHECK (one = 1), version bigint NOT NULL)"
    )
    await connection.execute("INSERT INTO store_shape VALUES (1, 0)")
    await connection.close()
    last = len(migrate.steps())
    assert await PostgresStore.migrate(fresh, only_before=True) == last - 1
    assert await PostgresStore.migrate(fresh) == last
    assert await PostgresStore.migrate(fresh) == last
    assert await shape_of(fresh) == await shape_of(database)
    assert len(await shape_of(database)) > 150


async def test_migrations_come_in_pairs_with_increasing_numbers():
    assert [step.version for step in migrate.steps()] == list(range(1, len(migrate.steps()) + 1))
    assert len(migrate.steps()) % 2 == 0


async def test_older_code_works_beside_newer_until_something_is_taken_away(fresh, clock, monkeypatch):
    await PostgresStore.create(fresh)
    known = migrate.steps()
    newer = (
        *known,
        Step(len(known) + 1, "before", "CREATE TABLE later (one bigint);"),
        Step(len(known) + 2, "after", AFTER),
    )
    with monkeypatch.context() as upgrade:
        upgrade.setattr(migrate, "steps", lambda: newer)
        assert await PostgresStore.migrate(fresh, only_before=True) == len(known) + 1
    await (await PostgresStore.open(fresh, clock)).close()
    assert await PostgresStore.migrate(fresh) == len(known) + 1, "older code leaves the shape as it is"
    with monkeypatch.context() as upgrade:
        upgrade.setattr(migrate, "steps", lambda: newer)
        assert await PostgresStore.migrate(fresh) == len(known) + 2
        await (await PostgresStore.open(fresh, clock)).close()
    for attempt in (lambda: PostgresStore.open(fresh, clock), lambda: PostgresStore.migrate(fresh)):
        with pytest.raises(InvalidDocument, match="newer"):
            await attempt()


async def test_both_engines_have_the_same_tables(database, tmp_path):
    """What a migration adds on one engine it adds on the other."""
    SqliteStore.create(tmp_path / "store")
    embedded = sqlite3.connect(tmp_path / "store" / STORE_FILE)
    names = [row[0] for row in embedded.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    theirs = {name: {row[1] for row in embedded.execute(f"PRAGMA table_info({name})")} for name in names}
    embedded.close()
    connection = await asyncpg.connect(database)
    ours: dict[str, set[str]] = {}
    for row in await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    ):
        ours.setdefault(row[0], set()).add(row[1])
    await connection.close()
    of_the_cluster_alone = {"log_event", "log_outbox", "log_indexed", "store_shape"}
    assert {name: columns for name, columns in ours.items() if name not in of_the_cluster_alone} == theirs


async def _setting(database, name):
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetchval("SELECT current_setting($1)", name)
    finally:
        await connection.close()


async def test_the_doctor_finds_what_a_database_lacks(store, units, clock, database):
    here = SystemClock()
    found = {what: (holds, remedy) for what, holds, _, remedy in await inspect_database(database, here, MINUTE)}
    wrong = {what for what, (holds, _) in found.items() if not holds}
    assert any(what.startswith("database: PostgreSQL") for what in found)
    assert "database syncs what it commits" in wrong or await _setting(database, "fsync") == "on"
    assert all(remedy for what, (holds, remedy) in found.items() if not holds)
    levels = [
        level for what, holds, level, _ in await inspect_database(database, clock, MINUTE) if what.startswith("clock")
    ]
    assert levels == ["wrong"], "of a clock that stands months behind"

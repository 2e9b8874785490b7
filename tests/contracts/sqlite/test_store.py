"""A store is made on request, owned by one process, and of a shape this code knows; no question scans it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys

import pytest

from gateway.engines.migrations import Step
from gateway.engines.queries import load
from gateway.engines.sqlite import migrate
from gateway.engines.sqlite.migrate import STORE_FILE, steps
from gateway.engines.sqlite.store import QUERIES, SqliteStore
from gateway.model.errors import InvalidDocument, Unavailable
from tests.support.stored import POLICE, SetClock, Units

# Questions that read everything by intent: small tables, and the index that is thrown away as a whole.
WHOLE = {
    "offices",
    "policy_lives",
    "staff_roles",
    "log_head",
    "epochs",
    "set_epochs",
    "forget_words",
    "pairs",
    "pairs_mark",
    "standing_holds",
}
# What waits, of all offices: each by an index that holds nothing else.
OF_WHAT_WAITS = {
    "waiting_due": "delivery_inbox",
    "waiting_held": "delivery_held",
    "waiting_parked": "delivery_parked_by_recipient",
    "bring_forward": "delivery_inbox",
}
# A sorted handful: one person's consents, or the moves of one notice's deliveries.
SORTED = {"consents_of", "changes_of_notice"}


def test_a_store_is_never_made_by_accident(tmp_path, clock):
    with pytest.raises(Unavailable, match="no store"):
        SqliteStore.open(tmp_path, clock)
    with pytest.raises(Unavailable, match="no store"):
        SqliteStore.migrate(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_store_is_never_made_over_another(store, tmp_path):
    with pytest.raises(InvalidDocument, match="already"):
        SqliteStore.create(tmp_path / "store")


async def test_a_second_owner_is_told_who_the_first_is(store, clock, tmp_path):
    with pytest.raises(Unavailable, match=str(os.getpid())):
        SqliteStore.open(tmp_path / "store", clock)
    with pytest.raises(Unavailable, match="another process"):
        SqliteStore.migrate(tmp_path / "store")
    await store.close()
    await SqliteStore.open(tmp_path / "store", clock).close()


def test_a_second_process_is_told_too(tmp_path, clock):
    SqliteStore.create(tmp_path / "store")
    store = SqliteStore.open(tmp_path / "store", clock)
    script = (
        "import sys; from pathlib import Path; from gateway.engines.sqlite.store import SqliteStore\n"
        "from gateway.engines.system.clock import SystemClock\n"
        "SqliteStore.open(Path(sys.argv[1]), SystemClock())"
    )
    second = subprocess.run([sys.executable, "-c", script, str(tmp_path / "store")], capture_output=True, timeout=60)
    assert second.returncode != 0
    assert b"another process" in second.stderr
    store._close()


async def test_migrating_what_has_the_shape_changes_nothing(store, tmp_path):
    await store.close()
    before = (tmp_path / "store" / STORE_FILE).read_bytes()
    assert SqliteStore.migrate(tmp_path / "store") == len(steps())
    assert SqliteStore.migrate(tmp_path / "store") == len(steps())
    assert (tmp_path / "store" / STORE_FILE).read_bytes()[100:] == before[100:]


async def test_older_code_works_with_the_store_until_something_is_taken_away(store, tmp_path, clock, monkeypatch):
    await store.close()
    folder, known = tmp_path / "store", steps()
    after = "-- What only older code used.\nALTER TABLE notice_end RENAME COLUMN reason TO why;"
    newer = (*known, Step(len(known) + 1, "before", "CREATE TABLE later (one);"), Step(len(known) + 2, "after", after))
    with monkeypatch.context() as upgrade:
        upgrade.setattr(migrate, "steps", lambda: newer)
        assert SqliteStore.migrate(folder, only_before=True) == len(known) + 1
    await SqliteStore.open(folder, clock).close()
    with monkeypatch.context() as upgrade:
        upgrade.setattr(migrate, "steps", lambda: newer)
        assert SqliteStore.migrate(folder) == len(known) + 2
    for attempt in (lambda: SqliteStore.open(folder, clock), lambda: SqliteStore.migrate(folder)):
        with pytest.raises(InvalidDocument, match="newer"):
            attempt()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_a_foreign_file_is_refused(tmp_path, clock, content):
    (tmp_path / STORE_FILE).write_bytes(content)
    with pytest.raises((InvalidDocument, Unavailable)):
        SqliteStore.open(tmp_path, clock)


def test_every_file_is_closed_to_others(tmp_path, clock):
    SqliteStore.create(tmp_path / "store")
    store = SqliteStore.open(tmp_path / "store", clock)
    for file in (*(tmp_path / "store").iterdir(), tmp_path / "store"):
        assert file.stat().st_mode & 0o077 == 0, file.name
    store._close()


def test_migrations_come_in_pairs_with_increasing_numbers():
    assert [step.version for step in steps()] == list(range(1, len(steps()) + 1))
    assert len(steps()) % 2 == 0


def test_a_query_without_a_sentence_or_with_a_taken_name_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "made_up_queries"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "bare.sql").write_text("-- name: bare\nSELECT 1;\n")
    (package / "twice.sql").write_text("-- name: one\n-- One.\nSELECT 1;\n-- name: one\n-- One.\nSELECT 1;\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for file in ("bare.sql", "twice.sql"):
        with pytest.raises(ValueError, match="query"):
            load("made_up_queries", file)


async def test_no_question_scans_a_table_or_sorts_what_it_found(store, units, tmp_path):
    """The plan of every statement, on a store with rows of all kinds and fresh statistics of none."""
    await store.close()
    connection = sqlite3.connect(tmp_path / "store" / STORE_FILE)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    checked = 0
    for name, sql in QUERIES.items():
        for step in plan_of(connection, sql):
            if name not in WHOLE and step.startswith("SCAN"):
                scanned = step.removeprefix("SCAN ").split()[0]
                aliases = {scanned, *(table for table in tables if f"{table} AS {scanned}" in sql)}
                bounded = "ORDER BY" in sql and "LIMIT" in sql  # in the order of the scan: see below
                waits = name in OF_WHAT_WAITS and step.endswith(f" INDEX {OF_WHAT_WAITS[name]}")
                assert bounded or waits or not aliases & set(tables), f"{name}: {step}"
            if name not in SORTED:
                assert "TEMP B-TREE" not in step, f"{name}: {step}"
        checked += 1
    assert checked == len(QUERIES) > 60
    connection.close()


class _Anything(dict):
    def __missing__(self, name: str) -> int:
        return 1


def plan_of(connection: sqlite3.Connection, sql: str) -> list[str]:
    """The steps of a statement, whatever parameters it takes."""
    for values in (_Anything(), *((1,) * count for count in range(1, 20))):
        with contextlib.suppress(sqlite3.ProgrammingError):
            return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    raise AssertionError("no number of parameters fits")


async def test_the_journal_stays_within_its_bound_under_load(tmp_path):
    clock = SetClock()
    SqliteStore.create(tmp_path / "store")
    bound = 1 << 20
    store = SqliteStore.open(tmp_path / "store", clock, wal_limit_bytes=bound, cache_mib=8)
    units = Units(clock, store.delivery_ids)
    store._writer._checkpointer._every_seconds = 0.01
    largest = 0
    for _ in range(600):
        await store.notices.accept(units.acceptance(units.delivery(POLICE), raw=units.segment(size=6000)))
        largest = max(largest, (tmp_path / "store" / f"{STORE_FILE}-wal").stat().st_size)
    await store.close()
    written = (tmp_path / "store" / STORE_FILE).stat().st_size
    assert largest < 8 * bound
    assert written > 3 * bound


async def test_what_is_handed_over_in_one_turn_of_the_loop_shares_a_commit(store):
    units = Units(SetClock())
    before = store._writer.groups
    await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery())) for _ in range(50)))
    assert store._writer.groups == before + 1


async def test_one_question_that_fails_leaves_the_others_of_its_turn_answered(store):
    units = Units(SetClock())
    unit = units.acceptance(units.delivery())
    await store.notices.accept(unit)

    def broken(sql):
        raise LookupError("not this one")

    answers = await asyncio.gather(store._readers.ask(broken), store.notices.load(unit.notice), return_exceptions=True)
    assert isinstance(answers[0], LookupError)
    assert answers[1].id == unit.notice


async def test_what_is_asked_while_the_store_closes_is_answered_unavailable(store):
    asked = asyncio.ensure_future(store.log.entries(0, 1))
    await asyncio.sleep(0)
    store._readers.close()
    with pytest.raises(Unavailable):
        await asked

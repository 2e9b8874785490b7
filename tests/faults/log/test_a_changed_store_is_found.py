"""Somebody with the database file changes it, one class of bytes after the other: every change is found, and the place named."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.findings import Unreadable, Wrong
from gateway.audit.packed import envelope_of
from gateway.model.errors import Tampered
from gateway.services.prove import Prover
from gateway.services.verify_log import verify_log
from tests.faults.log.signing import PERSON, create, log, open_store, publisher_of

RECORDS = 700  # two full tiles and a rest
Change = Callable[[sqlite3.Connection, random.Random], int | None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import asyncio

    folder = tmp_path_factory.mktemp("sound") / "g"
    create(folder)

    async def fill() -> None:
        store = open_store(folder)
        publisher, rng = publisher_of(store, folder), random.Random(11)
        await publisher.open()
        for _ in range(7):
            await log(store, rng, RECORDS // 7)
            await publisher.publish()
        await store.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "g"
    shutil.copytree(sound, copy)
    yield copy


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def changed(connection: sqlite3.Connection, table: str, column: str, where: str, at: Callable[[bytes], int]) -> None:
    [(data,)] = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchall()
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (flip(data, at(data)),))


def _place(rng: random.Random) -> int:
    return rng.randrange(RECORDS)


def leaf(connection: sqlite3.Connection, rng: random.Random) -> int:
    place = _place(rng)
    changed(connection, "log_leaf", "entry", f"place = {place}", lambda data: rng.randrange(len(data)))
    return place


def secret(connection: sqlite3.Connection, rng: random.Random) -> int:
    place = _place(rng)
    changed(connection, "log_record", "opening", f"place = {place}", lambda data: 1 + rng.randrange(32))
    return place


def envelope(connection: sqlite3.Connection, rng: random.Random) -> int:
    place = _place(rng)

    def inside(data: bytes) -> int:
        start = data.index(envelope_of(data))
        return start + rng.randrange(len(envelope_of(data)))

    changed(connection, "log_record", "opening", f"place = {place}", inside)
    return place


def slot_root(connection: sqlite3.Connection, rng: random.Random) -> int:
    place = _place_with_slot(connection, rng)

    def inside(data: bytes) -> int:
        return data.index(envelope_of(data)) + len(envelope_of(data)) + 1 + rng.randrange(32)

    changed(connection, "log_record", "opening", f"place = {place}", inside)
    return place


def _place_with_slot(connection: sqlite3.Connection, rng: random.Random) -> int:
    places = connection.execute("SELECT place FROM log_subject").fetchall()
    return int(rng.choice(places)[0])


def swapped_records(connection: sqlite3.Connection, rng: random.Random) -> int:
    one, two = sorted(rng.sample(range(RECORDS), 2))
    first, second = (
        connection.execute("SELECT opening FROM log_record WHERE place = ?", (n,)).fetchone() for n in (one, two)
    )
    connection.execute("UPDATE log_record SET opening = ? WHERE place = ?", (second[0], one))
    connection.execute("UPDATE log_record SET opening = ? WHERE place = ?", (first[0], two))
    return one


def dropped_record(connection: sqlite3.Connection, rng: random.Random) -> int:
    place = _place(rng)
    connection.execute("DELETE FROM log_record WHERE place = ?", (place,))
    return place


def dropped_leaf(connection: sqlite3.Connection, rng: random.Random) -> int:
    place = rng.randrange(RECORDS - 300)
    connection.execute("DELETE FROM log_leaf WHERE place = ?", (place,))
    return place


def swapped_leaves(connection: sqlite3.Connection, rng: random.Random) -> int:
    one, two = sorted(rng.sample(range(RECORDS - RECORDS % 256), 2))
    rows = {
        n: connection.execute("SELECT event, entry FROM log_leaf WHERE place = ?", (n,)).fetchone() for n in (one, two)
    }
    connection.execute("DELETE FROM log_leaf WHERE place IN (?, ?)", (one, two))
    connection.execute("INSERT INTO log_leaf (place, event, entry) VALUES (?, ?, ?)", (one, *rows[two]))
    connection.execute("INSERT INTO log_leaf (place, event, entry) VALUES (?, ?, ?)", (two, *rows[one]))
    return one


def tile(connection: sqlite3.Connection, rng: random.Random) -> None:
    changed(
        connection,
        "log_tile",
        "data",
        f"level = 0 AND place = {rng.randrange(2)}",
        lambda data: rng.randrange(len(data)),
    )


def head_root(connection: sqlite3.Connection, rng: random.Random) -> None:
    changed(connection, "log_head", "root", "one = 1", lambda data: rng.randrange(32))


def head_size(connection: sqlite3.Connection, rng: random.Random) -> None:
    connection.execute("UPDATE log_head SET size = size - 1")


def note(connection: sqlite3.Connection, rng: random.Random) -> None:
    changed(connection, "log_checkpoint", "note", f"size = {RECORDS}", lambda data: rng.randrange(len(data)))


def cut_tail(connection: sqlite3.Connection, rng: random.Random) -> None:
    """The last tile's leaves with records, head and note: a shorter log that is sound in itself."""
    size = 600
    for table, column in (
        ("log_record", "place"),
        ("log_leaf", "place"),
        ("log_subject", "place"),
        ("log_checkpoint", "size"),
    ):
        least = size if column == "place" else size + 1
        connection.execute(f"DELETE FROM {table} WHERE {column} >= ?", (least,))
    [(root,)] = connection.execute("SELECT root FROM log_checkpoint WHERE size = ?", (size,)).fetchall()
    connection.execute("UPDATE log_head SET size = ?, root = ?", (size, root))


def added_leaf(connection: sqlite3.Connection, rng: random.Random) -> None:
    """One leaf more than the head counts: an entry that the log had before, under an event of its own."""
    [(entry,)] = connection.execute(f"SELECT entry FROM log_leaf WHERE place = {_place(rng)}").fetchall()
    row = (RECORDS, rng.randbytes(16), entry)
    connection.execute("INSERT INTO log_leaf (place, event, entry) VALUES (?, ?, ?)", row)


def inserted_leaf(connection: sqlite3.Connection, rng: random.Random) -> int:
    """One in the middle; those behind it move on by one, and the last of the full tiles makes room."""
    place, last = rng.randrange(RECORDS - 300), RECORDS - RECORDS % 256 - 1
    for table in ("log_leaf", "log_record"):
        connection.execute(f"DELETE FROM {table} WHERE place = {last}")
        connection.execute(f"UPDATE {table} SET place = -place - 2 WHERE place BETWEEN {place} AND {last}")
        connection.execute(f"UPDATE {table} SET place = -place - 1 WHERE place < 0")
    [(entry,)] = connection.execute("SELECT entry FROM log_leaf WHERE place = 600").fetchall()
    connection.execute("INSERT INTO log_leaf (place, event, entry) VALUES (?, ?, ?)", (place, rng.randbytes(16), entry))
    return place


NAMED: tuple[Change, ...] = (
    leaf,
    secret,
    envelope,
    slot_root,
    swapped_records,
    dropped_record,
    dropped_leaf,
    swapped_leaves,
    inserted_leaf,
)
FOUND: tuple[Change, ...] = (tile, head_root, head_size, note, cut_tail, added_leaf)


def change(folder: Path, what: Change, seed: int) -> int | None:
    with closing(sqlite3.connect(folder / "store" / "store.db", isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        return what(connection, random.Random(seed))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("what", NAMED, ids=lambda one: one.__name__)
async def test_a_changed_record_or_leaf_is_named(folder: Path, what: Change, seed: int) -> None:
    place = change(folder, what, seed)
    try:
        store = open_store(folder)
    except Tampered:
        assert place is not None and place >= RECORDS - RECORDS % 256, "only the last leaves are read at start"
        return
    try:
        outcome = await verify_log(store.log)
        assert (outcome.is_verified, outcome.first_bad) == (False, place), outcome.reason
    finally:
        await store.close()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("what", FOUND, ids=lambda one: one.__name__)
async def test_a_changed_tile_head_or_note_and_a_cut_tail_are_found_before_anything_is_signed(
    folder: Path, what: Change, seed: int
) -> None:
    change(folder, what, seed)
    try:
        store = open_store(folder)
    except Tampered:
        return
    try:
        publisher = publisher_of(store, folder)
        try:
            hold = await publisher.open()
        except (Tampered, Wrong, Unreadable):
            return
        assert hold is not None
        assert await publisher.publish() is None
    finally:
        await store.close()


async def test_what_is_sealed_of_a_person_is_found_changed_when_it_is_opened(folder: Path) -> None:
    def sealed(connection: sqlite3.Connection, rng: random.Random) -> int:
        place = _place_with_slot(connection, rng)
        changed(connection, "log_record", "opening", f"place = {place}", lambda data: len(data) - 1)
        return place

    place = change(folder, sealed, 1)
    store = open_store(folder)
    try:
        publisher = publisher_of(store, folder)
        await publisher.open()
        with pytest.raises(Tampered, match=str(place)):
            await Prover(store.log, publisher).report(bytes.fromhex(PERSON[0]), PERSON[1])
    finally:
        await store.close()

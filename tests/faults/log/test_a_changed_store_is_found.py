"""Somebody with the database file changes it, one class of bytes after the other: every change is found, and the place named."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, signed_note
from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import Edge, leaf_hashes
from gateway.audit.note import COSIGNATURE_ED25519
from gateway.audit.packed import envelope_of
from gateway.audit.record import prepare
from gateway.audit.trust import parse_trust_policy
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.system.clock import SystemClock
from gateway.model.audit import EventName
from gateway.model.errors import Tampered
from gateway.services.prove import Prover
from gateway.services.publish import Publisher
from gateway.services.verify_log import verify_log
from gateway.services.verify_signed import verify_everything
from tests.faults.log.signing import PERSON, create, log, open_store, publisher_of
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN, T0, WITNESS, ed25519_signer
from tests.support.log_events import event_of

RECORDS = 700  # two full tiles and a rest
COSIGNED = (300, RECORDS)
NEWEST = 0  # a seed by which `cosignature` changes that of the newest checkpoint
TRUSTED = parse_trust_policy(
    f"log {LOG.key.vkey}\nlog {LOG_PQ.key.vkey}\nwitness w {WITNESS.key.vkey}\nquorum w\n".encode()
)
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
        for size in COSIGNED:
            checkpoint = open_checkpoint(await store.log.checkpoint(size) or b"", [LOG.key])[0]
            line = sign_checkpoint(checkpoint, WITNESS.key, WITNESS.sign, T0)
            await store.log.keep_cosignature(size, WITNESS.key.label, line, SystemClock().now())
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


def secrets_swapped(connection: sqlite3.Connection, rng: random.Random) -> int:
    one, two = sorted(rng.sample(range(RECORDS), 2))
    first, second = (
        connection.execute("SELECT opening FROM log_record WHERE place = ?", (n,)).fetchone()[0] for n in (one, two)
    )
    connection.execute("UPDATE log_record SET opening = ? WHERE place = ?", (second[:33] + first[33:], one))
    connection.execute("UPDATE log_record SET opening = ? WHERE place = ?", (first[:33] + second[33:], two))
    return one


def tile(connection: sqlite3.Connection, rng: random.Random) -> int:
    place = rng.randrange(2)
    changed(connection, "log_tile", "data", f"level = 0 AND place = {place}", lambda data: rng.randrange(len(data)))
    return place * 256


def tiles_swapped(connection: sqlite3.Connection, rng: random.Random) -> int:
    connection.execute("UPDATE log_tile SET place = 1 - place - 10 WHERE level = 0")
    connection.execute("UPDATE log_tile SET place = place + 10 WHERE level = 0")
    return 0


def tile_dropped(connection: sqlite3.Connection, rng: random.Random) -> int:
    place = rng.randrange(2)
    connection.execute("DELETE FROM log_tile WHERE level = 0 AND place = ?", (place,))
    return place * 256


def tile_inserted(connection: sqlite3.Connection, rng: random.Random) -> int:
    connection.execute("INSERT INTO log_tile (level, place, data) VALUES (0, 2, ?)", (rng.randbytes(8192),))
    return 512


def note(connection: sqlite3.Connection, rng: random.Random) -> int:
    size = rng.randrange(100, RECORDS + 1, 100)
    changed(connection, "log_checkpoint", "note", f"size = {size}", lambda data: rng.randrange(len(data)))
    return size - 100


def note_root(connection: sqlite3.Connection, rng: random.Random) -> int:
    size = rng.randrange(100, RECORDS + 1, 100)
    changed(connection, "log_checkpoint", "root", f"size = {size}", lambda data: rng.randrange(32))
    return size - 100


def notes_swapped(connection: sqlite3.Connection, rng: random.Random) -> int:
    one, two = sorted(rng.sample(range(100, RECORDS + 1, 100), 2))
    rows = {
        n: connection.execute("SELECT root, note FROM log_checkpoint WHERE size = ?", (n,)).fetchone()
        for n in (one, two)
    }
    for size, other in ((one, two), (two, one)):
        connection.execute("UPDATE log_checkpoint SET root = ?, note = ? WHERE size = ?", (*rows[other], size))
    return one - 100


def newest_note_dropped(connection: sqlite3.Connection, rng: random.Random) -> int:
    connection.execute("DELETE FROM log_cosignature WHERE size = ?", (RECORDS,))
    connection.execute("DELETE FROM log_checkpoint WHERE size = ?", (RECORDS,))
    return RECORDS - 100


def note_inserted(connection: sqlite3.Connection, rng: random.Random) -> int:
    """Of a size between two, signed by somebody else."""
    stranger = ed25519_signer(ORIGIN, seed=9)
    checkpoint = Checkpoint(ORIGIN, 650, rng.randbytes(32))
    raw = signed_note(checkpoint, [sign_checkpoint(checkpoint, stranger.key, stranger.sign, T0)])
    connection.execute(
        "INSERT INTO log_checkpoint (size, root, note, signed_at) VALUES (650, ?, ?, 0)", (checkpoint.root, raw)
    )
    return 600


def cosignature(connection: sqlite3.Connection, rng: random.Random) -> int:
    size = rng.choice(COSIGNED)
    changed(connection, "log_cosignature", "line", f"size = {size}", lambda data: rng.randrange(len(data)))
    return size - 100


def cosignature_dropped(connection: sqlite3.Connection, rng: random.Random) -> int:
    connection.execute("DELETE FROM log_cosignature WHERE size = ?", (RECORDS,))
    return RECORDS - 100


def cosignatures_swapped(connection: sqlite3.Connection, rng: random.Random) -> int:
    rows = [connection.execute("SELECT line FROM log_cosignature WHERE size = ?", (n,)).fetchone()[0] for n in COSIGNED]
    for size, line in zip(COSIGNED, reversed(rows), strict=True):
        connection.execute("UPDATE log_cosignature SET line = ? WHERE size = ?", (line, size))
    return min(COSIGNED) - 100


def cosignature_inserted(connection: sqlite3.Connection, rng: random.Random) -> int:
    """In the witness's name, by somebody without its key."""
    [(raw,)] = connection.execute("SELECT note FROM log_checkpoint WHERE size = 500").fetchall()
    stranger = ed25519_signer(WITNESS.key.name, COSIGNATURE_ED25519, seed=9)
    line = sign_checkpoint(open_checkpoint(raw, [LOG.key])[0], stranger.key, stranger.sign, T0)
    connection.execute(
        "INSERT INTO log_cosignature (size, witness, at, line) VALUES (500, ?, 0, ?)", (WITNESS.key.label, line)
    )
    return 400


def forked(connection: sqlite3.Connection, rng: random.Random) -> int:
    """The whole log rewritten from one record on, sound in itself: leaves, records, tiles and head fit each other."""
    place = rng.randrange(RECORDS)
    other = prepare(event_of(EventName.NOTICE_REFUSED, rng)).keep()
    entry = entry_bytes(other[0])
    connection.execute("UPDATE log_leaf SET entry = ? WHERE place = ?", (entry, place))
    connection.execute(
        "UPDATE log_record SET opening = ?, name = ? WHERE place = ?", (other[1], EventName.NOTICE_REFUSED, place)
    )
    edge = Edge()
    leaves = [row[0] for row in connection.execute("SELECT entry FROM log_leaf ORDER BY place")]
    for tile in edge.extend(leaf_hashes(leaves)):
        connection.execute(
            "UPDATE log_tile SET data = ? WHERE level = ? AND place = ?", (tile.data, tile.level, tile.index)
        )
    connection.execute("UPDATE log_head SET root = ?, upper = ?", (edge.root(), edge.upper()))
    return place // 100 * 100


def head_root(connection: sqlite3.Connection, rng: random.Random) -> None:
    changed(connection, "log_head", "root", "one = 1", lambda data: rng.randrange(32))


def head_size(connection: sqlite3.Connection, rng: random.Random) -> None:
    connection.execute("UPDATE log_head SET size = size - 1")


def head_dropped(connection: sqlite3.Connection, rng: random.Random) -> None:
    connection.execute("DELETE FROM log_head")


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
    secrets_swapped,
)
SIGNED: tuple[Change, ...] = (
    tile, tiles_swapped, tile_dropped, tile_inserted, note, note_root, notes_swapped, newest_note_dropped, note_inserted,
    cosignature, cosignatures_swapped, cosignature_inserted, forked,
)  # fmt: skip
HEADS: tuple[Change, ...] = (head_root, head_size, head_dropped, added_leaf)


def change(folder: Path, what: Change, seed: int) -> int | None:
    with closing(sqlite3.connect(folder / "store" / "store.db", isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        return what(connection, random.Random(seed))


@pytest.mark.parametrize("seed", range(4))
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
@pytest.mark.parametrize("what", SIGNED, ids=lambda one: one.__name__)
async def test_a_changed_tile_note_or_cosignature_and_a_fork_are_found_and_the_first_leaf_without_proof_named(
    folder: Path, what: Change, seed: int
) -> None:
    named = change(folder, what, seed)
    store = open_store(folder)
    try:
        signed = FileCheckpointGuard(folder / "guard").last()  # what a running publisher has in its memory
        outcome = await verify_everything(store.log, ORIGIN, TRUSTED, signed)
        assert (outcome.is_verified, outcome.first_bad) == (False, named), outcome.reason
    finally:
        await store.close()


@pytest.mark.parametrize("what", HEADS, ids=lambda one: one.__name__)
async def test_a_store_with_a_changed_head_does_not_open_and_says_how_far_it_was_signed(
    folder: Path, what: Change
) -> None:
    change(folder, what, 1)
    with pytest.raises(Tampered, match=f"checkpoint is of {RECORDS} leaves"):
        open_store(folder)


async def test_a_tail_that_was_cut_is_a_hold_that_names_what_was_signed(folder: Path) -> None:
    change(folder, cut_tail, 1)
    store = open_store(folder)
    try:
        publisher = publisher_of(store, folder)
        hold = await publisher.open()
        assert hold is not None and (hold.signed_size, hold.own_size) == (RECORDS, 600)
        assert await publisher.publish() is None
    finally:
        await store.close()


@pytest.mark.parametrize("what", [cosignature, cosignature_dropped], ids=lambda one: one.__name__)
async def test_a_lost_cosignature_is_noticed_and_stops_no_gateway(folder: Path, what: Change) -> None:
    assert change(folder, what, NEWEST) == RECORDS - 100, "that of the newest checkpoint"
    store = open_store(folder)
    try:
        guard = FileCheckpointGuard(folder / "guard")
        publisher = Publisher(store.log, ORIGIN, (LOG, LOG_PQ), guard, TRUSTED, SystemClock())
        assert await publisher.open() is None
        assert publisher.latest is not None and not publisher.latest.is_witnessed
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

"""In how many ways can somebody with the database file change it? Each way answers the first leaf that it leaves without proof."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gateway.audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, signed_note
from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import Edge, leaf_hashes
from gateway.audit.note import COSIGNATURE_ED25519
from gateway.audit.packed import envelope_of
from gateway.audit.record import prepare
from gateway.model.audit import EventName
from tests.support.audit_log import LOG, ORIGIN, T0, WITNESS, ed25519_signer
from tests.support.log_events import event_of

RECORDS = 700  # two full tiles and a rest
COSIGNED = (300, RECORDS)
NEWEST = 0  # a seed by which `cosignature` changes that of the newest checkpoint
Change = Callable[[sqlite3.Connection, random.Random], int | None]


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
    place = place_with_slot(connection, rng)

    def inside(data: bytes) -> int:
        return data.index(envelope_of(data)) + len(envelope_of(data)) + 1 + rng.randrange(32)

    changed(connection, "log_record", "opening", f"place = {place}", inside)
    return place


def place_with_slot(connection: sqlite3.Connection, rng: random.Random) -> int:
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

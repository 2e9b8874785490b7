"""What do tree, proofs, records and evidence of the exchange log cost against the hashes they cannot do without?

Goals 3, 4, 7, 8, 9 and 12 of the audit anchors (1 is `log-append`). Everything is in memory; entries are those of the log. Where a goal
is a time, that time is the yardstick.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from hashlib import sha256, shake_256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.bundle import make_bundle, record_proof
from gateway.audit.checkpoint import Checkpoint, sign_checkpoint, signed_note
from gateway.audit.leaf import entry_bytes, entry_root
from gateway.audit.many_records import first_unopened
from gateway.audit.merkle import Edge, leaf_hash, leaf_hashes
from gateway.audit.note import ED25519, NoteKey
from gateway.audit.opening import disclose, read_opening
from gateway.audit.proof import Tree, verify_inclusion
from gateway.audit.record import prepare
from gateway.audit.tiles import ENTRIES, encode_bundle, tile_path, tiles_of
from gateway.audit.whole_log import verify_chunk, verify_upper
from gateway.bench.logging_samples import disclosures, of_twelve_commitments
from gateway.bench.measuring import Effort, Row, alternated, at_most, cpu_each
from gateway.model.audit import LogEvent
from gateway.model.audit_events import EVENTS

_ORIGIN = "bench.example/exchange/1"
_US = 1e-6


class BuiltTree:
    """A tree of `size` leaves with its tiles in memory, and every file of tlog-tiles."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries, self.size, self.edge = entries, len(entries), Edge()
        self.hashes = leaf_hashes(entries)
        self._tiles = {(tile.level, tile.index): tile.data for tile in self.edge.extend(self.hashes)}
        self.reads = 0

    def tile(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self._tiles.get((level, index)) or self.edge.partial(level)

    def files(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for level, index, width in tiles_of(self.size):
            found[tile_path(level, index, width)] = self.tile(level, index)
            if level == 0:
                found[tile_path(ENTRIES, index, width)] = encode_bundle(self.entries[index * 256 : index * 256 + width])
        return found


def made_entries(count: int) -> list[bytes]:
    rng = random.Random(20261128)  # noqa: S311 - which bytes, no secret
    return [entry_bytes(rng.randbytes(32)) for _ in range(count)]


def two_hashes(entries: Sequence[bytes]) -> Callable[[], None]:
    """The floor: one leaf and one node hash for each entry."""
    ready, left, right = [b"\x00" + entry for entry in entries], os.urandom(32), os.urandom(32)

    def floor() -> None:
        for one in ready:
            sha256(one).digest()
            sha256(b"\x01" + left + right).digest()

    return floor


def _timed(name: str, zh: str, en: str, work: Callable[[], Any], limit: float, effort: Effort, per: int = 1) -> Row:
    """CPU seconds of one call, of which there are `per` in `work`, against a limit in seconds."""
    costs = [cpu_each(work, 0.05 if effort.is_quick else 0.2) / per for _ in range(effort.rounds)]
    return Row(name, zh, en, f"{limit / _US:g} µs", at_most(1), [cost / limit for cost in costs], {"us": min(costs) / _US})  # fmt: skip


async def tree(effort: Effort) -> Sequence[Row]:
    """Proofs and whole verification of a million leaves (a hundred thousand when quick)."""
    effort.tell("log-tree: building")
    built = BuiltTree(made_entries(100_000 if effort.is_quick else 1_000_000))
    rng, size, root = random.Random(1), built.size, built.edge.root()  # noqa: S311 - which leaves, no secret
    places = [rng.randrange(size) for _ in range(200)]
    recent = [size - 1 - rng.randrange(10_000) for _ in range(200)]
    warm, turn = Tree(built.tile), iter(range(1 << 60))
    for place in recent:
        warm.inclusion(place, size)
    built.reads = 0
    Tree(built.tile).inclusion(places[0], size)
    reads = built.reads
    proofs = [(place, warm.inclusion(place, size)) for place in places]
    left, right = os.urandom(32), os.urandom(32)

    def verify() -> None:
        for place, path in proofs:
            if not verify_inclusion(place, size, built.hashes[place], path, root):
                raise AssertionError("a proof of our own does not hold")

    def nodes() -> None:
        for _, path in proofs:
            for _ in path:
                sha256(b"\x01" + left + right).digest()

    effort.tell("log-tree: whole log")
    files = built.files()

    def whole() -> None:
        chunk = verify_chunk(files.__getitem__, 0, (size + 255) // 256, size)
        verify_upper(files.__getitem__, chunk.roots, size)

    edge = built.edge

    def ten() -> None:
        work = edge.copy()
        work.extend(built.hashes[:10])
        work.root()

    edges = sum(max(0, (size >> 8 * level) % 256 - 1) for level in range((size.bit_length() + 7) // 8))

    def cold() -> None:
        Tree(built.tile).inclusion(places[next(turn) % 200], size)

    def cold_nodes() -> None:
        for _ in range(2 * 255 + edges):  # what two full tiles and the edge of each level come to
            sha256(b"\x01" + left + right).digest()

    cold_rounds, cold_us, cold_floor_us = alternated(cold, cold_nodes, effort)
    told = {"us": cold_us, "node_hashes_alone_us": cold_floor_us, "to_node_hashes": statistics.median(cold_rounds)}
    verify_rounds, verify_us, _ = alternated(verify, nodes, effort)
    whole_rounds, whole_us, _ = alternated(whole, two_hashes(built.entries), effort)
    return (
        _timed("log-tree-10", "十条一组：更新树", "tree and root for ten events of a group, each", ten, 10 * _US, effort, 10),
        Row("log-tile-reads", "包含证明读取的瓦片", "tiles read for an inclusion proof", "1 tile", at_most(5), [float(reads)]),
        Row("log-proof-cold", "包含证明（冷）", "inclusion proof, nothing kept", "500 µs", at_most(1), [cold_us / 500], told),
        _timed("log-proof-recent", "包含证明（近期）", "inclusion proof, recent leaves", lambda: warm.inclusion(recent[next(turn) % 200], size), 30 * _US, effort),
        _timed("log-proof-witness", "一致性证明（供见证）", "consistency proof for a witness", lambda: warm.consistency(size - 1 - next(turn) % 1000, size), 30 * _US, effort),
        Row("log-proof-verify", "核验包含证明", "verify an inclusion proof", "its node hashes", at_most(2), verify_rounds, {"us": verify_us / len(proofs)}),
        Row("log-whole", "整本日志核验", "verify entries, tiles and root", "two hashes a leaf", at_most(1.6), whole_rounds, {"leaves": size, "cpu_seconds": whole_us * _US}),
    )  # fmt: skip


async def records(effort: Effort) -> Sequence[Row]:
    """A record of twelve commitments made as a leaf, as the store keeps it, and opened by an auditor; a disclosure's beside it."""
    effort.tell("log-records")
    twelve, whole = of_twelve_commitments(200), disclosures(200)
    made = [prepare(event).finish() for event in twelve]
    pairs = [(one.entry, one.opening) for one in made]
    commitment = os.urandom(110)

    def hashes(commitments: int) -> Callable[[], None]:
        """What a record cannot do without: its salts, a commitment and a node each, its leaf."""

        def floor() -> None:
            for _ in twelve:
                shake_256(commitment).digest(32 * commitments)
                for _ in range(2 * commitments):
                    sha256(commitment).digest()

        return floor

    def making(events: Sequence[LogEvent]) -> Callable[[], None]:
        def make() -> None:
            for event in events:
                leaf_hash(entry_bytes(prepare(event).keep()[0]))

        return make

    def open_all() -> None:
        if first_unopened(pairs) is not None:
            raise AssertionError("a record of our own does not open")

    large = len(EVENTS[whole[0].name].envelope) + 1
    told: dict[str, tuple[list[float], float, float]] = {
        "make": alternated(making(twelve), hashes(12), effort),
        "open": alternated(open_all, hashes(12), effort),
        "disclosure": alternated(making(whole), hashes(large), effort),
    }

    def raw(name: str, commitments: int) -> dict[str, float]:
        rounds, us, floor_us = told[name]
        return {"commitments": commitments, "us": us / len(twelve), "hashes_alone_us": floor_us / len(twelve), "to_hashes": statistics.median(rounds)}  # fmt: skip

    def row(name: str, what: str, zh: str, en: str, limit: float, commitments: int = 12) -> Row:
        return Row(name, zh, en, f"{limit:g} µs", at_most(1), [told[what][1] / len(twelve) / limit], raw(what, commitments))  # fmt: skip

    return (
        row("log-record-make", "make", "生成一条记录（十二项承诺）", "make a record of twelve commitments and its leaf", 20),
        row("log-record-open", "open", "审计开启一条记录（十二项承诺）", "an auditor opens a record of twelve commitments", 25),
        row("log-record-disclosure", "disclosure", "生成一条披露记录", "make a disclosure's record, which has more", 20 * large / 12, large),
    )  # fmt: skip


async def evidence(effort: Effort) -> Sequence[Row]:
    """A court's expert verifies an evidence bundle of ten records: a process of its own, one file, keys from outside."""
    effort.tell("log-bundle")
    made = [prepare(event).finish() for event in disclosures(2_000)]
    built = BuiltTree([one.entry for one in made])
    private = Ed25519PrivateKey.generate()
    key = NoteKey(_ORIGIN, ED25519, private.public_key().public_bytes_raw())
    checkpoint = Checkpoint(_ORIGIN, built.size, built.edge.root())
    note = signed_note(checkpoint, [sign_checkpoint(checkpoint, key, private.sign, 0)])
    paths = Tree(built.tile)
    parts = []
    for index in range(0, 2_000, 200):
        opening = read_opening(made[index].opening)
        if entry_root(made[index].entry) is None or leaf_hash(made[index].entry) != built.hashes[index]:
            raise AssertionError("an entry of our own is not its leaf")
        parts.append(record_proof(index, paths.inclusion(index, built.size), disclose(opening, ())))
    seconds = []
    with TemporaryDirectory(prefix="hutong-bench-") as folder:
        bundle = Path(folder) / "bundle.json"
        bundle.write_bytes(make_bundle(note, parts))
        command = [sys.executable, "-m", "gateway.audit.verifier", "bundle", str(bundle), "--key", key.vkey]
        for _ in range(effort.rounds):
            begin = time.monotonic()
            if await (await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)).wait():
                raise AssertionError("a bundle of our own does not verify")
            seconds.append(time.monotonic() - begin)
    return (Row("log-bundle", "核验一份证据包", "verify an evidence bundle, a process of its own", "1 s", at_most(1), seconds),)  # fmt: skip

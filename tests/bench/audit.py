"""What does the exchange log cost against the hashes it cannot do without?

Each figure is a ratio to a floor measured next to it, in alternation, the median of several rounds: absolute figures
move by half with a busy neighbour. Run: `python -m tests.bench.audit [--leaves N] [--json]`. pymerkle (GPL, never a
dependency) is compared with where it happens to be installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Any

from gateway.audit.export import read_records
from gateway.audit.merkle import Edge, fold, leaf_hash
from gateway.audit.opening import check_envelope, read_opening
from gateway.audit.proof import Tree, verify_inclusion
from gateway.audit.record import prepare
from gateway.audit.tiles import ENTRIES, encode_bundle, tile_path, tiles_of
from gateway.audit.whole_log import verify_chunk, verify_upper
from gateway.model.audit import EventName, LogEvent
from gateway.model.audit_events import EVENTS
from tests.support.audit_log import built_log
from tests.support.log_events import START, new_id, value_of

ROUNDS = 9


def cpu(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def against(work: Callable[[], Any], floor: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, float]:
    """Median ratio, and the best CPU seconds of `work`."""
    pairs = [(cpu(work), cpu(floor)) for _ in range(rounds)]
    return statistics.median(a / b for a, b in pairs), min(a for a, _ in pairs)


def append(entries: list[bytes]) -> dict[str, float]:
    ready = [b"\x00" + entry for entry in entries]
    left, right = os.urandom(32), os.urandom(32)

    def ours() -> None:
        edge = Edge()
        for start in range(0, len(entries), 1000):
            edge.extend([leaf_hash(entry) for entry in entries[start : start + 1000]])
        edge.root()

    def floor() -> None:
        for one in ready:
            sha256(one).digest()
            sha256(b"\x01" + left + right).digest()

    ratio, seconds = against(ours, floor)
    return {"ratio": ratio, "leaves_per_cpu_second": len(entries) / seconds}


def twelve_fields(rng: random.Random) -> LogEvent:
    """An event whose record has twelve commitments: the header and eleven fields, no slots."""
    name = next(name for name, schema in EVENTS.items() if len(schema.envelope) == 11)
    values = {field.name: value_of(field, rng) for field in EVENTS[name].envelope}
    return LogEvent(new_id(rng), name, START, values, rng.randbytes(32))  # type: ignore[arg-type]


def records(count: int) -> dict[str, dict[str, float]]:
    rng = random.Random(1)
    events = [twelve_fields(rng) for _ in range(count)]
    made = [prepare(event).finish() for event in events]
    commitment, node, entry = os.urandom(110), os.urandom(65), os.urandom(59)

    def floor() -> None:
        for _ in range(count):
            shake_256(commitment).digest(384)
            for _ in range(12):
                sha256(commitment).digest()
            for _ in range(11):
                sha256(node).digest()
            sha256(entry).digest()

    def make() -> None:
        for event in events:
            prepare(event).finish()

    def open_all() -> None:
        for record in made:
            check_envelope(read_opening(record.opening), record.entry)

    log = built_log(count)
    lines = log.export(frozenset({"subject-0", "subject-1", "subject-2"})).splitlines(keepends=True)
    found: dict[str, dict[str, float]] = {}
    for name, work in (("make", make), ("open", open_all), ("open_outside", lambda: list(read_records(lines)))):
        ratio, seconds = against(work, floor)
        found[name] = {"ratio": ratio, "microseconds": seconds / count * 1e6}
    return found


def whole(leaves: int, folder: Path) -> dict[str, Any]:
    """A log of `leaves` entries of 260 bytes in files: verification, proofs."""
    rng = random.Random(2)
    pool = [rng.randbytes(252) for _ in range(997)]
    entries = [n.to_bytes(8, "big") + pool[n % 997] for n in range(leaves)]
    hashes = [leaf_hash(entry) for entry in entries]
    edge = Edge()
    tiles = {(tile.level, tile.index): tile.data for tile in edge.extend(hashes)}

    def read_tile(level: int, index: int) -> bytes:
        return tiles.get((level, index)) or edge.partial(level)

    files: dict[str, bytes] = {}
    for level, index, width in tiles_of(leaves):
        files[tile_path(level, index, width)] = read_tile(level, index)
        if level == 0:
            files[tile_path(ENTRIES, index, width)] = encode_bundle(entries[index * 256 : index * 256 + width])
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)

    def read(path: str) -> bytes:
        return (folder / path).read_bytes()

    def ours() -> None:
        chunk = verify_chunk(read, 0, (leaves + 255) // 256, leaves)
        verify_upper(read, chunk.roots, leaves)

    left, right = os.urandom(32), os.urandom(32)
    ready = [b"\x00" + entry for entry in entries]

    def floor() -> None:
        for one in ready:
            sha256(one).digest()
            sha256(b"\x01" + left + right).digest()

    ratio, seconds = against(ours, floor, 3)
    root = edge.root()
    places = [rng.randrange(leaves) for _ in range(300)]

    def each(work: Callable[[int], Any]) -> float:
        times = []
        for place in places:
            start = time.perf_counter()
            work(place)
            times.append(time.perf_counter() - start)
        return statistics.median(times) * 1e6

    warm = Tree(read_tile)
    for place in range(leaves - 2000, leaves, 100):
        warm.inclusion(place, leaves)
    proofs = [(place, warm.inclusion(place, leaves)) for place in places]

    def verify() -> None:
        for place, path in proofs:
            assert verify_inclusion(place, leaves, hashes[place], path, root)

    depth = sum(len(path) for _, path in proofs)

    def nodes() -> None:
        for _ in range(depth):
            sha256(b"\x01" + left + right).digest()

    verify_ratio, _ = against(verify, nodes)
    fold_cost = cpu(lambda: fold(hashes[:256]))
    return {
        "verify_whole": {"ratio": ratio, "cpu_seconds": seconds},
        "inclusion_cold_us": each(lambda place: Tree(read_tile).inclusion(place, leaves)),
        "inclusion_warm_us": each(lambda place: warm.inclusion(place, leaves)),
        "inclusion_recent_us": each(lambda place: warm.inclusion(leaves - 1 - place % 2000, leaves)),
        "consistency_recent_us": each(lambda place: warm.consistency(leaves - 1 - place % 1000, leaves)),
        "verify_inclusion_ratio": verify_ratio,
        "fold_256_us": fold_cost * 1e6,
    }


def beside_pymerkle(entries: list[bytes]) -> dict[str, float] | None:
    if importlib.util.find_spec("pymerkle") is None:
        return None
    pymerkle = importlib.import_module("pymerkle")

    def theirs() -> None:
        tree = pymerkle.InmemoryTree(algorithm="sha256")
        for entry in entries:
            tree.append_entry(entry)

    def ours() -> None:
        edge = Edge()
        for entry in entries:
            edge.append(leaf_hash(entry))

    return {"append_ratio": against(theirs, ours, 3)[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rng = random.Random(3)
    large = [rng.randbytes(600) for _ in range(50_000)]
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {
            "append_600_bytes": append(large),
            "append_our_entries": append([entry[:58] for entry in large]),
            "record_of_12_fields": records(2000),
            "log": whole(given.leaves, Path(folder)),
            "pymerkle": beside_pymerkle(large[:20_000]),
            "leaves": given.leaves,
            "events": len(EventName),
        }
    sys.stdout.write(json.dumps(found, indent=None if given.json else 1) + "\n")


if __name__ == "__main__":
    main()

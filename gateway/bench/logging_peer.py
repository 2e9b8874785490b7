"""The log's tree beside pymerkle, the one kept package of its kind: appending in memory, proving from SQLite (goal 10).

pymerkle is GPL: it is installed by the bench alone, into a folder that is thrown away, runs in a process of its own and is no
dependency. Both must give the same root over the same entries before anything is timed.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.audit.merkle import Edge, leaf_hash
from gateway.audit.proof import Tree
from gateway.bench.logging_tree import BuiltTree, made_entries
from gateway.bench.measuring import Effort, Row, at_least, cpu_each

PACKAGE = "pymerkle==7.0.0"
_TARGET = at_least(6, 7), at_least(50, 200)


async def pymerkle(effort: Effort) -> Sequence[Row]:
    """Appending 20,000 entries in memory, and one inclusion proof of a million leaves (of a hundred thousand when quick)."""
    names = (
        ("log-pymerkle-append", "内存追加，对照 pymerkle", "append in memory, against pymerkle"),
        ("log-pymerkle-proof", "包含证明，对照 pymerkle", "inclusion proof from SQLite, against pymerkle"),
    )
    with TemporaryDirectory(prefix="hutong-bench-") as place:
        folder = Path(place)
        effort.tell("log-pymerkle: installing")
        if not await _installed(folder / "target"):
            return [Row(*name, "pymerkle", target, skipped="pymerkle 未能安装，跳过 pymerkle could not be installed") for name, target in zip(names, _TARGET, strict=True)]  # fmt: skip
        entries = made_entries(20_000)
        (folder / "entries").write_bytes(b"".join(entries))
        copies = 5 if effort.is_quick else 50
        rounds = await _measured(folder, entries, copies, effort)
    appends, proofs = [one[0] / one[1] for one in rounds], [one[2] / one[3] for one in rounds]
    last = rounds[-1]
    raws = ({"pymerkle_us": last[0] * 1e6, "ours_us": last[1] * 1e6}, {"pymerkle_us": last[2] * 1e6, "ours_us": last[3] * 1e6, "leaves": 20_000.0 * copies})  # fmt: skip
    return [Row(*name, "pymerkle", target, ratios, raw) for name, target, ratios, raw in zip(names, _TARGET, (appends, proofs), raws, strict=True)]  # fmt: skip


async def _measured(
    folder: Path, entries: Sequence[bytes], copies: int, effort: Effort
) -> Sequence[tuple[float, float, float, float]]:
    """By round: CPU seconds of an append, theirs and ours, and of a proof, theirs and ours, nothing kept."""
    pipe = asyncio.subprocess.PIPE
    script = str(Path(__file__).with_name("logging_peer_process.py"))
    environment = {"PYTHONPATH": str(folder / "target")}
    process = await asyncio.create_subprocess_exec(sys.executable, "-P", script, str(folder), str(copies), stdin=pipe, stdout=pipe, env=environment)  # fmt: skip
    try:
        built = BuiltTree([*entries] * copies)
        if await _told(process, "root") != BuiltTree(entries).edge.root().hex():
            raise AssertionError("pymerkle gives another root over the same entries")
        effort.tell("log-pymerkle: filling its store")
        if await _told(process, "store") != built.size:
            raise AssertionError("pymerkle kept another number of entries")

        def append() -> None:
            edge = Edge()
            for entry in entries:
                edge.append(leaf_hash(entry))

        rng = random.Random(1)  # noqa: S311 - which leaves, no secret

        def prove() -> None:
            Tree(built.tile).inclusion(rng.randrange(built.size), built.size)

        rounds, seconds = [], 0.05 if effort.is_quick else 0.2
        for number in range(effort.rounds):
            effort.tell(f"log-pymerkle {number + 1}/{effort.rounds}")
            theirs = await _told(process, "append") / len(entries)
            ours = cpu_each(append, seconds) / len(entries)
            rounds.append((theirs, ours, await _told(process, "prove"), cpu_each(prove, seconds)))
        return rounds
    finally:
        process.kill()
        await process.wait()


async def _told(process: asyncio.subprocess.Process, question: str) -> Any:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{question}\n".encode())
    await process.stdin.drain()
    return json.loads(await process.stdout.readline())


async def _installed(target: Path) -> bool:
    command = (sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target", str(target), PACKAGE)  # fmt: skip
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        async with asyncio.timeout(120):
            return await process.wait() == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False

"""Does the log as stored still say what it said?

Every entry is read back, hashed and folded into a root; the root must be the
head's. Every record is opened against its entry, in parallel processes where the log
is long. The first leaf that does not hold is named. Offline, with nothing but files and a
public key, `hutong_verify.py log` on an export does the same.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from gateway.audit.many_records import first_unopened
from gateway.audit.merkle import Edge, fold, join_roots, leaf_hashes, root_of
from gateway.ports.log_storage import LogStorage

PAGE = 8192  # a power of two: a page of leaves is a complete subtree
PROCESSES_FROM = 100_000  # records: below, starting a process costs more than it saves


@dataclass(frozen=True, slots=True)
class Verified:
    """`is_verified` with everything read; otherwise `first_bad` is the leaf index, if one leaf can be named."""

    is_verified: bool
    size: int
    root: bytes
    first_bad: int | None = None
    reason: str = ""


async def verify_log(log: LogStorage, *, processes: int | None = None) -> Verified:
    """Read back and check everything up to the head as it is now; later records are for the next time.

    `processes` open records beside this one: by default as many as there are cores for a long log, none for a short one.
    """
    head = await log.head()
    wanted = (os.cpu_count() or 1) if head.size >= PROCESSES_FROM else 0
    count = wanted if processes is None else processes
    if count == 0:
        return await _verify(log, head.size, head.root, None, 1)
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        return await _verify(log, head.size, head.root, pool, count)


async def verify_tree(log: LogStorage) -> Verified:
    """The part that opens no record: do the entries, read back, give the head's root?

    A thread hashes while the next page is read, so that the exchange goes on. More processes were measured and are slower
    here: two hashes a leaf are cheaper than handing the leaf over.
    """
    head = await log.head()
    hashing: asyncio.Future[bytes] | None = None
    roots = list[bytes]()
    for start in range(0, head.size, PAGE):
        stop = min(start + PAGE, head.size)
        entries = await log.entries(start, stop)
        if len(entries) < stop - start:
            return Verified(False, head.size, head.root, start + len(entries), "leaf-missing")
        if hashing is not None:
            roots.append(await hashing)
        hashing = asyncio.get_running_loop().run_in_executor(None, page_root, entries)
    if hashing is not None:
        roots.append(await hashing)
    top = roots.pop() if head.size % PAGE else b""
    if join_roots(roots, top) != head.root:
        return Verified(False, head.size, head.root, None, "root-differs")
    return Verified(True, head.size, head.root)


def page_root(entries: Sequence[bytes]) -> bytes:
    """Root over a page of entries, or over the fewer ones at the end of the log."""
    hashes = leaf_hashes(entries)
    return fold(hashes) if len(hashes) == PAGE else root_of(hashes)


# Gets (entry, opening) in order; returns the number of the first that does not open, or None.
Checks = Callable[[Sequence[tuple[bytes, bytes]]], int | None]


async def _verify(
    log: LogStorage, size: int, root: bytes, pool: Executor | None, ahead: int, checks: Checks = first_unopened
) -> Verified:
    edge, loop = Edge(), asyncio.get_running_loop()
    opening: list[tuple[int, asyncio.Future[int | None]]] = []
    other: int | None = None  # the first leaf under a stored tile that is another than its leaves make

    async def settle(down_to: int) -> int | None:
        while len(opening) > down_to:
            start, future = opening.pop(0)
            if (bad := await future) is not None:
                return start + bad
        return None

    for start in range(0, size, PAGE):
        stop = min(start + PAGE, size)
        records = await log.records(start, stop)
        # what comes before the first gap is looked at; then the gap itself is the first bad leaf
        whole = next((n for n, one in enumerate(records) if one.index != start + n), len(records))
        pairs = [(one.entry, one.opening) for one in records[:whole]]
        opening.append((start, loop.run_in_executor(pool, checks, pairs)))
        for tile in edge.extend(leaf_hashes([entry for entry, _ in pairs])):
            if other is None and await log.tile(tile.level, tile.index) != tile.data:
                other = tile.index << 8 * (tile.level + 1)
        if (bad := await settle(0 if whole < stop - start else ahead)) is not None:
            return Verified(False, size, root, bad, "record-does-not-open")
        if whole < stop - start:
            leaf = await log.entries(start + whole, start + whole + 1)
            return Verified(False, size, root, start + whole, "record-missing" if leaf else "leaf-missing")
    if (bad := await settle(0)) is not None:
        return Verified(False, size, root, bad, "record-does-not-open")
    if edge.root() != root:
        return Verified(False, size, root, None, "root-differs")
    if other is None:
        other = await _tile_beyond(log, size)
    if other is not None:
        return Verified(False, size, root, other, "tile-differs")
    return Verified(True, size, root)


async def _tile_beyond(log: LogStorage, size: int) -> int | None:
    """The first leaf of a stored tile that the log is too short for. A log that grew meanwhile may have made a sound one."""
    for level in range((size.bit_length() + 7) // 8):
        index = size >> 8 * (level + 1)
        if await log.tile(level, index) is not None and (await log.head()).size < (index + 1) << 8 * (level + 1):
            return index << 8 * (level + 1)
    return None

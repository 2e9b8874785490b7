"""Whatever dies, and wherever the journal is cut: no signed tree exceeds what is found again, and there is one story."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.ports.log_storage import Head
from gateway.services.verify_log import verify_log
from tests.faults.log.signing import create, journal_kept, log, open_store, publisher_of
from tests.support.gateway_process import ROOT

WAL_HEADER, FRAME = 32, 24 + 8192
ROUNDS = 5


async def test_the_journal_may_be_cut_after_any_frame(tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    create(folder)
    before = (folder / "store" / "store.db").read_bytes()
    store = open_store(folder)
    publisher, rng = publisher_of(store, folder), random.Random(3)
    await publisher.open()
    promised: list[tuple[int, int, bytes]] = [(0, 0, (folder / "guard").read_bytes())]
    with journal_kept(folder) as wal:
        for _ in range(6):
            await log(store, rng, rng.randrange(20, 90))
            await publisher.publish()
            frames = (wal.stat().st_size - WAL_HEADER) // FRAME
            promised.append((frames, (await store.log.head()).size, (folder / "guard").read_bytes()))
        journal = wal.read_bytes()
    await store.close()
    last = promised[-1]
    for frames in range(last[0] + 1):
        cut = tmp_path / f"cut{frames}"
        (cut / "store").mkdir(parents=True)
        shutil.copy(folder / "guard", cut / "guard")
        (cut / "store" / "store.db").write_bytes(before)
        (cut / "store" / "store.db-wal").write_bytes(journal[: WAL_HEADER + frames * FRAME + (frames % 3) * 1000])
        # the guard as it was when this frame was the last: what was promised by then must be there
        was = [one for one in promised if one[0] <= frames][-1]
        (cut / "guard").write_bytes(was[2])
        await _is_one_story(cut, at_least=was[1])
        # the guard as it was at the end: what was promised later is missing, and that is noticed
        if was is not last:
            (cut / "guard").write_bytes(last[2])
            found = open_store(cut)
            hold = await publisher_of(found, cut).open()
            assert hold is not None, "a tree shorter than what was signed is a hold"
            await found.close()
        shutil.rmtree(cut)


async def _is_one_story(folder: Path, *, at_least: int) -> Head:
    store = open_store(folder)
    try:
        head = await store.log.head()
        assert head.size >= at_least, "an acknowledged event is lost"
        guarded = FileCheckpointGuard(folder / "guard").last()
        assert guarded is None or guarded.size <= head.size, "more was signed than is there"
        assert (await verify_log(store.log)).is_verified
        publisher = publisher_of(store, folder)
        assert await publisher.open() is None, "no hold without a cause"
        await log(store, random.Random(), 3)
        published = await publisher.publish()
        assert published is not None
        assert published.checkpoint.size == (await store.log.head()).size
        return Head(published.checkpoint.size, published.checkpoint.root)
    finally:
        await store.close()


def test_a_killed_signer_forgets_nothing_and_signs_one_story(tmp_path: Path) -> None:
    folder, rng = tmp_path / "g", random.Random(5)
    create(folder)
    signed: dict[int, str] = {}
    for _ in range(ROUNDS):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.log.signing", str(folder)], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        assert process.stdout is not None
        size, lines = 0, rng.randrange(3, 30)
        for _ in range(lines):
            size, signed_size, root = _told(process.stdout.readline())
            if signed_size:
                signed[signed_size] = root
        process.kill()
        for line in process.stdout.read().splitlines():
            if len(line.split(" ")) == 3 and len(line.split(" ")[2]) in (0, 64):
                size, signed_size, root = _told(line)
                if signed_size:
                    signed[signed_size] = root
        process.wait()
        head = asyncio.run(_is_one_story(folder, at_least=size))
        signed[head.size] = head.root.hex()
        asyncio.run(_contains_all(folder, signed))


def _told(line: str) -> tuple[int, int, str]:
    size, signed_size, root = line.rstrip("\n").split(" ")
    return int(size), int(signed_size), root


async def _contains_all(folder: Path, signed: dict[int, str]) -> None:
    store = open_store(folder)
    try:
        tree = publisher_of(store, folder).tree
        assert {size: (await tree.root(size)).hex() for size in signed} == signed, (
            "every signed tree is part of this one"
        )
    finally:
        await store.close()


class _BrokenGuard:
    """A guard whose disk fails at one `advance`: before it wrote, or after."""

    def __init__(self, path: Path, *, fails_after: bool) -> None:
        self._inner, self._fails_after, self.is_armed = FileCheckpointGuard(path), fails_after, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def advance(self, head: Head) -> None:
        if self.is_armed and not self._fails_after:
            self.is_armed = False
            raise OSError(5, "input/output error")
        self._inner.advance(head)
        if self.is_armed:
            self.is_armed = False
            raise OSError(5, "input/output error")


@pytest.mark.parametrize("fails_after", [False, True])
async def test_a_guard_that_cannot_be_written_signs_nothing_and_goes_on_afterwards(
    tmp_path: Path, fails_after: bool
) -> None:
    create(tmp_path)
    store = open_store(tmp_path)
    guard = _BrokenGuard(tmp_path / "guard", fails_after=fails_after)
    publisher = publisher_of(store, tmp_path, guard)
    await publisher.open()
    await log(store, random.Random(1), 10)
    await publisher.publish()
    await log(store, random.Random(2), 10)
    guard.is_armed = True
    with pytest.raises(OSError):
        await publisher.publish()
    latest = await store.log.latest_checkpoint()
    assert latest is not None and latest[0] == 10, "no note without the guard"
    await log(store, random.Random(4), 5)
    published = await publisher.publish()
    assert published is not None and published.checkpoint.size == 25
    await store.close()
    await _is_one_story(tmp_path, at_least=25)


async def test_each_step_of_a_publication_may_fail_in_the_store_both_ways(tmp_path: Path) -> None:
    """Lost, or done and reported lost: the next beat signs what is there, once."""
    seen: list[str] = []
    fail_at: list[int] = []

    def fault(step: str) -> None:
        seen.append(step)
        if fail_at and len(seen) - 1 == fail_at[0]:
            fail_at.clear()
            raise OSError(5, "input/output error")

    create(tmp_path)
    store = open_store(tmp_path, fault)
    publisher, rng = publisher_of(store, tmp_path), random.Random(6)
    await publisher.open()
    await log(store, rng, 5)
    seen.clear()
    await publisher.publish()
    steps = len(seen)
    assert steps >= 3
    for step in range(steps):
        await log(store, rng, 5)
        seen.clear()
        fail_at[:] = [step]
        try:
            await publisher.publish()
        except Exception as failed:  # noqa: BLE001 - any error is told; what counts is what stands afterwards
            assert type(failed).__name__ == "Unavailable"
        published = await publisher.publish() or publisher.latest
        assert published is not None
        head = await store.log.head()
        assert (published.checkpoint.size, published.checkpoint.root) == (head.size, head.root)
        assert publisher.hold is None
    await store.close()
    await _is_one_story(tmp_path, at_least=5 * (steps + 1))

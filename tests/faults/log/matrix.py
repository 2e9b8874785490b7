"""The fault matrix of the log: each batch makes a log in an empty folder, breaks it many times and judges after every fault.

Judged each time: every acknowledged event is in the log once, every tree that was ever signed is part of the one
there is, what is there verifies, no hold without a cause and no cause without a hold.

step     a durable step of an append or a publication fails in this process: lost, or stored and reported lost
guard    the guard's disk fails before or after it wrote
kill     SIGKILL at a durable step of store or guard, in a process of its own
wal-cut  the journal ends after some frame, or within the one after it; with the guard of that moment, and with a later one
restore  an older copy of the database is put back
clone    database and guard are put back or run twice: only the witness knows
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.audit.checkpoint import open_checkpoint
from gateway.audit.merkle import Edge, leaf_hash
from gateway.audit.record import PreparedRecord, prepare
from gateway.audit.trust import parse_trust_policy
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.engines.witness_store import SqliteWitnessStore
from gateway.model.audit import EventName
from gateway.model.errors import Unavailable
from gateway.ports.log_storage import Head
from gateway.services.publish import Publisher
from gateway.services.verify_log import verify_log
from gateway.services.witness import Witness
from tests.faults.log.signing import PERSON, create, journal_kept, open_store, publisher_of
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN, POLICY, WITNESS
from tests.support.log_events import event_of

WAL_HEADER, FRAME = 32, 24 + 8192
_NAMES = list(EventName)


class Broken(AssertionError):
    """A promise of the log did not hold."""


def hold_to(is_kept: bool, promise: str) -> None:
    if not is_kept:
        raise Broken(promise)


def events(rng: random.Random, most: int = 30) -> list[PreparedRecord]:
    return [prepare(event_of(rng.choice(_NAMES), rng, people=(PERSON,))) for _ in range(rng.randrange(1, most))]


async def judge(folder: Path, acknowledged: int, signed: Mapping[int, bytes], *, guarded: int = 0) -> Head:
    """Open what is there as a start would, and hold it to what was promised; then go on with it.

    `guarded` is the size that was signed at last: a tree that is shorter must be a hold.
    """
    store = open_store(folder)
    try:
        head = await store.log.head()
        publisher = publisher_of(store, folder)
        hold = await publisher.open()
        if guarded > head.size:
            hold_to(hold is not None, "a tree that lacks what was signed is no hold")
            hold_to(await publisher.publish() is None, "signed during a hold")
            return head
        hold_to(hold is None, f"a hold without a cause: {hold}")
        hold_to(head.size >= acknowledged, f"an acknowledged event is lost: {acknowledged} told, {head.size} there")
        hold_to((await verify_log(store.log)).is_verified, "the log does not verify")
        await _contains(store, signed)
        await store.log.append(events(random.Random(head.size), 4))
        published = await publisher.publish()
        now = await store.log.head()
        hold_to(published is not None and published.checkpoint.root == now.root, "what is there is not what is signed")
        return now
    finally:
        await store.close()


async def _contains(store: SqliteStore, signed: Mapping[int, bytes]) -> None:
    """Every tree that was signed is the beginning of this one: from the entries, not from stored tiles."""
    edge = Edge()
    for size, root in sorted(signed.items()):
        edge.extend([leaf_hash(entry) for entry in await store.log.entries(edge.size, size)])
        hold_to(edge.size == size and edge.root() == root, f"the tree signed at {size} is not part of the log: a fork")


class Fault:
    """Does something at the n-th durable step from now, once; remembers at which."""

    def __init__(self, act: Callable[[str], None]) -> None:
        self._act, self.left, self.hit, self.seen = act, 0, "", 0

    def __call__(self, step: str) -> None:
        self.seen += 1
        if self.left:
            self.left -= 1
            if not self.left:
                self.hit = step
                self._act(step)


class FailingGuard:
    """A guard whose disk fails at the next `advance` once told to: before it writes, or after."""

    def __init__(self, path: Path, act: Callable[[str], None]) -> None:
        self._inner, self._act, self.fails = FileCheckpointGuard(path), act, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def advance(self, head: Head) -> None:
        fails, self.fails = self.fails, ""
        if fails == "guard-before":
            self._act(fails)
        self._inner.advance(head)
        if fails == "guard-after":
            self._act(fails)


_OF_FILES = (OSError(5, "input/output error"), OSError(28, "no space left"))
_OF_STORES = (*_OF_FILES, sqlite3.OperationalError("disk I/O error"))


async def _in_process(folder: Path, rng: random.Random, count: int, is_guard: bool) -> Counter[str]:
    def fail(_step: str) -> None:
        raise rng.choice(_OF_FILES if is_guard else _OF_STORES)

    create(folder)
    fault, found = Fault(fail), Counter[str]()
    store = open_store(folder, fault)
    guard = FailingGuard(folder / "guard", fail)
    publisher, size, signed = publisher_of(store, folder, guard), 0, dict[int, bytes]()
    await publisher.open()
    steps = 12
    while sum(found.values()) < count:
        made = events(rng)
        fault.seen, fault.hit = 0, ""
        if is_guard:
            guard.fails = rng.choice(("guard-before", "guard-after"))
            fault.hit = guard.fails
        else:
            fault.left = rng.randrange(1, steps + 1)
        try:
            await store.log.append(made)
        except Unavailable:
            places = await store.log.append(made)  # what a caller does: the same again
            hold_to(len(places) == len(made), "an event asked for twice has no place")
        size += len(made)
        try:
            await publisher.publish()
        except (Unavailable, OSError):
            await publisher.publish()
        fault.left, guard.fails = 0, ""
        steps = max(6, fault.seen)
        if fault.hit:
            found[fault.hit] += 1
        head, latest = await store.log.head(), publisher.latest
        hold_to(publisher.hold is None, "a hold without a cause")
        hold_to(head.size == size, f"{size} events told, {head.size} leaves")
        hold_to(latest is not None and latest.checkpoint.root == head.root, "what is signed is not what is there")
        signed[head.size] = head.root
        places = [await store.log.record(one.event_id) for one in made]
        hold_to(None not in places and len({one.index for one in places if one}) == len(made), "an event is not there once")  # fmt: skip
    await store.close()
    await judge(folder, size, signed)
    return found


def step(folder: Path, rng: random.Random) -> Counter[str]:
    return asyncio.run(_in_process(folder, rng, 100, False))


def guard(folder: Path, rng: random.Random) -> Counter[str]:
    return asyncio.run(_in_process(folder, rng, 50, True))


def kill(folder: Path, rng: random.Random) -> Counter[str]:
    """A child appends and signs and kills itself at a durable step; what it had told through a pipe must be there."""
    create(folder)
    found, size, signed = Counter[str](), 0, dict[int, bytes]()
    for _ in range(20):
        seed, after = rng.getrandbits(64), rng.randrange(1, 80)
        told, tells = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            try:
                asyncio.run(_until_killed(folder, random.Random(seed), after, tells))
            finally:
                os._exit(1)
        os.close(tells)
        with os.fdopen(told, "r") as pipe:
            lines = pipe.read().splitlines()
        status = os.waitpid(child, 0)[1]
        hold_to(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "the child was not killed")
        for line in lines:
            word, *rest = line.split(" ")
            if word == "killing":
                found[rest[0]] += 1
            elif word == "appended":
                size = int(rest[0])
            else:
                signed[int(rest[0])] = bytes.fromhex(rest[1])
        head = asyncio.run(judge(folder, size, signed))
        size, signed[head.size] = head.size, head.root
    return found


async def _until_killed(folder: Path, rng: random.Random, after: int, tells: int) -> None:
    def die(step: str) -> None:
        os.write(tells, f"killing {step}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)

    fault = Fault(die)
    sync = os.fsync

    def synced(handle: int) -> None:  # of the guard and its folder; the database's own are counted by their statements
        fault("fsync")
        sync(handle)
        fault("fsynced")

    os.fsync = synced
    store = open_store(folder, fault)
    publisher = publisher_of(store, folder)
    if await publisher.open() is not None:
        os._exit(2)
    fault.left = after
    while True:
        await store.log.append(events(rng))
        os.write(tells, f"appended {(await store.log.head()).size}\n".encode())
        published = await publisher.publish()
        if published is not None:
            os.write(tells, f"signed {published.checkpoint.size} {published.checkpoint.root.hex()}\n".encode())


def wal_cut(folder: Path, rng: random.Random) -> Counter[str]:
    return asyncio.run(_wal_cut(folder, rng))


async def _wal_cut(folder: Path, rng: random.Random) -> Counter[str]:
    whole, cut, found = folder / "whole", folder / "cut", Counter[str]()
    create(whole)
    before = (whole / "store" / "store.db").read_bytes()
    store = open_store(whole)
    publisher, signed = publisher_of(store, whole), dict[int, bytes]()
    await publisher.open()
    promised = [(0, 0, (whole / "guard").read_bytes())]
    with journal_kept(whole) as wal:
        for _ in range(4):
            await store.log.append(events(rng, 60))
            await publisher.publish()
            head = await store.log.head()
            signed[head.size] = head.root
            promised.append(((wal.stat().st_size - WAL_HEADER) // FRAME, head.size, (whole / "guard").read_bytes()))
        journal = wal.read_bytes()
    await store.close()
    for frames in range(promised[-1][0] + 1):
        was = [one for one in promised if one[0] <= frames][-1]
        torn = rng.choice((0, rng.randrange(1, FRAME)))
        for size, kept in {was[1:], promised[-1][1:]}:
            shutil.rmtree(cut, ignore_errors=True)
            (cut / "store").mkdir(parents=True)
            (cut / "store" / "store.db").write_bytes(before)
            (cut / "store" / "store.db-wal").write_bytes(journal[: WAL_HEADER + frames * FRAME + torn])
            (cut / "guard").write_bytes(kept)
            told = {mark: root for mark, root in signed.items() if mark <= was[1]}
            await judge(cut, was[1], told, guarded=size)
            found["within-frame" if torn else "after-frame"] += 1
    return found


def restore(folder: Path, rng: random.Random) -> Counter[str]:
    return asyncio.run(_restore(folder, rng))


async def _grown(folder: Path, rng: random.Random, copies: int) -> dict[int, Path]:
    """A log that grew and was signed, and copies of its database from on the way, by their size."""
    store = open_store(folder)
    publisher, made = publisher_of(store, folder), dict[int, Path]()
    await publisher.open()
    for _ in range(copies):
        await store.log.append(events(rng))
        if rng.random() < 0.7:
            await publisher.publish()
        size = (await store.log.head()).size
        _copy(folder / "store" / "store.db", folder / f"copy-{size}")
        made[size] = folder / f"copy-{size}"
    await store.log.append(events(rng))
    await publisher.publish()
    await store.close()
    return made


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)


async def _restore(folder: Path, rng: random.Random) -> Counter[str]:
    create(folder)
    copies, found = await _grown(folder, rng, 12), Counter[str]()
    last = FileCheckpointGuard(folder / "guard").last()
    newest = last.size if last else 0
    hold_to(newest > max(copies), "the newest tree is not signed")
    for path in copies.values():
        put = folder / "put-back"
        shutil.rmtree(put, ignore_errors=True)
        (put / "store").mkdir(parents=True)
        shutil.copy(path, put / "store" / "store.db")
        shutil.copy(folder / "guard", put / "guard")
        await judge(put, 0, {}, guarded=newest)
        found["older-database"] += 1
    return found


class _Seen:
    """A WitnessClient over a real witness in this process."""

    name = "procuratorate"

    def __init__(self, folder: Path) -> None:
        self._service = Witness(SqliteWitnessStore(folder / "witness.db"), (WITNESS,), {ORIGIN: (LOG.key, LOG_PQ.key)}, SystemClock())  # fmt: skip
        self.signed: dict[int, bytes] = {}

    async def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        reply = self._service.add_checkpoint(request)
        if reply.status == 200:
            checkpoint = open_checkpoint(self._service.checkpoint_of(ORIGIN) or b"", (LOG.key,))[0]
            hold_to(self.signed.setdefault(checkpoint.size, checkpoint.root) == checkpoint.root, "a fork was cosigned")
        return reply.status, reply.body

    async def last_checkpoint(self, origin: str) -> bytes | None:
        return self._service.checkpoint_of(origin)


def clone(folder: Path, rng: random.Random) -> Counter[str]:
    return asyncio.run(_clone(folder, rng))


async def _clone(folder: Path, rng: random.Random) -> Counter[str]:
    create(folder / "one")
    SqliteWitnessStore(folder / "witness.db", create=True).close()
    witness, trust, found = _Seen(folder), parse_trust_policy(POLICY), Counter[str]()

    def publisher_for(store: SqliteStore, place: Path) -> Publisher:
        kept = FileCheckpointGuard(place / "guard")
        return Publisher(store.log, ORIGIN, (LOG, LOG_PQ), kept, trust, SystemClock(), (witness,))

    async def more(store: SqliteStore, publisher: Publisher) -> None:
        await store.log.append(events(rng))
        await publisher.publish()

    one = open_store(folder / "one")
    first = publisher_for(one, folder / "one")
    await first.open()
    await more(one, first)
    for turn in range(10):
        other = folder / f"other-{turn}"
        (other / "store").mkdir(parents=True)
        _copy(folder / "one" / "store" / "store.db", other / "store" / "store.db")
        shutil.copy(folder / "one" / "guard", other / "guard")
        runs_beside = rng.random() < 0.5
        if not runs_beside:
            await more(one, first)  # then the clone is started, and asks the witness
        two = open_store(other)
        second = publisher_for(two, other)
        hold = await second.open()
        hold_to((hold is None) == runs_beside, "only the witness knows, and it was not asked")
        if runs_beside:
            await more(one, first)
            await more(two, second)
            hold_to(second.latest is not None and not second.latest.is_witnessed, "a fork was witnessed")
            hold_to(await publisher_for(two, other).open() is not None, "a fork that a start does not see")
        else:
            hold_to(await second.publish() is None, "signed during a hold")
        await two.close()
        found["runs-beside" if runs_beside else "started-later"] += 1
    hold_to(first.latest is not None and first.latest.is_witnessed, "the true log is not witnessed")
    await _contains(one, witness.signed)
    await one.close()
    return found


BATCHES: Mapping[str, Callable[[Path, random.Random], Counter[str]]] = {
    "step": step, "guard": guard, "kill": kill, "wal-cut": wal_cut, "restore": restore, "clone": clone,
}  # fmt: skip

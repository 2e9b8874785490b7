"""A restored backup, a fork, a lost guard or a changed entry stops the signing, on every node."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.sqlite.store import SqliteStore
from gateway.model.errors import InvalidDocument, Tampered
from gateway.ports.log_storage import Head
from gateway.services.log_tree import LogTree
from tests.contracts.publishing.signing_log import TRUST, Gateway
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN
from tests.support.stored import SetClock


async def test_a_restored_backup_is_a_hold_and_nothing_is_signed(
    gateway: Gateway, clock: SetClock, tmp_path: Path
) -> None:
    await gateway.publisher.open()
    await gateway.log(10)
    await gateway.publisher.publish()
    await gateway.store.close()
    shutil.copytree(gateway.folder / "store", tmp_path / "backup")
    gateway.store = SqliteStore.open(gateway.folder / "store", clock, cache_mib=8)
    gateway.publisher = gateway.make_publisher()
    await gateway.publisher.open()
    await gateway.log(10)
    await gateway.publisher.publish()
    await gateway.store.close()

    shutil.rmtree(gateway.folder / "store")
    shutil.copytree(tmp_path / "backup", gateway.folder / "store")
    gateway.store = SqliteStore.open(gateway.folder / "store", clock, cache_mib=8)
    restored = gateway.make_publisher()
    other_node = gateway.make_publisher()
    for node in (restored, other_node):
        hold = await node.open()
        assert hold is not None and (hold.why, hold.signed_size, hold.own_size) == ("guard", 20, 10)
    await gateway.log(30)
    assert await restored.publish() is None and restored.latest is None
    assert not restored.allows_disclosure(clock.now())
    hold = await restored.release()
    assert hold is not None and hold.own_size == 40, "a longer tree that does not contain what was signed stays a fork"
    following = asyncio.ensure_future(other_node.follow(ORIGIN, (LOG, LOG_PQ), TRUST))
    while not following.done():
        assert other_node.hold is not None, "nor is it let go for a moment, while a node that does not sign looks again"
        await asyncio.sleep(0)
    hold = await following
    assert hold is not None and hold.own_size == 40


async def test_a_lost_guard_does_not_hide_a_fork_from_the_witness(
    gateway: Gateway, clock: SetClock, tmp_path: Path
) -> None:
    await gateway.publisher.open()
    await gateway.log(10)
    await gateway.publisher.publish()
    other = Gateway.new(tmp_path / "other", clock, seed=2)
    await other.log(20)
    other.witness = gateway.witness
    forked = other.make_publisher()
    hold = await forked.open()
    assert hold is not None and (hold.why, hold.signed_size) == ("witness", 10)
    await other.store.close()


async def test_a_guard_that_is_gone_or_behind_the_notes_is_a_hold(gateway: Gateway) -> None:
    await gateway.publisher.open()
    await gateway.log(10)
    await gateway.publisher.publish()
    (gateway.folder / "guard").unlink()
    with pytest.raises(Tampered, match="missing"):
        gateway.make_publisher()
    FileCheckpointGuard.create(gateway.folder / "guard")
    hold = await gateway.make_publisher().open()
    assert hold is not None and hold.why == "guard"


async def test_an_entry_changed_on_the_disk_before_it_was_signed_is_never_signed(
    gateway: Gateway, clock: SetClock
) -> None:
    await gateway.publisher.open()
    await gateway.log(5)
    await gateway.publisher.publish()
    await gateway.log(5)
    with closing(sqlite3.connect(gateway.folder / "store" / "store.db")) as raw, raw:
        for (name,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'log_leaf'"
        ).fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("UPDATE log_leaf SET entry = replace(entry, '\"v\":1', '\"v\":2') WHERE place = 7")
        raw.execute("UPDATE log_leaf SET entry = CAST(entry AS BLOB) WHERE place = 7")
    with pytest.raises(Tampered):
        await gateway.publisher.publish()
    assert gateway.publisher.hold is not None and gateway.publisher.hold.why == "read-back"
    assert await gateway.publisher.publish() is None
    latest = await gateway.store.log.latest_checkpoint()
    assert latest is not None and latest[0] == 5


def test_the_guard_remembers_and_never_goes_back(tmp_path: Path) -> None:
    guard = FileCheckpointGuard.create(tmp_path / "guard")
    assert guard.last() is None
    guard.advance(Head(5, b"r" * 32))
    guard.advance(Head(5, b"r" * 32))
    guard.advance(Head(9, b"s" * 32))
    again = FileCheckpointGuard(tmp_path / "guard")
    assert again.last() == Head(9, b"s" * 32)
    for head in (Head(5, b"r" * 32), Head(9, b"t" * 32)):
        with pytest.raises(Tampered):
            again.advance(head)
    with pytest.raises(InvalidDocument):
        FileCheckpointGuard.create(tmp_path / "guard")
    (tmp_path / "guard").write_bytes(b"hutong-signed/v1\n9\nAAAA\n")
    with pytest.raises(Tampered):
        FileCheckpointGuard(tmp_path / "guard").last()


async def test_between_two_looks_of_a_following_node_a_hold_never_lapses(gateway: Gateway) -> None:
    await gateway.publisher.open()
    await gateway.log(5)
    guard = FileCheckpointGuard(gateway.folder / "guard")
    guard.advance(Head(3, bytes(32)))
    node = gateway.make_publisher()
    assert await node.follow(ORIGIN, (LOG, LOG_PQ), TRUST) is not None
    held: list[bool] = []

    class Looking(LogTree):
        async def root(self, size: int) -> bytes:
            held.append(node.hold is not None)
            raise Tampered("a leaf is missing")

    node._tree = Looking(gateway.store.log)
    with pytest.raises(Tampered):
        await node.follow(ORIGIN, (LOG, LOG_PQ), TRUST)
    assert held == [True] and node.hold is not None

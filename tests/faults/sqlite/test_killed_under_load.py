"""A node that is killed at any moment has kept everything it promised."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.model.delivery import DeliveryState
from gateway.model.identifiers import DeliveryId, NoticeId
from tests.contracts.storage.log_suite import verified_size
from tests.support.stored import POLICE, SetClock

REPOSITORY = Path(__file__).parents[3]


def run_until_killed(directory: Path, lines: int) -> list[list[str]]:
    """Start a loaded node, read so many lines, kill it, and return all that it said."""
    node = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.sqlite.loaded_node", str(directory)],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    said = []
    try:
        assert node.stdout is not None
        for line in node.stdout:
            said.append(line)
            if len(said) >= lines:
                break
        assert node.poll() is None, "the node ended by itself"
    finally:
        node.kill()
    said += node.stdout.readlines()
    node.stdout.close()
    node.wait(10)
    return [line.decode().split() for line in said if line.endswith(b"\n")]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_promise_survives_kill_after_kill(tmp_path, seed):
    home, rng = tmp_path / "store", random.Random(seed)
    SqliteStore.create(home)
    promised: dict[str, tuple[bytes, bytes]] = {}
    acknowledged: set[str] = set()
    leased: set[str] = set()
    for _ in range(3):
        for kind, *words in run_until_killed(home, rng.randint(30, 400)):
            if kind == "A":
                promised[words[0]] = (bytes.fromhex(words[1]), bytes.fromhex(words[2]))
            elif kind == "L":
                leased.add(words[0])
            elif kind == "K":
                acknowledged.add(words[0])
    assert promised
    clock = SetClock(SystemClock().now())
    store = SqliteStore.open(home, clock)
    try:
        for notice, (key, receipt) in promised.items():
            found = await store.notices.find_receipt(key)
            assert found is not None
            assert found.receipt == receipt
            assert (await store.notices.load(NoticeId(notice))) is not None
        for delivery in acknowledged:
            assert (await store.deliveries.delivery(DeliveryId(delivery))).state is DeliveryState.ACKNOWLEDGED
        assert await verified_size(store) >= len(promised) + 2 * len(acknowledged)

        clock.forward(timedelta(seconds=61))
        left: set[str] = set()
        while page := await store.deliveries.lease_due(POLICE, clock.now(), timedelta(seconds=60), 500):
            assert not left & {one.id for one in page}
            left |= {one.id for one in page}
        assert not left & acknowledged
        in_doubt = leased - acknowledged - left
        for delivery in in_doubt:  # acknowledged, durably, but killed before it could say so
            assert (await store.deliveries.delivery(DeliveryId(delivery))).state is DeliveryState.ACKNOWLEDGED
    finally:
        await store.close()

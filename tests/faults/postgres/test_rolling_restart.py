"""Every node is restarted in turn under load, behind a balancer, with clients that keep their connections: no request fails."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from tests.faults.auditor import judge
from tests.faults.breaking import Breaking
from tests.faults.load import RECIPIENTS, SENDER, Load
from tests.support import postgres
from tests.support.cluster import ClusterProcess, apart
from tests.support.witnessed import Witnessed


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.skipif(not postgres.IS_INSTALLED, reason="PostgreSQL is not installed; see ops/test-services.sh")
async def test_a_rolling_restart_of_three_nodes_fails_no_request(tmp_path):
    seen = Witnessed(RECIPIENTS)
    tmp_path.chmod(0o755)
    # RFC 9112 9.5's race (idle connection closed while its other end sends) is the client's to avoid: it uses none that
    # rested for three seconds, which is well below `keepalive_seconds`, even where both stand still for long. A balancer
    # looks well within `leave_seconds`.
    async with ClusterProcess(tmp_path / "g", nodes=3, leave_seconds=1.5, keepalive_seconds=30.0) as cluster:
        for office in (SENDER, *RECIPIENTS):
            await apart(lambda office=office: cluster.nodes[0].add_office(office))
        load = Load(cluster.profiles, seen, random.Random(1128), idle_seconds=1.5, patience_seconds=120)
        breaking, is_over = Breaking(cluster, load, random.Random(1128)), asyncio.Event()

        async def roll() -> None:
            await breaking.rolling_restart()
            is_over.set()

        numbers = itertools.takewhile(lambda _: not is_over.is_set(), (f"r0-{number}" for number in itertools.count()))
        await load.round(numbers, 20, roll, 600)
        assert load.troubles == [], "no request had to be made again"
        assert len(seen.receipts) > 40
        assert await apart(lambda: judge(seen, cluster)) == []

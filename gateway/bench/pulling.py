"""What does it cost to hand one release to an office that pulls, and to take its acknowledgement?

The floor is the sum of what cannot be left out, each in its tightest form: decide and project, two signatures (release, receipt),
the store's own lease, disclosure and conclusion, and one empty request (the acknowledgement) with its share of another (the
page). All of it is processor time, as what is measured is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.bench.accept import bursts
from gateway.bench.measuring import Effort, Row, at_most, cpu_each, medians
from gateway.bench.node import Node
from gateway.bench.processes import cpu_seconds
from gateway.bench.pushing import OFFICES
from gateway.bench.store import store_rates
from gateway.bench.thinking import Thinking
from gateway.bench.yardsticks import curve_meter, empty_server
from gateway.client.agency import AgencyClient, Profile

PAGE = 20


async def pulling(effort: Effort) -> Sequence[Row]:
    """CPU of the node for one delivery, from lease to acknowledgement, against the floor."""
    ours = Thinking()
    ratios, raws = [], []
    async with curve_meter() as meter, empty_server() as (empty, pid), bursts() as burst:
        for number in range(effort.rounds):
            effort.tell(f"pull {number + 1}/{effort.rounds}")
            await burst(1.0)
            spent = cpu_seconds(burst.node.pid)
            count = await _drain(burst.node, effort.seconds)
            each = (cpu_seconds(burst.node.pid) - spent) / max(1, count)
            request = (await burst(1.0, target=empty, pid=pid)).cpu_each
            curve = await meter.measure()
            thought = cpu_each(ours.release)
            with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
                rates = await store_rates(Path(folder), 1_000)
            stored = rates.delivery_cpu
            floor = thought + 2 * curve.sign_cpu + stored + request * (1 + 1 / PAGE)
            ratios.append(each / floor)
            raws.append(
                {
                    "delivery_us": each * 1e6, "floor_us": floor * 1e6, "release_us": thought * 1e6,
                    "signs_us": 2e6 * curve.sign_cpu, "store_us": stored * 1e6, "request_us": request * 1e6,
                    "deliveries": count,
                }
            )  # fmt: skip
    return (
        Row("pull", "拉取一件投递的处理器时间", "CPU of one delivery by pull", "sum of its floors", at_most(1.5, 1.2), ratios, medians(raws)),
    )  # fmt: skip


async def _drain(node: Node, seconds: float) -> int:
    """Pull and acknowledge what waits for the three recipients of a report, for at most `seconds`; how many."""
    ends = asyncio.get_running_loop().time() + seconds
    counts = await asyncio.gather(*(_drain_office(node, office, ends) for office in OFFICES))
    return sum(counts)


async def _drain_office(node: Node, office: str, ends: float) -> int:
    count = 0
    async with AgencyClient(Profile.load(node.profiles, office)) as client:
        while asyncio.get_running_loop().time() < ends and (page := await client.pull(PAGE)):
            await asyncio.gather(*map(client.acknowledge, page))
            count += len(page)
    return count

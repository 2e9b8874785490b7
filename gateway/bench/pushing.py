"""How many webhooks does one core send, against the notices it accepts?

A webhook is the whole of a delivery: leased, decided, projected, recorded in the log, encoded, signed, sent, answered and
concluded. The offices stand on the other core and answer at once, over plain HTTP on kept connections. Processor time of
the node for one, accepted against pushed, in the same round: on one busy core that is the ratio of their rates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp

from gateway.bench.accept import bursts
from gateway.bench.measuring import Effort, Row, at_least, medians
from gateway.bench.node import Node
from gateway.bench.processes import LOAD_CORE, cpu_seconds
from gateway.bench.yardsticks import empty_server
from gateway.client.agency import AgencyClient, Profile

OFFICES = (
    "police.440113",
    "civil_affairs.440113",
    "procuratorate.440113",
)  # the three that get every report of the bench
_GLANCE = 0.5  # seconds between two looks at how much was sent


async def pushing(effort: Effort) -> Sequence[Row]:
    ratios, raws = [], []
    async with empty_server(LOAD_CORE) as (offices, _), bursts() as burst, aiohttp.ClientSession() as session:

        async def taken() -> int:
            async with session.get(f"{offices}/taken") as answer:
                return int(await answer.json())

        async def called(seconds: float) -> tuple[int, float]:
            """How many webhooks were sent in this time, and the node's processor seconds for each."""
            clock = asyncio.get_running_loop().time
            before, spent, ends = await taken(), cpu_seconds(burst.node.pid), clock() + seconds
            sent = 0
            while clock() < ends:
                await asyncio.sleep(_GLANCE)
                sent, still = await taken() - before, sent
                if sent and sent == still:
                    break  # all that waited was sent
            return sent, (cpu_seconds(burst.node.pid) - spent) / max(1, sent)

        for number in range(effort.rounds):
            effort.tell(f"webhooks {number + 1}/{effort.rounds}")
            accepted = await burst(effort.seconds)
            await _call(burst.node, f"{offices}/v1/notices")
            sent, each = await called(effort.seconds)
            await _call(burst.node, "")
            ratios.append(accepted.cpu_each / each)
            raws.append({"accept_cpu_us": accepted.cpu_each * 1e6, "webhook_cpu_us": each * 1e6, "webhooks": sent})
    return (
        Row("webhooks", "推送：单核每秒次数，对照受理", "webhooks a second of one core", "accepted", at_least(2, 3), ratios, medians(raws)),
    )  # fmt: skip


async def _call(node: Node, url: str) -> None:
    """Have the offices called at `url`; not at all where it is empty."""
    for office in OFFICES:
        async with AgencyClient(Profile.load(node.profiles, office)) as client:
            await client.set_webhook({"url": url} if url else {})

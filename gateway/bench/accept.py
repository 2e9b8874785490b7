"""How many notices does one core accept, at what cost, and how long does a sender wait?

A real node on one core, the load on the other: token, detached signature, schema, routing, encryption, one durable
transaction with log leaf and deliveries, signed receipt. All rows of a round are measured within seconds of each other and of
their yardsticks.
"""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.bench.measuring import Effort, Row, at_least, at_most, medians
from gateway.bench.node import Node, running_node, started, stopped_node
from gateway.bench.node_red import Absent, node_red
from gateway.bench.processes import CORES, Load, busy_share, cpu_seconds, load_generator, machine_time
from gateway.bench.yardsticks import Curve, curve_meter, empty_server
from gateway.model.errors import Unavailable

CLIENTS = 64
MANY_CLIENTS = 1024
_MOST_PER_SECOND = 6000  # requests made in advance for each second of load


@dataclass(frozen=True, slots=True)
class Accepted:
    """One burst of load on a node."""

    per_second: float
    cpu_each: float
    p50_ms: float
    p99_ms: float
    others: float


class Bursts:
    """Puts bursts of fresh, signed requests on a node."""

    def __init__(self, node: Node, load: Load) -> None:
        self.node, self._load, self._made = node, load, 0
        self._expected = 1000.0

    async def make(self, count: int, target: str = "") -> None:
        self._made += 1
        order: dict[str, Any] = {
            "make": count, "url": self.node.url, "profile": str(self.node.profiles), "run": f"b{self._made:03d}",
        }  # fmt: skip
        await self._load.order(order | ({"target": target} if target else {}))

    async def __call__(
        self, seconds: float, clients: int = CLIENTS, rate: float | None = None, target: str = "", pid: int = 0
    ) -> Accepted:
        """`target` and `pid` name another server that gets the same requests instead of the node."""
        most = rate or (20_000 if target else self._expected * 2.5)
        await self.make(int(most * (seconds + 1)) + 2 * clients, target)
        of, before = pid or self.node.pid, machine_time()
        spent = cpu_seconds(of)
        done = await self._load.order({"load": {"clients": clients, "seconds": seconds, "rate": rate}})
        spent = cpu_seconds(of) - spent
        wrong = {status: count for status, count in done["statuses"].items() if status != "202"}
        if wrong or done["lost"]:
            raise RuntimeError(f"the load was not accepted: {wrong}, connections lost: {done['lost']}")
        if not target and rate is None:
            self._expected = max(500.0, min(_MOST_PER_SECOND, done["per_second"]))
        if not done["answered"]:
            raise Unavailable(
                "the node answered nothing in the measured time", remedy="measure longer, or on a quieter machine"
            )
        return Accepted(
            done["per_second"], spent / done["answered"], done["p50_ms"], done["p99_ms"], busy_share(before, spent)
        )


@asynccontextmanager
async def bursts(cores: Sequence[int] = CORES[:1]) -> AsyncIterator[Bursts]:
    """A warm node with its load generator."""
    async with running_node(cores) as node, load_generator() as load:
        found = Bursts(node, load)
        await found(1.5)
        yield found


async def accept(effort: Effort) -> Sequence[Row]:
    """accept, accept-n, accept-cpu and clients, on one core."""
    rates, costs, by_n, many, raws = [], [], [], [], []
    skipped = ""
    async with AsyncExitStack() as stack:
        meter = await stack.enter_async_context(curve_meter())
        burst = await stack.enter_async_context(bursts())
        flow = None
        try:
            flow = await stack.enter_async_context(node_red(burst.node))
        except Absent as absent:
            skipped = str(absent)
        for number in range(effort.rounds):
            effort.tell(f"accept {number + 1}/{effort.rounds}")
            before = await meter.measure()
            done = await burst(effort.seconds)
            after = await meter.measure()
            crowd = await burst(effort.seconds, MANY_CLIENTS)
            curve = _between(before, after)
            rates.append(done.per_second / curve.verifies)
            costs.append(done.cpu_each / (curve.verify_cpu + curve.sign_cpu))
            many.append(crowd.per_second / done.per_second)
            raw = {
                "accepted_per_second": done.per_second,
                "verifies_per_second": curve.verifies,
                "cpu_us": done.cpu_each * 1e6,
                "verify_and_sign_us": (curve.verify_cpu + curve.sign_cpu) * 1e6,
                "accepted_per_second_1024": crowd.per_second,
                "others_share": done.others,
            }
            if flow is not None:
                peer = await burst(effort.seconds / 2, target=flow.url, pid=flow.pid)
                by_n.append(done.per_second / peer.per_second)
                raw["node_red_per_second"] = peer.per_second
            raws.append(raw)
    raw = medians(raws)
    return (
        Row("accept", "受理：单核每秒通报", "accepted a second, one core", "V", at_least(0.2, 0.33), rates, raw),
        Row("accept-n", "同上，对照 Node-RED", "the same against Node-RED", "N", at_least(1.5, 2.3), by_n, raw, skipped),
        Row("accept-cpu", "每条通报的处理器时间", "CPU of one accepted notice", "verify + sign", at_most(3.3, 2.2), costs, raw),
        Row("clients", "1024 个客户端比 64 个", "1,024 clients against 64", "64", at_least(0.9, 1.0), many, raw),
    )  # fmt: skip


async def two_cores(effort: Effort) -> Sequence[Row]:
    """The node on all cores with the load generator beside it, against Node-RED on the same cores."""
    title = ("受理：双核（含负载）", "two cores, load included")
    if len(CORES) < 2:
        return (Row("accept-two-cores", *title, "N", at_least(2.5, 4), skipped="one core alone"),)
    ratios, raws = [], []
    async with bursts(CORES) as burst, AsyncExitStack() as stack:
        try:
            flow = await stack.enter_async_context(node_red(burst.node, CORES))
        except Absent as absent:
            return (Row("accept-two-cores", *title, "N", at_least(2.5, 4), skipped=str(absent)),)
        for number in range(effort.rounds):
            effort.tell(f"two cores {number + 1}/{effort.rounds}")
            done = await burst(effort.seconds, 2 * CLIENTS)
            peer = await burst(effort.seconds / 2, 2 * CLIENTS, target=flow.url, pid=flow.pid)
            ratios.append(done.per_second / peer.per_second)
            raws.append({"accepted_per_second": done.per_second, "node_red_per_second": peer.per_second})
    return (Row("accept-two-cores", *title, "N", at_least(2.5, 4), ratios, medians(raws)),)


async def latency(effort: Effort) -> Sequence[Row]:
    """p50 and p99 at half load, arrivals by chance, against E at the same rate."""
    middles, tails, raws = [], [], []
    async with bursts() as burst, empty_server() as (empty, pid):
        full = statistics.median([(await burst(effort.seconds / 2)).per_second for _ in range(2)])
        for number in range(effort.rounds):
            effort.tell(f"latency {number + 1}")
            floor = await burst(effort.seconds, rate=full / 2, target=empty, pid=pid)
            done = await burst(effort.seconds, rate=full / 2)
            middles.append(done.p50_ms / floor.p50_ms)
            tails.append(done.p99_ms / floor.p99_ms)
            raws.append(
                {"rate": full / 2, "p50_ms": done.p50_ms, "p99_ms": done.p99_ms, "e_p50_ms": floor.p50_ms, "e_p99_ms": floor.p99_ms}
            )  # fmt: skip
    raw = medians(raws)
    return (
        Row("latency-p50", "半载中位时延", "p50 at half load", "E", at_most(3.5, 2.5), middles, raw),
        Row("latency-p99", "半载 p99 时延", "p99 at half load", "E", at_most(5, 3), tails, raw),
    )


async def rest(effort: Effort) -> Sequence[dict[str, Any]]:
    """The largest parts of the event loop's time while it accepts, in a round of its own under the profiler."""
    effort.tell("profile")
    async with stopped_node() as settings:
        out = settings.parent / "profile.json"
        async with started(settings, CORES[:1], out) as node, load_generator() as load:
            burst = Bursts(node, load)
            await burst(effort.seconds)
        parts: list[dict[str, Any]] = orjson.loads(out.read_bytes())
        return parts


def _between(before: Curve, after: Curve) -> Curve:
    return Curve(
        (before.verifies + after.verifies) / 2,
        (before.verify_cpu + after.verify_cpu) / 2,
        (before.sign_cpu + after.sign_cpu) / 2,
    )

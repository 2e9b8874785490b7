"""How long until a stopped node serves again, and how much memory does it hold?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from gateway.bench.measuring import Effort, Row, at_most
from gateway.bench.node import started, stopped_node
from gateway.bench.processes import CORES, cpu_seconds, resident_mib


async def restart(effort: Effort) -> Sequence[Row]:
    """Seconds from the start of the process to the first good `/readyz`, on an existing store."""
    times, memory, spent = [], [], []
    async with stopped_node() as settings:
        for number in range(effort.rounds):
            effort.tell(f"restart {number + 1}/{effort.rounds}")
            async with started(settings, CORES) as again:
                times.append(again.ready_seconds)
                memory.append(resident_mib(again.pid))
                spent.append(cpu_seconds(again.pid))
    return (
        Row("restart", "重启至就绪（秒）", "restart to ready, seconds", "1 s", at_most(2), times,
            {"resident_mib": statistics.median(memory), "cpu_seconds": statistics.median(spent)}),
    )  # fmt: skip

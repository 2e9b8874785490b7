"""The store alone against the disk (see `store`), and its writer beside an event loop that never rests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.bench.measuring import Effort, Row, at_least, medians
from gateway.bench.store import rates_beside, store_rates


async def storing(effort: Effort) -> Sequence[Row]:
    """Notices stored in groups of 100 for each flush the disk can do."""
    ratios, raws = [], []
    for number in range(effort.rounds):
        effort.tell(f"store {number + 1}/{effort.rounds}")
        with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
            found = await store_rates(Path(folder), 1_000 if effort.is_quick else 5_000)
        ratios.append(found.accepted_per_flush)
        raws.append(
            {
                "accepted_per_second": found.accepted, "flushes_per_second": found.flushes,
                "leased_per_second": found.leased, "disclosed_per_second": found.disclosed,
                "concluded_per_second": found.concluded,
            }
        )  # fmt: skip
    return (
        Row("store", "存储：每组 100 条", "store alone, groups of 100", "F", at_least(4, 7), ratios, medians(raws)),
    )


async def beside(effort: Effort) -> Sequence[Row]:
    """Notices stored in groups of 100 next to a thread that computes without pause, against the writer alone."""
    ratios, raws = [], []
    for number in range(effort.rounds):
        effort.tell(f"store-beside {number + 1}/{effort.rounds}")
        with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
            alone, busy = await rates_beside(Path(folder), 1 if effort.is_quick else 5)
        ratios.append(busy / alone)
        raws.append({"alone_per_second": alone, "beside_per_second": busy})
    return (
        Row("store-beside", "存储：事件循环满载时", "the writer next to a saturated event loop", "the same alone",
            at_least(0.7, 0.9), ratios, medians(raws)),
    )  # fmt: skip

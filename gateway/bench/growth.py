"""What do the store's operations and its memory cost when much is stored, against a store of ten thousand notices?

One store is filled to ten thousand (quick: one) and measured, then filled to `HUTONG_BENCH_NOTICES` (100,000 when it says nothing;
1,000,000 is the size the gate speaks of and takes a quarter of an hour) and measured again, in one process. Processor
time of the whole process counts, medians of many small samples. Opening the store again, which is what a restart does
with it, is one of the operations. Memory is that of this process: the store's caches,
not a node's schemas.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.bench.measuring import Effort, Row, at_most
from gateway.bench.processes import resident_mib
from gateway.bench.store import RECIPIENTS, UnitMaker
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.ids import SystemIds
from gateway.ports.storage import Acceptance

GROUP, PAGE, SAMPLES = 100, 20, 30
_LEASE = timedelta(seconds=60)


async def growth(effort: Effort) -> Sequence[Row]:
    """growth (the worst of the operations), growth-page and growth-memory."""
    small = 1_000 if effort.is_quick else 10_000
    large = 10_000 if effort.is_quick else int(os.environ.get("HUTONG_BENCH_NOTICES", "100000"))
    with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
        home = Path(folder) / "store"
        SqliteStore.create(home)
        filling = _Filling(home)
        try:
            effort.tell(f"growth: {small} notices")
            await filling.to(small)
            before = await filling.costs()
            effort.tell(f"growth: {large} notices")
            await filling.to(large)
            after = await filling.costs()
        finally:
            await filling.close()
    ratios = {name: after[name] / before[name] for name in before}
    memory = ratios.pop("memory_mib")
    raw = {"small": float(small), "large": float(large)}
    raw |= {f"{name}_small": value for name, value in before.items()}
    raw |= {f"{name}_large": value for name, value in after.items()}
    gate, yardstick = at_most(1.5, 1.2), f"{small:,} notices"
    return (
        Row("growth", "存量增长：最差的操作", "any operation, much stored", yardstick, gate, [max(ratios.values())], raw),
        Row("growth-page", "存量增长：收件页", "inbox page, much stored", yardstick, gate, [ratios["page_us"]], {}),
        Row("growth-memory", "存量增长：内存", "memory, much stored", yardstick, gate, () if effort.is_quick else [memory], {},
            "too few to fill the caches" if effort.is_quick else ""),
    )  # fmt: skip


class _Filling:
    def __init__(self, home: Path) -> None:
        self._home = home
        self._store = store = SqliteStore.open(home, SystemClock())
        self._maker = UnitMaker(SystemIds(SystemClock(), store.delivery_ids))
        self._stored = 0
        self._some: list[Acceptance] = []  # one of each group, to be asked for

    async def to(self, notices: int) -> None:
        while self._stored < notices:
            await self._accept()

    async def close(self) -> None:
        await self._store.close()

    async def _again(self) -> float:
        """Microseconds to open the store again after a clean end."""
        await self._store.close()
        spent = time.process_time()
        self._store = SqliteStore.open(self._home, SystemClock())
        return (time.process_time() - spent) * 1e6

    async def costs(self) -> Mapping[str, float]:
        """Microseconds of processor time: of a notice accepted, a page leased, a notice and a receipt found, the store
        opened again; and the memory held before that."""
        turn = iter(range(1 << 30))
        asked = self._some[:: max(1, len(self._some) // SAMPLES)]

        async def page() -> None:
            office = RECIPIENTS[next(turn) % len(RECIPIENTS)]
            if len(await self._store.deliveries.lease_due(office, datetime.now(UTC), _LEASE, PAGE)) < PAGE:
                raise RuntimeError("an inbox ran empty while it was measured")

        async def load() -> None:
            if await self._store.notices.load(asked[next(turn) % len(asked)].notice) is None:
                raise RuntimeError("a notice that was stored is not there")

        async def receipt() -> None:
            if await self._store.notices.find_receipt(asked[next(turn) % len(asked)].idempotency_key) is None:
                raise RuntimeError("a receipt that was stored is not there")

        found = {
            "accept_us": statistics.median([await self._accept() for _ in range(SAMPLES)]) / GROUP,
            "page_us": await _cost(page),
            "load_us": await _cost(load),
            "receipt_us": await _cost(receipt),
            "memory_mib": resident_mib(os.getpid()),
        }
        return found | {"open_us": statistics.median([await self._again() for _ in range(5)])}

    async def _accept(self) -> float:
        units = [self._maker.acceptance() for _ in range(GROUP)]
        spent = time.process_time()
        await asyncio.gather(*map(self._store.notices.accept, units))
        self._stored += GROUP
        if self._stored % (10 * GROUP) == 0 and len(self._some) < 4096:
            self._some.append(units[0])
        return (time.process_time() - spent) * 1e6


async def _cost(operation: Callable[[], Awaitable[None]]) -> float:
    found = []
    for _ in range(SAMPLES):
        spent = time.process_time()
        await operation()
        found.append(time.process_time() - spent)
    return statistics.median(found) * 1e6

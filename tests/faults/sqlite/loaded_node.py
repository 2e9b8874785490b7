"""A process under load, to be killed: accepts, leases and concludes without end, and says on stdout what it was answered.

    python -m tests.faults.sqlite.loaded_node DIRECTORY

Lines: `A <notice> <idempotency key> <receipt>` after an acceptance, `L <delivery>` after a
lease, `K <delivery>` after an acknowledgement. A line is written after the answer, so
whatever is on stdout was promised.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.model.delivery import DeliveryState
from gateway.ports.storage import Accepted, Concluded
from tests.support.stored import POLICE, Units


async def main(directory: Path) -> None:
    clock = SystemClock()
    store = SqliteStore.open(directory, clock, wal_limit_bytes=1 << 20)
    units = Units(clock, store.delivery_ids)

    def say(*words: str) -> None:
        sys.stdout.write(" ".join(words) + "\n")
        sys.stdout.flush()

    async def sender() -> None:
        while True:
            unit = units.acceptance(units.delivery(), units.delivery())
            if isinstance(await store.notices.accept(unit), Accepted):
                say("A", unit.notice, unit.idempotency_key.hex(), unit.receipt.hex())

    async def recipient() -> None:
        while True:
            for one in await store.deliveries.lease_due(POLICE, clock.now(), timedelta(seconds=60), 3):
                say("L", one.id)
                await store.deliveries.disclose(units.disclosure(one))
                answer = await store.deliveries.conclude(units.conclusion(one, DeliveryState.ACKNOWLEDGED))
                if isinstance(answer, Concluded):
                    say("K", one.id)

    say("READY")
    await asyncio.gather(*(sender() for _ in range(12)), *(recipient() for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

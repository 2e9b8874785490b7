"""Load without end, until the time is over: does the node stay right, and does it stay small?

    make soak                                        ten minutes
    python -m tests.faults.soak --minutes 60         longer

The same senders, receivers and auditor as `chaos`, without the kills. The node's resident
memory after the first round is the measure for the last one, beside which the store's page
caches fill with what is stored (the writer's 128 MiB with some 8,000 notices). Once they have had half of the time for
that, what is left has to stay: a slow leak is seen by the second half of ten minutes, a large one by less.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from tests.faults.auditor import judge
from tests.faults.chaos import LONGEST_ROUND_SECONDS, REPORTS_A_ROUND, numbers_of, prepare, tell_of_an_unfinished_round
from tests.faults.load import RECIPIENTS, Load
from tests.support.witnessed import Witnessed

MOST_GROWTH = 1.25  # besides
CACHES_MIB = 160  # 128 of the writer, 16 of each of two readers
MOST_GROWTH_LATER, READERS_MIB = 1.05, 32  # from half of the time on, when the writer's cache is full
FILLED = 8000  # notices, that fill it


def resident_mib(pid: int) -> float:
    """Resident memory of a process, from /proc."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def nothing() -> None:
    """What breaks here."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hutong-soak-") as folder:
        gateway = prepare(Path(folder) / "g")
        seen, first, number, settled = Witnessed(RECIPIENTS), 0.0, 0, 0.0
        load = Load(gateway.profiles, seen, random.Random(1))
        until = time.monotonic() + arguments.minutes * 60
        try:
            while time.monotonic() < until:
                numbers = numbers_of(number, REPORTS_A_ROUND, seen)
                try:
                    asyncio.run(load.round(numbers, REPORTS_A_ROUND, nothing, LONGEST_ROUND_SECONDS))
                except TimeoutError:
                    tell_of_an_unfinished_round(number, ["nothing broke"], load)
                    print(gateway.here("dead-letter", "list").stdout)
                    raise
                number += 1
                assert gateway.process is not None
                now = resident_mib(gateway.process.pid)
                first = first or now
                if time.monotonic() > until - arguments.minutes * 30 and len(seen.receipts) > FILLED:
                    settled = settled or now
                print(f"round {number}: {len(seen.receipts)} reports, {now:.0f} MiB ({now / first:.2f} x)")
            broken = judge(seen, gateway)
        finally:
            gateway.stop()
    if now > first * MOST_GROWTH + CACHES_MIB:
        broken.append(f"memory grew from {first:.0f} to {now:.0f} MiB, {CACHES_MIB} of it page caches at most")
    if settled and now > settled * MOST_GROWTH_LATER + READERS_MIB:
        broken.append(f"memory grew from {settled:.0f} to {now:.0f} MiB when the caches were full")
    for line in broken:
        print("BROKEN", line)
    raise SystemExit(bool(broken))


if __name__ == "__main__":
    main()

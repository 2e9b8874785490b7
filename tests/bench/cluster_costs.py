"""What does one notice cost each part of a cluster: gateway nodes, PostgreSQL, brokers? In processor time, by /proc.

    bash ops/test-services.sh python -m tests.bench.cluster_costs                 one node and one broker, then three of each
    python -m tests.bench.cluster_costs --nodes 2 --brokers 3 --notices 600

The load is that of chaos without the faults: mandatory reports to three recipients, one in sixteen handed in over AMQP,
the police's releases read from their encrypted queue, the others' pulled; everything acknowledged. A node's cost is the
sum over all nodes, so what the model of `docs/capacity.md` needs: how much work there is, whoever does it. What the parts
spend while nothing happens is measured before and left out; it is told for a second.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from gateway.bench.processes import cpu_seconds
from tests.faults.load import QUEUED, RECIPIENTS, SENDER, Load, Queues
from tests.support.cluster import ClusterProcess, apart
from tests.support.rabbitmq import Running
from tests.support.witnessed import Witnessed

WARM = 60  # notices before it counts
IDLE_SECONDS = 8.0
LONGEST_SECONDS = 300.0


def of_family(pid: int) -> float:
    """Of a process and all that descend from it and live."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_seconds(pid) + sum(of_family(int(child)) for child in children)


async def nothing() -> None:
    """What breaks here."""


async def measure(nodes: int, brokers: int, notices: int) -> dict[str, tuple[float, float]]:
    """Milliseconds in each part: for one notice, and for a second in which nothing happens."""
    with tempfile.TemporaryDirectory(prefix="hutong-costs-") as folder:
        Path(folder).chmod(0o755)
        async with ClusterProcess(Path(folder) / "g", nodes=nodes, brokers=brokers) as cluster:
            for office in (SENDER, *RECIPIENTS):
                queued = ("--queue", "releases", "--encryption-key", str(cluster.folder / "police.jwk"))
                chosen = queued if office == QUEUED else ("--queue", "doorbells") if office == SENDER else ()
                await apart(
                    lambda office=office, chosen=chosen: cluster.nodes[0].add_office(office, "canonical", *chosen)
                )
            queues = Queues([Running.of(one) for one in cluster.all_brokers()], cluster.key)
            load = Load(cluster.profiles, Witnessed(RECIPIENTS), random.Random(1), queues)

            def spent() -> dict[str, float]:
                return {
                    "nodes": sum(of_family(one.process.pid) for one in cluster.nodes if one.process),
                    "PostgreSQL": of_family(cluster.database.process.pid) if cluster.database.process else 0.0,
                    "brokers": sum(of_family(one.process.pid) for one in cluster.all_brokers() if one.process),
                }

            await load.round((f"r0-{number}" for number in range(WARM)), 1, nothing, LONGEST_SECONDS)
            before = spent()
            await asyncio.sleep(IDLE_SECONDS)  # what is measured is this rest
            idle = {part: (after - before[part]) / IDLE_SECONDS for part, after in spent().items()}
            before, began = spent(), time.monotonic()
            await load.round((f"r9-{number}" for number in range(notices)), 1, nothing, LONGEST_SECONDS)
            seconds = time.monotonic() - began
            return {
                part: ((after - before[part] - idle[part] * seconds) * 1000 / notices, idle[part] * 1000)
                for part, after in spent().items()
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=0)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--notices", type=int, default=600)
    arguments = parser.parse_args()
    for nodes, brokers in [(arguments.nodes, arguments.brokers)] if arguments.nodes else [(1, 1), (3, 3)]:
        parts = asyncio.run(measure(nodes, brokers, arguments.notices))
        told = ", ".join(f"{part} {each:.1f} ms ({idle:.0f} ms a second idle)" for part, (each, idle) in parts.items())
        print(f"{nodes} nodes, {brokers} brokers, one notice to {len(RECIPIENTS)} recipients: {told}", flush=True)


if __name__ == "__main__":
    main()

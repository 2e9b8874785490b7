"""A cluster of gateway processes on one PostgreSQL, behind a balancer: nodes and database are killed and paused at will."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from random import Random

import asyncpg

from gateway.audit.merkle import Edge, leaf_hash
from tests.support.balancer import Balancer
from tests.support.gateway_process import GatewayProcess, free_port
from tests.support.postgres import PostgresServer

PAUSE_SECONDS = 7.0  # longer than the server lets a transaction stand


class ClusterProcess:
    """Offered like one `GatewayProcess`: what `kill` breaks goes through the faults in turn, `start` mends it."""

    def __init__(
        self, folder: Path, database: PostgresServer, nodes: int = 2, faults: tuple[str, ...] = ("node",)
    ) -> None:
        self.database, self.faults, self.random = database, faults, Random(7)
        self.url = asyncio.run(database.server.make_database())
        port = free_port()
        shared = ("--postgres", self.url, "--public-url", f"http://127.0.0.1:{port}")
        first = GatewayProcess(folder / "n0", *shared)
        others = [
            GatewayProcess(folder / f"n{n}", *shared, "--join", str(folder / "n0" / "keys")) for n in range(1, nodes)
        ]
        self.nodes = [first, *others]
        self.profiles = first.profiles
        self.balancer = Balancer(port, [node.port for node in self.nodes])
        self.broken: tuple[str, GatewayProcess | None] = ("", None)
        self.history: list[str] = []

    def start_all(self) -> ClusterProcess:
        for node in self.nodes:
            node.start()
        return self

    def kill(self) -> None:
        """SIGKILL or SIGSTOP of a node, SIGKILL of the whole database, SIGKILL of all nodes at once; or a node that is
        restarted as for an upgrade."""
        fault = self.faults[len(self.history) % len(self.faults)]
        node = self.random.choice(self.nodes)
        self.broken = (fault, node)
        self.history.append(fault)
        if fault == "database":
            self.database.kill()
        elif fault == "pause":
            assert node.process is not None
            node.process.send_signal(signal.SIGSTOP)
        elif fault == "all":
            for one in self.nodes:
                one.kill()
        elif fault == "restart":
            pass  # the node goes on until `start` tells it to end
        else:
            node.kill()

    def start(self) -> None:
        """Mend what `kill` broke."""
        fault, node = self.broken
        assert node is not None
        if fault == "database":
            self.database.start()
        elif fault == "pause":
            assert node.process is not None
            time.sleep(PAUSE_SECONDS)  # the length of the pause is the fault itself
            node.process.send_signal(signal.SIGCONT)
        elif fault == "all":
            self.start_all()
        elif fault == "restart":
            node.stop()
            node.start()
        else:
            node.start()

    def run(self, *arguments: str, check: bool = True):  # type: ignore[no-untyped-def]
        return self.nodes[0].run(*arguments, check=check)

    def stop(self) -> None:
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.stop()
        self.balancer.close()

    def contradictions(self) -> list[str]:
        """What is wrong with the log in the database: a signed size whose root the leaves do not have, events told twice."""
        return asyncio.run(self._contradictions())

    async def _contradictions(self) -> list[str]:
        connection = await asyncpg.connect(self.url)
        try:
            leaves = await connection.fetch("SELECT place, event, entry FROM log_leaf ORDER BY place")
            signed = {row[0]: row[1] for row in await connection.fetch("SELECT size, root FROM log_checkpoint")}
            waiting = await connection.fetchval("SELECT count(*) FROM log_outbox")
        finally:
            await connection.close()
        found = [] if [row[0] for row in leaves] == list(range(len(leaves))) else ["places with gaps"]
        if len({row[1] for row in leaves}) != len(leaves):
            found.append("an event has two places")
        if waiting:
            found.append(f"{waiting} records never got a place")
        edge = Edge()
        for _, _, entry in leaves:
            edge.append(leaf_hash(entry))
            if signed.get(edge.size, edge.root()) != edge.root():
                found.append(f"forked: another tree was signed at size {edge.size}")
        if signed and max(signed) > edge.size:
            found.append("more was signed than is there")
        return found

"""What can happen to a cluster? Each fault is done and mended again, under load.

Of the nodes: killed, all killed, paused (SIGSTOP, longer than the database lets it hold a lock), restarted as for an
upgrade, its clock set forward or back. Of the database: killed, paused, its connections cut or half-open, its disk (and
that of the nodes' keys) full. Of the brokers: one killed, one paused, all killed, all killed and their disks lost, their
connections cut or half-open. Of the log: a second and third sequencer that take no lock.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from gateway.bench.rabbitmq import Broker
from gateway.engines.postgres.sequencer import Sequencer
from gateway.engines.postgres.store import QUERIES
from gateway.model.errors import Unavailable
from tests.faults.load import Load
from tests.support.cluster import ClusterProcess, apart
from tests.support.cut_proxy import CutProxy
from tests.support.gateway_process import GatewayProcess

NODE_PAUSED_SECONDS = 7.0  # longer than the server lets a transaction stand
DATABASE_PAUSED_SECONDS = 4.0
BROKER_PAUSED_SECONDS = 3.0
HALF_OPEN_SECONDS = 6.0
FULL_SECONDS = 3.0
CLOCK_SECONDS = 5.0
SEQUENCERS_SECONDS = 6.0
START_SECONDS = 90.0
CLOCK_JUMPS = (
    -40,
    40,
)  # seconds; more than `limits.clock_skew_seconds` is not survived: see docs/decisions, PostgreSQL


class Breaking:
    """`faults` has what can be done to this cluster; `left_out` says why something cannot."""

    def __init__(self, cluster: ClusterProcess, load: Load, chance: random.Random) -> None:
        self._cluster, self._load, self._chance = cluster, load, chance
        self.left_out: list[str] = []
        self.faults: Mapping[str, Callable[[], Awaitable[None]]] = self._possible()

    def _possible(self) -> dict[str, Callable[[], Awaitable[None]]]:
        database = self._cluster.to_database
        faults = {
            "node-killed": self._node_killed,
            "all-nodes-killed": self._all_nodes_killed,
            "node-paused": self._node_paused,
            "node-restarted": self._node_restarted,
            "database-killed": self._database_killed,
            "database-paused": self._database_paused,
            "database-cut": lambda: self._cut([database]),
            "database-half-open": lambda: self._half_open([database]),
            "two-sequencers": self._two_sequencers,
        }
        if self._cluster.has_own_disk:
            faults["disk-full"] = self._disk_full
        else:
            self.left_out.append("disk-full: no right to mount a file system")
        if self._cluster.has_clocks:
            faults["clock-jump"] = self._clock_jump
        else:
            self.left_out.append("clock-jump: libfaketime is not installed")
        if self._cluster.brokers is None:
            self.left_out.append("broker-*: no brokers")
            return faults
        proxies = self._cluster.to_brokers
        return faults | {
            "broker-killed": self._broker_killed,
            "broker-paused": self._broker_paused,
            "brokers-killed": self._brokers_killed,
            "brokers-wiped": lambda: self._brokers_killed(wiped=True),
            "brokers-cut": lambda: self._cut(proxies),
            "brokers-half-open": lambda: self._half_open(proxies),
        }

    def _one(self) -> GatewayProcess:
        return self._chance.choice(self._cluster.nodes)

    async def _started(self, node: GatewayProcess) -> None:
        """As a service manager does it: started again when it could not start, until it runs."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                await apart(node.start)
            except AssertionError:  # its database is away
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)
            else:
                return

    async def _node_killed(self) -> None:
        node = self._one()
        node.kill()
        await self._started(node)

    async def _all_nodes_killed(self) -> None:
        for node in self._cluster.nodes:
            node.kill()
        await asyncio.gather(*map(self._started, self._cluster.nodes))

    async def _node_paused(self) -> None:
        node = self._one()
        assert node.process is not None
        node.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(NODE_PAUSED_SECONDS)  # the length of the pause is the fault itself; so below
        node.process.send_signal(signal.SIGCONT)

    async def _node_restarted(self) -> None:
        node = self._one()
        await apart(node.stop)
        await self._started(node)

    async def rolling_restart(self) -> None:
        """Every node in turn, as for an upgrade."""
        for node in self._cluster.nodes:
            await apart(node.stop)
            await self._started(node)

    async def _database_killed(self) -> None:
        self._cluster.database.kill()
        await apart(self._cluster.database.start)

    async def _database_paused(self) -> None:
        self._cluster.database.signal_all(signal.SIGSTOP)
        await asyncio.sleep(DATABASE_PAUSED_SECONDS)
        self._cluster.database.signal_all(signal.SIGCONT)

    async def _cut(self, proxies: list[CutProxy]) -> None:
        for proxy in proxies:
            proxy.cut()

    async def _half_open(self, proxies: list[CutProxy]) -> None:
        for proxy in proxies:
            proxy.hang()
        await asyncio.sleep(HALF_OPEN_SECONDS)
        for proxy in proxies:
            proxy.heal()

    async def _two_sequencers(self) -> None:
        """Two more, beside the nodes' own, that take no lock: only the head's compare-and-set keeps them apart."""
        others = [Sequencer(self._cluster.url, QUERIES, takes_lock=False) for _ in range(2)]
        until = time.monotonic() + SEQUENCERS_SECONDS

        async def give_places(sequencer: Sequencer) -> None:
            while time.monotonic() < until:
                with suppress(Unavailable):
                    await sequencer.settle()
            await sequencer.close()

        await asyncio.gather(*map(give_places, others))

    async def _disk_full(self) -> None:
        """As good as nothing left for the database, the brokers and the nodes' keys; room again, and whoever died is started.
        So are the brokers, empty, as the runbook says: RabbitMQ (3.10) lives on, but queues it damaged do not come back."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with suppress(subprocess.CalledProcessError):  # it grew while it was measured
                self._cluster.set_disk(64)
                break
        await asyncio.sleep(FULL_SECONDS)
        self._cluster.set_disk(None)
        if not self._cluster.database.is_running:
            await apart(self._cluster.database.start)
        for node in self._cluster.nodes:
            if node.process is not None and node.process.poll() is not None:
                await self._started(node)
        if self._cluster.brokers is not None:
            await self._brokers_killed(wiped=True)

    async def _clock_jump(self) -> None:
        node = self._one()
        self._load.is_clock_wrong = True
        self._cluster.set_clock(node, self._chance.choice(CLOCK_JUMPS))
        await asyncio.sleep(CLOCK_SECONDS)
        self._cluster.set_clock(node, 0)

    async def _broker_killed(self) -> None:
        await self._restart([self._chance.choice(self._cluster.all_brokers())])

    async def _brokers_killed(self, wiped: bool = False) -> None:
        await self._restart(self._cluster.all_brokers(), wiped=wiped)

    async def _restart(self, brokers: list[Broker], *, wiped: bool = False) -> None:
        for broker in brokers:  # at once: one that sees another die first may wait for it for ever
            assert broker.process is not None
            broker.process.kill()
        for broker in brokers:
            await apart(broker.kill)
            if wiped:
                broker.wipe()
        try:
            for broker in brokers:
                await self._begin(broker)
            for broker in brokers:
                await apart(broker.wait)
        except RuntimeError:
            if wiped:
                raise
            # They did not agree with each other any more (Mnesia): an operator starts empty ones. Nothing depends on it.
            await self._restart(self._cluster.all_brokers(), wiped=True)

    async def _begin(self, broker: Broker) -> None:
        """Begin to start it: again, while the disk that its settings are written to is full."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                await apart(broker.start)
            except OSError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)
            else:
                return

    async def _broker_paused(self) -> None:
        broker = self._chance.choice(self._cluster.all_brokers())
        broker.pause()
        await asyncio.sleep(BROKER_PAUSED_SECONDS)
        broker.resume()

"""A cluster of gateway processes on one PostgreSQL and, where asked for, three brokers, behind a balancer.

Nodes reach database and brokers through proxies that can be cut. Everything lives in one folder, on a file system of its
own where that may be had (so that it can be full), and can be taken up again from there by another process. Whatever runs
dies with the thread that started it.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from cryptography.hazmat.primitives import serialization

from gateway.audit.merkle import Edge, leaf_hash
from gateway.bench.processes import free_port
from gateway.bench.rabbitmq import Broker, Cluster
from tests.support.amqp_office import encryption_pair
from tests.support.balancer import Balancer
from tests.support.cut_proxy import CutProxy
from tests.support.gateway_process import GatewayProcess
from tests.support.postgres import PostgresServer

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
DISK_MIB = 3000
KEPT = "cluster.pickle"  # what a run that is resumed knows its cluster by
LOOKS, LOOK_SECONDS = 20, 0.5  # until a record that waits for its place has it

_SETTINGS = """leave_seconds = {leave_seconds}
keepalive_seconds = {keepalive_seconds}

[delivery]
lease_seconds = 4
webhook_timeout_seconds = 1
"""
_RABBITMQ = """
[rabbitmq]
addresses = {addresses}
management = {management}
heartbeat_seconds = 1.0
confirm_seconds = 2.0
waiting_seconds = 30.0
"""

T = TypeVar("T")

_starter = ThreadPoolExecutor(8, thread_name_prefix="starter")  # lives as long as this process


async def apart(step: Callable[[], T]) -> T:
    """Do what blocks in a thread that lives as long as this process: what is started there dies with it, not before."""
    return await asyncio.get_running_loop().run_in_executor(_starter, step)


class ClusterProcess:
    """Use as an async context manager: made or taken up, started, and ended."""

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 2,
        brokers: int = 0,
        keeps: bool = False,
        own_disk: bool = False,
        clocks: bool = False,
        leave_seconds: float = 0.5,
        keepalive_seconds: float = 5.0,
    ) -> None:
        """`keeps`: the database too is in the folder, which its user has to reach, and can be taken up again; else it is
        gone in the end. `own_disk`: that folder is on a file system that can be full, where one may be mounted. `clocks`: each node's can be changed,
        where libfaketime is installed."""
        self.folder, self.has_own_disk = folder, False
        self._nodes, self._brokers = nodes, brokers
        self._leave_seconds, self._keepalive_seconds = leave_seconds, keepalive_seconds
        self._keeps, self._wants_disk, self.has_clocks = keeps, keeps and own_disk, clocks and FAKETIME is not None
        self.database: PostgresServer
        self.brokers: Cluster | None = None
        self.nodes: list[GatewayProcess] = []
        self.to_database: CutProxy
        self.to_brokers: list[CutProxy] = []
        self.url = ""
        self.key: Any = None  # what the police open their releases with

    @property
    def profiles(self) -> Path:
        return self.nodes[0].profiles

    async def __aenter__(self) -> ClusterProcess:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        kept = self.folder / KEPT
        if self._wants_disk:
            self._mount()
        if kept.exists():
            self.database, self.brokers, ports, self.url = pickle.loads(kept.read_bytes())
        else:
            place = self.folder / "pg" if self._keeps else None
            if place is not None:
                place.mkdir()
            self.database = await apart(lambda: PostgresServer(folder=place, max_wal_size="128MB"))
            if self._brokers:
                self.brokers = Cluster(self.folder / "brokers", self._brokers)
            ports = [free_port() for _ in range(2 + self._brokers)]
        balancer, to_database, *to_brokers = ports
        if self.brokers is not None:
            self.brokers.gateway_port = balancer
        self.to_database = await CutProxy(self.database.port, to_database).__aenter__()
        for broker, port in zip(self.brokers.brokers if self.brokers else (), to_brokers, strict=True):
            self.to_brokers.append(await CutProxy(broker.port, port).__aenter__())
        await apart(self._start_services)
        if not self.url:
            self.url = await self.database.server.make_database()
        await apart(lambda: self._make_nodes(balancer))
        if self._keeps and not kept.exists():
            self._keep(kept, ports)
        self.balancer = Balancer(balancer, [node.port for node in self.nodes])
        await asyncio.gather(*(apart(node.start) for node in self.nodes))
        return self

    def _keep(self, kept: Path, ports: Sequence[int]) -> None:
        """Everything but the running processes."""
        database, self.database.process = self.database.process, None
        running = [(one, one.process) for one in (self.brokers.brokers if self.brokers else ())]
        epmd = None if self.brokers is None else self.brokers._epmd
        for one, _ in running:
            one.process = None
        if self.brokers is not None:
            self.brokers._epmd = None
        kept.write_bytes(pickle.dumps((self.database, self.brokers, ports, self.url)))
        self.database.process = database
        for one, process in running:
            one.process = process
        if self.brokers is not None:
            self.brokers._epmd = epmd

    def _start_services(self) -> None:
        if self.brokers is not None:
            self.brokers.start()
        self.database.start()

    def _make_nodes(self, balancer: int) -> None:
        shared = ("--postgres", self.url, "--public-url", f"http://127.0.0.1:{balancer}")
        for number in range(self._nodes):
            folder = self.folder / f"n{number}"
            join = ("--join", str(self.folder / "n0" / "keys")) if number else ()
            is_new = not (folder / "hutong.toml").exists()
            node = GatewayProcess(folder, *shared, *join)
            node.dies_with_us, node.log_file = True, self._beside(f"n{number}.log")
            if is_new:
                self._set(node)
            if self.brokers is not None:
                node.environment["HUTONG_AMQP_PASSWORD"] = self.brokers.password
            if self.has_clocks:
                self._give_clock(node)
            self.nodes.append(node)
        key = self.folder / "police.pem"
        if self.brokers is None:
            return
        if key.exists():
            self.key = serialization.load_pem_private_key(key.read_bytes(), None)
            return
        self.key, jwk = encryption_pair()
        (self.folder / "police.jwk").write_text(json.dumps(jwk))
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        key.write_bytes(self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))

    def _set(self, node: GatewayProcess) -> None:
        """Short times, and what may be cut reached through its proxy."""
        text = node.config.read_text().replace(f":{self.database.port}/", f":{self.to_database.port}/")
        text += _SETTINGS.format(leave_seconds=self._leave_seconds, keepalive_seconds=self._keepalive_seconds)
        if self.brokers is not None:
            addresses = [f"amqp://hutong@127.0.0.1:{proxy.port}/%2F" for proxy in self.to_brokers]
            management = [f"http://127.0.0.1:{one.management}" for one in self.brokers.brokers]
            text += _RABBITMQ.format(addresses=json.dumps(addresses), management=json.dumps(management))
        tomllib.loads(text)
        node.config.write_text(text)

    def _give_clock(self, node: GatewayProcess) -> None:
        clock = self._clock_of(node)
        clock.write_text("+0\n")
        node.serve_environment |= {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set_clock(self, node: GatewayProcess, seconds: int) -> None:
        """The node's clock is so much before or behind, within a second."""
        self._clock_of(node).write_text(f"{seconds:+d}\n")

    def _clock_of(self, node: GatewayProcess) -> Path:
        return self._beside(f"{node.directory.name}.clock")

    def _beside(self, name: str) -> Path:
        """A file of ours, not on the file system that may be full."""
        return self.folder.with_name(f"{self.folder.name}-{name}")

    def _mount(self) -> None:
        """A file system of its own, unless it is there from an earlier run."""
        if not os.path.ismount(self.folder):
            size = f"size={DISK_MIB}m,mode=755"
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", self.folder], capture_output=True, check=False)  # fmt: skip
            if done.returncode:
                return
        self.has_own_disk = True

    def set_disk(self, free_kib: int | None) -> None:
        """Leave so much room on the file system; None: all there is. Raises when it shrank too slowly: try again."""
        size = f"{DISK_MIB}m"
        if free_kib is not None:
            now = os.statvfs(self.folder)
            size = f"{(now.f_blocks - now.f_bfree) * now.f_frsize // 1024 + free_kib}k"
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], capture_output=True, check=True)

    async def __aexit__(self, *_: object) -> None:
        """End everything."""
        if self.has_own_disk:
            self.set_disk(None)
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                await apart(node.kill)
        self.balancer.close()
        for proxy in (self.to_database, *self.to_brokers):
            await proxy.__aexit__()
        if self.brokers is not None:
            await apart(self.brokers.halt)
        await apart(self.database.halt if self._keeps else self.database.stop)

    def forget(self) -> None:
        """Give the file system back. The folder's owner removes what is in it otherwise."""
        if self.has_own_disk:
            subprocess.run(["umount", "--lazy", self.folder], check=True)

    def all_brokers(self) -> list[Broker]:
        return self.brokers.brokers if self.brokers is not None else []

    def run(self, *arguments: str) -> Any:
        return self.nodes[0].here(*arguments)

    def contradictions(self) -> list[str]:
        """What is wrong with the log in the database: a signed size whose root the leaves do not have, events told twice."""
        return asyncio.run(self._contradictions())

    async def _contradictions(self) -> list[str]:
        direct = urlunsplit(urlsplit(self.url)._replace(netloc=f"hutong@127.0.0.1:{self.database.port}"))
        connection = await asyncpg.connect(direct)
        try:
            for _ in range(LOOKS):  # a duty may have written one just now
                if not (waiting := await connection.fetchval("SELECT count(*) FROM log_outbox")):
                    break
                await asyncio.sleep(LOOK_SECONDS)
            async with connection.transaction(isolation="repeatable_read"):
                leaves = await connection.fetch("SELECT place, event, entry FROM log_leaf ORDER BY place")
                signed = {row[0]: row[1] for row in await connection.fetch("SELECT size, root FROM log_checkpoint")}
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

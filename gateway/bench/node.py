"""How does a real gateway stand for a measurement?

Made by `create`, run by `hutong serve` in a process of its own, with the demo's pilot area enrolled; all offices speak the
canonical form, so that what is measured is the gateway and not one agency's format.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from gateway.assembly import ADMIN_SOCKET, create
from gateway.bench.processes import SERVER_CORE, free_port, spawned
from gateway.config import load_settings
from gateway.crypto.signing import new_signing_key
from gateway.engines.files.profile import write_profile
from gateway.simulation.pilot_area import AROUND, EIGHT, EVERY_OBLIGATION

_SETTINGS = """
name = "bench.hutong.example"
region = "440113"
directory = "data"
key_directory = "keys"
{storage}
[limits]
notices_per_second = 1000000
burst_notices = 10000000

[delivery]
webhook_plain_loopback = true

[server]
host = "127.0.0.1"
port = {port}
"""


@dataclass(frozen=True, slots=True)
class Node:
    """A running gateway."""

    pid: int
    url: str
    directory: Path
    ready_seconds: float

    @property
    def profiles(self) -> Path:
        return self.directory / "offices"


def made_in(directory: Path, database: str = "") -> Path:
    """The settings file of a new gateway, whose store is in an empty `database` where one is named."""
    file = directory / "hutong.toml"
    storage = f'storage = "postgres"\n\n[postgres]\naddress = "{database}"\n' if database else ""
    file.write_text(_SETTINGS.format(port=free_port(), storage=storage), encoding="utf-8")
    return file


@asynccontextmanager
async def running_node(cores: Collection[int] = (SERVER_CORE,), database: str = "") -> AsyncIterator[Node]:
    """A fresh gateway with its offices, on these cores; gone when the block is left."""
    with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
        directory = Path(folder)
        file = made_in(directory, database)
        await create(load_settings(file), by="bench")
        async with started(file, cores) as node:
            await _enrol(node)
            yield node


@asynccontextmanager
async def stopped_node() -> AsyncIterator[Path]:
    """The settings file of a gateway with its offices that runs no more."""
    with TemporaryDirectory(prefix="hutong-bench-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
        file = made_in(Path(folder))
        await create(load_settings(file), by="bench")
        async with started(file, (SERVER_CORE,)) as node:
            await _enrol(node)
        yield file


@asynccontextmanager
async def started(file: Path, cores: Collection[int], profile: Path | None = None) -> AsyncIterator[Node]:
    """`hutong serve` on an existing folder, ready when the block is entered; `profile` runs it under the profiler."""
    program = ["gateway"] if profile is None else ["gateway.bench.profiled", str(profile)]
    command = [sys.executable, "-m", *program, "serve", "--config", str(file)]
    url = load_settings(file).public_url
    begin = time.perf_counter()
    with (file.parent / "node.log").open("ab") as log:
        async with spawned(command, cores, stderr=log) as process:
            await _ready(process, url)
            yield Node(process.pid, url, file.parent, time.perf_counter() - begin)


async def _ready(process: asyncio.subprocess.Process, url: str) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while process.returncode is None:
            try:
                async with session.get(f"{url}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.01)
    raise RuntimeError("the gateway did not start")


async def _enrol(node: Node) -> None:
    connector = aiohttp.UnixConnector(str(node.directory / "data" / ADMIN_SOCKET))
    async with aiohttp.ClientSession(connector=connector, headers={"Hutong-Operator": "bench"}) as session:
        for office in (*EIGHT, *AROUND):
            key = new_signing_key()
            document = {
                "id": office.id, "name_zh": office.name_zh, "name_en": office.name_en, "adapter": "canonical",
                "media_type": "application/cloudevents+json", "keys": [key.public().jwk()],
                "accepts_obligations": list(EVERY_OBLIGATION), "agreements": ["会签〔2026〕1号"],
                "attributes": dict(office.attributes),
            }  # fmt: skip
            async with session.post("http://admin/admin/v1/offices", json=document) as response:
                if response.status >= 400:
                    raise RuntimeError(f"the office was not enrolled: {await response.text()}")
            write_profile(node.profiles, office.id, node.url, key)

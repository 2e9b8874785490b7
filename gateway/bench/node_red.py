"""N: what would an integrator build instead? A Node-RED flow that checks a token, a signature and a schema and syncs a file.

Node-RED and Ajv are installed by the bench alone, with npm, into a cache folder of the user (about 130 MB, once). The flow gets
the very requests that the gateway gets, verifies the token with the gateway's published key and the signature over the exact
bytes, and answers after fdatasync. It stores one line a notice: no policy, no receipt, no log, no deliveries.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from gateway.bench.node import Node
from gateway.bench.processes import SERVER_CORE, free_port, spawned
from gateway.bench.samples import SENDER
from gateway.client.agency import Profile
from gateway.engines.files.documents import default_rules
from gateway.model.identifiers import NoticeType

PACKAGES = ("node-red@4.1.15", "ajv@8")


class Absent(Exception):
    """Node-RED cannot be run here; the text says why, in a line."""


@dataclass(frozen=True, slots=True)
class Flow:
    url: str
    pid: int


@asynccontextmanager
async def node_red(gateway: Node, cores: Collection[int] = (SERVER_CORE,)) -> AsyncIterator[Flow]:
    """The flow, running on these cores and trusting the tokens of `gateway`. Raises Absent when it cannot be had."""
    modules = await _installed()
    with TemporaryDirectory(prefix="hutong-node-red-", dir=os.environ.get("HUTONG_BENCH_DIR")) as folder:
        home, port = Path(folder), free_port()
        async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/.well-known/jwks.json") as response:
            tokens = (await response.json())["keys"]
        sender = Profile.load(gateway.profiles, SENDER).key.public().jwk()
        schema = default_rules().schemas[NoticeType("RPT-M")]
        for name, document in (
            ("flows", _flow()),
            ("keys", {"tokens": tokens, "sender": sender, "issuer": gateway.url}),
            ("schema", schema),
        ):
            (home / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        for name in ("node_red_settings.js", "node_red_check.js"):
            (home / name).write_text(resources.files("gateway.bench").joinpath(name).read_text("utf-8"), "utf-8")
        command = [
            "node",
            str(modules / "node-red" / "red.js"),
            "-u",
            str(home),
            "-s",
            str(home / "node_red_settings.js"),
        ]
        env = {**os.environ, "NR_MODULES": str(modules), "NR_HOME": str(home), "NR_PORT": str(port)}
        async with spawned(command, cores, env=env, stdout=asyncio.subprocess.DEVNULL) as process:
            flow = Flow(f"http://127.0.0.1:{port}", process.pid)
            await _listening(flow.url)
            yield flow


def _flow() -> list[dict[str, Any]]:
    """http in -> one function with all checks -> http response."""
    check = "global.get('check')(msg, (answer) => node.send(answer)); return null;"
    return [
        {"id": "f1", "type": "tab", "label": "notices"},
        {"id": "in", "type": "http in", "z": "f1", "url": "/v1/notices", "method": "post", "upload": False, "wires": [["fn"]]},
        {"id": "fn", "type": "function", "z": "f1", "func": check, "outputs": 1, "wires": [["out"]]},
        {"id": "out", "type": "http response", "z": "f1", "statusCode": "", "headers": {}, "wires": []},
    ]  # fmt: skip


async def _installed() -> Path:
    """The folder with the packages; installed at the first call."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise Absent("没有 node 或 npm，跳过 Node-RED 对照 node or npm is not installed: the comparison is left out")
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hutong-bench" / "node-red"
    modules = home / "node_modules"
    if not (modules / "node-red" / "red.js").exists() or not (modules / "ajv").exists():
        home.mkdir(parents=True, exist_ok=True)
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            "npm", "install", "--no-audit", "--no-fund", "--prefix", str(home), *PACKAGES, stdout=quiet, stderr=quiet
        )
        try:
            async with asyncio.timeout(240):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            code = await process.wait()
        if code != 0:
            raise Absent(
                "npm 安装 Node-RED 未成功，跳过对照 npm could not install Node-RED: the comparison is left out"
            )
    return modules


async def _listening(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            try:
                async with session.post(f"{url}/v1/notices", data=b"{}") as response:
                    if response.status == 401:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise Absent("Node-RED 未能启动，跳过对照 Node-RED did not start: the comparison is left out")

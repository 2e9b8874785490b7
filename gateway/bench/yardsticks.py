"""What can this machine do at all, in the minute in which something is measured?

V Ed25519 verifications a second of one core, S signatures a second of one core, E an empty aiohttp and uvloop POST of the
same body. (F, flushes of the disk, is in `store`; N, a Node-RED flow, in `node_red`.) V and S run in a process of their own on
the core that the gateway has, so that whoever else takes that core takes it from both.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
import uvloop
from aiohttp import web

from gateway.bench.processes import SERVER_CORE, free_port, spawned
from gateway.bench.samples import report_body
from gateway.crypto.signing import Ed25519SigningKey, new_signing_key


@dataclass(frozen=True, slots=True)
class Curve:
    """Ed25519 over a notice of 2.5 KB: a second of wall time on one core, and CPU seconds for one."""

    verifies: float
    verify_cpu: float
    sign_cpu: float


class CurveMeter:
    """The process that measures V; one call of `measure` is `seconds` long."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def measure(self, seconds: float = 0.4) -> Curve:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"%f\n" % seconds)
        await self._process.stdin.drain()
        return Curve(**orjson.loads(await self._process.stdout.readline()))


@asynccontextmanager
async def curve_meter(core: int = SERVER_CORE) -> AsyncIterator[CurveMeter]:
    pipe = asyncio.subprocess.PIPE
    async with spawned([sys.executable, "-m", __name__, "curve"], (core,), stdin=pipe, stdout=pipe) as process:
        yield CurveMeter(process)


@asynccontextmanager
async def empty_server(core: int = SERVER_CORE) -> AsyncIterator[tuple[str, int]]:
    """E: answers every POST with 202 and a body of a receipt's size, and tells at `/taken` how many it was; yields
    its URL and process id."""
    port = free_port()
    pipe = asyncio.subprocess.PIPE
    async with spawned([sys.executable, "-m", __name__, "empty", str(port)], (core,), stdout=pipe) as process:
        assert process.stdout is not None
        await process.stdout.readline()
        yield f"http://127.0.0.1:{port}", process.pid


def _measure_curve() -> None:
    key = new_signing_key()
    assert isinstance(key, Ed25519SigningKey)
    public, body = key.key.public_key(), report_body("curve", 1)
    signature = key.sign(body)
    for line in sys.stdin:
        wanted = float(line)
        count, begin, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - begin < wanted:
            for _ in range(50):
                public.verify(signature, body)
            count += 50
        took, spent = time.perf_counter() - begin, time.process_time() - cpu
        signs, cpu = 0, time.process_time()
        while (signing := time.process_time() - cpu) < wanted / 4:
            for _ in range(50):
                key.sign(body)
            signs += 50
        found = {"verifies": count / took, "verify_cpu": spent / count, "sign_cpu": signing / signs}
        sys.stdout.write(orjson.dumps(found).decode() + "\n")
        sys.stdout.flush()


async def _serve_empty(port: int) -> None:
    answer, taken = b"x" * 900, 0

    async def take(request: web.Request) -> web.Response:
        nonlocal taken
        await request.read()
        taken += 1
        return web.Response(status=202, body=answer, content_type="application/json")

    async def count(_request: web.Request) -> web.Response:
        return web.json_response(taken)

    app = web.Application(client_max_size=1 << 20)
    app.router.add_post("/v1/notices", take)
    app.router.add_get("/taken", count)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "curve":
        _measure_curve()
    else:
        uvloop.run(_serve_empty(int(sys.argv[2])))

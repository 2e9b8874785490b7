"""What does the edge cost on top of an empty aiohttp POST of the same body?

Two servers in processes of their own (uvloop): one answers a POST with its receipt and does nothing else, the other is
the edge with a submit service that does nothing. The same raw client loads them in turns; the figure is CPU time of the
server per request, so that neither the client nor a neighbour on the machine counts. Run: `python -m tests.bench.edge`.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing.connection import Connection

import uvloop
from aiohttp import web

from tests.unit.http.standins import Receipt, StandIn, Submitted

BODY = json.dumps(
    {"specversion": "1.0", "id": "n-1", "type": "hutong.notice.RPT.v1", "data": {"x": "y" * 2300}}
).encode()
RECEIPT = json.dumps(
    {"type": "accepted", "notice": "0190a0c0-0000-7000-8000-000000000000", "receipt": "a" * 400}
).encode()
CLIENTS, REQUESTS, ROUNDS = 32, 6000, 5


async def serve_empty() -> tuple[int, str]:
    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202, body=RECEIPT, content_type="application/json")

    app = web.Application(client_max_size=1 << 20)
    app.router.add_post("/v1/notices", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner.addresses[0][1], ""


async def serve_edge() -> tuple[int, str]:
    from dataclasses import replace

    from gateway.engines.system.logs import EventLog
    from gateway.http.app import make_app
    from gateway.http.serving import Edge
    from gateway.http.settings import HttpSettings

    standin = await StandIn().start()
    submitted = Submitted((Receipt(RECEIPT, "0190a0c0-0000-7000-8000-000000000000"),))

    class Nothing:
        async def __call__(self, caller, body, media_type, headers, signature):
            return submitted

        check = on_behalf = __call__

    sink = open(os.devnull, "wb", buffering=1 << 16)  # noqa: ASYNC230, SIM115 - lives as long as the process
    log = EventLog(sink, standin.clock)
    settings = HttpSettings(notices_per_second=1e9, burst_notices=10**9)
    services = replace(standin.services, submit=Nothing(), log=log, registry=type(standin.services.registry)())
    port = await Edge(make_app(services, settings)).start("127.0.0.1", 0)
    return port, await standin.token(standin.police)


def server(kind: str, pipe: Connection) -> None:
    async def run() -> None:
        port, token = await (serve_edge() if kind == "edge" else serve_empty())
        pipe.send((port, token))
        while True:
            await asyncio.to_thread(pipe.recv)
            pipe.send(time.process_time())

    os.sched_setaffinity(0, {0})
    uvloop.run(run())


async def load(port: int, token: str) -> float:
    """Requests per second."""
    head = (
        f"POST /v1/notices HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        f"Authorization: Bearer {token or 'x' * 600}\r\nContent-Type: application/cloudevents+json\r\n"
        f"Hutong-Signature: {'s' * 150}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode()
    request = head + BODY

    async def client(count: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(count):
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 202 " in answer[:16], answer
            await reader.readexactly(len(RECEIPT))
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(client(REQUESTS // CLIENTS) for _ in range(CLIENTS)))
    return REQUESTS / (time.perf_counter() - begin)


async def measure() -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    ends, places = {}, {}
    for kind in ("empty", "edge"):
        ours, theirs = context.Pipe()
        context.Process(target=server, args=(kind, theirs), daemon=True).start()
        ends[kind], places[kind] = ours, ours.recv()
    cpu: dict[str, list[float]] = {"empty": [], "edge": []}
    rate: dict[str, list[float]] = {"empty": [], "edge": []}
    for _ in range(ROUNDS + 1):
        for kind, end in ends.items():
            end.send("cpu")
            before = end.recv()
            rate[kind].append(await load(*places[kind]))
            end.send("cpu")
            cpu[kind].append((end.recv() - before) / REQUESTS * 1e6)
    found = {f"{kind}_cpu_us": statistics.median(cpu[kind][1:]) for kind in cpu}
    found |= {f"{kind}_per_second": statistics.median(rate[kind][1:]) for kind in rate}
    return found | {"ratio": found["edge_cpu_us"] / found["empty_cpu_us"]}


def main() -> None:
    os.sched_setaffinity(0, {1})
    sys.stdout.write(json.dumps({name: round(value, 2) for name, value in uvloop.run(measure()).items()}) + "\n")


if __name__ == "__main__":
    main()

"""How is the gateway put under load without the load being the limit?

A process of its own, pinned to a core of its own: requests are made and signed before the clock starts, and a client is
a protocol on a socket that writes bytes and looks for the end of the answer. Driven by JSON lines on its standard input:

    {"make": 20000, "url": ..., "profile": ..., "run": "r1"}        -> {"made": 20000, "bytes": 3100}
    {"load": {"clients": 64, "seconds": 4}}                         -> per_second, p50_ms, p99_ms, answered, statuses
    {"load": {"clients": 64, "seconds": 4, "rate": 700}}            the same in an open loop: arrivals by chance, `rate` a second

Every request is sent once. In the closed loop the clock starts when every client was answered once: a thousand requests that
come in one moment all wait for each other, and would count as a pause of the server. `answered` are all answers, for whoever
divides the server's processor time by them. In the open loop an arrival that finds no idle client waits in line, and its latency counts from
its arrival.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import uvloop

from gateway.bench.samples import MEDIA_TYPE, SENDER, report_bodies
from gateway.client.agency import AgencyClient, Profile
from gateway.crypto.detached import DetachedSigner


class Requests:
    """Signed requests, each handed out once."""

    def __init__(self, made: list[bytes], host: str, port: int) -> None:
        self._left: Iterator[bytes] = iter(made)
        self.host, self.port = host, port

    def take(self) -> bytes | None:
        return next(self._left, None)


class _Client(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class

    def send(self, request: bytes, since: float) -> None:
        self._since = since
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        head = buffer.find(b"\r\n\r\n")
        at = buffer.find(b"Content-Length: ", 0, head) if head > 0 else -1
        if at < 0 or len(buffer) < head + 4 + int(buffer[at + 16 : buffer.index(b"\r", at)]):
            self._buffer = buffer
            return
        self._buffer = b""
        self._run.answered(self, int(buffer[9:12]), time.perf_counter() - self._since)

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.lost += 1

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Run:
    """One measurement: `clients` connections for `seconds`; `rate` None sends again as soon as an answer came."""

    def __init__(self, requests: Requests, clients: int, seconds: float, rate: float | None) -> None:
        self._requests, self._count, self._seconds, self._rate = requests, clients, seconds, rate
        self._idle: deque[_Client] = deque()
        self._line: deque[float] = deque()
        self._times: list[float] = []
        self._statuses: dict[int, int] = {}
        self._is_over = False
        self._sent, self._enough, self._awaited = 0, 0, asyncio.Event()
        self.lost = 0

    async def __call__(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        pairs = [
            await loop.create_connection(lambda: _Client(self), self._requests.host, self._requests.port)
            for _ in range(self._count)
        ]
        clients = [client for _, client in pairs]
        if self._rate is None:
            for client in clients:
                self._next(client)
            await self._all_answered(len(clients))
        before, begin = len(self._times), time.perf_counter()
        if self._rate is None:
            await asyncio.sleep(self._seconds)
        else:
            self._idle.extend(clients)
            await self._arrivals(begin)
        self._is_over = True
        took = time.perf_counter() - begin
        times = sorted(self._times[before:])
        await self._all_answered(self._sent)
        for client in clients:
            client.close()
        return {
            "answered": len(self._times),
            "per_second": len(times) / took,
            "p50_ms": _part(times, 0.5),
            "p99_ms": _part(times, 0.99),
            "statuses": {str(status): count for status, count in sorted(self._statuses.items())},
            "lost": self.lost,
        }

    async def _all_answered(self, count: int) -> None:
        """Wait for the answers to `count` requests; RuntimeError when they do not come."""
        try:
            async with asyncio.timeout(30):
                while len(self._times) < count:
                    self._enough, self._awaited = count, asyncio.Event()
                    await self._awaited.wait()
        except TimeoutError:
            raise RuntimeError("the server stopped answering") from None

    async def _arrivals(self, begin: float) -> None:
        assert self._rate is not None
        chance = random.Random(7)  # noqa: S311 - arrivals, no secret
        due = begin
        while (now := time.perf_counter()) < begin + self._seconds:
            while due <= now:
                self._line.append(now)
                due += chance.expovariate(self._rate)
            while self._line and self._idle:
                self._next(self._idle.popleft(), self._line.popleft())
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _next(self, client: _Client, since: float | None = None) -> None:
        request = self._requests.take()
        if request is None:
            raise RuntimeError("the load ran out of requests")
        self._sent += 1
        client.send(request, time.perf_counter() if since is None else since)

    def answered(self, client: _Client, status: int, seconds: float) -> None:
        self._times.append(seconds)
        self._statuses[status] = self._statuses.get(status, 0) + 1
        if len(self._times) >= self._enough:
            self._awaited.set()
        if self._is_over:
            return
        if self._rate is None:
            self._next(client)
        elif self._line:
            self._next(client, self._line.popleft())
        else:
            self._idle.append(client)


def _part(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] * 1000 if times else 0.0


async def _make(order: dict[str, Any]) -> Requests:
    """Sign `make` requests of the sender for the place at `url`; `token` may be given, else the gateway is asked for one."""
    profile = Profile.load(Path(order["profile"]), SENDER)
    url = urlsplit(order["url"])
    host, port = url.hostname or "127.0.0.1", url.port or 80
    async with AgencyClient(profile) as client:
        token = await client.token()
    head = (
        f"POST /v1/notices HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: hutong-bench\r\nAccept: */*\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: {MEDIA_TYPE}\r\n"
    ).encode()
    signer = DetachedSigner(profile.key)
    target = urlsplit(order.get("target", order["url"]))
    return Requests(
        [
            b"%bHutong-Signature: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (head, signer.sign(body).encode(), len(body), body)
            for body in report_bodies(order["run"], order["make"])
        ],
        target.hostname or "127.0.0.1",
        target.port or 80,
    )


async def _serve_orders() -> None:
    requests: Requests | None = None
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = orjson.loads(line)
        if "make" in order:
            requests = await _make(order)
            answer: dict[str, Any] = {"made": order["make"]}
        else:
            assert requests is not None
            given = order["load"]
            answer = await _Run(requests, given["clients"], given["seconds"], given.get("rate"))()
        sys.stdout.write(orjson.dumps(answer).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_serve_orders())

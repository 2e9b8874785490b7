"""An office's own system that is called by the gateway: on a real socket, and as slow, wrong or gone as a test wants."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from aiohttp import web

from gateway.bench.processes import free_port
from gateway.crypto.detached import DetachedVerifier


@dataclass
class Call:
    """One push as it arrived. `at` is monotonic seconds."""

    delivery: str
    revision: int
    body: bytes
    signature: str
    at: float
    headers: dict[str, str]
    ended_at: float = 0.0


class Receiver:
    """Answers with what stands first in `answers` (a status, when, and with which headers), then with 204 at once."""

    def __init__(self) -> None:
        self.port = free_port()
        self.calls: list[Call] = []
        self.answers: list[tuple[int, asyncio.Event | None, dict[str, str]]] = []
        self._called = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def start(self) -> Receiver:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def will(self, *statuses: int, once: asyncio.Event | None = None, **headers: str) -> None:
        self.answers += [(status, once, headers) for status in statuses]

    async def _take(self, request: web.Request) -> web.Response:
        headers = request.headers
        call = Call(
            headers["Hutong-Delivery"],
            int(headers["Hutong-Revision"]),
            await request.read(),
            headers["Hutong-Signature"],
            time.monotonic(),
            dict(headers),
        )
        self.calls.append(call)
        self._called.set()
        status, once, more = self.answers.pop(0) if self.answers else (204, None, {})
        if once is not None:
            await once.wait()
        call.ended_at = time.monotonic()
        return web.Response(status=status, headers=more)

    async def has(self, count: int, seconds: float = 60.0) -> list[Call]:
        """The calls, once there are that many."""
        async with asyncio.timeout(seconds):
            while len(self.calls) < count:
                self._called.clear()
                await self._called.wait()
        return self.calls

    def verify(self, call: Call, find_key) -> None:
        """Raises BadSignature when the push was not signed over exactly its bytes."""
        DetachedVerifier().verify(call.signature, call.body, find_key)

"""How does a ring on one node wake who waits on another, where there is no message broker?

Within a node a ring is heard at once. To the others it goes as a notification of the database, once per turn of the
event loop, outside of any write: a notification holds up other commits for a moment. A lost ring costs a delay, bounded
by the waiters' own time; after a broken connection everyone is woken, since rings may have been missed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg

from gateway.engines.embedded_broker.doorbell import EmbeddedDoorbell
from gateway.engines.postgres.connection import AWAY, connect
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId

CHANNEL = "hutong_bells"
_MOST_BYTES = 7000  # of a notification; the server takes 8000
_LOOK_SECONDS = 5.0
_AGAIN_SECONDS = 1.0


class PostgresDoorbell:
    """The doorbell port over one node's own bells and the database. Deaf to others until `run` is running."""

    def __init__(self, url: str) -> None:
        self._url, self._local, self._node = url, EmbeddedDoorbell(), secrets.token_hex(8)
        self._unsent: set[OfficeId] = set()
        self._wanted = asyncio.Event()

    def ring(self, offices: Iterable[OfficeId]) -> None:
        names = set(offices)
        self._local.ring(names)
        if names:
            self._unsent |= names
            self._wanted.set()

    async def wait(self, office: OfficeId | None, timeout: timedelta) -> bool:
        return await self._local.wait(office, timeout)

    async def run(self) -> None:
        """Hear the other nodes and be heard by them, for ever."""
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await connect(self._url)
                await connection.add_listener(CHANNEL, self._heard)
                self._local.ring_everyone()
                await self._send_for_ever(connection)
            except (*AWAY, Unavailable):
                await asyncio.sleep(_AGAIN_SECONDS)
            finally:
                if connection is not None:
                    connection.terminate()

    async def _send_for_ever(self, connection: asyncpg.Connection) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wanted.wait()
            self._wanted.clear()
            names, self._unsent = self._unsent, set()
            if not names:
                await connection.execute("SELECT 1")  # is it still there?
            for text in _parts(sorted(names)):
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, f"{self._node} {text}")

    def _heard(self, connection: Any, process: int, channel: str, payload: str) -> None:
        node, _, names = payload.partition(" ")
        if node != self._node:
            self._local.ring(OfficeId(name) for name in names.split("\n") if name)


def _parts(names: Iterable[str]) -> Iterable[str]:
    """The names in as many notifications as they need."""
    part = ""
    for name in names:
        if part and len(part) + len(name) >= _MOST_BYTES:
            yield part
            part = ""
        part += f"{name}\n"
    if part:
        yield part

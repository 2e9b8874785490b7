"""A witness reached over HTTP. Its address comes from the trust policy alone."""

from __future__ import annotations

import aiohttp

from gateway.audit.note import MAX_NOTE_BYTES
from gateway.audit.witness import monitoring_path
from gateway.model.errors import Unavailable


class HttpWitness:
    """`url` is the witness's prefix; `seconds` how long one answer may take (1 s is what publishing waits)."""

    def __init__(self, name: str, url: str, session: aiohttp.ClientSession, seconds: float = 1.0) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    async def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        return await self._ask("POST", "/add-checkpoint", request)

    async def last_checkpoint(self, origin: str) -> bytes | None:
        status, body = await self._ask("GET", "/" + monitoring_path(origin), None)
        if status not in (200, 404):
            raise Unavailable(f"witness `{self.name}` answered {status}")
        return body if status == 200 else None

    async def _ask(self, method: str, path: str, data: bytes | None) -> tuple[int, bytes]:
        try:
            async with self._session.request(
                method, self._url + path, data=data, timeout=self._timeout, allow_redirects=False
            ) as answer:
                return answer.status, await answer.content.read(MAX_NOTE_BYTES)
        except (TimeoutError, aiohttp.ClientError, OSError) as broken:
            raise Unavailable(f"witness `{self.name}` does not answer") from broken

"""How is a live connection of an office closed?

Through the management plugin: permissions are asked when a channel first uses them, so that a suspension bites on open
connections only when they end.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import aiohttp

from gateway.engines.rabbitmq.address import Address
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_REASON = "suspended"


class Management:
    """The management API of any node of the cluster; `urls` are tried in turn."""

    def __init__(self, urls: Sequence[str], address: Address) -> None:
        self._urls, self._address = tuple(url.rstrip("/") for url in urls), address

    async def disconnect(self, office: OfficeId) -> int:
        """Close every connection of the office; returns how many there were. Raises Unavailable."""
        if not self._urls:
            raise Unavailable("no management address is set", remedy="set rabbitmq.management")
        path = f"/api/connections/username/{quote(office, safe='')}"
        login = aiohttp.encode_basic_auth(self._address.user, self._address.password)
        headers = {"Authorization": login, "X-Reason": _REASON}
        trust = self._address.tls or True
        for url in self._urls:
            try:
                async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as session:
                    async with session.get(url + path, ssl=trust) as answer:
                        answer.raise_for_status()
                        open_ones = len(await answer.json())
                    async with session.delete(url + path, ssl=trust) as answer:
                        answer.raise_for_status()
                    return open_ones
            except (aiohttp.ClientError, OSError, TimeoutError):
                continue
        raise Unavailable("the management plugin of RabbitMQ does not answer", remedy="see rabbitmq.management")

"""How is a release handed to an office that wants to be called?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from gateway.model.agency import Webhook


@dataclass(frozen=True, slots=True)
class Answer:
    """What the office's system said. `retry_after` is its own wish, if it had one."""

    status: int
    retry_after: timedelta | None = None


class Connection(Protocol):
    async def send(
        self, body: bytes, headers: Mapping[str, str], timeout: timedelta, begin_within: float | None = None
    ) -> Answer:
        """Send one request and wait for the answer. Raises Unavailable for everything that is not an HTTP answer.

        `begin_within` are the seconds that are left for its first byte: a connection that has ended since and takes longer
        than that to be made again carries nothing."""
        ...

    async def close(self) -> None: ...


class Courier(Protocol):
    async def connect(self, webhook: Webhook, timeout: timedelta) -> Connection:
        """Open (or re-use) a connection to the office before anything is decided, so that the ticket's life is not
        spent on a handshake. Raises Unavailable when the office cannot be reached or its certificate is not the pinned one."""
        ...

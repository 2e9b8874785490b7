"""How does the gateway reach a witness? One per witness of the trust policy; a removable medium has none."""

from __future__ import annotations

from typing import Protocol


class WitnessClient(Protocol):
    @property
    def name(self) -> str:
        """The witness's name in the trust policy."""
        ...

    async def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        """Send one request (tlog-witness); returns status and body. Raises Unavailable when there is no answer in time."""
        ...

    async def last_checkpoint(self, origin: str) -> bytes | None:
        """The last checkpoint the witness cosigned, with its lines; None for a log it never saw. Raises Unavailable."""
        ...

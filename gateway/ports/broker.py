"""Who wakes those who wait when something becomes due?

The store is the truth; this only spares polling. A lost ring costs a delay
(bounded by the waiter's own timeout), never a notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

from gateway.model.identifiers import OfficeId


class Doorbell(Protocol):
    def ring(self, offices: Iterable[OfficeId]) -> None:
        """Something may be due for these offices. Never blocks, never fails."""
        ...

    async def wait(self, office: OfficeId | None, timeout: timedelta) -> bool:
        """Wait for a ring for one office (None: for any). False when the time ran out. A ring between two waits is not lost."""
        ...

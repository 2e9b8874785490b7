"""How does a waiting office learn that something may be due, within one process?

A ring wakes everyone who waits for the office (and everyone who waits for any). When
nobody waits it is kept, once, and the next wait answers at once. What is kept is
bounded by the number of offices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from gateway.model.identifiers import OfficeId


class EmbeddedDoorbell:
    """Rings and waits belong to one event loop; from another thread use `loop.call_soon_threadsafe(bell.ring, offices)`.

    Several waiters of one office all wake: the store decides who gets what.
    """

    def __init__(self) -> None:
        self._unheard: set[OfficeId | None] = set()
        self._waiters: dict[OfficeId | None, set[asyncio.Future[None]]] = {}

    def ring(self, offices: Iterable[OfficeId]) -> None:
        names: set[OfficeId | None] = set(offices)
        if not names:
            return
        names.add(None)
        for name in names:
            waiters = self._waiters.pop(name, None)
            if waiters is None:
                self._unheard.add(name)
                continue
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def ring_everyone(self) -> None:
        """Wake all who wait now: something may have been missed, nobody knows for whom."""
        for waiters in list(self._waiters.values()):
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, office: OfficeId | None, timeout: timedelta) -> bool:
        if office in self._unheard:
            self._unheard.discard(office)
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(office, set()).add(waiter)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await waiter
        except TimeoutError:
            return waiter.done() and not waiter.cancelled()  # both in one turn of the loop: it did ring
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._unheard.add(office)  # the ring reached nobody: the next waiter hears it
            raise
        finally:
            waiters = self._waiters.get(office)
            if waiters is not None:
                waiters.discard(waiter)
                if not waiters:
                    del self._waiters[office]
        return True

    @property
    def waiting(self) -> int:
        """How many wait now, for metrics."""
        return sum(len(waiters) for waiters in self._waiters.values())

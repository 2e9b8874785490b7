"""How is taken back what waits, unread, in offices' queues?

After a withdrawal, a suspension, another policy, an accusation or the loss of a queue, what was put there must not be read
any more or is not there any more. One step for all of them, which may be repeated at will:

1. the queue is purged. A crash after it leaves leases that lapse by themselves.
2. the leases of what waited there end, each with its record; what may still go is decided on anew and put there again.

While the broker is away nobody reads from it; what is owed is remembered and done first when it is back. A node that
starts takes back everything once, since it cannot know what the one before it still owed. What an office had fetched
already stays with it: publishing was the disclosure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta

from gateway.model.agency import QueueUse
from gateway.model.audit import EventName
from gateway.model.delivery import DeliveryState
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.agency_queues import AgencyQueues
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.storage import Conclusion, DeliveryStorage
from gateway.services.directory import Directories
from gateway.services.tell import Teller, about

PAGE = 200


class Recall:
    def __init__(
        self,
        *,
        queues: AgencyQueues,
        deliveries: DeliveryStorage,
        directories: Directories,
        teller: Teller,
        doorbell: Doorbell,
        clock: Clock,
        ticket_life: timedelta,
        signal: Callable[[str], None],
    ) -> None:
        self._queues, self._deliveries, self._directories = queues, deliveries, directories
        self._teller, self._doorbell, self._clock = teller, doorbell, clock
        self._ticket_life, self._signal = ticket_life, signal
        self._owed: dict[OfficeId, tuple[float, str]] = {}  # when (monotonic), and why
        self._to_follow: set[OfficeId] = set()  # owed once more, after a ticket's life, when it was done
        self._to_cut_off: dict[OfficeId, str] = {}  # whose connections could not be closed yet, and why

    async def __call__(self, offices: Iterable[OfficeId], why: str, *, may_follow: bool = False) -> None:
        """Take back what waits for these offices. `may_follow`: something decided before may still be on its way for
        the life of a ticket, so the same is done once more after it. Never raises for a broker that is away."""
        for office in self._with_releases(offices):
            try:
                await self._take_back(office, why)
            except Unavailable:
                self.owe(office, why)
            else:
                if may_follow:
                    self._once_more(office, why)

    async def everyone(self, why: str) -> None:
        await self(self._directories.current.offices, why)

    async def cut_off(self, office: OfficeId, why: str) -> None:
        """Close the office's live connections at the broker, then take back what waits for it."""
        entry = self._directories.current.offices.get(office)
        if entry is None or entry.queue is None:
            return
        try:
            await self._queues.disconnect(office)
        except Unavailable:
            self._signal("office-still-connected")
            self._to_cut_off[office] = why
            self._doorbell.ring([office])
        await self([office], why)

    def owe(self, office: OfficeId, why: str) -> None:
        """Do it as soon as the broker is there."""
        self._owed[office] = (self._clock.monotonic(), why)
        self._doorbell.ring([office])

    def begin(self, offices: Iterable[OfficeId], why: str) -> None:
        """Do it at once and again after the life of a ticket, without waiting for either: a report waits for no broker."""
        for office in self._with_releases(offices):
            self._to_follow.add(office)
            self.owe(office, why)

    def _once_more(self, office: OfficeId, why: str) -> None:
        self._owed[office] = (self._clock.monotonic() + self._ticket_life.total_seconds(), why)
        self._doorbell.ring([office])

    def owe_everyone(self, why: str) -> None:
        for office in self._with_releases(self._directories.current.offices):
            self.owe(office, why)

    async def settle(self) -> timedelta | None:
        """Do what is owed and due; returns how long until the next is. Raises Unavailable, and owes it still."""
        for office, why in list(self._to_cut_off.items()):
            with suppress(Unavailable):  # tried again with the next round; the others do not wait for it
                await self._queues.disconnect(office)
                self._to_cut_off.pop(office, None)
                self.owe(office, why)
        now = self._clock.monotonic()
        for office, (at, why) in list(self._owed.items()):
            if at <= now:
                await self._take_back(office, why)
                if self._owed.get(office) != (at, why):
                    continue
                del self._owed[office]
                if office in self._to_follow:
                    self._to_follow.discard(office)
                    self._once_more(office, why)
        waits = [at for at, _ in self._owed.values()]
        return timedelta(seconds=max(0.0, min(waits) - now)) if waits else None

    async def _take_back(self, office: OfficeId, why: str) -> None:
        await self._queues.purge(office)
        now = self._clock.now()
        while leased := await self._deliveries.leased(office, now, PAGE):
            for delivery in leased:
                record = self._teller.event(
                    EventName.DELIVERY_DEFERRED,
                    now,
                    {
                        **about(delivery),
                        "attempt": delivery.attempts,
                        "due_at": now,
                        "transport": "amqp",
                        "reason": why,
                    },
                )
                await self._deliveries.conclude(
                    Conclusion(delivery.id, DeliveryState.DUE, now, (record,), delivery.lease_token, now, why)
                )
            if len(leased) < PAGE:
                break
        self._doorbell.ring([office])

    def _with_releases(self, offices: Iterable[OfficeId]) -> list[OfficeId]:
        known = self._directories.current.offices
        return [one for one in dict.fromkeys(offices) if one in known and known[one].queue is QueueUse.RELEASES]

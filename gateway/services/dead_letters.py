"""What happens to deliveries that did not get through?

A person looks at them by reason, office, type and time, and drives them again
in bulk: first as a dry run, then at a rate, with a way to stop. Driving again is a
new decision and a new projection, like every attempt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.model.audit import EventName
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.identifiers import DeliveryId
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.storage import Concluded, Conclusion, DeadLetterFilter, DeliveryStorage
from gateway.services.follow import changes_of
from gateway.services.tell import Teller, about

PAGE = 100


@dataclass(frozen=True, slots=True)
class Redriven:
    """How a bulk retry ended. `matched` counts what the filter found, `driven` what went back to work."""

    matched: int
    driven: int
    stopped: bool = False


class DeadLetters:
    def __init__(
        self,
        *,
        deliveries: DeliveryStorage,
        teller: Teller,
        doorbell: Doorbell,
        clock: Clock,
        pause: Callable[[timedelta], Awaitable[None]],
    ) -> None:
        self._deliveries, self._teller, self._doorbell = deliveries, teller, doorbell
        self._clock, self._pause = clock, pause
        self._stop_requested = False

    async def search(
        self, where: DeadLetterFilter, after: DeliveryId | None = None, limit: int = PAGE
    ) -> Sequence[Delivery]:
        return await self._deliveries.dead_letters(where, after, limit)

    def stop(self) -> None:
        """End the bulk retry that is under way, after the delivery it is at."""
        self._stop_requested = True

    async def retry(
        self, where: DeadLetterFilter, *, by: str, dry_run: bool = True, per_second: float = 10.0
    ) -> Redriven:
        """Drive dead letters again, `per_second` at most; with `dry_run` only count what would go."""
        self._stop_requested = False
        matched = driven = 0
        async for delivery in self._all(where):
            matched += 1
            if dry_run:
                continue
            if self._stop_requested:
                return Redriven(matched, driven, stopped=True)
            driven += await self._drive(delivery, by)
            await self._pause(timedelta(seconds=1 / per_second))
        return Redriven(matched, driven)

    async def _all(self, where: DeadLetterFilter) -> AsyncIterator[Delivery]:
        """Each once. What is driven again may be parked again meanwhile, and then stands at the end: so the next page is
        read before anything of this one is driven."""
        seen: set[DeliveryId] = set()
        page = await self._deliveries.dead_letters(where, None, PAGE)
        while page:
            following = await self._deliveries.dead_letters(where, page[-1].id, PAGE)
            for delivery in page:
                if delivery.id not in seen:
                    seen.add(delivery.id)
                    yield delivery
            page = following

    async def _drive(self, delivery: Delivery, by: str) -> int:
        now = self._clock.now()
        record = self._teller.event(
            EventName.DELIVERY_RETRIED, now, {**about(delivery), "reason": "operator"}, officer=by
        )
        outcome = await self._deliveries.conclude(
            Conclusion(delivery.id, DeliveryState.DUE, now, (record,), due_at=now, reason="retried")
        )
        self._doorbell.ring([delivery.recipient, changes_of(delivery.sender)])
        return int(isinstance(outcome, Concluded))

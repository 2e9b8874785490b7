"""When does a delivery that waits for a person go on its way?

A notice that was meant for an office nobody has enrolled waits for that office: no report of
harm is lost because a directory has a gap. It goes on when the office joins, or when an
operator lets it go. What then may be seen is decided anew, as always.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.audit import EventName
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.errors import NotFound
from gateway.model.identifiers import DeliveryId, OfficeId
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.storage import Concluded, Conclusion, DeliveryStorage
from gateway.services.tell import Teller, about

UNRESOLVED = "region_unresolved"
PAGE = 200


class ReleaseHeld:
    def __init__(self, *, deliveries: DeliveryStorage, teller: Teller, doorbell: Doorbell, clock: Clock) -> None:
        self._deliveries, self._teller = deliveries, teller
        self._doorbell, self._clock = doorbell, clock

    async def waiting(self, recipient: OfficeId, after: DeliveryId | None = None) -> Sequence[Delivery]:
        return await self._deliveries.held(recipient, after, PAGE)

    async def for_office(self, office: OfficeId) -> int:
        """Let go what waited for this office to join; returns how many. What waits for another reason stays."""
        released, after = 0, None
        while page := await self._deliveries.held(office, after, PAGE):
            for delivery in page:
                if delivery.reason == UNRESOLVED:
                    released += await self._release(delivery, "office-joined", by="")
            after = page[-1].id
        return released

    async def one(self, delivery_id: DeliveryId, *, by: str) -> DeliveryState:
        """Let one go because an operator says so. Raises NotFound for one that does not wait."""
        delivery = await self._deliveries.delivery(delivery_id)
        if delivery is None or delivery.state is not DeliveryState.HELD:
            raise NotFound("no such delivery waits", remedy="see `hutong dead-letter held OFFICE`")
        await self._release(delivery, "operator", by=by)
        return DeliveryState.DUE

    async def _release(self, delivery: Delivery, why: str, *, by: str) -> int:
        now = self._clock.now()
        record = self._teller.event(EventName.DELIVERY_RELEASED, now, {**about(delivery), "why": why}, officer=by)
        outcome = await self._deliveries.conclude(
            Conclusion(delivery.id, DeliveryState.DUE, now, (record,), due_at=now, reason=why)
        )
        self._doorbell.ring([delivery.recipient])
        return int(isinstance(outcome, Concluded))

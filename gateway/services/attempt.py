"""What when one delivery cannot even be decided on or written?

A stored notice that does not open, a release that its format cannot carry: such a
poison delivery must not hold up the others of its page, nor come back for ever. It is
parked as a dead letter with its reason, a person looks, its successors flow. Only what is
out of reach for the moment (`Unavailable`) is left to the lease.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.model.agency import Office
from gateway.model.audit import EventName
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.errors import Tampered, Unavailable
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.storage import Conclusion, DeliveryStorage
from gateway.services.enforce import Enforce, NotSent, Sendable, Way
from gateway.services.follow import changes_of
from gateway.services.tell import Teller, about

TAMPERED, POISON = "tampered", "poison"


class Attempt:
    """One attempt on one leased delivery: the enforcement point, with poison set apart.

    `report` tells the operator of an unforeseen error, by kind and place, never by value.
    """

    def __init__(
        self,
        *,
        enforce: Enforce,
        deliveries: DeliveryStorage,
        teller: Teller,
        doorbell: Doorbell,
        clock: Clock,
        report: Callable[[Exception], None],
    ) -> None:
        self._enforce, self._deliveries, self._teller = enforce, deliveries, teller
        self._doorbell, self._clock, self._report = doorbell, clock, report

    async def __call__(self, delivery: Delivery, recipient: Office, way: Way) -> Sendable | NotSent:
        """As `Enforce`; raises nothing but Unavailable."""
        try:
            return await self._enforce(delivery, recipient, way)
        except Unavailable:
            raise
        except Tampered as broken:
            self._report(broken)
            return await self._park(delivery, TAMPERED)
        except Exception as unforeseen:  # noqa: BLE001 - any error of one notice must stay that notice's own
            self._report(unforeseen)
            return await self._park(delivery, POISON)

    async def void(self, delivery: Delivery, revision: int, why: str) -> None:
        await self._enforce.void(delivery, revision, why)

    async def _park(self, delivery: Delivery, reason: str) -> NotSent:
        now = self._clock.now()
        record = self._teller.event(
            EventName.DELIVERY_DEAD_LETTERED,
            now,
            {**about(delivery), "attempt": delivery.attempts, "reason": reason},
        )
        await self._deliveries.conclude(
            Conclusion(delivery.id, DeliveryState.DEAD_LETTER, now, (record,), delivery.lease_token, reason=reason)
        )
        self._doorbell.ring([delivery.recipient, changes_of(delivery.sender)])
        return NotSent(delivery, DeliveryState.DEAD_LETTER, reason)

"""What happens when the recipient's system says that it has it, or that it cannot take it now?"""

from __future__ import annotations

from datetime import timedelta

from gateway.config import Settings
from gateway.delivery.retry import Backoff
from gateway.model.agency import Caller
from gateway.model.audit import EventName
from gateway.model.canonical import canonical_json
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.errors import LeaseLost, NotFound
from gateway.model.identifiers import DeliveryId
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock, Ids
from gateway.ports.storage import Conclusion, DeliveryStorage, Stale
from gateway.services.follow import changes_of
from gateway.services.receipts import ReceiptKind, ReceiptMaker
from gateway.services.tell import Teller, about


class Acknowledge:
    def __init__(
        self,
        *,
        settings: Settings,
        deliveries: DeliveryStorage,
        receipts: ReceiptMaker,
        teller: Teller,
        doorbell: Doorbell,
        clock: Clock,
        ids: Ids,
    ) -> None:
        limits = settings.delivery
        self._backoff = Backoff(
            timedelta(seconds=limits.first_backoff_seconds),
            timedelta(seconds=limits.max_backoff_seconds),
            limits.max_attempts,
        )
        self._deliveries, self._receipts = deliveries, receipts
        self._teller, self._doorbell, self._clock, self._ids = teller, doorbell, clock, ids

    async def acknowledge(
        self, caller: Caller, delivery_id: DeliveryId, lease_token: str, transport: str = "pull"
    ) -> bytes:
        """End a delivery as handed over; answers a signed `delivered` receipt. Doing it again answers the same state.

        Raises NotFound for what was not addressed to the caller, LeaseLost (with the state now) when the lease is over.
        """
        delivery = await self._own(caller, delivery_id)
        return await self.conclude(caller, delivery, lease_token, transport)

    async def conclude(self, caller: Caller, delivery: Delivery, lease_token: str, transport: str) -> bytes:
        """The same for a delivery already at hand: what a webhook's answer means."""
        now = self._clock.now()
        record = self._teller.event(
            EventName.DELIVERY_ACKNOWLEDGED,
            now,
            {**about(delivery), "revision": delivery.revision, "transport": transport},
            actor=caller.office.id,
            officer=caller.officer,
        )
        outcome = await self._deliveries.conclude(
            Conclusion(delivery.id, DeliveryState.ACKNOWLEDGED, now, (record,), lease_token)
        )
        if isinstance(outcome, Stale):
            raise _lost(outcome)
        self._doorbell.ring([delivery.recipient, changes_of(delivery.sender)])  # a successor in the lane may flow now
        receipt = self._receipts.sign(
            ReceiptKind.DELIVERED, caller.office.id, now, {"delivery": delivery.id, "revision": delivery.revision}
        )
        return canonical_json({"delivery": delivery.id, "state": outcome.state.value, "receipt": receipt})

    async def give_back(
        self, caller: Caller, delivery_id: DeliveryId, lease_token: str, reason: str, retry_after: timedelta | None
    ) -> bytes:
        """End an attempt without success: due again after a pause, or a dead letter when the attempts are used up."""
        delivery = await self._own(caller, delivery_id)
        state = await self.fail(delivery, lease_token, reason, retry_after, actor=caller.office.id)
        return canonical_json({"delivery": delivery.id, "state": state.value})

    async def fail(
        self,
        delivery: Delivery,
        lease_token: str | None,
        reason: str,
        retry_after: timedelta | None,
        *,
        actor: str = "gateway",
        transport: str = "pull",
        was_disclosed: bool = True,
    ) -> DeliveryState:
        """End an attempt that failed. With `was_disclosed` false it failed before anything was decided, and is
        counted here."""
        now = self._clock.now()
        stored = await self._deliveries.delivery(delivery.id) or delivery
        attempts = max(1, stored.attempts + (not was_disclosed))
        is_over = self._backoff.is_exhausted(attempts)
        chance = int.from_bytes(self._ids.secret(4), "big") / 2**32
        pause = self._backoff.delay(attempts, chance, retry_after)
        state = DeliveryState.DEAD_LETTER if is_over else DeliveryState.DUE
        name = EventName.DELIVERY_DEAD_LETTERED if is_over else EventName.DELIVERY_DEFERRED
        told = {**about(delivery), "attempt": attempts, "reason": reason}
        if not is_over:
            told |= {"due_at": now + pause, "transport": transport}
        record = self._teller.event(name, now, told, actor=actor)
        outcome = await self._deliveries.conclude(
            Conclusion(
                delivery.id,
                state,
                now,
                (record,),
                lease_token,
                None if is_over else now + pause,
                reason,
                counts_attempt=not was_disclosed,
            )
        )
        if isinstance(outcome, Stale):
            raise _lost(outcome)
        if is_over:
            self._doorbell.ring([delivery.recipient, changes_of(delivery.sender)])
        return outcome.state

    async def _own(self, caller: Caller, delivery_id: DeliveryId) -> Delivery:
        delivery = await self._deliveries.delivery(delivery_id)
        if delivery is None or delivery.recipient != caller.office.id:
            raise NotFound("no such delivery", remedy="use the delivery id of your own inbox")
        return delivery


def _lost(outcome: Stale) -> LeaseLost:
    state = "unknown" if outcome.state is None else outcome.state.value
    return LeaseLost("the lease of this delivery is over", state=state, remedy="fetch the inbox again")

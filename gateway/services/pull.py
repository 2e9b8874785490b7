"""How does an office fetch what waits for it?

Leases, one decision each, right before the bytes go out. A long poll waits for
the doorbell, and looks again by itself when its time is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from gateway.config import Settings
from gateway.model.agency import Caller, OfficeState
from gateway.model.delivery import Delivery
from gateway.model.errors import NotPermitted
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.storage import DeliveryStorage
from gateway.services.attempt import Attempt
from gateway.services.enforce import EXPIRED, Sendable, Way
from gateway.services.handout import Handout, handout_of


class Pull:
    def __init__(
        self,
        *,
        settings: Settings,
        deliveries: DeliveryStorage,
        attempt: Attempt,
        media_type_for: Callable[[Caller, str], str],
        doorbell: Doorbell,
        clock: Clock,
        is_draining: Callable[[], bool],
    ) -> None:
        self._settings, self._deliveries, self._attempt = settings, deliveries, attempt
        self._media_type_for, self._doorbell, self._clock = media_type_for, doorbell, clock
        self._is_draining = is_draining

    async def __call__(self, caller: Caller, accept: str, limit: int, wait: timedelta) -> Sequence[Handout]:
        """Lease and release up to `limit` deliveries, waiting up to `wait` for the first.

        The purpose is fixed when a notice is routed. A caller that names one gets what was routed for it, and nothing else.

        Empty when nothing came. Raises NotPermitted for a caller that may only report, Unavailable when nothing can be decided now.
        """
        if caller.is_report_only and caller.office.state is not OfficeState.SUSPENDED:
            raise NotPermitted("this token is for reports alone", remedy="ask for a token with the inbox scope")
        media_type = self._media_type_for(caller, accept)
        until = self._clock.monotonic() + min(wait.total_seconds(), self._settings.delivery.max_long_poll_seconds)
        while True:
            handouts = await self._once(caller, media_type, max(1, min(limit, self._settings.delivery.max_inbox_items)))
            left = until - self._clock.monotonic()
            if handouts or left <= 0 or self._is_draining():
                return handouts
            await self._doorbell.wait(caller.office.id, timedelta(seconds=left))

    async def void(self, handout: Handout) -> None:
        """Log that a handout's ticket ran out before its first byte left, and make the delivery due again at once."""
        delivery = await self._deliveries.delivery(handout.delivery)
        if delivery is not None and delivery.lease_token == handout.lease_token:
            await self._attempt.void(delivery, handout.revision, EXPIRED)

    async def _once(self, caller: Caller, media_type: str, limit: int) -> list[Handout]:
        leased: Sequence[Delivery] = await self._deliveries.lease_due(
            caller.office.id, self._clock.now(), self._settings.lease, limit, caller.purpose
        )
        way = Way("pull", media_type, caller.officer)
        # Side by side, so that the page's questions go together and its disclosures share a commit.
        attempts = (self._attempt(delivery, caller.office, way) for delivery in leased)
        made = await asyncio.gather(*attempts, return_exceptions=True)
        handouts = [handout_of(one) for one in made if isinstance(one, Sendable)]
        if not handouts:
            for one in made:
                if isinstance(one, BaseException):
                    raise one
        return handouts

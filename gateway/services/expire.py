"""When is a delivery's time over, and who hears of it?

Nothing waits for ever: what nobody fetched in time ends as expired, logged, and its
sender finds the signed receipt with the notice.

And nothing waits because of a clock: what was put off while the clock stood ahead, at a start or before a jump, is due again
once the time has gone back. So it is after a doubt, and at the first look of a process: nobody knows by which time the last
one put it off.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.model.audit import EventName
from gateway.model.delivery import DeliveryState
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock, TimeInDoubt
from gateway.ports.storage import Conclusion, DeliveryStorage
from gateway.services.follow import changes_of
from gateway.services.tell import Teller, about

PAGE = 200
_UNKNOWN = datetime.max.replace(tzinfo=UTC)  # by which time something may have been put off


class Expire:
    def __init__(
        self,
        *,
        deliveries: DeliveryStorage,
        teller: Teller,
        doorbell: Doorbell,
        clock: Clock,
        time: TimeInDoubt,
        longest_pause: timedelta,
    ) -> None:
        """`longest_pause`: nothing is put off, or leased, for longer than that."""
        self._longest_pause, self._latest = longest_pause, _UNKNOWN
        self._deliveries, self._teller, self._doorbell = deliveries, teller, doorbell
        self._clock, self._time = clock, time

    async def __call__(self) -> int:
        """End what is over; returns how many: none while the time is in doubt. Safe to run at any time and twice at once."""
        if self._time.doubt():
            self._latest = _UNKNOWN
            return 0
        ended = 0
        now = self._clock.now()
        if now < self._latest:
            await self._deliveries.bring_forward(now, now + self._longest_pause)
        self._latest = now
        while page := await self._deliveries.expire_due(now, PAGE):
            for delivery in page:
                record = self._teller.event(
                    EventName.DELIVERY_EXPIRED,
                    now,
                    {**about(delivery), "expires_at": delivery.expires_at},
                )
                await self._deliveries.conclude(
                    Conclusion(delivery.id, DeliveryState.EXPIRED, now, (record,), reason="expired")
                )
                self._doorbell.ring([delivery.recipient, changes_of(delivery.sender)])
                ended += 1
        return ended

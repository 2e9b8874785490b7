"""How does the gateway call an office that has a webhook?

One loop finds the offices for which something is due; each office has its own
back-off, breaker and number in flight, so a slow or dead one never delays another, and
what nobody foresaw with one is told and counts as a failure of that one.
Connect first, then lease and decide, so that the ticket's two seconds are not spent on
a handshake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.config import Settings
from gateway.model.agency import Caller, Office, OfficeState
from gateway.model.delivery import Delivery
from gateway.model.errors import LeaseLost, Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.courier import Answer, Connection, Courier
from gateway.ports.storage import DeliveryStorage
from gateway.services.acknowledge import Acknowledge
from gateway.services.attempt import Attempt
from gateway.services.directory import Directories
from gateway.services.enforce import EXPIRED, Sendable, Way

IDLE = timedelta(seconds=5)
SIGNATURE_HEADER = "Hutong-Signature"


@dataclass(slots=True)
class Breaker:
    """Opens after consecutive failures; half-open after its time: one attempt decides."""

    failures: int = 0
    open_until: float = 0.0

    def is_open(self, now: float) -> bool:
        return now < self.open_until

    def succeeded(self) -> None:
        self.failures, self.open_until = 0, 0.0

    def failed(self, now: float, threshold: int, open_seconds: float) -> None:
        self.failures += 1
        if self.failures >= threshold:
            self.open_until = now + open_seconds


class Push:
    def __init__(
        self,
        *,
        settings: Settings,
        directories: Directories,
        deliveries: DeliveryStorage,
        attempt: Attempt,
        acknowledge: Acknowledge,
        courier: Courier,
        doorbell: Doorbell,
        clock: Clock,
        signal: Callable[[str], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._settings, self._directories, self._deliveries = settings, directories, deliveries
        self._report = report
        self._attempt, self._acknowledge, self._courier = attempt, acknowledge, courier
        self._doorbell, self._clock, self._signal = doorbell, clock, signal
        self._timeout = timedelta(seconds=settings.delivery.webhook_timeout_seconds)
        self._breakers: dict[OfficeId, Breaker] = {}
        self._busy: set[OfficeId] = set()

    def breaker(self, office: OfficeId) -> Breaker:
        return self._breakers.setdefault(office, Breaker())

    async def run(self) -> None:
        """Push for ever; ends by cancellation, between attempts or with their leases left to lapse."""
        async with asyncio.TaskGroup() as offices:
            while True:
                try:
                    wait = await self._start_due(offices)
                except Unavailable as out:
                    wait = out.retry_after
                await self._doorbell.wait(None, wait)

    async def _start_due(self, offices: asyncio.TaskGroup) -> timedelta:
        """Start a task for each office with something due; returns how long nothing else will be."""
        now, wait = self._clock.now(), IDLE
        called = {
            one.id
            for one in self._directories.current.offices.values()
            if one.webhook and one.state is not OfficeState.COMPROMISED and one.id not in self._busy
        }
        if not called:
            return wait
        for office_id, due_at in await self._deliveries.offices_due(now, called):
            office = self._directories.current.offices.get(office_id)
            if office is None or office.webhook is None:
                continue
            if due_at > now:
                wait = min(wait, due_at - now)
            elif self.breaker(office_id).is_open(self._clock.monotonic()):
                reopen = self.breaker(office_id).open_until - self._clock.monotonic()
                wait = min(wait, timedelta(seconds=max(reopen, 0.05)))
            else:
                self._busy.add(office_id)
                offices.create_task(self._drain(office), name=f"push {office_id}")
        return wait

    async def _drain(self, office: Office) -> None:
        """Send what is due for one office until nothing is, or until it fails."""
        try:
            while await self._page(office):
                now = self._directories.current.offices.get(office.id)
                if now is None or now.webhook is None:
                    return
                office = now
        except Unavailable:
            self._signal("push-unavailable")
        except Exception as unforeseen:  # noqa: BLE001 - any error with one office must stay that office's own
            self._report(unforeseen)
            self._failed(office)
        finally:
            self._busy.discard(office.id)

    async def _page(self, office: Office) -> bool:
        """One page, all of it at once: a page holds at most one delivery of each case. False when to stop for now."""
        limits, breaker = self._settings.delivery, self.breaker(office.id)
        try:
            first = await self._connect(office)
        except Unavailable:
            self._failed(office)
            for delivery in await self._lease(office, limits.max_in_flight_per_office):
                await self._unreachable(delivery)
            return False
        try:
            leased = await self._lease(office, 1 if breaker.failures else limits.max_in_flight_per_office)
            tries = [
                self._try(office, first if place == 0 else None, delivery) for place, delivery in enumerate(leased)
            ]
            results = await asyncio.gather(*tries, return_exceptions=True)
        finally:
            await first.close()
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return bool(results) and all(results)

    async def _connect(self, office: Office) -> Connection:
        assert office.webhook is not None
        return await self._courier.connect(office.webhook, self._timeout)

    async def _lease(self, office: Office, limit: int) -> Sequence[Delivery]:
        return await self._deliveries.lease_due(office.id, self._clock.now(), self._settings.lease, limit)

    async def _unreachable(self, delivery: Delivery) -> None:
        """Count a try, so that a dead office's deliveries back off and end as dead letters."""
        try:
            await self._acknowledge.fail(
                delivery, delivery.lease_token, "unreachable", None, transport="webhook", was_disclosed=False
            )
        except LeaseLost:
            self._signal("push-lease-lost")

    async def _try(self, office: Office, connection: Connection | None, delivery: Delivery) -> bool:
        """Connect, decide, send, conclude. False when the office failed."""
        if connection is None:
            try:
                connection = await self._connect(office)
            except Unavailable:
                self._failed(office)
                await self._unreachable(delivery)
                return False
        try:
            made = await self._make(office, delivery)
            return True if made is None else await self._send(office, connection, delivery, made)
        finally:
            await connection.close()

    async def _make(self, office: Office, delivery: Delivery) -> Sendable | None:
        made = await self._attempt(delivery, office, Way("webhook", office.media_type))
        if not isinstance(made, Sendable):
            return None
        # the ticket stands under the directory as it is now: it is for nobody at an address from before
        now = self._directories.current.offices.get(office.id)
        has_moved = now is None or now.webhook != office.webhook
        if has_moved or self._clock.monotonic() >= made.send_before:
            await self._attempt.void(delivery, made.release.revision, "moved" if has_moved else EXPIRED)
            return None
        return made

    async def _send(self, office: Office, connection: Connection, delivery: Delivery, made: Sendable) -> bool:
        headers = {
            **made.encoded.headers,
            "Content-Type": made.encoded.media_type,
            "Hutong-Delivery": delivery.id,
            "Hutong-Revision": str(made.release.revision),
            SIGNATURE_HEADER: made.signature,
        }
        left = made.send_before - self._clock.monotonic()
        try:
            answer = await connection.send(made.encoded.body, headers, self._timeout, left)
        except Unavailable:
            answer = Answer(0)
        try:
            if 200 <= answer.status < 300:
                self.breaker(office.id).succeeded()
                await self._acknowledge.conclude(Caller(office), delivery, delivery.lease_token or "", "webhook")
                return True
            self._failed(office)
            reason = f"http-{answer.status}" if answer.status else "no-answer"
            await self._acknowledge.fail(
                delivery, delivery.lease_token, reason, answer.retry_after, actor=office.id, transport="webhook"
            )
        except LeaseLost:
            self._signal("push-lease-lost")
        return False

    def _failed(self, office: Office) -> None:
        limits = self._settings.delivery
        self.breaker(office.id).failed(self._clock.monotonic(), limits.breaker_failures, limits.breaker_open_seconds)

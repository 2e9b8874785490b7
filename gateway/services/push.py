"""How does the gateway call an office that has a webhook?

One loop finds the offices for which something is due; each office has its own
back-off, breaker and number in flight, so a slow or dead one never delays another.
Connect first, then lease and decide, so that the ticket's two seconds are not spent on
a handshake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.config import Settings
from gateway.model.agency import Caller, Office
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
from gateway.services.enforce import Sendable, Way

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
        signal: Callable[[str], None] = lambda _event: None,
    ) -> None:
        self._settings, self._directories, self._deliveries = settings, directories, deliveries
        self._attempt, self._acknowledge, self._courier = attempt, acknowledge, courier
        self._doorbell, self._clock, self._signal = doorbell, clock, signal
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
        if not any(office.webhook for office in self._directories.current.offices.values()):
            return wait
        for office_id, due_at in await self._deliveries.offices_due(now, limit=1000):
            office = self._directories.current.offices.get(office_id)
            if office is None or office.webhook is None or office_id in self._busy:
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
                pass
        except Unavailable:
            self._signal("push-unavailable")
        finally:
            self._busy.discard(office.id)

    async def _page(self, office: Office) -> bool:
        assert office.webhook is not None
        limits, breaker = self._settings.delivery, self.breaker(office.id)
        timeout = timedelta(seconds=limits.webhook_timeout_seconds)
        try:
            connection = await self._courier.connect(office.webhook, timeout)
        except Unavailable:
            breaker.failed(self._clock.monotonic(), limits.breaker_failures, limits.breaker_open_seconds)
            await self._fail_page(office, "unreachable")
            return False
        try:
            leased = await self._deliveries.lease_due(
                office.id, self._clock.now(), self._settings.lease, limits.max_in_flight_per_office
            )
            results = [await self._send(office, connection, delivery, timeout) for delivery in leased]
        finally:
            await connection.close()
        return bool(results) and all(results)

    async def _fail_page(self, office: Office, reason: str) -> None:
        """Count an attempt against what is due, so that a dead office's deliveries back off and end as dead letters."""
        leased = await self._deliveries.lease_due(
            office.id, self._clock.now(), self._settings.lease, self._settings.delivery.max_in_flight_per_office
        )
        for delivery in leased:
            await self._acknowledge.fail(delivery, delivery.lease_token, reason, None, transport="webhook")

    async def _send(self, office: Office, connection: Connection, delivery: Delivery, timeout: timedelta) -> bool:
        made = await self._attempt(delivery, office, Way("webhook", office.media_type))
        if not isinstance(made, Sendable):
            return True
        headers = {
            **made.encoded.headers,
            "Content-Type": made.encoded.media_type,
            "Hutong-Delivery": delivery.id,
            "Hutong-Revision": str(made.release.revision),
            SIGNATURE_HEADER: made.signature,
        }
        limits, breaker = self._settings.delivery, self.breaker(office.id)
        if self._clock.monotonic() >= made.send_before:
            await self._attempt.void(delivery, made.release.revision, "expired")
            return True
        try:
            answer = await connection.send(made.encoded.body, headers, timeout)
        except Unavailable:
            answer = Answer(0)
        try:
            if 200 <= answer.status < 300:
                breaker.succeeded()
                await self._acknowledge.conclude(Caller(office), delivery, delivery.lease_token or "", "webhook")
                return True
            breaker.failed(self._clock.monotonic(), limits.breaker_failures, limits.breaker_open_seconds)
            reason = f"http-{answer.status}" if answer.status else "no-answer"
            await self._acknowledge.fail(
                delivery, delivery.lease_token, reason, answer.retry_after, actor=office.id, transport="webhook"
            )
        except LeaseLost:
            self._signal("push-lease-lost")
        return False

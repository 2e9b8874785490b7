"""How does what is due reach the agencies' queues?

The deliveries in the store are the outbox; nothing is ever queued that the store would not queue again. One loop looks
for offices with a queue for which something is due:

* doorbells: a word that something waits, at most one in the queue. Rung again while something is due, so that a lost
  bell costs a delay;
* releases: lease, decide, disclose, encrypt to the office's key, put. Putting it there is the disclosure. Once the broker
  has confirmed it, the lease is made to last as long as the release may wait; a bounded number waits. What comes back
  unread is decided on anew.

Whatever ends in between (this node, the broker, the store) leaves a lease that lapses as soon as any other, and perhaps a
message in the queue: the office gets the delivery twice, with one id and revision, and applies it once. A broker that
lost everything is filled again from the store.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto

from gateway.config import Settings
from gateway.crypto.jwe import encrypt
from gateway.crypto.signing import b64url
from gateway.model.agency import Office, OfficeKey, OfficeState, QueueUse
from gateway.model.audit import EventName
from gateway.model.canonical import canonical_json
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.errors import LeaseLost, Unavailable
from gateway.model.identifiers import DeliveryId, OfficeId
from gateway.ports.agency_queues import AgencyQueues, QueueFull, Release, Returned
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.storage import Conclusion, DeliveryStorage
from gateway.services.acknowledge import Acknowledge
from gateway.services.attempt import Attempt
from gateway.services.directory import Directories
from gateway.services.enforce import EXPIRED as TICKET_EXPIRED
from gateway.services.enforce import Sendable, Way
from gateway.services.handout import handout_of, listed
from gateway.services.recall import Recall
from gateway.services.tell import Teller, about

BELL = OfficeId("gateway/relay")  # the name under which the doorbell rings for this loop, with every ring
IDLE = timedelta(seconds=5)
BELL_AGAIN = timedelta(milliseconds=250)  # between two doorbells for one office
PAGE = 20
HANDOUT = "application/vnd.hutong.handout+json"
EXPIRED = "expired"


class _End(Enum):
    """How one attempt to put a release ended, where nothing was out of reach."""

    PUT = auto()
    NOTHING_TO_PUT = auto()
    NO_MORE_NOW = auto()


class Relay:
    def __init__(
        self,
        *,
        settings: Settings,
        queues: AgencyQueues,
        directories: Directories,
        deliveries: DeliveryStorage,
        attempt: Attempt,
        acknowledge: Acknowledge,
        recall: Recall,
        teller: Teller,
        doorbell: Doorbell,
        clock: Clock,
        signal: Callable[[str], None],
        report: Callable[[Exception], None],
    ) -> None:
        limits, self._report = settings.rabbitmq, report
        self._max_waiting = limits.max_waiting
        self._waiting = timedelta(seconds=limits.waiting_seconds)
        self._lease = settings.lease
        self._queues, self._directories, self._deliveries = queues, directories, deliveries
        self._attempt, self._acknowledge, self._recall = attempt, acknowledge, recall
        self._teller, self._doorbell, self._clock, self._signal = teller, doorbell, clock, signal
        self._busy: set[OfficeId] = set()
        self._rung_at: dict[OfficeId, float] = {}

    async def run(self) -> None:
        """Relay for ever; ends by cancellation, its leases left to lapse or to be taken back by the next start."""
        self._recall.owe_everyone("gateway-started")
        async with asyncio.TaskGroup() as offices:
            while True:
                try:
                    wait = await self._round(offices)
                except Unavailable as away:
                    wait = away.retry_after
                await self._doorbell.wait(BELL, wait)

    async def returned(self, release: Returned) -> None:
        """A release came back unread. One whose lease is over, or another's by now, is nobody's any more."""
        delivery = await self._deliveries.delivery(DeliveryId(release.name.split(".")[0]))
        if delivery is None or delivery.lease_token is None or lease_digest(delivery.lease_token) != release.lease:
            return
        if release.why == EXPIRED:
            await self._due_again(delivery, "not-fetched", self._clock.now())
            return
        try:
            await self._acknowledge.fail(
                delivery, delivery.lease_token, "rejected-by-office", None, actor=release.office, transport="amqp"
            )
        except LeaseLost:
            self._signal("relay-lease-lost")

    async def _round(self, offices: asyncio.TaskGroup) -> timedelta:
        """Start what is due; returns how long nothing else will be."""
        known = self._directories.current.offices
        have_queues = {
            one.id: one.queue
            for one in known.values()
            if one.queue is not None and one.state is not OfficeState.COMPROMISED
        }
        await self._queues.serve(have_queues)
        if not self._queues.is_up:
            return timedelta(seconds=1)
        owed_in = await self._recall.settle()
        wait = IDLE if owed_in is None else min(IDLE, owed_in)
        if not have_queues:
            return wait
        now = self._clock.now()
        for office_id, due_at in await self._deliveries.offices_due(now, have_queues.keys() - self._busy):
            if due_at > now:
                wait = min(wait, due_at - now)
            elif have_queues[office_id] is QueueUse.RELEASES:
                self._busy.add(office_id)
                offices.create_task(self._drain(known[office_id]), name=f"relay {office_id}")
            else:
                wait = min(wait, await self._ring(office_id))
        return wait

    async def _ring(self, office: OfficeId) -> timedelta:
        now = self._clock.monotonic()
        since = now - self._rung_at.get(office, float("-inf"))
        if since < BELL_AGAIN.total_seconds():
            return BELL_AGAIN
        self._rung_at[office] = now
        await self._queues.ring(office)
        return IDLE

    async def _drain(self, office: Office) -> None:
        """Put what is due for one office until nothing is, its queue holds enough, or something fails."""
        try:
            while (key := self._key_now(office.id)) is not None and self._queues.is_up:
                now = self._clock.now()
                room = self._max_waiting - await self._deliveries.count_leased(office.id, now)
                if room <= 0:
                    return  # an acknowledgement rings, and makes room
                leased = await self._deliveries.lease_due(office.id, now, self._lease, min(room, PAGE))
                if not leased or not await self._put_all(office, key, leased, now + self._waiting + self._lease):
                    return
        except Unavailable:
            self._signal("relay-unavailable")
        except Exception as unforeseen:  # noqa: BLE001 - any error with one office must stay that office's own
            self._report(unforeseen)
        finally:
            self._busy.discard(office.id)

    async def _put_all(self, office: Office, key: OfficeKey, leased: Sequence[Delivery], until: datetime) -> bool:
        """Put a page, its leases said to last `until`, and let them once it is there. False when no more should be tried now."""
        waiting = [replace(one, lease_expires_at=until) for one in leased]
        ended = await asyncio.gather(*(self._put(office, key, one) for one in waiting), return_exceptions=True)
        there = [(one.id, one.lease_token or "") for one, end in zip(leased, ended, strict=True) if end is _End.PUT]
        if there:
            await self._deliveries.keep_leased(there, self._clock.now(), until)
        for end in ended:
            if isinstance(end, BaseException):
                raise end
        return _End.NO_MORE_NOW not in ended

    async def _put(self, office: Office, key: OfficeKey, delivery: Delivery) -> _End:
        """Decide, encrypt, put."""
        made = await self._attempt(delivery, office, Way("amqp", office.media_type))
        if not isinstance(made, Sendable):
            return _End.NOTHING_TO_PUT
        handout = handout_of(made)
        locked = encrypt(key.jwk, canonical_json(listed(handout)), HANDOUT)
        release = Release(locked, f"{handout.delivery}.{handout.revision}", lease_digest(handout.lease_token))
        # the ticket stands under the directory as it is now: nothing goes under a key from before
        has_changed = self._key_now(office.id) != key
        left = handout.send_before - self._clock.monotonic()
        if has_changed or left <= 0:
            await self._attempt.void(delivery, handout.revision, "key-changed" if has_changed else TICKET_EXPIRED)
            return _End.NOTHING_TO_PUT
        try:
            await self._queues.put(office.id, release, self._waiting, left)
        except QueueFull:
            await self._due_again(delivery, "queue-full", self._clock.now() + IDLE)
            return _End.NO_MORE_NOW
        except Unavailable:  # the broker's fault, which is held against no office: tried again until it answers
            await self._due_again(delivery, "no-answer", self._clock.now() + IDLE)
            return _End.NO_MORE_NOW
        return _End.PUT

    def _key_now(self, office: OfficeId) -> OfficeKey | None:
        entry = self._directories.current.offices.get(office)
        return None if entry is None else encryption_key_of(entry, self._clock.now())

    async def _due_again(self, delivery: Delivery, why: str, due_at: datetime) -> None:
        now = self._clock.now()
        record = self._teller.event(
            EventName.DELIVERY_DEFERRED,
            now,
            {**about(delivery), "attempt": delivery.attempts, "due_at": due_at, "transport": "amqp", "reason": why},
        )
        await self._deliveries.conclude(
            Conclusion(delivery.id, DeliveryState.DUE, now, (record,), delivery.lease_token, due_at, why)
        )
        self._doorbell.ring([delivery.recipient])


def lease_digest(token: str) -> str:
    """What the broker may see of a lease: enough to tell two apart, nothing to acknowledge with."""
    return b64url(hashlib.sha256(b"hutong-lease\0" + token.encode()).digest()[:16])


def encryption_key_of(office: Office, at: datetime) -> OfficeKey | None:
    """The newest key that may be encrypted to now."""
    good = [
        key for key in office.keys
        if key.use == "enc" and key.not_before <= at and (key.not_after is None or at < key.not_after)
    ]  # fmt: skip
    return max(good, key=lambda key: key.not_before, default=None)

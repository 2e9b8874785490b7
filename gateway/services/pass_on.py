"""How does a recipient reach the person behind a relay handle, without learning who or where that is?

A release may show a handle in the place of a contact (facet `relay`). A message through it goes to the office that sent
the notice, which holds the contact and passes it on; it goes as a query (QRY, `pass_on`) of the writing office, in the
same case, with the place of the contact in the holder's own notice. The holder answers as to any query, or through the
handle of the writing officer. The value itself leaves the gateway neither way.

The steps, and what a crash after each leaves behind:

1. the delivery that gave the handle is decided on and projected anew: nothing is stored; the office asks again.
2. one transaction: the query with its delivery and receipt, and the record of that decision. It is refused as stale
   when policy, consent or directory changed after step 1, which is then repeated. A crash after it: the office asks
   again and gets the first receipt.
3. the query is delivered like every notice, decided on at that moment: and only while the handle still leads there.

A handle that is unknown, another office's, out of time, of a withdrawn notice, or that a release of today would not give
out any more is one answer. Known handles that lead nowhere are logged: they count as denials.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gateway.config import Settings
from gateway.model.agency import Caller
from gateway.model.audit import EventName, LogValue
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.errors import InvalidNotice, NotFound, TooManyRequests, Unavailable
from gateway.model.identifiers import NoticeType
from gateway.model.notice import RELAYED, JsonObject, SubmittedNotice
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogStorage
from gateway.ports.relay_storage import RelayStorage
from gateway.ports.storage import DeliveryStorage
from gateway.services.accept import Accept, Overtaken, Receipt, RestsOn
from gateway.services.attest import Attestation
from gateway.services.cases import Cases
from gateway.services.directory import Directories
from gateway.services.enforce import Enforce, Made
from gateway.services.relay_way import behind
from gateway.services.replay import outcome_code
from gateway.services.submit import Submit
from gateway.services.tell import Teller, about

CARRIER = NoticeType("QRY")
MAX_DECISIONS = 4
_HOUR = 3600.0
_MOST_REMEMBERED = 10_000
_HELD_BY_RECIPIENT = frozenset(
    {DeliveryState.DUE, DeliveryState.ACKNOWLEDGED, DeliveryState.ACCEPTED, DeliveryState.ACTED_ON}
)


@dataclass(frozen=True, slots=True)
class Message:
    """What an office wants passed on. `said` are the exact bytes of its call; the same name and bytes are the same message."""

    handle: str
    name: str
    text: str = field(repr=False)
    said: bytes = field(repr=False)
    attestation: Attestation


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a handle leads now."""

    delivery: Delivery
    made: Made
    contact: str


class PassOn:
    def __init__(
        self,
        *,
        settings: Settings,
        relays: RelayStorage,
        deliveries: DeliveryStorage,
        cases: Cases,
        directories: Directories,
        enforce: Enforce,
        submit: Submit,
        accept: Accept,
        log: LogStorage,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._most = settings.limits.relay_messages_per_hour
        self._relays, self._deliveries, self._cases = relays, deliveries, cases
        self._directories, self._enforce = directories, enforce
        self._submit, self._accept = submit, accept
        self._log, self._teller, self._clock = log, teller, clock
        self._sent: OrderedDict[bytes, deque[float]] = OrderedDict()  # by handle: when (monotonic) a message was taken

    async def __call__(self, caller: Caller, message: Message) -> Receipt:
        """Take one message for the holder of the contact; answers a receipt, the first one where it is repeated.

        Raises NotFound for a handle that leads nowhere, whatever the reason, TooManyRequests beyond the hourly limit of
        one handle, IdempotencyConflict for another message under the same name, InvalidNotice where the office may not
        send queries at all, Unavailable when the store is down or ordinary disclosures wait.
        """
        name = "relay." + hashlib.sha256(f"{message.handle}|{message.name}".encode()).hexdigest()[:32]
        if (before := await self._accept.repeated(caller, name, message.said)) is not None:
            return before
        digest = self._cases.handle_digest(caller.office.id, message.handle)
        for _ in range(MAX_DECISIONS):
            way = await self._way(caller, message.handle, digest)
            counted = self._count(digest)
            item = SubmittedNotice(caller.office.id, name, CARRIER, self._query(caller, message, way))
            rests = RestsOn(way.made.epochs, (self._teller.event(
                EventName.MESSAGE_RELAYED, way.made.at, self._told(way, message), actor=caller.office.id,
                officer=caller.officer, persons=way.made.gathered.slots,
            ),))  # fmt: skip
            try:
                answer = await self._submit.let_through(caller, item, message.said, message.attestation, rests)
            except Overtaken:
                counted.pop()
                continue
            if isinstance(answer, Receipt):
                return answer
            raise InvalidNotice("the message cannot be sent", problems=answer.problems)
        raise Unavailable("the policy or a consent is changing", retry_after=timedelta(seconds=1))

    async def _way(self, caller: Caller, handle: str, digest: bytes) -> _Way:
        """Decide anew on the deliveries that gave the handle, the newest first. Raises NotFound where none does now."""
        known = await self._relays.handles(caller.office.id, digest, self._clock.now())
        refused: Delivery | None = None
        for one in known:
            delivery = await self._deliveries.delivery(one.delivery)
            if delivery is None:
                continue
            refused = refused or delivery
            if delivery.state not in _HELD_BY_RECIPIENT or caller.purpose not in (None, delivery.purpose):
                continue
            made = await self._enforce.would_release(delivery)
            if made is not None and (contact := behind(handle, made.relays, made.decision, made.opened)) is not None:
                return _Way(delivery, made, contact)
        if refused is not None:
            told: dict[str, LogValue | None] = {**about(refused), "purpose": refused.purpose}
            record = self._teller.event(
                EventName.MESSAGE_REFUSED, self._clock.now(), told, actor=caller.office.id, officer=caller.officer
            )
            await self._log.append([record])
        raise NotFound("no such handle for this caller", remedy="use a handle of your newest release of the case")

    def _query(self, caller: Caller, message: Message, way: _Way) -> JsonObject:
        query = {"question": RELAYED, "minimal": {}, "contact": way.contact, "message": message.text}
        data: dict[str, Any] = {
            "purpose": way.delivery.purpose,
            "legal_basis": list(way.delivery.legal_basis),
            "urgency": way.delivery.urgency,
            "in_reply_to": way.delivery.id,
            "requested_recipients": [way.delivery.sender],
            "query": query,
            "sender": {"unit": caller.office.name_zh or caller.office.id},
        }
        if caller.officer:
            data["sender"]["contact_officer"] = caller.officer
        return data

    def _told(self, way: _Way, message: Message) -> dict[str, LogValue | None]:
        return {
            **about(way.delivery),
            "to": way.delivery.sender,
            "bytes": len(message.text.encode()),
            "policy": way.made.decision.policy,
            "purpose": way.delivery.purpose,
            "outcome": outcome_code(way.made.decision),
        }

    def _count(self, digest: bytes) -> deque[float]:
        """Count one message through a handle. Raises TooManyRequests when the hour has had its share."""
        now = self._clock.monotonic()
        times = self._sent.setdefault(digest, deque())
        self._sent.move_to_end(digest)
        while times and times[0] <= now - _HOUR:
            times.popleft()
        if len(times) >= self._most:
            wait = timedelta(seconds=times[0] + _HOUR - now)
            raise TooManyRequests("this handle has had its messages of the hour", retry_after=wait)
        times.append(now)
        while len(self._sent) > _MOST_REMEMBERED:
            self._sent.popitem(last=False)
        return times

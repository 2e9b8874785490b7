"""Units of storage for tests: what the services would hand to a store, with content that only looks sealed."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.audit.record import PreparedRecord, prepare
from gateway.crypto.scatter import Scatter
from gateway.engines.system.ids import SystemIds
from gateway.model.audit import EventName, LogEvent, Slot
from gateway.model.delivery import NewDelivery
from gateway.model.identifiers import KeyId, NoticeType, OfficeId, PersonId
from gateway.ports.storage import Acceptance, Conclusion, Disclosure, Epochs, PersonLink, SealedSegment

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
POLICE = OfficeId("police.999999")
SCHOOL = OfficeId("education.999999")
WELFARE = OfficeId("civil_affairs.999999")
HOSPITAL = OfficeId("health.999999")
NO_EPOCHS = Epochs(0, 0, 0)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()

    def forward(self, by: timedelta) -> datetime:
        self.at += by
        return self.at


def key_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def alias_of(text: str) -> bytes:
    return key_of("alias " + text)


class Units:
    """Makes units with fresh ids; whatever a test cares about is given by name."""

    def __init__(self, clock: Any, scatter: Scatter | None = None) -> None:
        self.clock = clock
        self.ids = SystemIds(clock, scatter)

    def record(
        self, name: EventName = EventName.NOTICE_CHECKED, *, persons: tuple[PersonId, ...] = (), **values: Any
    ) -> PreparedRecord:
        given = {"actor": "gateway", **values}
        if name is EventName.NOTICE_ACCEPTED:
            given = {"notice": self.ids.notice(), "type": "RPT", **given}
        slots = tuple(Slot({"person": person}, b"s" * 32, key_of(person).hex()) for person in persons)
        return prepare(LogEvent(self.ids.event(), name, self.clock.now(), given, os.urandom(32), slots))

    def person(self, ref: str = "p1", *aliases: bytes, known: PersonId | None = None) -> PersonLink:
        return PersonLink(
            known or self.ids.person(), ref, KeyId(os.urandom(16).hex()), tuple(aliases), is_new=known is None
        )

    def delivery(self, recipient: OfficeId = POLICE, **given: Any) -> NewDelivery:
        values: dict[str, Any] = {
            "id": self.ids.delivery(),
            "recipient": recipient,
            "purpose": "P01",
            "legal_basis": ("L02", "L20"),
            "rule": "report-to-competent-police",
            "role": "handling",
            "lane": os.urandom(16),
            "overtakes": False,
            "expires_at": self.clock.now() + timedelta(days=30),
        }
        return NewDelivery(**{**values, **given})

    def segment(self, person: PersonId | None = None, size: int = 400) -> SealedSegment:
        return SealedSegment(person, "CORE", KeyId(os.urandom(16).hex()), os.urandom(size))

    def acceptance(self, *deliveries: NewDelivery, **given: Any) -> Acceptance:
        now = self.clock.now()
        notice = given.get("notice", self.ids.notice())
        values: dict[str, Any] = {
            "notice": notice,
            "type": NoticeType("RPT"),
            "case": self.ids.case(),
            "sender": WELFARE,
            "urgency": 0,
            "received_at": now,
            "idempotency_key": os.urandom(32),
            "native_id_key": os.urandom(32),
            "body_digest": os.urandom(32),
            "header": b"header " + os.urandom(40),
            "header_key": KeyId(os.urandom(16).hex()),
            "segments": (self.segment(),),
            "raw": self.segment(size=800),
            "raw_expires_at": now + timedelta(days=30),
            "persons": (),
            "deliveries": deliveries,
            "records": (self.record(),),
            "receipt": b"receipt " + os.urandom(32),
            "receipt_expires_at": now + timedelta(days=90),
        }
        return Acceptance(**{**values, **given})

    def disclosure(self, delivery: Any, **given: Any) -> Disclosure:
        values: dict[str, Any] = {
            "delivery": delivery.id,
            "lease_token": delivery.lease_token,
            "revision": delivery.revision + 1,
            "release_digest": os.urandom(32),
            "case_handle": os.urandom(32),
            "epochs": NO_EPOCHS,
            "at": self.clock.now(),
            "records": (self.record(),),
        }
        return Disclosure(**{**values, **given})

    def conclusion(self, delivery: Any, state: Any, **given: Any) -> Conclusion:
        values: dict[str, Any] = {
            "delivery": delivery.id,
            "state": state,
            "at": self.clock.now(),
            "records": (self.record(),),
            "lease_token": getattr(delivery, "lease_token", None),
        }
        return Conclusion(**{**values, **given})

"""What time is it, and what is a fresh id? The only two things a service may not compute."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from gateway.model.identifiers import CaseId, DeliveryId, EventId, NoticeId, PersonId


class Clock(Protocol):
    def now(self) -> datetime:
        """An aware UTC instant, millisecond precision."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; comparable only within one process."""
        ...


class Ids(Protocol):
    """Notice, case, person and event ids are time-ordered (UUIDv7); delivery ids and secrets are random."""

    def notice(self) -> NoticeId: ...
    def case(self) -> CaseId: ...
    def person(self) -> PersonId: ...
    def event(self) -> EventId: ...
    def delivery(self) -> DeliveryId: ...
    def secret(self, size: int = 32) -> bytes: ...

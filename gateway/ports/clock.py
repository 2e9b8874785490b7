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


class TimeInDoubt(Protocol):
    """Whether the time may be acted upon where that cannot be undone."""

    def doubt(self) -> str:
        """Why nothing may be expired or destroyed by this time; empty where it is sound."""
        ...

    def readings(self) -> tuple[datetime, ...]:
        """What time it may be: the clock's, and in doubt what else it may be."""
        ...

    def earliest(self) -> datetime | None:
        """In doubt since the start: the time is not before this, and may be any after it."""
        ...

    def trust(self, reading: datetime) -> None:
        """Evidence from outside, such as an office's, speaks for one of the readings."""
        ...


class Ids(Protocol):
    """Notice, case, person and event ids are time-ordered (UUIDv7); delivery ids and secrets are random."""

    def notice(self) -> NoticeId: ...
    def case(self) -> CaseId: ...
    def person(self) -> PersonId: ...
    def event(self) -> EventId: ...
    def delivery(self) -> DeliveryId: ...
    def secret(self, size: int = 32) -> bytes: ...

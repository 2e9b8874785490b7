"""How do agencies that speak AMQP hand in notices and get theirs, and what may the broker lose?

Each such office has `submit.<office>`, `inbox.<office>` and `receipts.<office>`. Nothing in them is the record of
anything: what is lost from `submit` was not answered and is sent again, what is lost from `inbox` is due in the store,
what is lost from `receipts` is answered again, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gateway.model.agency import QueueUse
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId

SUBMIT_EXCHANGE = "hutong.submit"  # an office publishes to it under the name of its own submit queue


def submit_queue(office: OfficeId) -> str:
    return f"submit.{office}"


def inbox_queue(office: OfficeId) -> str:
    return f"inbox.{office}"


def receipts_queue(office: OfficeId) -> str:
    return f"receipts.{office}"


def reader_of(queue: str) -> OfficeId | None:
    """The office that reads this queue; None for those that the gateway reads."""
    kind, _, office = queue.partition(".")
    return OfficeId(office) if kind in ("inbox", "receipts") else None


class QueueFull(Unavailable):
    """The queue holds as much as it may; nothing was put there."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message from an office's submit queue. `headers` have small names; `kind` is the message's type."""

    office: OfficeId
    body: bytes
    media_type: str
    kind: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    user: str = ""  # who signed in at the broker, where the sender had it stamped (the broker checks it)
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back for one message. `is_poison`: the message itself is set aside for a person to look at."""

    body: bytes
    media_type: str
    kind: str
    headers: Mapping[str, str] = field(default_factory=dict)
    is_poison: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """One encrypted release for an office's inbox. `name` is `<delivery>.<revision>`, `lease` a digest of its lease."""

    body: bytes
    name: str
    lease: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A release that came back from its queue: `expired` unread, `rejected` by the office, or `delivery_limit`: its
    system fell over it again and again."""

    office: OfficeId
    name: str
    lease: str
    why: str


class Desk(Protocol):
    """The gateway's side of the queues."""

    def lane_of(self, message: Arrived) -> str:
        """Messages of one lane are answered one after another, in their order; lanes go side by side. Empty: alone."""
        ...

    async def take(self, message: Arrived) -> Answer:
        """Do what a message asks, and say what goes back. A repetition gives the first answer. Never raises; while
        the store is away it waits."""
        ...

    async def returned(self, release: Returned) -> None: ...

    def emptied(self, office: OfficeId) -> None:
        """The inbox of this office had to be made: whatever waited there is gone."""
        ...


class AgencyQueues(Protocol):
    @property
    def is_up(self) -> bool:
        """Whether anything can be put now."""
        ...

    async def run(self, desk: Desk) -> None:
        """Serve for ever, through every loss of the broker. A message is taken from its queue for good only after its
        answer is safe in the queue of answers. Ends by cancellation; what was in work comes again."""
        ...

    async def serve(self, offices: Mapping[OfficeId, QueueUse]) -> None:
        """Have exactly these offices' queues declared and served. Cheap when nothing changed. Raises Unavailable."""
        ...

    async def ring(self, office: OfficeId) -> None:
        """Put a doorbell into the office's inbox, where at most one waits. Raises Unavailable."""
        ...

    async def put(
        self, office: OfficeId, release: Release, expires: timedelta, begin_within: float | None = None
    ) -> None:
        """Put a release into the office's inbox; safe there when it returns.

        Raises QueueFull when it was not taken, Unavailable when nobody knows, and when it could not leave within so many
        seconds: its ticket is over by then, and nothing is sent.
        """
        ...

    async def purge(self, office: OfficeId) -> None:
        """Empty the office's inbox. Raises Unavailable."""
        ...

    async def disconnect(self, office: OfficeId) -> int:
        """Close the live connections of an office at the broker; returns how many. Raises Unavailable."""
        ...

"""Where does the exchange log live, and how is it read back?

Leaves are appended by the transactions of the other ports; here is the way to
append on its own, and to read. Nothing in this port changes or removes a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.identifiers import EventId


@dataclass(frozen=True, slots=True)
class Head:
    """The tree as committed: number of leaves and RFC 6962 root hash."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as read back. `opening` is what was kept to open it (see gateway.audit.record); parts may have been erased."""

    index: int
    event: EventId
    name: str
    at: datetime
    entry: bytes
    opening: bytes


@dataclass(frozen=True, slots=True)
class LogQuery:
    """All given conditions hold; matched on the rebuildable search index. `subject`, `case` and `person` are keyed digests."""

    event: str | None = None
    office: str | None = None
    notice: str | None = None
    delivery: str | None = None
    subject: bytes | None = None
    case: bytes | None = None
    person: bytes | None = None
    purpose: str | None = None
    policy: str | None = None
    outcome: str | None = None
    field: str | None = None  # a field id that was shown in some form
    basis: str | None = None
    obligation: str | None = None
    flag: str | None = None
    type: str | None = None  # of the notice
    awaits_disposal: bool = False  # only disclosures that owe a disposal receipt nobody has confirmed
    is_emergency: bool = False  # only what an emergency access widened
    since: datetime | None = None
    until: datetime | None = None


class LogStorage(Protocol):
    async def append(self, records: Sequence[PreparedRecord]) -> Sequence[int]:
        """Append records that belong to no other write; returns their leaf indices once durable."""
        ...

    async def head(self) -> Head: ...

    async def entries(self, start: int, stop: int) -> Sequence[bytes]:
        """The exact entry bytes of leaves start..stop-1, read back from the store."""
        ...

    async def tile(self, level: int, index: int) -> bytes | None:
        """A full tile of 256 hashes, or None."""
        ...

    async def record(self, event: EventId) -> StoredRecord | None: ...

    async def records(self, start: int, stop: int) -> Sequence[StoredRecord]:
        """The records of leaves start..stop-1 that are there, in their order: fewer where one is missing."""
        ...

    async def record_at(self, index: int) -> StoredRecord | None: ...

    async def records_at(self, places: Sequence[int]) -> Sequence[StoredRecord]:
        """The records of these leaves that are there, in the order asked for: fewer where one is missing."""
        ...

    async def search(self, query: LogQuery, after: int | None, limit: int) -> Sequence[StoredRecord]:
        """Newest first, from before leaf `after`."""
        ...

    async def index(self, limit: int) -> int:
        """Add up to `limit` more records to the search index; returns how many are left. A search adds what it needs itself."""
        ...

    async def told_of(self, deliveries: Sequence[str]) -> Sequence[frozenset[str]]:
        """Of each delivery, which events the index has about it."""
        ...

    async def put_checkpoint(self, size: int, root: bytes, note: bytes, signed_at: datetime) -> None:
        """Keep a signed note; one per size, a second with other bytes raises Tampered."""
        ...

    async def latest_checkpoint(self) -> tuple[int, bytes] | None:
        """Size and note of the newest checkpoint."""
        ...

    async def checkpoint(self, size: int) -> bytes | None:
        """The note signed for a size, as it was kept."""
        ...

    async def checkpoints(self, after: int, limit: int) -> Sequence[tuple[int, bytes, bytes]]:
        """Size, root and note of the checkpoints of more than `after` leaves, smallest first."""
        ...

    async def cosigned(self, size: int) -> Sequence[tuple[str, bytes]]:
        """Every line kept for a size, with the witness it was kept under."""
        ...

    async def keep_cosignature(self, size: int, witness: str, line: bytes, at: datetime) -> None:
        """Keep a witness's line for the checkpoint of a size. A later line of the same witness stands beside the older ones."""
        ...

    async def cosignatures(self, size: int) -> Sequence[bytes]:
        """The newest line of each witness for a size, in the order of the witnesses' names."""
        ...

    async def last_cosigned(self, witness: str) -> tuple[datetime, int] | None:
        """When this witness last cosigned anything, and the size it cosigned; None where it never did."""
        ...

    async def places_of(self, subject: bytes) -> Sequence[int]:
        """The leaf indices of all records about a subject (keyed name, 32 bytes), in the order of its chain."""
        ...

"""Where do bulk files live, and what is known of their rows?

A file is sealed in pieces under a key of its own. Pieces are staged first, each durable by itself; `take` is the
moment from which the file counts. Pieces that no file claimed (a crash before `take`) are dropped by `drop_orphans`.

Its rows are worked off in two passes over the file, `reports` and `rest`; `advance` says how far a pass came and
what the rows of one chunk became, in one transaction. Rows are counted from 0 in the order of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.identifiers import KeyId, NoticeId, OfficeId


class Stage(StrEnum):
    """Which pass a file is in: reports overtake everything else in it."""

    REPORTS = "reports"
    REST = "rest"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file whose pieces are staged, about to be answered 202.

    `file_key` (32 bytes) is made of office, the caller's key and the digest of the bytes: the same file again gets
    the first receipt. `header` is sealed under the file's key.
    """

    id: str
    office: OfficeId
    file_key: bytes
    media_type: str
    size: int
    pieces: int
    key: KeyId
    header: bytes
    receipt: bytes
    received_at: datetime
    raw_expires_at: datetime
    receipt_expires_at: datetime
    records: tuple[PreparedRecord, ...]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`rows` is None until the first pass has counted them."""

    id: str
    office: OfficeId
    media_type: str
    size: int
    pieces: int
    key: KeyId
    header: bytes
    receipt: bytes
    received_at: datetime
    stage: Stage
    next_row: int
    rows: int | None
    accepted: int
    refused: int
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What one row became: a notice, or `problem` (canonical JSON: codes, positions, remedies, never a value)."""

    row: int
    position: str
    notice: NoticeId | None
    problem: bytes = b""


@dataclass(frozen=True, slots=True)
class RowReceipt:
    """The same for its sender. `receipt` is the notice's signed receipt, None once its time has run out."""

    outcome: RowOutcome
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a pass came. `finished_at` ends the file; `records` tell of it."""

    file: str
    stage: Stage
    next_row: int
    rows: int | None
    outcomes: tuple[RowOutcome, ...] = ()
    finished_at: datetime | None = None
    records: tuple[PreparedRecord, ...] = ()


class FileStorage(Protocol):
    async def stage(self, file: str, number: int, piece: bytes) -> None:
        """Keep one sealed piece. Durable when it returns; part of no file until `take`."""
        ...

    async def take(self, unit: NewFile) -> StoredFile:
        """Make the staged pieces a file, or answer the one that was taken under the same key before (its `id` differs).

        Unavailable when a piece is missing.
        """
        ...

    async def find(self, file_key: bytes) -> StoredFile | None: ...

    async def file(self, file: str) -> StoredFile | None: ...

    async def files_of(self, office: OfficeId, limit: int) -> Sequence[StoredFile]:
        """The files of one office, newest first."""
        ...

    async def piece(self, file: str, number: int) -> bytes | None: ...

    async def open_files(self, limit: int) -> Sequence[StoredFile]:
        """Files that are not done, oldest first."""
        ...

    async def advance(self, unit: Advance) -> Sequence[KeyId]:
        """Write what a chunk became. A row that has an outcome keeps its first one, so a repetition changes nothing.

        Answers the keys to be destroyed: a file that is done loses its pieces at once when a person in it was
        erased meanwhile.
        """
        ...

    async def rows(self, file: str, after: int, limit: int, *, only_refused: bool = False) -> Sequence[RowReceipt]:
        """Outcomes from after the given row (-1: all), in the order of the file."""
        ...

    async def drop_orphans(self, before: datetime) -> int:
        """Forget pieces of no file whose upload began before this instant, long enough ago that nobody still uploads."""
        ...

"""What is destroyed when its time is over or a person is erased, and what a legal hold keeps?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.identifiers import KeyId, NoticeId, PersonId


@dataclass(frozen=True, slots=True)
class LegalHold:
    """Nothing about this person is destroyed while the hold stands. `authority` is a code."""

    id: str
    person: PersonId
    authority: str
    set_by: str
    set_at: datetime
    lifted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Erasure:
    """One wish to erase a person. `person` is None once it is done: whose it was is forgotten too."""

    id: str
    person: PersonId | None
    authority: str
    asked_by: str
    asked_at: datetime
    approved_by: str | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """A notice that names a person; `raw_key` opens its bytes as received, None when they are gone."""

    notice: NoticeId
    raw_key: KeyId | None


@dataclass(frozen=True, slots=True)
class Discarded:
    """How much was forgotten because its time had run out; `raw_keys` opened the raw bodies that went."""

    raw_bodies: int
    receipts: int
    expiries: int
    raw_keys: tuple[KeyId, ...] = ()


class RetentionStorage(Protocol):
    async def set_hold(self, hold: LegalHold, records: Sequence[PreparedRecord]) -> None: ...

    async def lift_hold(self, hold: str, at: datetime, records: Sequence[PreparedRecord]) -> bool:
        """False when there is no such hold that stands; then nothing is logged."""
        ...

    async def hold(self, hold: str) -> LegalHold | None: ...

    async def standing_holds(self) -> Sequence[LegalHold]:
        """Every hold that stands, oldest first."""
        ...

    async def holds_of(self, person: PersonId) -> Sequence[LegalHold]: ...

    async def ask_erasure(self, erasure: Erasure, records: Sequence[PreparedRecord]) -> None: ...

    async def approve_erasure(self, erasure: str, by: str) -> bool:
        """Durably approved by this second person; False when somebody approved it before, or it is done."""
        ...

    async def erasure(self, erasure: str) -> Erasure | None: ...

    async def open_erasures(self) -> Sequence[Erasure]: ...

    async def key_of(self, person: PersonId) -> KeyId | None:
        """The person's key; None for a person who is not known, or erased."""
        ...

    async def naming(self, person: PersonId) -> Sequence[Naming]: ...

    async def files_naming(self, person: PersonId) -> Sequence[KeyId]:
        """The keys of the bulk files, done and still kept as they came, in which a row names the person. Of files still
        in work `forget` takes note: their bytes go when their last row is done."""
        ...

    async def forget(
        self, erasure: str, person: PersonId, subject: bytes, at: datetime, records: Sequence[PreparedRecord]
    ) -> int:
        """Forget a person in one transaction: aliases, likenesses, pairs, places, consents, raw bodies of notices naming
        them, their chain in the log's index (`subject`, 32 bytes). Returns how many raw bodies went; 0 when it was done
        before. Where a pair went the consent epoch rises.

        Refused as NotPermitted while a legal hold stands. Returns when nothing of it is left in file or journal.
        """
        ...

    async def discard_expired(self, now: datetime, limit: int = 500) -> Discarded:
        """Forget raw bodies, receipts and noted instants whose time has run out at `now`, at most `limit` of each.

        Raw bodies that name somebody under a legal hold stay.
        """
        ...

    async def empty_journal(self) -> None:
        """Copy the journal into the file and cut it to nothing, so that what was deleted is on no page. Unavailable
        when a reader stands in the way."""
        ...

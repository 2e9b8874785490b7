"""Who looks like whom, and what did officers find of two persons?

A finding is a record beside the persons: it rewrites none of them, so it can be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.identifiers import PersonId


class PairState(StrEnum):
    """Where two persons stand. Only `joined` and `parting` make them one."""

    ASKED = "asked"  # one officer finds that they are one; a second has to
    JOINED = "joined"
    PARTING = "parting"  # one officer finds that they are two; a second has to
    PARTED = "parted"
    DECLINED = "declined"  # they look alike, and are two


@dataclass(frozen=True, slots=True)
class PersonPair:
    """What stands of two persons. `first` is the smaller id; `confirmed_by` is empty where one officer spoke alone."""

    first: PersonId
    second: PersonId
    state: PairState
    asked_by: str
    confirmed_by: str
    reason: str
    at: datetime

    @property
    def is_one(self) -> bool:
        return self.state in (PairState.JOINED, PairState.PARTING)


@dataclass(frozen=True, slots=True)
class Alike:
    """Persons who share a likeness (16 bytes), at least two."""

    likeness: bytes
    persons: tuple[PersonId, ...]


class PersonStorage(Protocol):
    async def alike(self, after: bytes, limit: int) -> Sequence[Alike]:
        """Up to `limit` likenesses that several persons share, in order, from after the given one (empty: from the first)."""
        ...

    async def pairs(self) -> Sequence[PersonPair]:
        """What stands of every pair that officers looked at. As many as people decided on."""
        ...

    async def pairs_mark(self) -> tuple[int, int]:
        """Something that differs whenever `pairs` does: how many states are kept, and the newest one's epoch."""
        ...

    async def put_pair(
        self, pair: PersonPair, records: Sequence[PreparedRecord], *, instead_of: PairState | None
    ) -> int:
        """Store what stands of a pair from now on, in place of what the officer saw of it (None: nothing); raises the consent epoch, whose new value is returned: whatever was
        decided under the older one is decided anew. Raises NotFound, and stores nothing, when either of them is not
        known, or was erased, NotPermitted when something else stands by now."""
        ...

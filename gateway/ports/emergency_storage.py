"""Where do emergency accesses live?

A grant comes with the deliveries that carry it, in one transaction with the log records that tell
of both; what leaves afterwards is decided like everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.delivery import NewDelivery
from gateway.model.identifiers import CaseId, KeyId, NoticeId, OfficeId


@dataclass(frozen=True, slots=True)
class EmergencyGrant:
    """One emergency access as stored. `document` (reason, officer) is sealed under `key` by the service."""

    id: str
    office: OfficeId
    case: CaseId
    granted_at: datetime
    until: datetime
    key: KeyId
    document: bytes
    reviewed_at: datetime | None = None
    outcome: str | None = None


class EmergencyStorage(Protocol):
    async def grant(
        self,
        grant: EmergencyGrant,
        deliveries: Sequence[tuple[NoticeId, NewDelivery]],
        records: Sequence[PreparedRecord],
    ) -> None:
        """Store a grant, and each delivery as one more of its (stored) notice. Idempotent by the grant's id."""
        ...

    async def emergency(self, id_: str) -> EmergencyGrant | None: ...

    async def in_force(self, office: OfficeId, case: CaseId, now: datetime) -> EmergencyGrant | None:
        """The grant of one office to one case whose time runs at `now`, the longest one."""
        ...

    async def emergencies(self, *, unreviewed: bool, limit: int) -> Sequence[EmergencyGrant]:
        """Those that wait for review, oldest first; or all, newest first."""
        ...

    async def count_outcomes(self, office: OfficeId, outcome: str, since: datetime) -> int:
        """How many of an office's accesses a review ended with this outcome since then."""
        ...

    async def review(self, grant: EmergencyGrant, records: Sequence[PreparedRecord]) -> bool:
        """Keep outcome and document of a review. False, and nothing is written, when it was reviewed before."""
        ...

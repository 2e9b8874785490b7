"""Where do offices, policies, consents and one-time values live?

Changes carry the log records that tell of them and raise an epoch in the same
transaction; whatever was prepared under the older epoch is prepared again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.agency import Office
from gateway.model.identifiers import PersonId, PolicyHash
from gateway.ports.storage import Epochs


class DirectoryStorage(Protocol):
    async def epochs(self) -> Epochs:
        """The epochs now in force, as committed."""
        ...

    async def offices(self) -> Sequence[Office]:
        """All offices as now in force."""
        ...

    async def put_office(self, office: Office, at: datetime, records: Sequence[PreparedRecord]) -> int:
        """Create or replace an office; raises the directory epoch and returns it. Older versions are kept."""
        ...

    async def use_once(self, realm: str, value: bytes, until: datetime) -> bool:
        """Remember a one-time value (a token's jti, an enrolment code) until its time runs out.

        True the first time, False ever after. Durable before it returns.
        """
        ...


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One activated policy pack: its documents as canonical bytes, addressed by hash."""

    hash: PolicyHash
    documents: bytes
    region: str
    effective_from: datetime
    activated_by: str


class PolicyStorage(Protocol):
    async def active_policy(self, region: str) -> PolicyVersion | None: ...

    async def policy(self, hash_: PolicyHash) -> PolicyVersion | None: ...

    async def activate_policy(self, version: PolicyVersion, records: Sequence[PreparedRecord]) -> int:
        """Make a version the one in force; raises the policy epoch and returns it."""
        ...


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One consent record as stored: `document` is its canonical JSON, sealed by the service."""

    id: str
    person: PersonId
    document: bytes
    state: str
    recorded_at: datetime


class ConsentStorage(Protocol):
    async def consents_of(self, persons: Sequence[PersonId]) -> Sequence[ConsentRecord]: ...

    async def put_consent(self, record: ConsentRecord, records: Sequence[PreparedRecord]) -> int:
        """Store a record or its next state; raises the consent epoch and returns it."""
        ...

"""Where do offices, policies, consents and one-time values live?

Changes carry the log records that tell of them and raise an epoch in the same
transaction; whatever was prepared under the older epoch is prepared again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.agency import Office
from gateway.model.identifiers import PersonId, PolicyHash
from gateway.policy import life
from gateway.ports.storage import Epochs


class DirectoryStorage(Protocol):
    async def epochs(self) -> Epochs:
        """The epochs now in force, as committed."""
        ...

    async def offices(self) -> Sequence[Office]:
        """All offices as now in force. Raises Tampered for an entry that cannot be read."""
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
class Activation:
    """That a policy pack came into force for a region; what it says is kept under its hash."""

    policy: PolicyHash
    region: str
    effective_from: datetime
    activated_by: str


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """Steps that several packs take together.

    `lives` are the packs as they are afterwards, each with the number of steps it had before (0: it is new, and its
    `documents` come along). `activation` is what is in force from then on, where that changes.
    """

    lives: Sequence[tuple[life.PolicyVersion, int]]
    records: Sequence[PreparedRecord]
    documents: Mapping[PolicyHash, bytes] = field(default_factory=dict)
    activation: Activation | None = None


class PolicyStorage(Protocol):
    async def active_policy(self, region: str) -> PolicyHash | None:
        """The pack activated last for a region. Asked every second by every node: its documents are not read."""
        ...

    async def activations(self, region: str) -> Sequence[Activation]:
        """Everything that was ever put in force for a region, the latest first."""
        ...

    async def lives(self) -> Sequence[life.PolicyVersion]:
        """Every pack on its way, in all states, without documents."""
        ...

    async def documents(self, hash_: PolicyHash) -> bytes | None:
        """The documents of a pack in any state."""
        ...

    async def change_policies(self, change: PolicyChange) -> int | None:
        """Take steps in one transaction; returns the policy epoch, raised where something was put in force.

        None, and nothing is written, when one of the packs has taken another step since.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaffRole:
    """One role of one member of the staff."""

    name: str
    role: str
    granted_by: str
    granted_at: datetime


class StaffStorage(Protocol):
    async def staff_roles(self) -> Sequence[StaffRole]:
        """All roles as now in force, by name and role."""
        ...

    async def grant_role(self, role: StaffRole, records: Sequence[PreparedRecord]) -> bool:
        """Give a role. False, and nothing is written, when the person has it already."""
        ...

    async def revoke_role(self, name: str, role: str, records: Sequence[PreparedRecord]) -> bool:
        """Take a role away. False, and nothing is written, when the person does not have it."""
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

    async def consents_named(self, prefix: str) -> Sequence[ConsentRecord]:
        """The newest state of every record whose id begins with `prefix` and a hyphen."""
        ...

    async def put_consent(
        self, record: ConsentRecord, records: Sequence[PreparedRecord], after: int | None = None
    ) -> int | None:
        """Store a record or its next state; raises the consent epoch and returns it.

        `after` is the consent epoch that it was prepared under: with another one in force nothing is stored, and None returned.
        """
        ...

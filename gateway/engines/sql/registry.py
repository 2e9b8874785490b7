"""How are offices, policies and consents kept, and how does a change of one reach whatever was prepared before it?

A change raises its epoch in its own transaction, before anything else of the same
group is looked at: a disclosure that was prepared under the older epoch is `Stale`
from that commit on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.engines.sql.office_document import read_office, write_office
from gateway.engines.sql.policy_document import read_life, write_life
from gateway.engines.sql.transaction import Kind, Readers, Transaction, Writer
from gateway.engines.sql.values import blob_of, instant, known_blob, millis, text_of
from gateway.model.agency import Office
from gateway.model.errors import Tampered
from gateway.model.identifiers import PersonId, PolicyHash
from gateway.policy import life
from gateway.ports.clock import Clock
from gateway.ports.registry_storage import Activation, ConsentRecord, PolicyChange, StaffRole
from gateway.ports.storage import Epochs

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord

_KEPT_AFTER_END_MS = 24 * 3600 * 1000  # a one-time value outlives its time by a day: clocks differ
_FORGET_STEP = 64

Records = tuple["PreparedRecord", ...]


@dataclass(frozen=True, slots=True)
class _OfficeChange:
    office: Office
    at: int
    records: Records


@dataclass(frozen=True, slots=True)
class _RoleChange:
    name: str
    role: str
    granted: StaffRole | None
    records: Records


@dataclass(frozen=True, slots=True)
class _ConsentChange:
    record: ConsentRecord
    records: Records
    after: int | None


@dataclass(frozen=True, slots=True)
class _OneTime:
    realm: str
    value: bytes
    until: int
    now: int


class SqlDirectory(ABC):
    """DirectoryStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._readers = readers
        self._put: Kind[_OfficeChange, int] = Kind(
            "put-office",
            0,
            lambda tx, units: [_put_office(tx, unit) for unit in units],
            lambda tx, unit: tx.state.epochs.directory,
        )
        self._once: Kind[_OneTime, bool] = Kind("use-once", 3, _use_once)

    @abstractmethod
    async def epochs(self) -> Epochs: ...

    async def offices(self) -> Sequence[Office]:
        rows = await self._readers.ask(lambda sql: sql.all("offices"))
        try:
            return [replace(read_office(document), directory_version=version) for version, document in rows]
        except (KeyError, TypeError, ValueError, AttributeError) as broken:
            raise Tampered("an office's entry cannot be read", remedy="restore the database") from broken

    async def put_office(self, office: Office, at: datetime, records: Sequence[PreparedRecord]) -> int:
        return await self._writer.submit(self._put, _OfficeChange(office, millis(at), tuple(records)))

    async def use_once(self, realm: str, value: bytes, until: datetime) -> bool:
        return await self._writer.submit(self._once, _OneTime(realm, value, millis(until), millis(self._clock.now())))


class SqlPolicies:
    """PolicyStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._change: Kind[PolicyChange, int | None] = Kind(
            "change-policies",
            1,
            lambda tx, units: [_change_policies(tx, unit) for unit in units],
            lambda tx, unit: tx.state.epochs.policy,
        )

    async def active_policy(self, region: str) -> PolicyHash | None:
        row = await self._readers.ask(lambda sql: sql.one("active_policy", (region,)))
        return None if row is None else PolicyHash(row[0])

    async def activations(self, region: str) -> Sequence[Activation]:
        rows = await self._readers.ask(lambda sql: sql.all("activations", (region,)))
        return [Activation(PolicyHash(policy), region, instant(at), by) for policy, at, by in rows]

    async def lives(self) -> Sequence[life.PolicyVersion]:
        rows = await self._readers.ask(lambda sql: sql.all("policy_lives"))
        return [read_life(document) for (document,) in rows]

    async def documents(self, hash_: PolicyHash) -> bytes | None:
        row = await self._readers.ask(lambda sql: sql.one("policy_documents", (hash_,)))
        return None if row is None else bytes(row[0])

    async def change_policies(self, change: PolicyChange) -> int | None:
        return await self._writer.submit(self._change, change)


class SqlStaff:
    """StaffStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._set: Kind[_RoleChange, bool] = Kind(
            "set-role", 4, lambda tx, units: [_set_role(tx, unit) for unit in units], lambda tx, unit: True
        )

    async def staff_roles(self) -> Sequence[StaffRole]:
        rows = await self._readers.ask(lambda sql: sql.all("staff_roles"))
        return [StaffRole(name, role, by, instant(at)) for name, role, by, at in rows]

    async def grant_role(self, role: StaffRole, records: Sequence[PreparedRecord]) -> bool:
        return await self._writer.submit(self._set, _RoleChange(role.name, role.role, role, tuple(records)))

    async def revoke_role(self, name: str, role: str, records: Sequence[PreparedRecord]) -> bool:
        return await self._writer.submit(self._set, _RoleChange(name, role, None, tuple(records)))


class SqlConsents:
    """ConsentStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._put: Kind[_ConsentChange, int | None] = Kind(
            "put-consent",
            2,
            lambda tx, units: [_put_consent(tx, unit) for unit in units],
            lambda tx, unit: tx.state.epochs.consent,
        )

    async def consents_of(self, persons: Sequence[PersonId]) -> Sequence[ConsentRecord]:
        blobs = [(person, known_blob(person)) for person in dict.fromkeys(persons)]
        rows = await self._readers.ask(
            lambda sql: [(person, row) for person, blob in blobs for row in sql.all("consents_of", {"person": blob})]
        )
        return [
            ConsentRecord(id_, person, document, state, instant(recorded_at))
            for person, (id_, document, state, recorded_at) in rows
        ]

    async def consents_named(self, prefix: str) -> Sequence[ConsentRecord]:
        bounds = {"first": f"{prefix}-", "last": f"{prefix}."}
        rows = await self._readers.ask(lambda sql: sql.all("consents_named", bounds))
        return [
            ConsentRecord(id_, PersonId(text_of(person)), document, state, instant(recorded_at))
            for id_, person, document, state, recorded_at in rows
        ]

    async def put_consent(
        self, record: ConsentRecord, records: Sequence[PreparedRecord], after: int | None = None
    ) -> int | None:
        return await self._writer.submit(self._put, _ConsentChange(record, tuple(records), after))


def raise_epoch(tx: Transaction, **changed: int) -> None:
    """Put new epochs in force, in the transaction of the change."""
    epochs = tx.state.epochs = replace(tx.state.epochs, **changed)
    tx.sql.run("set_epochs", (epochs.policy, epochs.consent, epochs.directory))


def _put_office(tx: Transaction, unit: _OfficeChange) -> int:
    version = tx.state.epochs.directory + 1
    tx.sql.run("put_office", (unit.office.id, version, write_office(unit.office)))
    kept = write_office(unit.office, is_sealed=False)
    tx.sql.run("keep_office_version", (unit.office.id, version, unit.at, kept))
    raise_epoch(tx, directory=version)
    tx.log(unit.records)
    return version


def _use_once(tx: Transaction, units: Sequence[_OneTime]) -> Sequence[bool]:
    first = [tx.sql.run("use_once", (unit.realm, unit.value, unit.until)).rowcount == 1 for unit in units]
    tx.sql.run("forget_one_time", (min(unit.now for unit in units) - _KEPT_AFTER_END_MS, _FORGET_STEP))
    return first


def _change_policies(tx: Transaction, change: PolicyChange) -> int | None:
    for version, steps_before in change.lives:
        row = tx.sql.one("policy_steps", (version.policy,))
        if (0 if row is None else row[0]) != steps_before:
            return None
    for hash_, documents in change.documents.items():
        tx.sql.run("add_policy", (hash_, documents))
    for version, _ in change.lives:
        tx.sql.run("put_policy_life", (version.policy, version.region, len(version.steps), write_life(version)))
    if change.activation is not None:
        epoch, new = tx.state.epochs.policy + 1, change.activation
        tx.sql.run("activate_policy", (epoch, new.policy, new.region, millis(new.effective_from), new.activated_by))
        raise_epoch(tx, policy=epoch)
    tx.log(change.records)
    return tx.state.epochs.policy


def _set_role(tx: Transaction, unit: _RoleChange) -> bool:
    if unit.granted is None:
        done = tx.sql.run("revoke_role", (unit.name, unit.role)).rowcount == 1
    else:
        granted = unit.granted
        values = (granted.name, granted.role, granted.granted_by, millis(granted.granted_at))
        done = tx.sql.run("grant_role", values).rowcount == 1
    if done:
        tx.log(unit.records)
    return done


def _put_consent(tx: Transaction, unit: _ConsentChange) -> int | None:
    if unit.after not in (None, tx.state.epochs.consent):
        return None
    epoch = tx.state.epochs.consent + 1
    record = unit.record
    values = (epoch, record.id, blob_of(record.person), record.state, millis(record.recorded_at), record.document)
    tx.sql.run("add_consent", values)
    raise_epoch(tx, consent=epoch)
    tx.log(unit.records)
    return epoch

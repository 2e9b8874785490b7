"""Where do notices and deliveries live, and what is one transaction?

Every write takes the log records that tell of it and commits them in the same
transaction, each as a leaf with its index and the tree's head moved along: either all
of it is durable or none. Writes of concurrent callers share commits; each is a
savepoint of its own, so one caller's conflict is never another's.

All verbs raise `Unavailable` when the store is out of reach. After that a write
may or may not have happened: the caller asks again with the same ids and keys,
and gets the first answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gateway.audit.record import PreparedRecord
from gateway.model.delivery import Delivery, DeliveryState, DeliveryStatus, NewDelivery
from gateway.model.identifiers import CaseId, DeliveryId, KeyId, NoticeId, NoticeType, OfficeId, PersonId


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """One encrypted piece of content: AES-256-GCM, `ciphertext` = nonce (12) + text + tag (16).

    `person` is None for what speaks of nobody; the key is the person's own or the notice's.
    The additional data binds notice, person and compartment, so segments cannot be exchanged.
    """

    person: PersonId | None
    compartment: str
    key: KeyId
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class PersonLink:
    """A person of a notice. `ref` is the person's name inside the notice (`p1`); `aliases` are keyed digests of identifiers.

    `is_new` asks for the person (with `key`) and the aliases to be created; if another transaction
    made one of the aliases meanwhile, the write answers `Stale` and nothing is stored. `likenesses` are keyed digests of
    what a new person is described by; they are kept beside the aliases and resolve to nobody.
    """

    person: PersonId
    ref: str
    key: KeyId
    aliases: tuple[bytes, ...] = ()
    is_new: bool = False
    likenesses: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Epochs:
    """The versions a write was prepared under. Compared inside the transaction; any difference answers `Stale`."""

    policy: int
    consent: int
    directory: int


@dataclass(frozen=True, slots=True)
class ReplyMove:
    """What a notice says of the delivery it answers: the state it implies, and the record that tells of the move.

    Applied in the transaction of the acceptance, after its deliveries are stored. Where the delivery may not move
    there (it was withdrawn, expired or answered before), it stays and `records` are not written.
    """

    delivery: DeliveryId
    state: DeliveryState
    records: tuple[PreparedRecord, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Everything that a 202 promises, as one unit."""

    notice: NoticeId
    type: NoticeType
    case: CaseId
    sender: OfficeId
    urgency: int
    received_at: datetime
    idempotency_key: bytes  # 32 bytes, from office and native id (for reports: and body digest)
    native_id_key: bytes  # 32 bytes, from office and native id: finds re-used ids
    body_digest: bytes
    header: bytes  # small operational metadata, sealed under the notice's key
    header_key: KeyId
    segments: tuple[SealedSegment, ...]
    raw: SealedSegment
    raw_expires_at: datetime
    persons: tuple[PersonLink, ...]
    deliveries: tuple[NewDelivery, ...]
    records: tuple[PreparedRecord, ...]
    receipt: bytes
    receipt_expires_at: datetime
    flags: tuple[str, ...] = ()
    is_first_of_id: bool = False  # prepared as the first use of the native id; when it is not: Stale("native-id")
    replies_to: DeliveryId | None = None
    reply: ReplyMove | None = None
    supersedes: NoticeId | None = None
    directory_epoch: int | None = None  # routing and the sender's state rest on it
    policy_epoch: int | None = None  # so do the routing tables and the safeguards; consent does not bear on intake
    rests_on: Epochs | None = None  # of a message that another decision lets through: all three must still be in force


@dataclass(frozen=True, slots=True)
class Accepted:
    receipt: bytes


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same key with the same bytes was accepted before; this is that receipt, byte for byte."""

    receipt: bytes


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same key was accepted before with other bytes. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Something the write was prepared under has changed meanwhile (`what`: policy, consent, directory, person, native-id, lease, state). Prepare again."""

    what: str
    state: DeliveryState | None = None


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    receipt: bytes
    body_digest: bytes


@dataclass(frozen=True, slots=True)
class StoredNotice:
    id: NoticeId
    type: NoticeType
    case: CaseId
    sender: OfficeId
    urgency: int
    received_at: datetime
    header: bytes
    header_key: KeyId
    segments: tuple[SealedSegment, ...]
    persons: Mapping[str, PersonId]  # by ref
    flags: tuple[str, ...]
    superseded_by: NoticeId | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class NoticeSummary:
    """Operational metadata of one notice of a case, for its sender and for operators; no content."""

    id: NoticeId
    type: NoticeType
    case: CaseId
    sender: OfficeId
    urgency: int
    received_at: datetime
    flags: tuple[str, ...]
    deliveries: tuple[DeliveryStatus, ...]


class NoticeStorage(Protocol):
    async def accept(self, unit: Acceptance) -> Accepted | Replayed | Conflict | Stale:
        """Store a notice with its deliveries, persons, log records and receipt in one transaction.

        Idempotent by `idempotency_key`: same body digest gives `Replayed`, another gives `Conflict`.
        After `Accepted` everything in the unit survives any crash.
        """
        ...

    async def find_receipt(self, idempotency_key: bytes) -> StoredReceipt | None:
        """What was answered under this key, if its time has not run out. Reads committed state."""
        ...

    async def has_native_id(self, native_id_key: bytes) -> bool:
        """Whether the office has used this id before, with whatever bytes."""
        ...

    async def load(self, notice: NoticeId) -> StoredNotice | None: ...

    async def raw(self, notice: NoticeId) -> SealedSegment | None:
        """The bytes as received, sealed; None once their time has run out or a person in them was erased."""
        ...

    async def summarise(self, case: CaseId) -> Sequence[NoticeSummary]:
        """The notices of a case, oldest first."""
        ...

    async def summary(self, notice: NoticeId) -> NoticeSummary | None: ...

    async def find_persons(self, aliases: Sequence[bytes]) -> Mapping[bytes, tuple[PersonId, KeyId]]:
        """The persons known under any of the aliases; unknown aliases are left out."""
        ...

    async def notices_of(self, person: PersonId, limit: int) -> Sequence[tuple[NoticeId, NoticeType]]:
        """The notices that name a person, newest first, withdrawn ones too."""
        ...

    async def find_case(self, office: OfficeId, handle: bytes) -> CaseId | None:
        """The case that an office knows by a handle it was given (keyed digest), or None."""
        ...

    async def withdraw(
        self, notice: NoticeId, at: datetime, reason: str, records: Sequence[PreparedRecord]
    ) -> Sequence[DeliveryStatus]:
        """End every open delivery of a notice as withdrawn and mark the notice; returns all its deliveries afterwards.

        A live lease ends: a disclosure prepared under it answers `Stale`. Idempotent.
        """
        ...


@dataclass(frozen=True, slots=True)
class HandleGiven:
    """A relay handle in a release: a keyed digest of it (32 bytes), and where in the notice the value stands."""

    handle: bytes
    path: str


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The second decision, about to be acted on. Committed before the first byte leaves.

    `release_digest` is the digest of the release's canonical bytes with revision left out: when it
    differs from the stored one the revision rises, and `revision` must be the one the release was built with.
    `case_handle` makes the recipient's handle for the case resolvable when it answers, `relays` those of contacts.
    """

    delivery: DeliveryId
    lease_token: str
    revision: int
    release_digest: bytes
    case_handle: bytes
    epochs: Epochs
    at: datetime
    records: tuple[PreparedRecord, ...]
    relays: tuple[HandleGiven, ...] = ()
    relays_until: datetime | None = None  # given where there are any


@dataclass(frozen=True, slots=True)
class Disclosed:
    attempts: int


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How an attempt, or the whole delivery, ended.

    With `state` DUE the delivery is tried again at `due_at`. `lease_token` None means an operator or
    the clock decided, not the holder of a lease. `counts_attempt` counts a try that failed before anything
    was disclosed (the office could not be reached); one that led to a disclosure is counted already.
    """

    delivery: DeliveryId
    state: DeliveryState
    at: datetime
    records: tuple[PreparedRecord, ...]
    lease_token: str | None = None
    due_at: datetime | None = None
    reason: str = ""
    counts_attempt: bool = False


@dataclass(frozen=True, slots=True)
class Concluded:
    state: DeliveryState
    already: bool = False  # it had this state before: the call was a repetition


@dataclass(frozen=True, slots=True)
class DeliveryChange:
    """One move of one delivery, for the sender of its notice. `number` counts the sender's changes from 1, without gaps; `rule`
    is the one that the recipient was found by."""

    number: int
    notice: NoticeId
    notice_type: NoticeType
    recipient: OfficeId
    state: DeliveryState
    at: datetime
    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """All given conditions hold. Times are of the moment of parking."""

    recipient: OfficeId | None = None
    sender: OfficeId | None = None
    reason: str | None = None
    notice_type: NoticeType | None = None
    since: datetime | None = None
    until: datetime | None = None
    delivery: DeliveryId | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one office.

    `due` are those that nobody has under a live lease, whether they may be leased now or wait (for their turn in the lane, for
    another try); `oldest_due_at` is since when the longest waiting of those that may be leased now has been due,
    `oldest_leased_at` since when that of those under a live lease has been. A try that is put off is due anew. `by_reason` counts
    dead letters.
    """

    due: int = 0
    leased: int = 0
    oldest_due_at: datetime | None = None
    oldest_leased_at: datetime | None = None
    held: int = 0
    by_reason: Mapping[str, int] = field(default_factory=dict)

    @property
    def dead_letters(self) -> int:
        return sum(self.by_reason.values())

    @property
    def waits_since(self) -> datetime | None:
        return min((at for at in (self.oldest_due_at, self.oldest_leased_at) if at is not None), default=None)


NOTHING_WAITS = Backlog()


class DeliveryStorage(Protocol):
    async def lease_due(
        self, recipient: OfficeId, now: datetime, lease: timedelta, limit: int, purpose: str | None = None
    ) -> Sequence[Delivery]:
        """Lease up to `limit` deliveries of one office that are due at `now`: urgent ones first, then oldest first.

        Those routed for one `purpose` alone, where it is named.

        A delivery is leasable when it is due, not expired at `now`, has no live lease, and either
        overtakes or has no open predecessor in its lane (dead letters do not block: successors come
        with `is_behind_parked`). An expired lease may be taken by anyone. Two holders never have a live lease on one
        delivery. Each gets a fresh random `lease_token`. Leases are durable before they are returned.
        Returns an empty sequence when nothing is due, never waits.
        """
        ...

    async def keep_leased(self, leases: Sequence[tuple[DeliveryId, str]], now: datetime, until: datetime) -> None:
        """Let leases, named by delivery and token, that are live at `now` last until then. Passes over those that are not:
        their holders find out when they conclude."""
        ...

    async def bring_forward(self, now: datetime, latest: datetime) -> None:
        """Let what is due, or leased until, after `latest` be due at `now`: longer than any pause, so it was put off by a clock
        that stood ahead. Whoever holds such a lease finds out when they conclude."""
        ...

    async def offices_due(self, now: datetime, among: Collection[OfficeId]) -> Sequence[tuple[OfficeId, datetime]]:
        """Which of these offices have something leasable at `now` or later, with the instant it becomes due, soonest first."""
        ...

    async def disclose(self, unit: Disclosure) -> Disclosed | Stale:
        """Write the disclosure record. Refused as `Stale` when lease, state or any epoch is no longer what it was prepared under."""
        ...

    async def conclude(self, unit: Conclusion) -> Concluded | Stale:
        """Move a delivery. A holder whose lease is over gets `Stale` with the current state, except that
        acknowledging again what is already acknowledged answers `Concluded(already=True)`."""
        ...

    async def delivery(self, delivery: DeliveryId) -> Delivery | None: ...

    async def expire_due(self, now: datetime, limit: int) -> Sequence[Delivery]:
        """Open deliveries whose time has run out at `now`; the caller concludes them."""
        ...

    async def dead_letters(self, where: DeadLetterFilter, after: DeliveryId | None, limit: int) -> Sequence[Delivery]:
        """Oldest first, from after the given delivery."""
        ...

    async def held(self, recipient: OfficeId, after: DeliveryId | None, limit: int) -> Sequence[Delivery]:
        """Deliveries for one office that wait for a person, oldest first, from after the given one."""
        ...

    async def leased(self, recipient: OfficeId, now: datetime, limit: int) -> Sequence[Delivery]:
        """Deliveries for one office under a live lease at `now`, the first to lapse first.

        Where the office has a queue these are what waits in it; whoever purges the queue ends these leases.
        """
        ...

    async def changes(self, sender: OfficeId, after: int, limit: int) -> Sequence[DeliveryChange]:
        """How the deliveries of one sender's notices moved, oldest first, from after the change of that number (0: all).

        Written in the transaction of the move, whoever moved it. A try that is put off moves nothing.
        """
        ...

    async def changes_of_notice(self, notice: NoticeId) -> Sequence[DeliveryChange]:
        """The moves of one notice's deliveries, as in `changes`; costs as much whatever else its sender has sent."""
        ...

    async def count_leased(self, recipient: OfficeId, now: datetime) -> int:
        """How many deliveries for one office are under a live lease at `now`; costs as much as there are."""
        ...

    async def waiting(self, now: datetime) -> Mapping[OfficeId, Backlog]:
        """What waits, for every office for which something does, enrolled or not. Costs as much as is waiting, whatever
        else is stored."""
        ...

"""What does the edge ask of the services?

Shapes only, so that a route can be tried without a store. The services in `gateway.services` have them.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from prometheus_client import CollectorRegistry

from gateway.engines.system.logs import EventLog
from gateway.model.agency import Caller, Office, Webhook
from gateway.model.identifiers import DeliveryId, NoticeId
from gateway.ports.clock import Clock
from gateway.ports.file_storage import RowReceipt
from gateway.ports.translation import RefusedItem
from gateway.services.accept import Receipt
from gateway.services.answer_access import Answered, Question
from gateway.services.attachments import Uploaded
from gateway.services.attest import BY_GATEWAY, Attestation
from gateway.services.authenticate import Authenticate, OfficeDirectory
from gateway.services.broker_access import BrokerAccess
from gateway.services.emergency import Asked
from gateway.services.enforce import Leave
from gateway.services.fetch_attachment import Fetched
from gateway.services.handout import HandoutLike
from gateway.services.log_desk import LogDesk
from gateway.services.pass_on import Message
from gateway.services.publish import Publisher


async def nothing_to_count() -> None: ...


class ReceiptLike(Protocol):
    @property
    def body(self) -> bytes: ...
    @property
    def notice(self) -> NoticeId | None: ...
    @property
    def replayed(self) -> bool: ...


class SubmittedLike(Protocol):
    @property
    def items(self) -> Sequence[ReceiptLike | RefusedItem]: ...
    @property
    def is_batch(self) -> bool: ...


class SubmitLike(Protocol):
    async def __call__(
        self, caller: Caller, body: bytes, media_type: str, headers: Mapping[str, str], signature: str | None
    ) -> SubmittedLike:
        """Accept what an office sent, its signature verified over the exact bytes."""
        ...

    async def check(
        self, caller: Caller, body: bytes, media_type: str, headers: Mapping[str, str], signature: str | None
    ) -> SubmittedLike:
        """The same answers, nothing stored."""
        ...

    def receipt_of_batch(self, caller: Caller, body: bytes, answer: bytes) -> str:
        """Signed: these bytes were sent as a batch, and this was answered."""
        ...

    async def on_behalf(
        self,
        caller: Caller,
        body: bytes,
        media_type: str,
        headers: Mapping[str, str],
        attestation: Attestation = BY_GATEWAY,
    ) -> SubmittedLike:
        """Accept what this gateway wrote for the office (accept, decline, feedback): no office signature covers these
        bytes, so the record says gateway-attested."""
        ...


class TakenFileLike(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def replayed(self) -> bool: ...


class BulkLike(Protocol):
    async def take(
        self, caller: Caller, body: bytes, media_type: str, name: str, signature: str | None
    ) -> TakenFileLike:
        """Promise a file whose rows follow."""
        ...

    async def status(self, caller: Caller, file: str) -> dict[str, Any]: ...

    async def list(self, caller: Caller, limit: int) -> Sequence[dict[str, Any]]: ...

    async def rows(
        self, caller: Caller, file: str, after: int, limit: int, *, only_refused: bool
    ) -> Sequence[RowReceipt]: ...


Handed = TypeVar("Handed", bound=HandoutLike)


class PullLike(Protocol[Handed]):
    async def __call__(self, caller: Caller, accept: str, limit: int, wait: timedelta) -> Sequence[Handed]: ...

    async def void(self, handout: Handed) -> None:
        """Log that a handout's ticket ran out, and make its delivery due again."""
        ...


class AcknowledgeLike(Protocol):
    async def acknowledge(self, caller: Caller, delivery: DeliveryId, lease_token: str) -> bytes: ...

    async def give_back(
        self, caller: Caller, delivery: DeliveryId, lease_token: str, reason: str, retry_after: timedelta | None
    ) -> bytes: ...


class WebhookLike(Protocol):
    async def set_webhook(self, caller: Caller, webhook: Webhook | None) -> Office:
        """Put the office's webhook into the directory, or take it away. Raises InvalidDocument."""
        ...


class FollowLike(Protocol):
    async def notice(self, caller: Caller, notice: NoticeId) -> dict[str, Any]: ...

    async def changes(self, caller: Caller, cursor: str, limit: int, wait: timedelta) -> dict[str, Any]:
        """`{"changes": [...], "cursor": ...}`, what happened after the cursor; waits for the first change."""
        ...


class AccessLike(Protocol):
    async def __call__(
        self, caller: Caller, questions: Sequence[Question], stop_at: bool | None = None
    ) -> Sequence[Answered]:
        """Answer AuthZEN questions in order, no further than the first answer that is `stop_at`."""
        ...


class ShowConsentLike(Protocol):
    async def __call__(self, office: Office, name: str) -> list[dict[str, Any]]: ...


class RecordUseLike(Protocol):
    async def __call__(
        self, caller: Caller, delivery_id: DeliveryId, kind: str, what: str, at: datetime | None
    ) -> bytes: ...


class GrantedLike(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def until(self) -> datetime: ...
    @property
    def deliveries(self) -> tuple[Any, ...]: ...


class EmergencyLike(Protocol):
    async def __call__(self, caller: Caller, asked: Asked) -> GrantedLike: ...


class PassOnLike(Protocol):
    async def __call__(self, caller: Caller, message: Message) -> Receipt:
        """Take a message for the holder of the contact behind a handle."""
        ...


class Readiness(Protocol):
    async def __call__(self) -> Mapping[str, str]:
        """Each thing this node needs, by name: `ok`, or a code for what is wrong. Never personal data."""
        ...


class AttachmentsLike(Protocol):
    async def upload(self, caller: Caller, digest: str, content: AsyncIterable[bytes]) -> Uploaded:
        """Store a document under its digest."""
        ...


class VerifyOrderLike(Protocol):
    async def __call__(self, caller: Caller, call: str, body: bytes, jws: str) -> None:
        """Hold a signed small call to being this office's, for this call, of now, once."""
        ...


class FetchAttachmentLike(Protocol):
    async def __call__(self, caller: Caller, delivery_id: DeliveryId, lease_token: str, digest: str) -> Fetched:
        """Decide on a document, log it, open it."""
        ...

    async def unused(self, delivery_id: DeliveryId, leave: Leave) -> None:
        """Nothing of it was sent in time."""
        ...


@dataclass(frozen=True, slots=True)
class LogReading:
    """What auditors and witnesses ask: signed tiles and checkpoints, and the desk."""

    publisher: Publisher
    desk: LogDesk


@dataclass(frozen=True, slots=True)
class ApiServices:
    """Everything the agencies' API is joined to. Made by the assembly."""

    submit: SubmitLike
    bulk: BulkLike
    pull: PullLike[Any]
    acknowledge: AcknowledgeLike
    follow: FollowLike
    access: AccessLike
    show_consent: ShowConsentLike
    record_use: RecordUseLike
    emergency: EmergencyLike
    webhooks: WebhookLike
    verify_order: VerifyOrderLike
    attachments: AttachmentsLike
    fetch_attachment: FetchAttachmentLike
    pass_on: PassOnLike
    authenticate: Authenticate
    directories: OfficeDirectory
    readiness: Readiness
    clock: Clock
    log: EventLog
    log_reading: LogReading | None = None  # None: this node serves no log
    broker_access: BrokerAccess | None = None  # None: this node has no message broker
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)  # other rooms add their metrics to it
    recount: Callable[[], Awaitable[None]] = nothing_to_count  # what must be counted before the metrics are read

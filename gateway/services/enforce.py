"""May these bytes leave, to this office, now?

The enforcement point for what goes out. Every attempt passes here, whatever the
transport: pull, webhook, queue or file. The steps, and what a crash leaves behind:

1. open the notice without its sealed and reporter parts, gather facts, decide, release: no trace.
2. one transaction: the disclosure record with the ticket. After a crash the log says that a disclosure was
   decided; whether the bytes left is not known, so the lease lapses and the next attempt
   decides anew.
3. encode and sign, within the ticket's life on our own monotonic clock, counted from
   before step 2. An expired ticket is logged void and nothing is sent.

Stored bytes are never sent again: a retry decides and projects again, under the
policy, consent and conflicts then in force.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.audit.record import PreparedRecord
from gateway.config import Settings
from gateway.crypto.detached import CurrentSigner
from gateway.model.access import Decision
from gateway.model.agency import Office, OfficeState
from gateway.model.audit import EventName, LogValue
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.errors import Tampered, Unavailable
from gateway.model.identifiers import DeliveryId, FieldId, NoticeType
from gateway.model.notice import JsonObject, ReleasedNotice
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogStorage
from gateway.ports.storage import (
    Concluded,
    Conclusion,
    DeliveryStorage,
    Disclosed,
    Disclosure,
    Epochs,
    HandleGiven,
    NoticeStorage,
)
from gateway.ports.translation import Adapter, Encoded
from gateway.privacy.projection import Projector
from gateway.privacy.pseudonym import ReleaseSecret
from gateway.privacy.release import ReleaseContext, ReleaseNotes, Withheld, release
from gateway.services.as_made import is_as_made
from gateway.services.cases import Cases
from gateway.services.directory import Directories
from gateway.services.documents import documents_in
from gateway.services.facts import FactGatherer, Gathered
from gateway.services.follow import changes_of
from gateway.services.hold import LOOK_AGAIN
from gateway.services.in_step import in_step
from gateway.services.keep import Keeper, OpenedNotice
from gateway.services.relay_way import relayed, still_leads
from gateway.services.replay import decided_on, outcome_code
from gateway.services.shown import Showing
from gateway.services.tell import GATEWAY, Teller, about

MAX_DECISIONS = 4
EXPIRED = "expired"  # why a ticket is void that was not used in time
AFTER_EXPIRY = timedelta(seconds=1)
_CHANGED = frozenset({"stale-policy", "stale-consent", "stale-directory", "stale-accusation"})


@dataclass(frozen=True, slots=True)
class Way:
    """How the bytes would leave: `pull` or `webhook`, in which format, and who asks (the office's own reference)."""

    transport: str
    media_type: str
    officer: str = ""


@dataclass(frozen=True, slots=True)
class Sendable:
    """Bytes that may leave until `send_before` on the monotonic clock, their right already durable in the log."""

    delivery: Delivery
    release: ReleasedNotice
    encoded: Encoded
    signature: str
    send_before: float


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing may leave; the delivery is where `state` says, or its lease is lost (None)."""

    delivery: Delivery
    state: DeliveryState | None
    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """A document may leave until `send_before` on the monotonic clock, that right being durable in the log."""

    send_before: float
    revision: int


@dataclass(frozen=True, slots=True)
class Made:
    """A release and all that it was decided on."""

    opened: OpenedNotice
    release: ReleasedNotice
    recipient: Office
    gathered: Gathered
    decision: Decision
    content_digest: bytes
    handle: str
    at: datetime
    epochs: Epochs
    relays: tuple[tuple[str, str, str], ...]  # handle, path and value of each; never stored or logged


class Enforce:
    def __init__(
        self,
        *,
        settings: Settings,
        notices: NoticeStorage,
        deliveries: DeliveryStorage,
        log: LogStorage,
        directories: Directories,
        keeper: Keeper,
        cases: Cases,
        gather: FactGatherer,
        decide: Callable[[Gathered], Decision],
        floors: Callable[[Decision], Decision],
        projector: Projector,
        release_secret: ReleaseSecret,
        schema_uri: Callable[[NoticeType], str],
        fields_in: Callable[[JsonObject, NoticeType], frozenset[FieldId]],
        adapter_named: Callable[[str, str], Adapter],
        teller: Teller,
        signer: CurrentSigner,
        doorbell: Doorbell,
        waits: Callable[[Delivery, datetime], str],
        clock: Clock,
        report: Callable[[Exception], None],
    ) -> None:
        self._waits, self._log, self._floors, self._report = waits, log, floors, report
        self._settings, self._notices, self._deliveries = settings, notices, deliveries
        self._directories, self._keeper, self._cases = directories, keeper, cases
        self._gather, self._decide, self._projector = gather, decide, projector
        self._release_secret, self._schema_uri, self._fields_in = release_secret, schema_uri, fields_in
        self._adapter_named, self._teller, self._signer = adapter_named, teller, signer
        self._doorbell, self._clock, self._showing = doorbell, clock, Showing()

    async def __call__(self, delivery: Delivery, recipient: Office, way: Way) -> Sendable | NotSent:
        """Decide on one leased delivery and, if anything may go, make the bytes with their ticket.

        Raises Unavailable when store or keys are out of reach; then nothing may leave and the lease lapses.
        """
        if reason := self._waits(delivery, now := self._clock.now()):
            return await self._hold_back(delivery, reason, now)
        opened = await self._openable(delivery, in_doubt=True)
        if opened is None:
            return NotSent(delivery, DeliveryState.WITHDRAWN, "withdrawn")
        for _ in range(MAX_DECISIONS):
            made = await self._decided(opened, delivery, recipient, way)
            if not isinstance(made, NotSent) or made.reason not in _CHANGED:
                break
            await self._directories.refresh()  # a change overtook the decision: decide again, under the same lease
        return made

    async def _decided(
        self, opened: OpenedNotice, delivery: Delivery, recipient: Office, way: Way
    ) -> Sendable | NotSent:
        made = await self._released(opened, delivery, recipient)
        if isinstance(made, Decision):
            return await self._refuse(delivery, made, self._clock.now())
        if made.recipient.state is OfficeState.COMPROMISED:  # who would read it? it waits for the office's new key
            return await self._hold_back(delivery, "office-compromised", self._clock.now())
        asked, ground = relayed(opened.data), None
        if asked is not None and (ground := await self._way_of(opened, *asked)) is None:
            return await self._refuse(delivery, made.decision, self._clock.now())
        await in_step()
        told = self._disclosed(opened, delivery, made, way)
        started = await self._claimed(delivery, made, told, ground)
        if isinstance(started, NotSent):
            return started
        released, recipient = made.release, made.recipient
        adapter = self._adapter_named(recipient.adapter, way.media_type)
        await in_step()
        encoded = adapter.encode(released, recipient, way.media_type)
        send_before = started + self._settings.delivery.ticket_seconds
        if self._clock.monotonic() >= send_before:
            await self.void(delivery, released.revision, EXPIRED)
            return NotSent(delivery, DeliveryState.DUE, "ticket-expired")
        return Sendable(delivery, released, encoded, self._signer.sign(encoded.body), send_before)

    async def document(
        self, delivery: Delivery, way: Way, digest: str, attachment: str, *, is_there: bool
    ) -> Leave | NotSent:
        """May the document of this digest leave now, to the holder of this delivery's lease?

        Decided and logged as a release is; it may leave where the release that would go now names it by its digest.
        Says nothing about why not. Raises Unavailable as `__call__`.
        """
        opened = await self._openable(delivery)
        if opened is None or self._waits(delivery, self._clock.now()):
            return NotSent(delivery, None, "document")
        refused = NotSent(delivery, None, "document")
        for _ in range(MAX_DECISIONS):
            recipient = self._directories.current.offices.get(delivery.recipient)
            made = None if recipient is None else await self._released(opened, delivery, recipient)
            if (
                made is None
                or isinstance(made, Decision)
                or made.recipient.state is OfficeState.COMPROMISED
                or digest not in documents_in(made.release.data)
                or not is_there
            ):
                return NotSent(delivery, None, "document")
            told = self._document_released(delivery, made, attachment, way)
            started = await self._claimed(delivery, made, told)
            if not isinstance(started, NotSent):
                return Leave(started + self._settings.delivery.ticket_seconds, made.release.revision)
            refused = started
            if refused.reason not in _CHANGED:
                break
            await self._directories.refresh()
        return refused

    async def would_release(self, delivery: Delivery) -> Made | None:
        """What would go for this delivery if it went now; None where nothing would. Nothing leaves and nothing is logged.

        Raises Unavailable while ordinary disclosures wait.
        """
        opened = await self._openable(delivery)
        recipient = self._directories.current.offices.get(delivery.recipient)
        if opened is None or recipient is None:
            return None
        if self._waits(delivery, self._clock.now()):
            raise Unavailable("ordinary disclosures wait now", remedy="send it again later", retry_after=LOOK_AGAIN)
        made = await self._released(opened, delivery, recipient)
        return None if isinstance(made, Decision) else made

    def _handles(self, made: Made) -> tuple[HandleGiven, ...]:
        office = made.recipient.id
        return tuple(HandleGiven(self._cases.handle_digest(office, given), path) for given, path, _ in made.relays)

    async def _way_of(self, query: OpenedNotice, reply_to: str, contact: str) -> Made | None:
        """The release that gives the handle which a message came through, as it would go now; None where it does no more."""
        delivery = await self._deliveries.delivery(DeliveryId(reply_to))
        made = None
        if delivery is not None and delivery.recipient == query.stored.sender:
            made = await self.would_release(delivery)
        is_open = made is not None and still_leads(contact, made.relays, made.decision, made.opened)
        return made if is_open else None

    async def unused(self, delivery: Delivery, leave: Leave) -> None:
        """Log that the ticket of a document ran out before its first byte. The delivery stays under its lease."""
        await self._unused(delivery, leave.revision, EXPIRED)

    async def _unused(self, delivery: Delivery, revision: int, why: str) -> None:
        told = {**about(delivery), "revision": revision, "why": why}
        await self._log.append([self._teller.event(EventName.TICKET_VOIDED, self._clock.now(), told)])

    async def _openable(self, delivery: Delivery, *, in_doubt: bool = False) -> OpenedNotice | None:
        """None for what was withdrawn. What is no longer as it was stored is opened for its floor where `in_doubt`, and
        else raises Tampered."""
        stored = await self._notices.load(delivery.notice)
        if stored is None or stored.withdrawn:
            return None
        try:
            opened = self._keeper.open(stored)
        except Tampered as broken:
            if not in_doubt:
                raise
            self._report(broken)
            opened = self._keeper.open_in_doubt(stored)
        if not is_as_made(opened.header, delivery):
            raise Tampered("a delivery is not as it was made", remedy="restore it from a backup, then retry")
        return opened

    async def _released(self, opened: OpenedNotice, delivery: Delivery, recipient: Office) -> Made | Decision:
        """Decide and project, now. A decision alone where nothing may go."""
        await in_step()
        now, snapshot = self._clock.now(), self._directories.current
        recipient = snapshot.offices.get(recipient.id, recipient)
        gathered = await self._gather(opened, delivery, recipient, now)
        await in_step()
        decision = self._decide(gathered)
        if opened.is_doubted:
            decision = self._floors(decision)
            if not decision.delivers:
                raise Tampered("the content of a notice is in doubt", remedy="restore it from a backup, then retry")
        if not decision.delivers:
            return decision
        handle = self._cases.handle(delivery.case, recipient.id)
        notes = ReleaseNotes()
        context = await self._context(opened, delivery, recipient, handle)
        await in_step()
        released = release(opened.data, decision, context, self._projector, notes)
        if isinstance(released, Withheld):
            return decision
        return Made(
            opened, released, recipient, gathered, decision, notes.content_digest, handle, now, snapshot.epochs,
            notes.relays,
        )  # fmt: skip

    async def _claimed(
        self, delivery: Delivery, made: Made, told: PreparedRecord, ground: Made | None = None
    ) -> float | NotSent:
        """Make the right to send durable, under everything it was decided on: also under the `ground` of a message that goes
        through a handle. Says when the ticket began (monotonic)."""
        started = self._clock.monotonic()
        unit = Disclosure(
            delivery=delivery.id,
            lease_token=delivery.lease_token or "",
            revision=made.release.revision,
            release_digest=made.content_digest,
            case_handle=self._cases.handle_digest(made.recipient.id, made.handle),
            epochs=made.epochs,
            at=made.at,
            records=(told,),
            relays=self._handles(made),
            relays_until=made.release.expires_at,
        )
        outcome = await self._deliveries.disclose(unit)
        if not isinstance(outcome, Disclosed):
            return NotSent(delivery, outcome.state, f"stale-{outcome.what}")
        # an accusation raises no epoch: one that is in the log before this disclosure is seen by now
        for one in (made, ground):
            if one is not None and await self._gather.is_accused_since(one.gathered, one.opened, one.recipient):
                await self._unused(delivery, made.release.revision, "overtaken")
                return NotSent(delivery, DeliveryState.DUE, "stale-accusation")
        return started

    async def void(self, delivery: Delivery, revision: int, why: str) -> None:
        """Log that a ticket was not used, and make the delivery due again: at once, but where a node that is too slow would
        otherwise decide for nothing over and over."""
        now = self._clock.now()
        again = now + AFTER_EXPIRY if why == EXPIRED else now
        record = self._teller.event(EventName.TICKET_VOIDED, now, {**about(delivery), "revision": revision, "why": why})
        await self._deliveries.conclude(
            Conclusion(delivery.id, DeliveryState.DUE, now, (record,), delivery.lease_token, again, f"ticket-{why}")
        )

    async def _hold_back(self, delivery: Delivery, reason: str, now: datetime) -> NotSent:
        """Let an ordinary delivery wait while the log is on hold or unwitnessed: due again soon, told to the log once."""
        records: tuple[PreparedRecord, ...] = ()
        if delivery.reason != reason:
            records = (self._teller.event(EventName.DELIVERY_HELD, now, {**about(delivery), "why": reason}),)
        again = now + LOOK_AGAIN
        await self._deliveries.conclude(
            Conclusion(delivery.id, DeliveryState.DUE, now, records, delivery.lease_token, again, reason)
        )
        return NotSent(delivery, DeliveryState.DUE, reason)

    async def _context(
        self, opened: OpenedNotice, delivery: Delivery, recipient: Office, handle: str
    ) -> ReleaseContext:
        """Everything but `revision` is fixed per delivery and notice version, so that equal content gives equal bytes."""
        received, notice_type = opened.stored.received_at, opened.stored.type
        return ReleaseContext(
            delivery=delivery.id,
            recipient=recipient.id,
            type=notice_type,
            case_handle=handle,
            purpose=delivery.purpose,
            time=received,
            expires_at=delivery.created_at + timedelta(days=self._settings.retention.release_expiry_days),
            as_of=received.date(),
            secret=self._release_secret,
            revision=max(delivery.revision, 1),
            previous_digest=delivery.release_digest,
            references=await self._cases.references(opened, recipient.id),
            dataschema=self._schema_uri(notice_type),
        )

    async def _refuse(self, delivery: Delivery, decision: Decision, now: datetime) -> NotSent:
        record = self._teller.event(
            EventName.DELIVERY_WITHHELD,
            now,
            {**about(delivery), "purpose": delivery.purpose, "policy": decision.policy, "reason": "policy"},
        )
        outcome = await self._deliveries.conclude(
            Conclusion(
                delivery.id, DeliveryState.REFUSED, now, (record,), delivery.lease_token, reason="withheld-by-policy"
            )
        )
        self._doorbell.ring([delivery.recipient, changes_of(delivery.sender)])
        return NotSent(delivery, outcome.state if isinstance(outcome, Concluded) else None, "withheld-by-policy")

    def _disclosed(self, opened: OpenedNotice, delivery: Delivery, made: Made, way: Way) -> PreparedRecord:
        decision, gathered = made.decision, made.gathered
        shown = self._showing(decision, self._fields_in(opened.data, delivery.notice_type))
        values: dict[str, LogValue | None] = {
            **about(delivery),
            "revision": made.release.revision,
            "purpose": delivery.purpose,
            "basis": tuple(sorted(delivery.legal_basis)),
            "policy": decision.policy,
            "outcome": outcome_code(decision),
            "as_of": made.at,
            "fields": shown.fields,
            "because": shown.because,
            "limits": shown.limits,
            "obligations": tuple(sorted({obligation.name for obligation in decision.obligations})),
            "transport": way.transport,
        }
        if gathered.consents:
            values["consent"] = (gathered.consents[0],)
            values["consent_epoch"] = made.epochs.consent
        said, slots = decided_on(gathered, opened)
        told = {**values, **said}
        actor = delivery.recipient if way.officer else GATEWAY
        return self._teller.event(
            EventName.DISCLOSURE_DECIDED, made.at, told, actor=actor, officer=way.officer, persons=slots
        )

    def _document_released(self, delivery: Delivery, made: Made, attachment: str, way: Way) -> PreparedRecord:
        values: dict[str, LogValue | None] = {
            **about(delivery),
            "attachment": attachment,
            "policy": made.decision.policy,
            "purpose": delivery.purpose,
        }
        return self._teller.event(
            EventName.ATTACHMENT_RELEASED, made.at, values, actor=delivery.recipient, officer=way.officer,
            persons=made.gathered.slots,
        )  # fmt: skip

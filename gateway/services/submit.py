"""How does a notice come in, and what have we promised when we answer 202?

The steps, and what a crash after each leaves behind:

0. documents the notice names are kept, or awaited (`attachments`): a crash keeps a document nobody names.
1. verify the signature over the exact bytes, decode, validate, route: nothing is stored;
   the sender asks again.
2. one transaction: notice (sealed), deliveries, persons, log records and the signed
   receipt. A crash before it leaves nothing, after it everything; the sender's retry
   gets the receipt that was stored, byte for byte.
3. ring the doorbell: a lost ring costs a delay, for whoever waits looks again by itself.

A withdrawal first ends the deliveries of what it withdraws (idempotent), then
is accepted: a crash in between leaves the sender without a receipt, so it comes again.

Something that changed between preparing and committing (epoch, person, re-used id)
answers `Stale`, and the item is prepared again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from gateway.audit.record import PreparedRecord
from gateway.config import Settings
from gateway.crypto.detached import DetachedVerifier
from gateway.crypto.sealing import keyed_digest
from gateway.model.agency import Caller, OfficeState
from gateway.model.canonical import canonical_json
from gateway.model.errors import (
    IdempotencyConflict,
    NotPermitted,
    Problem,
    Refusal,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)
from gateway.model.identifiers import NoticeId, NoticeType, OfficeId
from gateway.model.notice import RELAYED, REPORTS, JsonObject, SubmittedNotice, ValidNotice
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.storage import Accepted, Conflict, Epochs, NoticeStorage, Replayed, Stale
from gateway.ports.translation import Adapter, RefusedItem
from gateway.services.admit import PROVISIONAL, Admission, Admitted, withdraws
from gateway.services.attachments import Attachments
from gateway.services.attest import BY_GATEWAY, Attestation, hold_attributes
from gateway.services.conflicts import own_school
from gateway.services.directory import Directories
from gateway.services.follow import changes_of
from gateway.services.in_step import in_step
from gateway.services.recall import Recall
from gateway.services.withdraw import Withdraw

MAX_PREPARATIONS = 5
BY_FILE = Attestation("signature")  # the signature covers the bulk file, which is kept with it

Validate = Callable[[SubmittedNotice, datetime], "ValidNotice | tuple[Problem, ...]"]
BatchReceipt = Callable[[OfficeId, datetime, bytes, bytes], str]


@dataclass(frozen=True, slots=True)
class Receipt:
    """`body` is canonical JSON with the signed receipt, stored and repeated byte for byte."""

    body: bytes
    notice: NoticeId | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """One answer per notice in the bytes, in their order."""

    items: tuple[Receipt | RefusedItem, ...]
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class RestsOn:
    """The decision by which a message may come in: the epochs it was made under, and the records that tell of it."""

    epochs: Epochs
    records: tuple[PreparedRecord, ...]


class Overtaken(Exception):
    """What a decision rested on changed before its message was stored. Nothing was; decide anew."""


class Submit:
    """The enforcement point for what comes in, whatever the transport."""

    def __init__(
        self,
        *,
        settings: Settings,
        directories: Directories,
        adapter_for: Callable[[str, str, Mapping[str, str]], Adapter | None],
        validate: Validate,
        admission: Admission,
        withdraw: Withdraw,
        attachments: Attachments,
        notices: NoticeStorage,
        doorbell: Doorbell,
        is_on_hold: Callable[[], bool],
        then: Mapping[NoticeType, Callable[[NoticeId], Awaitable[bool]]],
        recall: Recall,
        pause: Callable[[timedelta], Awaitable[None]],
        clock: Clock,
        idempotency_secret: bytes,
        batch_receipt: BatchReceipt,
    ) -> None:
        self._then, self._recall, self._pause = then, recall, pause
        self._is_on_hold = is_on_hold
        self._settings, self._directories = settings, directories
        self._adapter_for, self._validate, self._admission = adapter_for, validate, admission
        self._withdraw, self._attachments = withdraw, attachments
        self._notices, self._doorbell, self._clock = notices, doorbell, clock
        self._secret, self._batch_receipt = idempotency_secret, batch_receipt
        self._verifier = DetachedVerifier()
        self._in_flight = 0

    async def __call__(
        self, caller: Caller, body: bytes, media_type: str, headers: Mapping[str, str], signature: str | None
    ) -> Submitted:
        """Accept what an office sent.

        Raises BadSignature, UnsupportedMediaType, TooLarge or NotPermitted for the request as a
        whole, Unavailable when the store is down; what is wrong with one notice is its own `RefusedItem`.
        """
        now = self._clock.now()
        self._in_flight += 1
        try:
            await in_step()
            self._verify(caller, body, media_type, headers, signature, now)
            attestation = Attestation("signature", signature or "")
            return await self._accept_all(caller, body, media_type, headers, now, attestation)
        finally:
            self._in_flight -= 1

    async def on_behalf(
        self,
        caller: Caller,
        body: bytes,
        media_type: str,
        headers: Mapping[str, str],
        attestation: Attestation = BY_GATEWAY,
    ) -> Submitted:
        """Accept what this gateway wrote for the office (accept, decline, feedback, a consent).

        No signature of the office covers these bytes. Where it signed the call they were made from, and that was
        verified, `attestation` holds both; else the record says gateway-attested.
        """
        return await self._accept_all(caller, body, media_type, headers, self._clock.now(), attestation)

    def receipt_of_batch(self, caller: Caller, body: bytes, answer: bytes) -> str:
        """A signature over what was sent as a batch and what was answered to it; see `ReceiptMaker.batch`."""
        return self._batch_receipt(caller.office.id, self._clock.now(), body, answer)

    async def repeated(self, caller: Caller, name: str, body: bytes) -> Receipt | None:
        """What was answered when the office said exactly this under this name; None when it never did.

        Raises IdempotencyConflict when it said something else under it.
        """
        found = await self._notices.find_receipt(keyed_digest(self._secret, caller.office.id.encode(), name.encode()))
        if found is None:
            return None
        if found.body_digest != hashlib.sha256(body).digest():
            raise _used_for_other_bytes()
        return Receipt(found.receipt, _notice_of(found.receipt), replayed=True)

    async def let_through(
        self, caller: Caller, item: SubmittedNotice, body: bytes, attestation: Attestation, rests: RestsOn
    ) -> Receipt | RefusedItem:
        """Accept a notice this gateway wrote for the office from `body`, by virtue of another decision.

        The record of that decision is stored with it, and it is not stored at all once what the decision rested on has
        changed: then raises Overtaken, and the caller decides anew.
        """
        now = self._clock.now()
        self._in_flight += 1
        try:
            valid = self._held_to_rules(caller, item, now, is_passed_on=True)
            if isinstance(valid, tuple):
                return RefusedItem("", valid)
            return await self._commit(caller, valid, body, now, attestation, item.native_id, rests)
        finally:
            self._in_flight -= 1

    @property
    def in_flight(self) -> int:
        """How many calls are being answered now: what may wait, waits for none to be left."""
        return self._in_flight

    async def rows(
        self,
        caller: Caller,
        rows: Sequence[tuple[str, SubmittedNotice]],
        at_once: int,
        let_pass: Callable[[], Awaitable[None]],
    ) -> Sequence[Receipt | RefusedItem]:
        """Accept rows of a bulk file whose signature was verified when it was taken, each under its own key.

        The key stands for the row, so a row that was accepted before a crash answers with its first receipt. Raises
        Unavailable when the store is down; what is wrong with one row is its own `RefusedItem`. Rows of one case keep
        their order; at most `at_once` are under way, and `let_pass` is awaited before each.
        """
        now, room = self._clock.now(), asyncio.Semaphore(at_once)
        items = [item for _, item in rows]
        answers: list[Receipt | RefusedItem] = [RefusedItem("", ()) for _ in rows]

        async def one_after_another(positions: Sequence[int]) -> None:
            for position in positions:
                key, item = rows[position]
                async with room:
                    await let_pass()
                    answers[position] = await self._accept(caller, item, b"", True, position, now, BY_FILE, key)

        ended = await asyncio.gather(*map(one_after_another, _by_case(items)), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error
        await self._follow_up(items, answers)
        return answers

    async def _accept_all(
        self,
        caller: Caller,
        body: bytes,
        media_type: str,
        headers: Mapping[str, str],
        now: datetime,
        attestation: Attestation,
    ) -> Submitted:
        await in_step()
        items, is_batch = self._decode(caller, body, media_type, headers)
        answers: list[Receipt | RefusedItem] = [
            item if isinstance(item, RefusedItem) else RefusedItem(f"/{position}", ())
            for position, item in enumerate(items)
        ]

        async def one_after_another(positions: Sequence[int]) -> None:
            for position in positions:
                item = items[position]
                assert isinstance(item, SubmittedNotice)
                answers[position] = await self._accept(caller, item, body, is_batch, position, now, attestation)

        lanes = _by_case(items)
        if len(lanes) == 1:
            await one_after_another(lanes[0])
        else:
            ended = await asyncio.gather(*[one_after_another(lane) for lane in lanes], return_exceptions=True)
            for error in ended:
                if error is not None:
                    raise error  # the store is away: the sender asks again, what was accepted answers as before
        await self._follow_up(items, answers)
        return Submitted(tuple(answers), is_batch)

    async def _follow_up(
        self, items: Sequence[SubmittedNotice | RefusedItem], answers: Sequence[Receipt | RefusedItem]
    ) -> None:
        """What a notice does besides being delivered (consent, questions), before it is answered and again when it is
        repeated. When something ended, until no ticket from before it lives and nothing waits unread in a queue."""
        ended = False
        for item, answer in zip(items, answers, strict=True):
            if isinstance(item, RefusedItem) or isinstance(answer, RefusedItem) or answer.notice is None:
                continue
            step = self._then.get(item.type)
            ended = (step is not None and await step(answer.notice)) or ended
        if ended:
            await self._pause(timedelta(seconds=self._settings.delivery.ticket_seconds))
            await self._recall.everyone("consent-withdrawn")

    async def check(
        self, caller: Caller, body: bytes, media_type: str, headers: Mapping[str, str], signature: str | None
    ) -> Submitted:
        """The sandbox: the answers that `__call__` would give, with nothing stored and no receipt worth keeping.

        Synthetic identities only (DOMAIN S11): an identity number outside the area prefix 999999 is refused.
        """
        now = self._clock.now()
        self._verify(caller, body, media_type, headers, signature, now)
        items, is_batch = self._decode(caller, body, media_type, headers)
        return Submitted(tuple([await self._check(caller, item, now) for item in items]), is_batch)

    def _verify(
        self,
        caller: Caller,
        body: bytes,
        media_type: str,
        headers: Mapping[str, str],
        signature: str | None,
        now: datetime,
    ) -> None:
        keys = self._directories.current.signing_keys(caller.office.id, now)
        hold_attributes(self._verifier.verify(signature or "", body, keys), media_type, headers)

    def _decode(
        self, caller: Caller, body: bytes, media_type: str, headers: Mapping[str, str]
    ) -> tuple[Sequence[SubmittedNotice | RefusedItem], bool]:
        if len(body) > self._settings.limits.max_body_bytes:
            raise TooLarge("the body is larger than this gateway takes", remedy="split the batch")
        adapter = self._adapter_for(caller.office.adapter, media_type, headers)
        if adapter is None:
            raise UnsupportedMediaType(
                "this office has no adapter for the media type", remedy="see `hutong adapter list` for its media types"
            )
        decoded = adapter.decode(body, media_type, caller.office, headers)
        if len(decoded.items) > self._settings.limits.max_batch_items:
            raise TooLarge("the batch holds more notices than this gateway takes", remedy="split the batch")
        return decoded.items, decoded.is_batch

    async def _accept(
        self,
        caller: Caller,
        item: SubmittedNotice,
        body: bytes,
        is_batch: bool,
        position: int,
        now: datetime,
        attestation: Attestation,
        key: str = "",
    ) -> Receipt | RefusedItem:
        place = f"/{position}" if is_batch else ""
        own = canonical_json([item.type, item.subject, item.data]) if is_batch else body
        try:
            await in_step()
            valid = self._held_to_rules(caller, item, now)
            if isinstance(valid, tuple):
                return RefusedItem(place, valid)
            alone = Attestation(attestation.by) if is_batch else attestation
            return await self._commit(caller, valid, own, now, alone, key or valid.notice.native_id)
        except Unavailable:
            raise
        except Refusal as refused:
            if not is_batch:
                raise
            problem = Problem(refused.code, place, refused.message, refused.remedy)
            return RefusedItem(place, (problem, *refused.problems))

    def _held_to_rules(
        self, caller: Caller, item: SubmittedNotice, now: datetime, *, is_passed_on: bool = False
    ) -> ValidNotice | tuple[Problem, ...]:
        """`is_passed_on`: the gateway wrote it for a relay handle. Nobody else sends what such a message alone carries: it
        would pass for a decision that was never made."""
        if item.type == "QRY" and not is_passed_on and (problems := passing_on_unasked(item.data)):
            return problems
        is_report = item.type in REPORTS
        if caller.is_report_only and not is_report:
            raise NotPermitted(
                "a suspended office may send reports alone", remedy="send a report (RPT, RPT-M) or ask to be resumed"
            )
        return self._validate(item, now)

    async def _commit(
        self,
        caller: Caller,
        valid: ValidNotice,
        body: bytes,
        now: datetime,
        attestation: Attestation,
        name: str,
        rests: RestsOn | None = None,
    ) -> Receipt:
        """`name` is what makes the notice the same one when it comes again: its native id, or its place in a bulk file."""
        await in_step()
        office = caller.office
        native_key = keyed_digest(self._secret, office.id.encode(), name.encode())
        body_digest = hashlib.sha256(body).digest()
        key = keyed_digest(self._secret, native_key, body_digest) if valid.is_report else native_key
        flags: tuple[str, ...] = ("suspended-sender",) if office.state is OfficeState.SUSPENDED else ()
        if self._is_on_hold():
            if not valid.is_report and valid.urgency != 2:
                raise Unavailable(
                    "the exchange log is on hold: reports and urgency 2 alone are taken",
                    retry_after=timedelta(minutes=1),
                )
            flags += (PROVISIONAL,)
        named = await self._attachments.keep_named(office.id, valid.notice, is_report=valid.is_report)
        flags += named.flags
        is_first = valid.is_report
        for _ in range(MAX_PREPARATIONS):
            admitted: Admitted = await self._admission.prepare(
                caller, valid, body, now, idempotency_key=key, native_id_key=native_key, body_digest=body_digest,
                is_first_of_id=is_first, flags=flags, attestation=attestation, documents=named.names,
            )  # fmt: skip
            if (withdrawn := withdraws(valid, admitted.link)) is not None:
                known = await self._notices.find_receipt(key)
                if known is not None and known.body_digest != body_digest:
                    raise _used_for_other_bytes()  # before it has ended anything
                await self._withdraw(withdrawn, admitted.unit.notice, office.id, now)
            unit = admitted.unit
            if rests is not None:
                unit = replace(unit, records=(*rests.records, *unit.records), rests_on=rests.epochs)
            outcome = await self._notices.accept(unit)
            match outcome:
                case Accepted(receipt):
                    self._admission.was_accepted(admitted)
                    self._doorbell.ring(delivery.recipient for delivery in admitted.unit.deliveries)
                    self._recall.begin(self._accused(admitted), "conflict-recorded")
                    if admitted.unit.reply is not None and admitted.link.answered is not None:
                        answered = admitted.link.answered
                        self._doorbell.ring([answered.recipient, changes_of(answered.sender)])
                    return Receipt(receipt, admitted.unit.notice)
                case Replayed(receipt):
                    return Receipt(receipt, _notice_of(receipt), replayed=True)
                case Conflict():
                    raise _used_for_other_bytes()
                case Stale("policy" | "consent" | "directory") if rests is not None:
                    await self._directories.refresh()
                    raise Overtaken
                case Stale("native-id"):
                    is_first, flags = False, (*flags, "reused-id")
                case Stale("person"):
                    await self._admission.look_again(admitted)
                case Stale():
                    await self._directories.refresh()
        raise Unavailable("the directory or policy is changing", retry_after=timedelta(seconds=1))

    def _accused(self, admitted: Admitted) -> list[OfficeId]:
        """The offices that are a school which this notice accuses: what waits unread for them is taken back."""
        if not admitted.accused:
            return []
        offices = self._directories.current.offices.values()
        return [office.id for office in offices if own_school(office) in admitted.accused]

    async def _check(self, caller: Caller, item: SubmittedNotice | RefusedItem, now: datetime) -> Receipt | RefusedItem:
        if isinstance(item, RefusedItem):
            return item
        real = [
            Problem("real-identity", f"/persons/{index}/id_no", "the sandbox takes synthetic identities only",
                    "use the area prefix 999999")
            for index, person in enumerate(item.data.get("persons", ()))
            if not str(person.get("id_no", "999999")).startswith("999999")
        ]  # fmt: skip
        if real:
            return RefusedItem("", tuple(real))
        valid = self._held_to_rules(caller, item, now)
        if isinstance(valid, tuple):
            return RefusedItem("", valid)
        return Receipt(canonical_json(await self._admission.rehearse(caller, valid, now)), None)


def passing_on_unasked(data: JsonObject) -> tuple[Problem, ...]:
    """What of a query only a message through a relay handle may hold."""
    query = data.get("query")
    if not isinstance(query, Mapping):
        return ()
    found = [name for name in ("message", "contact") if name in query]
    if query.get("question") == RELAYED:
        found.append("question")
    remedy = "write through the handle you were given: POST /v1/relay/{handle}, or hutong relay"
    return tuple(
        Problem("not-through-a-handle", f"/query/{name}", "a message is passed on through a relay handle alone", remedy)
        for name in sorted(found)
    )


def _by_case(items: Sequence[SubmittedNotice | RefusedItem]) -> list[list[int]]:
    """Positions that may be accepted at once, so that they share commits: one lane per case, its notices in their order."""
    lanes: dict[str, list[int]] = {}
    for position, item in enumerate(items):
        if isinstance(item, SubmittedNotice):
            lanes.setdefault(item.subject or f"#{position}", []).append(position)
    return list(lanes.values())


def _notice_of(receipt: bytes) -> NoticeId:
    """The notice that a stored receipt speaks of: the receipt is our own canonical JSON."""
    return NoticeId(orjson.loads(receipt)["notice"])


def _used_for_other_bytes() -> IdempotencyConflict:
    return IdempotencyConflict("this id was used before for other bytes", remedy="send a new notice under a new id")

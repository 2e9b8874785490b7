"""How does a notice come in, whatever the transport, and what have we promised when we answer 202?

1. verify the signature over the exact bytes, decode, validate: nothing is stored; a crash leaves nothing, and
   the sender asks again.
2. `accept` makes each notice durable together with its receipt.
3. what a notice does besides being delivered (a consent, a question) is done before it is answered, and again
   when it is repeated: a crash before it leaves the sender without a receipt, so it comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.config import Settings
from gateway.crypto.detached import DetachedVerifier
from gateway.model.agency import Caller
from gateway.model.canonical import canonical_json
from gateway.model.errors import NotPermitted, Problem, Refusal, TooLarge, Unavailable, UnsupportedMediaType
from gateway.model.identifiers import NoticeId, NoticeType, OfficeId
from gateway.model.notice import RELAYED, REPORTS, JsonObject, SubmittedNotice, ValidNotice
from gateway.ports.clock import Clock
from gateway.ports.translation import Adapter, RefusedItem
from gateway.services.accept import Accept, Receipt, RestsOn
from gateway.services.admit import Admission
from gateway.services.attest import BY_GATEWAY, Attestation, hold_attributes
from gateway.services.directory import Directories
from gateway.services.in_step import in_step
from gateway.services.recall import Recall

BY_FILE = Attestation("signature")  # the signature covers the bulk file, which is kept with it

Validate = Callable[[SubmittedNotice, datetime], "ValidNotice | tuple[Problem, ...]"]
BatchReceipt = Callable[[OfficeId, datetime, bytes, bytes], str]


@dataclass(frozen=True, slots=True)
class Submitted:
    """One answer per notice in the bytes, in their order."""

    items: tuple[Receipt | RefusedItem, ...]
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class _Said:
    """One notice among those that came: its own bytes, who vouches for them, the `name` that makes it the same one when it
    comes again, and where it stood (empty for a notice that came alone)."""

    item: SubmittedNotice
    body: bytes
    attestation: Attestation
    name: str
    place: str = ""


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
        accept: Accept,
        then: Mapping[NoticeType, Callable[[NoticeId], Awaitable[bool]]],
        recall: Recall,
        pause: Callable[[timedelta], Awaitable[None]],
        clock: Clock,
        batch_receipt: BatchReceipt,
    ) -> None:
        self._settings, self._directories, self._clock = settings, directories, clock
        self._adapter_for, self._validate, self._admission = adapter_for, validate, admission
        self._accept, self._then, self._recall, self._pause = accept, then, recall, pause
        self._batch_receipt = batch_receipt
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
            return await self._accept(caller, valid, body, now, attestation, item.native_id, rests)
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

        async def accept(position: int, item: SubmittedNotice) -> Receipt | RefusedItem:
            said = _Said(item, _own(item, is_row=True), BY_FILE, rows[position][0], f"/{position}")
            async with room:
                await let_pass()
                return await self._accept_one(caller, said, now)

        return await self._accept_each([item for _, item in rows], accept)

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
        alone = Attestation(attestation.by)  # one signature covers a batch; each of its notices is kept without it

        async def accept(position: int, item: SubmittedNotice) -> Receipt | RefusedItem:
            said = _Said(item, body, attestation, item.native_id)
            if is_batch:
                said = _Said(item, _own(item), alone, item.native_id, f"/{position}")
            return await self._accept_one(caller, said, now)

        return Submitted(tuple(await self._accept_each(items, accept)), is_batch)

    async def _accept_each(
        self,
        items: Sequence[SubmittedNotice | RefusedItem],
        accept: Callable[[int, SubmittedNotice], Awaitable[Receipt | RefusedItem]],
    ) -> Sequence[Receipt | RefusedItem]:
        """Accept notices of one case in their order, and cases beside each other, so that they share commits.

        Raises what a lane ended with (the store is away), when all have ended: the sender asks again, and what was
        accepted answers as before.
        """
        answered: dict[int, Receipt | RefusedItem] = {
            position: item for position, item in enumerate(items) if isinstance(item, RefusedItem)
        }

        async def one_after_another(lane: Sequence[tuple[int, SubmittedNotice]]) -> None:
            for position, item in lane:
                answered[position] = await accept(position, item)

        lanes = _by_case(items)
        if len(lanes) == 1:
            await one_after_another(lanes[0])
        else:
            ended = await asyncio.gather(*map(one_after_another, lanes), return_exceptions=True)
            for error in ended:
                if error is not None:
                    raise error
        answers = [answered[position] for position in range(len(items))]
        await self._follow_up(items, answers)
        return answers

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

    async def _accept_one(self, caller: Caller, said: _Said, now: datetime) -> Receipt | RefusedItem:
        try:
            await in_step()
            valid = self._held_to_rules(caller, said.item, now)
            if isinstance(valid, tuple):
                return RefusedItem(said.place, valid)
            return await self._accept(caller, valid, said.body, now, said.attestation, said.name)
        except Unavailable:
            raise
        except Refusal as refused:
            if not said.place:
                raise
            problem = Problem(refused.code, said.place, refused.message, refused.remedy)
            return RefusedItem(said.place, (problem, *refused.problems))

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


def _own(item: SubmittedNotice, *, is_row: bool = False) -> bytes:
    """The bytes of one notice among others, by which its repetition is told from another under the same id: with what goes to
    the vault or is sealed, since two may differ in that alone. A row of a file is told by its place."""
    said: list[object] = [item.type, item.subject, item.data]
    if not is_row and (item.reporter or item.sealed):
        said += [item.reporter, item.sealed]
    return canonical_json(said)


def _by_case(items: Sequence[SubmittedNotice | RefusedItem]) -> list[list[tuple[int, SubmittedNotice]]]:
    """One lane per case, its notices in their order, each with its position."""
    lanes: dict[str, list[tuple[int, SubmittedNotice]]] = {}
    for position, item in enumerate(items):
        if isinstance(item, SubmittedNotice):
            lanes.setdefault(item.subject or f"#{position}", []).append((position, item))
    return list(lanes.values())

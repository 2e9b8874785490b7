"""How is one valid notice made durable, and what is promised with its receipt?

0. documents the notice names are kept, or awaited (`attachments`): a crash keeps a document nobody names.
1. a withdrawal ends the deliveries of what it withdraws (idempotent): a crash after it leaves the sender
   without a receipt, so it comes again.
2. one transaction: notice (sealed), deliveries, persons, log records and the signed
   receipt. A crash before it leaves nothing, after it everything; the sender's retry
   gets the receipt that was stored, byte for byte.
3. ring the doorbell: a lost ring costs a delay, for whoever waits looks again by itself.

Something that changed between preparing and committing (epoch, person, re-used id)
answers `Stale`, and the notice is prepared again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from gateway.audit.record import PreparedRecord
from gateway.crypto.sealing import keyed_digest
from gateway.model.agency import Caller, OfficeState
from gateway.model.errors import IdempotencyConflict, Unavailable
from gateway.model.identifiers import NoticeId, OfficeId
from gateway.model.notice import ValidNotice
from gateway.ports.broker import Doorbell
from gateway.ports.storage import Accepted, Conflict, Epochs, NoticeStorage, Replayed, Stale
from gateway.services.admit import PROVISIONAL, Admission, Admitted, withdraws
from gateway.services.attachments import Attachments
from gateway.services.attest import Attestation
from gateway.services.conflicts import own_school
from gateway.services.directory import Directories
from gateway.services.follow import changes_of
from gateway.services.in_step import in_step
from gateway.services.recall import Recall
from gateway.services.withdraw import Withdraw

MAX_PREPARATIONS = 5


@dataclass(frozen=True, slots=True)
class Receipt:
    """`body` is canonical JSON with the signed receipt, stored and repeated byte for byte."""

    body: bytes
    notice: NoticeId | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class RestsOn:
    """The decision by which a message may come in: the epochs it was made under, and the records that tell of it."""

    epochs: Epochs
    records: tuple[PreparedRecord, ...]


class Overtaken(Exception):
    """What a decision rested on changed before its message was stored. Nothing was; decide anew."""


class Accept:
    """From here on the notice is ours to deliver, whatever crashes."""

    def __init__(
        self,
        *,
        directories: Directories,
        admission: Admission,
        withdraw: Withdraw,
        attachments: Attachments,
        notices: NoticeStorage,
        doorbell: Doorbell,
        is_on_hold: Callable[[], bool],
        recall: Recall,
        idempotency_secret: bytes,
    ) -> None:
        self._directories, self._admission, self._withdraw = directories, admission, withdraw
        self._attachments, self._notices, self._doorbell = attachments, notices, doorbell
        self._is_on_hold, self._recall, self._secret = is_on_hold, recall, idempotency_secret

    async def __call__(
        self,
        caller: Caller,
        valid: ValidNotice,
        body: bytes,
        now: datetime,
        attestation: Attestation,
        name: str,
        rests: RestsOn | None = None,
    ) -> Receipt:
        """Store what was said in `body`, and answer its receipt; the first one, when it comes again.

        `name` is what makes the notice the same one when it comes again: its native id, or its place in a bulk file.
        With `rests` the records of a decision are stored with it, and it is not stored at all once what the decision
        rested on has changed: then raises Overtaken.

        Raises IdempotencyConflict for other bytes under a known name, InvalidNotice when the sender may not send this
        type or nobody may receive it, Unavailable when the store is down, on hold or changing too fast; nothing is
        stored then.
        """
        await in_step()
        office = caller.office
        native_key = keyed_digest(self._secret, office.id.encode(), name.encode())
        body_digest = hashlib.sha256(body).digest()
        key = keyed_digest(self._secret, native_key, body_digest) if valid.is_report else native_key
        flags: tuple[str, ...] = () if office.state is OfficeState.ACTIVE else ("suspended-sender",)
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

    def _accused(self, admitted: Admitted) -> list[OfficeId]:
        """The offices that are a school which this notice accuses: what waits unread for them is taken back."""
        if not admitted.accused:
            return []
        offices = self._directories.current.offices.values()
        return [office.id for office in offices if own_school(office) in admitted.accused]


def _notice_of(receipt: bytes) -> NoticeId:
    """The notice that a stored receipt speaks of: the receipt is our own canonical JSON."""
    return NoticeId(orjson.loads(receipt)["notice"])


def _used_for_other_bytes() -> IdempotencyConflict:
    return IdempotencyConflict("this id was used before for other bytes", remedy="send a new notice under a new id")

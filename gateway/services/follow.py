"""What may the sender know of the way its notice has gone?

The state of each delivery, with a signed receipt for every state that is one: delivered, accepted for handling,
declined, acted on, refused, expired, withdrawn, superseded, undelivered. Whatever was not sent by the caller
answers exactly like what never was.

A school that a later report about the child accuses learns nothing more (S9, K5): its own notices stand for it as they stood
when that report came, so that neither an answer nor its absence tells that there is one. Nobody is told whom else of a case a
notice reached, but of those known by what was sent and got (`Participants`).

A sender need not ask notice by notice: its changes are numbered, and it asks for what came after the last it saw,
waiting for more if it likes. The cursor is opaque to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.config import Settings
from gateway.crypto.scatter import Scatter
from gateway.crypto.signing import b64url, from_b64url
from gateway.model.agency import Caller, Office
from gateway.model.delivery import DeliveryState, DeliveryStatus
from gateway.model.errors import InvalidCursor, NotFound
from gateway.model.identifiers import NoticeId, OfficeId
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock
from gateway.ports.storage import DeliveryChange, DeliveryStorage, NoticeStorage, NoticeSummary
from gateway.services.conflicts import own_school
from gateway.services.facts import ON_DUTY
from gateway.services.participants import Participants
from gateway.services.receipts import ReceiptKind, ReceiptMaker

RECEIPTS = {
    DeliveryState.ACKNOWLEDGED: ReceiptKind.DELIVERED,
    DeliveryState.ACCEPTED: ReceiptKind.HANDLING,
    DeliveryState.DECLINED: ReceiptKind.DECLINED,
    DeliveryState.ACTED_ON: ReceiptKind.ACTED_ON,
    DeliveryState.REFUSED: ReceiptKind.REFUSED,
    DeliveryState.EXPIRED: ReceiptKind.EXPIRED,
    DeliveryState.WITHDRAWN: ReceiptKind.WITHDRAWN,
    DeliveryState.SUPERSEDED: ReceiptKind.SUPERSEDED,
    DeliveryState.DEAD_LETTER: ReceiptKind.UNDELIVERED,
}
_CURSOR = b"changes:"


def changes_of(sender: OfficeId) -> OfficeId:
    """The name under which the doorbell rings for changes of a sender's notices, apart from its inbox."""
    return OfficeId(f"{sender}/changes")


class Follow:
    def __init__(
        self,
        *,
        settings: Settings,
        notices: NoticeStorage,
        participants: Participants,
        deliveries: DeliveryStorage,
        receipts: ReceiptMaker,
        doorbell: Doorbell,
        clock: Clock,
        silent_since: Callable[[Office, NoticeId], Awaitable[datetime | None]],
        is_draining: Callable[[], bool],
        cursors: Scatter,
    ) -> None:
        self._cursors, self._participants = cursors, participants
        self._silent_since = silent_since
        self._settings, self._notices, self._deliveries = settings, notices, deliveries
        self._receipts, self._doorbell, self._clock = receipts, doorbell, clock
        self._is_draining = is_draining

    async def notice(self, caller: Caller, notice: NoticeId) -> dict[str, Any]:
        """Raises NotFound for everything that is not the caller's own, in one form."""
        summary = await self._notices.summary(notice)
        if summary is None or summary.sender != caller.office.id:
            raise NotFound("no such notice", remedy="use the notice id of your receipt")
        statuses: Sequence[DeliveryStatus] = summary.deliveries
        if own_school(caller.office) is not None:  # the same questions whether it is accused or not: time tells too
            moved = await self._deliveries.changes_of_notice(notice)
            since = await self._silent_since(caller.office, notice)
            statuses = _as_they_stood(summary, moved, datetime.max.replace(tzinfo=UTC) if since is None else since)
        is_told = await self._participants.told(
            caller.office.id, summary.case, [one.rule for one in summary.deliveries]
        )
        return {
            "notice": summary.id,
            "type": summary.type,
            "received_at": summary.received_at.isoformat(timespec="milliseconds"),
            "flags": list(summary.flags),
            "deliveries": [
                self._status(caller, summary.id, status)
                for status in statuses
                if is_told(status.rule, status.recipient)
            ],
        }

    async def changes(self, caller: Caller, cursor: str, limit: int, wait: timedelta) -> dict[str, Any]:
        """What happened to the caller's own notices after `cursor` (empty: from the first), oldest first.

        Waits up to `wait` for the first change. `cursor` in the answer goes on after the last that is listed.
        Raises InvalidCursor for a cursor that was not given out.
        """
        after = seen = self._read_cursor(cursor)
        most = max(1, min(limit, self._settings.delivery.max_inbox_items))
        until = self._clock.monotonic() + min(wait.total_seconds(), self._settings.delivery.max_long_poll_seconds)
        found: list[DeliveryChange] = []
        while True:
            page = await self._deliveries.changes(caller.office.id, seen, most)
            found += await self._told_of(caller.office, page)
            seen = page[-1].number if page else seen
            if len(page) == most and len(found) < most:
                continue  # what is not for this office takes no place in its page
            left = until - self._clock.monotonic()
            if found or left <= 0 or self._is_draining():
                break
            await self._doorbell.wait(changes_of(caller.office.id), timedelta(seconds=left))
        found = found[:most]
        last = found[-1].number if found else after
        return {"changes": [self._change(caller, change) for change in found], "cursor": self._write_cursor(last)}

    async def _told_of(self, office: Office, found: Sequence[DeliveryChange]) -> list[DeliveryChange]:
        notices = {change.notice for change in found}
        silent = {one: await self._silent_since(office, one) for one in notices}
        by_case = {change.notice for change in found if not self._participants.is_named(change.rule)}
        hidden = {one: await self._hidden(office, one) for one in by_case}
        return [
            one
            for one in found
            if ((since := silent[one.notice]) is None or one.at <= since)
            and one.recipient not in hidden.get(one.notice, ())
        ]

    async def _hidden(self, office: Office, notice: NoticeId) -> frozenset[OfficeId]:
        """The recipients of its own notice that an office is not told of."""
        summary = await self._notices.summary(notice)
        if summary is None:
            return frozenset()
        rules = [one.rule for one in summary.deliveries]
        is_told = await self._participants.told(office.id, summary.case, rules)
        return frozenset(one.recipient for one in summary.deliveries if not is_told(one.rule, one.recipient))

    def _write_cursor(self, number: int) -> str:
        """The number of a change, scattered: from two numbers with a gap between them an office could read that it was
        not told of something."""
        return b64url(self._cursors.scatter(_CURSOR + number.to_bytes(8, "big")))

    def _read_cursor(self, text: str) -> int:
        if not text:
            return 0
        try:
            read = self._cursors.gather(from_b64url(text))
        except ValueError:
            read = b""
        if not read.startswith(_CURSOR):
            raise InvalidCursor(
                "the cursor was not given out by this gateway", remedy="leave it out to begin at the first"
            )
        return int.from_bytes(read[len(_CURSOR) :], "big")

    def _status(self, caller: Caller, notice: NoticeId, status: DeliveryStatus) -> dict[str, Any]:
        return self._told(caller, notice, status.recipient, status.state, status.updated_at, status.reason)

    def _change(self, caller: Caller, change: DeliveryChange) -> dict[str, Any]:
        told = self._told(caller, change.notice, change.recipient, change.state, change.at, change.reason)
        return {"notice": change.notice, "type": change.notice_type, **told}

    def _told(
        self, caller: Caller, notice: NoticeId, recipient: OfficeId, state: DeliveryState, at: datetime, reason: str
    ) -> dict[str, Any]:
        """One state for the sender. Both ways of asking say the same, with the same receipt."""
        told: dict[str, Any] = {
            "recipient": recipient,
            "state": state.value,
            "updated_at": at.isoformat(timespec="milliseconds"),
        }
        claims: dict[str, Any] = {"notice": notice, "recipient": recipient}
        if reason and state in (DeliveryState.DEAD_LETTER, DeliveryState.DECLINED, DeliveryState.HELD):
            told["reason"] = claims["reason"] = reason
        if kind := RECEIPTS.get(state):
            told["receipt"] = self._receipts.sign(kind, caller.office.id, at, claims)
        return told


def _as_they_stood(summary: NoticeSummary, moved: Sequence[DeliveryChange], since: datetime) -> list[DeliveryStatus]:
    """The deliveries of a notice as they stood at an instant, from their moves in order."""
    last = {one.recipient: one for one in moved if one.at <= since}
    stood: list[DeliveryStatus] = []
    for status in summary.deliveries:
        if status.updated_at <= since:
            stood.append(status)
        elif (change := last.get(status.recipient)) is not None:
            stood.append(replace(status, state=change.state, updated_at=change.at, reason=change.reason))
        elif status.role != ON_DUTY:  # who was given emergency access came later
            stood.append(replace(status, state=DeliveryState.DUE, updated_at=summary.received_at, reason=""))
    return stood

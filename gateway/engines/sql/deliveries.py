"""How is a delivery leased, disclosed under, concluded, and counted?

A lease moves `ready_at` to its own end, so that a leased delivery leaves the inbox and
comes back by itself. Urgencies are three ranges of the inbox index, read from the most
urgent down; within one, who has been ready longest goes first. Nothing here scans:
what a page costs depends on the page.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from gateway.delivery.transitions import is_repetition, may_move
from gateway.engines.sql import lanes
from gateway.engines.sql.transaction import Kind, Readers, Statements, Transaction, Writer
from gateway.engines.sql.values import DUE, STATES, blob_of, instant, known_blob, millis, text_of
from gateway.model.delivery import Delivery
from gateway.model.identifiers import CaseId, DeliveryId, NoticeId, NoticeType, OfficeId
from gateway.ports.clock import Clock
from gateway.ports.storage import (
    NOTHING_WAITS,
    Backlog,
    Concluded,
    Conclusion,
    DeadLetterFilter,
    DeliveryChange,
    Disclosed,
    Disclosure,
    Stale,
)

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord
    from gateway.crypto.scatter import Scatter

URGENCIES = (2, 1, 0)
_FOREVER = 1 << 62
TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    recipient: OfficeId
    now: int
    until: int
    limit: int
    purpose: str | None = None

    @property
    def purposes(self) -> str:
        """The purpose as a pattern of SQL; any where none is named."""
        return self.purpose or "%"


@dataclass(frozen=True, slots=True)
class Keeping:
    """Leases that shall last longer, by delivery and token."""

    leases: Sequence[tuple[DeliveryId, str]]
    now: int
    until: int


@dataclass(frozen=True, slots=True)
class _Standing:
    """One delivery as a write finds it."""

    number: int
    recipient: str
    state: int
    lane: bytes
    overtakes: int
    lease_token: str | None
    lease_expires_at: int | None
    lease_disclosed: int
    attempts: int
    revision: int
    release_digest: bytes | None

    def has_lease(self, token: str, at: int) -> bool:
        return (
            self.lease_token is not None
            and self.lease_expires_at is not None
            and secrets.compare_digest(self.lease_token, token)
            and self.lease_expires_at > at
        )


class SqlDeliveries:
    """DeliveryStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers, clock: Clock, scatter: Scatter) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock
        self._scatter = scatter
        self._conclude: Kind[Conclusion, Concluded | Stale] = Kind(
            "conclude", 20, lambda tx, units: [self._concluded(tx, unit) for unit in units]
        )
        self._disclose: Kind[Disclosure, Disclosed | Stale] = Kind(
            "disclose",
            50,
            lambda tx, units: [self._disclosed(tx, unit) for unit in units],
            lambda tx, unit: self._disclosed_before(tx, unit),
        )
        self._lease: Kind[LeaseRequest, Sequence[Delivery]] = Kind(
            "lease", 60, lambda tx, units: [self._leased(tx, unit) for unit in units]
        )
        self._keep: Kind[Keeping, None] = Kind("keep-leased", 25, self._kept)
        self._bring: Kind[tuple[int, int], None] = Kind("bring-forward", 26, self._brought)

    async def lease_due(
        self, recipient: OfficeId, now: datetime, lease: timedelta, limit: int, purpose: str | None = None
    ) -> Sequence[Delivery]:
        request = LeaseRequest(recipient, millis(now), millis(now + lease), limit, purpose)
        if request.until <= request.now or limit < 1:
            raise ValueError("a lease lasts a while and is for at least one delivery")
        if not await self._readers.ask(lambda sql: self._leasable(sql, request, 1)):
            return []  # an empty poll costs no transaction
        return await self._writer.submit(self._lease, request)

    async def keep_leased(self, leases: Sequence[tuple[DeliveryId, str]], now: datetime, until: datetime) -> None:
        await self._writer.submit(self._keep, Keeping(tuple(leases), millis(now), millis(until)))

    async def bring_forward(self, now: datetime, latest: datetime) -> None:
        await self._writer.submit(self._bring, (millis(now), millis(latest)))

    async def offices_due(self, now: datetime, among: Collection[OfficeId]) -> Sequence[tuple[OfficeId, datetime]]:
        at = millis(now)

        def question(sql: Statements) -> list[tuple[int, str]]:
            found: list[tuple[int, str]] = []
            office = sql.one("first_ready_recipient", ("",))
            while office is not None:
                if office[0] in among:
                    ready = [sql.one("next_ready", (office[0], urgency, at)) for urgency in URGENCIES]
                    soonest = min((row[0] for row in ready if row is not None), default=None)
                    if soonest is not None:
                        found.append((soonest, office[0]))
                office = sql.one("first_ready_recipient", (office[0],))
            return sorted(found)

        return [(OfficeId(office), instant(ready)) for ready, office in await self._readers.ask(question)]

    async def disclose(self, unit: Disclosure) -> Disclosed | Stale:
        return await self._writer.submit(self._disclose, unit)

    async def conclude(self, unit: Conclusion) -> Concluded | Stale:
        return await self._writer.submit(self._conclude, unit)

    async def delivery(self, delivery: DeliveryId) -> Delivery | None:
        blob = known_blob(delivery)
        if blob is None:
            return None
        row = await self._readers.ask(lambda sql: sql.one("delivery_by_id", (self._scatter.gather(blob),)))
        return None if row is None else self._delivery(row)

    async def expire_due(self, now: datetime, limit: int) -> Sequence[Delivery]:
        at = millis(now)

        def question(sql: Statements) -> list[Delivery]:
            return self._deliveries(sql, (row[0] for row in sql.all("run_out", {"now": at, "limit": limit})))

        return await self._readers.ask(question)

    async def dead_letters(self, where: DeadLetterFilter, after: DeliveryId | None, limit: int) -> Sequence[Delivery]:
        values: dict[str, Any] = {
            "recipient": where.recipient,
            "sender": where.sender,
            "reason": where.reason,
            "type": where.notice_type,
            "since": millis(where.since) if where.since else 0,
            "until": millis(where.until) if where.until else _FOREVER,
            "id": None,
            "limit": limit,
        }
        if where.delivery is not None:
            blob = known_blob(where.delivery)
            if blob is None:
                return []
            values["id"] = self._scatter.gather(blob)
        start = known_blob(after) if after is not None else None

        def question(sql: Statements) -> list[Delivery]:
            place = sql.one("parked_at", (self._scatter.gather(start),)) if start is not None else None
            values["parked_at"], values["number"] = place if place is not None and place[0] is not None else (-1, -1)
            return self._deliveries(sql, (row[0] for row in sql.all("parked_after", values)))

        return await self._readers.ask(question)

    async def held(self, recipient: OfficeId, after: DeliveryId | None, limit: int) -> Sequence[Delivery]:
        start = known_blob(after) if after is not None else None

        def question(sql: Statements) -> list[Delivery]:
            place = sql.one("number_of", (self._scatter.gather(start),)) if start is not None else None
            values = {"recipient": recipient, "number": -1 if place is None else place[0], "limit": limit}
            return self._deliveries(sql, [row[0] for row in sql.all("held_after", values)])

        return await self._readers.ask(question)

    async def leased(self, recipient: OfficeId, now: datetime, limit: int) -> Sequence[Delivery]:
        values = (recipient, millis(now), limit)
        return await self._readers.ask(
            lambda sql: self._deliveries(sql, [row[0] for row in sql.all("under_lease", values)])
        )

    async def changes(self, sender: OfficeId, after: int, limit: int) -> Sequence[DeliveryChange]:
        return _changes(await self._readers.ask(lambda sql: sql.all("changes_after", (sender, after, limit))))

    async def changes_of_notice(self, notice: NoticeId) -> Sequence[DeliveryChange]:
        return _changes(await self._readers.ask(lambda sql: sql.all("changes_of_notice", (known_blob(notice),))))

    async def count_leased(self, recipient: OfficeId, now: datetime) -> int:
        row = await self._readers.ask(lambda sql: sql.one("count_leased", (recipient, millis(now))))
        return 0 if row is None else int(row[0])

    async def waiting(self, now: datetime) -> Mapping[OfficeId, Backlog]:
        at = {"now": millis(now)}
        due, held, parked = await self._readers.ask(
            lambda sql: (sql.all("waiting_due", at), sql.all("waiting_held", ()), sql.all("waiting_parked", ()))
        )
        by_office: dict[str, Backlog] = defaultdict(lambda: NOTHING_WAITS)
        for office, count, leased, oldest_leased, *oldest in due:
            oldest_due = min((one for one in oldest if one is not None), default=None)
            by_office[office] = Backlog(
                count - leased,
                leased,
                None if oldest_due is None else instant(oldest_due),
                None if oldest_leased is None else instant(oldest_leased),
            )
        for office, count in held:
            by_office[office] = replace(by_office[office], held=count)
        for office, reason, count in parked:
            known = by_office[office]
            by_office[office] = replace(known, by_reason={**known.by_reason, reason: count})
        return {OfficeId(office): one for office, one in by_office.items()}

    # Inside the writer.

    def _leasable(self, sql: Statements, request: LeaseRequest, limit: int) -> list[int]:
        found: list[int] = []
        for urgency in URGENCIES:
            if len(found) >= limit:
                break
            values = (request.recipient, urgency, request.now, request.now, request.purposes, limit - len(found))
            found += [row[0] for row in sql.all("leasable", values)]
        return found

    def _leased(self, tx: Transaction, request: LeaseRequest) -> Sequence[Delivery]:
        numbers = self._leasable(tx.sql, request, request.limit)
        granted = [(number, secrets.token_urlsafe(TOKEN_BYTES)) for number in numbers]
        tx.sql.run("lease", {"granted": orjson.dumps(granted).decode(), "until": request.until})
        return self._deliveries(tx.sql, numbers)

    def _kept(self, tx: Transaction, units: Sequence[Keeping]) -> Sequence[None]:
        known = ((unit, known_blob(delivery), token) for unit in units for delivery, token in unit.leases)
        tx.sql.many(
            "keep_leased",
            [
                (unit.until, self._scatter.gather(blob), token, unit.now)
                for unit, blob, token in known
                if blob is not None
            ],
        )
        return [None for _ in units]

    def _brought(self, tx: Transaction, units: Sequence[tuple[int, int]]) -> Sequence[None]:
        for now, latest in units:
            tx.sql.run("bring_forward", {"now": now, "latest": latest})
        return [None for _ in units]

    def _standing(self, sql: Statements, delivery: DeliveryId) -> _Standing | None:
        blob = known_blob(delivery)
        row = None if blob is None else sql.one("standing", (self._scatter.gather(blob),))
        return None if row is None else _Standing(*row)

    def _disclosed(self, tx: Transaction, unit: Disclosure) -> Disclosed | Stale:
        found = self._standing(tx.sql, unit.delivery)
        if found is None:
            return Stale("state")
        state, at = STATES[found.state], millis(unit.at)
        if found.state != DUE:
            return Stale("state", state)
        if not found.has_lease(unit.lease_token, at):
            return Stale("lease", state)
        stale = tx.stale(unit.epochs)
        if stale is not None:
            return Stale(stale.what, state)
        revision = found.revision + (found.release_digest != unit.release_digest)
        if unit.revision != revision:
            return Stale("state", state)
        attempts = found.attempts + (not found.lease_disclosed)
        tx.sql.run("disclosed", (attempts, revision, unit.release_digest, at, found.number))
        notice = found.number >> 12
        tx.sql.run("add_case_handle", (found.recipient, unit.case_handle, notice))
        if unit.relays and unit.relays_until is not None:
            until = millis(unit.relays_until)
            tx.sql.many(
                "add_relay_handles",
                [
                    (found.recipient, given.handle, found.number, notice, given.path, until)
                    for given in dict.fromkeys(unit.relays)
                ],
            )
        tx.log(unit.records)
        return Disclosed(attempts)

    def _disclosed_before(self, tx: Transaction, unit: Disclosure) -> Disclosed | Stale:
        found = self._standing(tx.sql, unit.delivery)
        if found is None or not has_events(tx.sql, unit.records):
            raise LookupError("not a repetition")
        state = STATES[found.state]
        if found.state != DUE or not found.has_lease(unit.lease_token, millis(unit.at)):
            return Stale("lease", state)
        return Disclosed(found.attempts)

    def _concluded(self, tx: Transaction, unit: Conclusion) -> Concluded | Stale:
        found = self._standing(tx.sql, unit.delivery)
        if found is None:
            return Stale("state")
        state, at = STATES[found.state], millis(unit.at)
        if is_repetition(state, unit.state):
            return Concluded(state, already=True)
        has_lost_lease = unit.lease_token is not None and not found.has_lease(unit.lease_token, at)
        if has_lost_lease or not may_move(state, unit.state):
            if unit.records and has_events(tx.sql, unit.records):
                return Concluded(state, already=True)  # this very call, asked again after `Unavailable`
            return Stale("lease" if has_lost_lease else "state", state)
        due_at = None if unit.due_at is None else millis(unit.due_at)
        if unit.counts_attempt and not found.lease_disclosed:
            tx.sql.run("count_attempt", (found.number,))
        lanes.move(
            tx.sql, found.number, found.lane, bool(found.overtakes), found.state, unit.state, at, unit.reason, due_at
        )
        tx.log(unit.records)
        return Concluded(unit.state)

    def _deliveries(self, sql: Statements, numbers: Iterable[int]) -> list[Delivery]:
        rows = (sql.one("delivery_by_number", (number,)) for number in numbers)
        return [self._delivery(row) for row in rows if row is not None]

    def _delivery(self, row: tuple[Any, ...]) -> Delivery:
        (
            _,
            delivery,
            recipient,
            state,
            urgency,
            _,
            _,
            due_at,
            expires_at,
            _,
            token,
            lease_expires_at,
            attempts,
            revision,
            digest,
            reason,
            route,
            notice,
            kind,
            case,
            sender,
            received_at,
            is_behind_parked,
        ) = row
        purpose, basis, rule, role, level = lanes.unpack_route(route)
        return Delivery(
            id=DeliveryId(text_of(self._scatter.scatter(delivery))),
            notice=NoticeId(text_of(notice)),
            notice_type=NoticeType(kind),
            case=CaseId(text_of(case)),
            sender=OfficeId(sender),
            recipient=OfficeId(recipient),
            purpose=purpose,
            legal_basis=basis,
            rule=rule,
            role=role,
            state=STATES[state],
            urgency=urgency,
            attempts=attempts,
            revision=revision,
            release_digest=digest,
            created_at=instant(received_at),
            due_at=instant(due_at),
            expires_at=instant(expires_at),
            lease_token=token,
            lease_expires_at=None if lease_expires_at is None else instant(lease_expires_at),
            reason=reason,
            fallback_level=level,
            is_behind_parked=bool(is_behind_parked),
        )


def has_events(sql: Statements, records: Sequence[PreparedRecord]) -> bool:
    """Whether every one of these records is in the log."""
    return all(sql.one("has_event", (blob_of(record.event_id),)) is not None for record in records)


def _changes(rows: Iterable[tuple[Any, ...]]) -> list[DeliveryChange]:
    return [
        DeliveryChange(
            number,
            NoticeId(text_of(notice)),
            NoticeType(kind),
            OfficeId(recipient),
            STATES[state],
            instant(at),
            reason,
            lanes.unpack_route(route)[2],
        )
        for number, notice, kind, recipient, state, at, reason, route in rows
    ]

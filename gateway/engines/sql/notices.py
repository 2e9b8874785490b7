"""How is a notice accepted, found again, and withdrawn?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.engines.sql import lanes
from gateway.engines.sql.intake import Answer, Intake, receipts_of
from gateway.engines.sql.transaction import Kind, Readers, Statements, Transaction, Writer
from gateway.engines.sql.values import (
    STATES,
    instant,
    known_blob,
    millis,
    text_of,
    unpack_content,
)
from gateway.model.delivery import DeliveryState, DeliveryStatus
from gateway.model.identifiers import CaseId, DeliveryId, KeyId, NoticeId, NoticeType, OfficeId, PersonId
from gateway.ports.clock import Clock
from gateway.ports.storage import (
    Acceptance,
    Accepted,
    Conflict,
    NoticeSummary,
    Replayed,
    SealedSegment,
    Stale,
    StoredNotice,
    StoredReceipt,
)

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord
    from gateway.crypto.scatter import Scatter


@dataclass(frozen=True, slots=True)
class Withdrawal:
    notice: NoticeId
    at: datetime
    reason: str
    records: tuple[PreparedRecord, ...]


class SqlNotices:
    """NoticeStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers, clock: Clock, scatter: Scatter) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock
        self._scatter = scatter
        self._accept: Kind[Acceptance, Answer] = Kind("accept", 40, lambda tx, units: Intake(tx, scatter).apply(units))
        self._withdraw: Kind[Withdrawal, Sequence[DeliveryStatus]] = Kind(
            "withdraw", 10, lambda tx, units: [self._withdrawn(tx, unit) for unit in units]
        )

    async def accept(self, unit: Acceptance) -> Accepted | Replayed | Conflict | Stale:
        return await self._writer.submit(self._accept, unit)

    async def find_receipt(self, idempotency_key: bytes) -> StoredReceipt | None:
        now = millis(self._clock.now())

        def question(sql: Statements) -> StoredReceipt | None:
            for key, _, digest, receipt, expires_at in receipts_of(sql, [idempotency_key]):
                if key == idempotency_key and expires_at > now:
                    return StoredReceipt(receipt, digest)
            return None

        return await self._readers.ask(question)

    async def has_native_id(self, native_id_key: bytes) -> bool:
        return await self._readers.ask(
            lambda sql: any(key == native_id_key for _, key, *_ in receipts_of(sql, [native_id_key]))
        )

    async def load(self, notice: NoticeId) -> StoredNotice | None:
        blob = known_blob(notice)
        if blob is None:
            return None
        row = await self._readers.ask(lambda sql: sql.one("notice_by_id", (blob,)))
        if row is None:
            return None
        _, kind, case, sender, urgency, received_at, flags, header_key, header, content, withdrawn_at, superseded = row
        persons, segments = unpack_content(content)
        return StoredNotice(
            notice,
            NoticeType(kind),
            CaseId(text_of(case)),
            OfficeId(sender),
            urgency,
            instant(received_at),
            header,
            KeyId(header_key),
            segments,
            persons,
            _flags(flags),
            NoticeId(text_of(superseded)) if superseded else None,
            withdrawn_at is not None,
        )

    async def raw(self, notice: NoticeId) -> SealedSegment | None:
        blob, now = known_blob(notice), millis(self._clock.now())
        row = await self._readers.ask(lambda sql: sql.one("raw_of_notice", (blob, now)))
        if row is None:
            return None
        person, compartment, key, ciphertext = row
        return SealedSegment(PersonId(text_of(person)) if person else None, compartment, KeyId(key), ciphertext)

    async def summarise(self, case: CaseId) -> Sequence[NoticeSummary]:
        blob = known_blob(case)
        return await self._readers.ask(
            lambda sql: [self._summary(sql, row) for row in sql.all("summaries_of_case", (blob,))]
        )

    async def summary(self, notice: NoticeId) -> NoticeSummary | None:
        blob = known_blob(notice)

        def question(sql: Statements) -> NoticeSummary | None:
            row = sql.one("summary_of_notice", (blob,))
            return None if row is None else self._summary(sql, row)

        return await self._readers.ask(question)

    async def find_persons(self, aliases: Sequence[bytes]) -> Mapping[bytes, tuple[PersonId, KeyId]]:
        def question(sql: Statements) -> dict[bytes, tuple[PersonId, KeyId]]:
            found = {}
            for alias in set(aliases):
                row = sql.one("person_of_alias", (alias,))
                if row is not None:
                    found[alias] = (PersonId(text_of(row[0])), KeyId(row[1]))
            return found

        return await self._readers.ask(question)

    async def notices_of(self, person: PersonId, limit: int) -> Sequence[tuple[NoticeId, NoticeType]]:
        blob = known_blob(person)
        rows = await self._readers.ask(lambda sql: sql.all("notices_of_person", (blob, limit)))
        # somebody with two refs in one notice is in two rows of it
        return list(dict.fromkeys((NoticeId(text_of(notice)), NoticeType(kind)) for notice, kind in rows))

    async def find_case(self, office: OfficeId, handle: bytes) -> CaseId | None:
        row = await self._readers.ask(lambda sql: sql.one("case_of_handle", (office, handle)))
        return None if row is None else CaseId(text_of(row[0]))

    async def withdraw(
        self, notice: NoticeId, at: datetime, reason: str, records: Sequence[PreparedRecord]
    ) -> Sequence[DeliveryStatus]:
        return await self._writer.submit(self._withdraw, Withdrawal(notice, at, reason, tuple(records)))

    def _withdrawn(self, tx: Transaction, unit: Withdrawal) -> Sequence[DeliveryStatus]:
        row = tx.sql.one("number_of_notice", (known_blob(unit.notice),))
        if row is None:
            return []
        number: int = row[0]
        if tx.sql.one("is_withdrawn", (number,)) is None:
            at = millis(unit.at)
            tx.sql.run("mark_withdrawn", (number, at, unit.reason))
            lanes.end_open(tx.sql, number, DeliveryState.WITHDRAWN, at, unit.reason)
            tx.log(unit.records)
        return self._statuses(tx.sql, number)

    def _summary(self, sql: Statements, row: tuple[Any, ...]) -> NoticeSummary:
        number, notice, kind, case, sender, urgency, received_at, flags = row
        return NoticeSummary(
            NoticeId(text_of(notice)),
            NoticeType(kind),
            CaseId(text_of(case)),
            OfficeId(sender),
            urgency,
            instant(received_at),
            _flags(flags),
            self._statuses(sql, number),
        )

    def _statuses(self, sql: Statements, notice: int) -> tuple[DeliveryStatus, ...]:
        return tuple(self._status(row) for row in sql.all("deliveries_of_notice", (notice, notice)))

    def _status(self, row: tuple[Any, ...]) -> DeliveryStatus:
        delivery, recipient, state, attempts, updated_at, reason, _, _, route = row
        purpose, basis, rule, role, _ = lanes.unpack_route(route)
        return DeliveryStatus(
            DeliveryId(text_of(self._scatter.scatter(delivery))),
            OfficeId(recipient),
            STATES[state],
            attempts,
            instant(updated_at),
            reason,
            purpose,
            basis,
            rule,
            role,
        )


def _flags(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()

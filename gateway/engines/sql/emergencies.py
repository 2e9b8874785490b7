"""How is emergency access kept, and how does a notice get one more delivery later?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.engines.sql import lanes
from gateway.engines.sql.transaction import Kind, Readers, Statements, Transaction, Writer
from gateway.engines.sql.values import STATE_NUMBERS, blob_of, instant, known_blob, millis, text_of
from gateway.model.delivery import NewDelivery
from gateway.model.identifiers import CaseId, KeyId, NoticeId, OfficeId
from gateway.ports.emergency_storage import EmergencyGrant

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord
    from gateway.crypto.scatter import Scatter


@dataclass(frozen=True, slots=True)
class _Granting:
    grant: EmergencyGrant
    deliveries: tuple[tuple[NoticeId, NewDelivery], ...]
    records: tuple[PreparedRecord, ...]


class SqlEmergencies:
    """EmergencyStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers, scatter: Scatter) -> None:
        self._writer, self._readers, self._scatter = writer, readers, scatter
        self._grant: Kind[_Granting, bool] = Kind(
            "grant-emergency", 5, lambda tx, units: [self._granted(tx, unit) for unit in units]
        )
        self._review: Kind[tuple[EmergencyGrant, tuple[PreparedRecord, ...]], bool] = Kind(
            "review-emergency", 6, lambda tx, units: [_reviewed(tx, grant, records) for grant, records in units]
        )

    async def grant(
        self,
        grant: EmergencyGrant,
        deliveries: Sequence[tuple[NoticeId, NewDelivery]],
        records: Sequence[PreparedRecord],
    ) -> None:
        await self._writer.submit(self._grant, _Granting(grant, tuple(deliveries), tuple(records)))

    async def emergency(self, id_: str) -> EmergencyGrant | None:
        row = await self._readers.ask(lambda sql: sql.one("emergency_by_id", (id_,)))
        return None if row is None else _read(row)

    async def in_force(self, office: OfficeId, case: CaseId, now: datetime) -> EmergencyGrant | None:
        values = (office, known_blob(case), millis(now))
        row = await self._readers.ask(lambda sql: sql.one("emergency_in_force", values))
        return None if row is None else _read(row)

    async def emergencies(self, *, unreviewed: bool, limit: int) -> Sequence[EmergencyGrant]:
        query = "emergencies_unreviewed" if unreviewed else "emergencies_newest"
        return [_read(row) for row in await self._readers.ask(lambda sql: sql.all(query, (limit,)))]

    async def count_outcomes(self, office: OfficeId, outcome: str, since: datetime) -> int:
        row = await self._readers.ask(lambda sql: sql.one("count_outcomes", (office, outcome, millis(since))))
        return 0 if row is None else int(row[0])

    async def review(self, grant: EmergencyGrant, records: Sequence[PreparedRecord]) -> bool:
        return await self._writer.submit(self._review, (grant, tuple(records)))

    def _granted(self, tx: Transaction, unit: _Granting) -> bool:
        grant = unit.grant
        at = millis(grant.granted_at)
        values = (
            grant.id, grant.office, blob_of(grant.case), at, millis(grant.until), grant.key, grant.document,
        )  # fmt: skip
        if tx.sql.run("add_emergency", values).rowcount == 0:
            return False
        for notice, new in unit.deliveries:
            self._add_delivery(tx.sql, notice, new, at)
        tx.log(unit.records)
        return True

    def _add_delivery(self, sql: Statements, notice: NoticeId, new: NewDelivery, at: int) -> None:
        """One more delivery of a stored notice. It overtakes, so no lane is looked at."""
        row = sql.one("number_of_notice", (blob_of(notice),))
        if row is None:
            raise LookupError("no such notice")
        number = row[0]
        last = sql.one("last_delivery_of_notice", (number, number))
        urgency = sql.one("urgency_of_notice", (number,))
        place = (number << 12) if last is None or last[0] is None else last[0] + 1
        if place >> 12 != number or not new.overtakes:
            raise ValueError("a late delivery overtakes, and a notice has a bounded number of them")
        expires_at = millis(new.expires_at)
        sql.many(
            "add_deliveries",
            [
                (
                    place,
                    self._scatter.gather(blob_of(new.id)),
                    new.recipient,
                    STATE_NUMBERS[new.state],
                    0 if urgency is None else urgency[0],
                    new.overtakes,
                    new.lane,
                    at,
                    at,
                    expires_at,
                    at,
                    new.hold_reason,
                    lanes.pack_route(new),
                )
            ],
        )
        sql.many("add_expiries", [(expires_at, number)])


def _reviewed(tx: Transaction, grant: EmergencyGrant, records: tuple[PreparedRecord, ...]) -> bool:
    assert grant.reviewed_at is not None
    values = (millis(grant.reviewed_at), grant.outcome, grant.document, grant.id)
    if tx.sql.run("review_emergency", values).rowcount == 0:
        return False
    tx.log(records)
    return True


def _read(row: tuple[Any, ...]) -> EmergencyGrant:
    id_, office, case, granted_at, until, key, document, reviewed_at, outcome = row
    return EmergencyGrant(
        id=id_,
        office=OfficeId(office),
        case=CaseId(text_of(case)),
        granted_at=instant(granted_at),
        until=instant(until),
        key=KeyId(key),
        document=document,
        reviewed_at=None if reviewed_at is None else instant(reviewed_at),
        outcome=outcome,
    )

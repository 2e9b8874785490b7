"""How is something destroyed so that no page, free page or journal frame holds it any more?

`secure_delete` zeroes what a statement deletes; the journal, which may hold the
page as it was, is copied into the file and cut to nothing before an erasure is called done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.engines.sql.persons import forget_pairs
from gateway.engines.sql.transaction import Kind, Readers, Transaction, Writer
from gateway.engines.sql.values import blob_of, head_of, instant, known_blob, millis, text_of
from gateway.model.errors import NotPermitted
from gateway.model.identifiers import KeyId, NoticeId, PersonId
from gateway.ports.retention_storage import Discarded, Erasure, LegalHold, Naming

if TYPE_CHECKING:
    from gateway.audit.record import PreparedRecord


@dataclass(frozen=True, slots=True)
class _Change:
    """One statement with its records, which are logged when it changed something."""

    query: str
    values: tuple[Any, ...]
    records: tuple[PreparedRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class _Forgetting:
    erasure: str
    person: bytes
    subject: bytes
    at: int
    records: tuple[PreparedRecord, ...]


class SqlRetention(ABC):
    """RetentionStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers
        self._change: Kind[_Change, bool] = Kind(
            "retention", 60, lambda tx, units: [_changed(tx, unit) for unit in units]
        )
        self._forget: Kind[_Forgetting, int] = Kind(
            "forget", 61, lambda tx, units: [_forgotten(tx, unit) for unit in units]
        )
        self._discard: Kind[tuple[int, int], Discarded] = Kind(
            "discard", 90, lambda tx, units: [_discarded(tx, now, limit) for now, limit in units]
        )

    async def set_hold(self, hold: LegalHold, records: Sequence[PreparedRecord]) -> None:
        values = (hold.id, blob_of(hold.person), hold.authority, hold.set_by, millis(hold.set_at))
        await self._writer.submit(self._change, _Change("add_hold", values, tuple(records)))

    async def lift_hold(self, hold: str, at: datetime, records: Sequence[PreparedRecord]) -> bool:
        return await self._writer.submit(self._change, _Change("lift_hold", (millis(at), hold), tuple(records)))

    async def hold(self, hold: str) -> LegalHold | None:
        row = await self._readers.ask(lambda sql: sql.one("hold_by_id", (hold,)))
        return None if row is None else _hold(row)

    async def standing_holds(self) -> Sequence[LegalHold]:
        return await self._readers.ask(lambda sql: [_hold(row) for row in sql.all("standing_holds")])

    async def holds_of(self, person: PersonId) -> Sequence[LegalHold]:
        blob = known_blob(person)
        return await self._readers.ask(lambda sql: [_hold(row) for row in sql.all("holds_of", (blob,))])

    async def ask_erasure(self, erasure: Erasure, records: Sequence[PreparedRecord]) -> None:
        assert erasure.person is not None
        values = (erasure.id, blob_of(erasure.person), erasure.authority, erasure.asked_by, millis(erasure.asked_at))
        await self._writer.submit(self._change, _Change("add_erasure", values, tuple(records)))

    async def approve_erasure(self, erasure: str, by: str) -> bool:
        return await self._writer.submit(self._change, _Change("approve_erasure", (by, erasure)))

    async def erasure(self, erasure: str) -> Erasure | None:
        row = await self._readers.ask(lambda sql: sql.one("erasure_by_id", (erasure,)))
        return None if row is None else _erasure(row)

    async def open_erasures(self) -> Sequence[Erasure]:
        return await self._readers.ask(lambda sql: [_erasure(row) for row in sql.all("erasures_open")])

    async def key_of(self, person: PersonId) -> KeyId | None:
        blob = known_blob(person)
        row = await self._readers.ask(lambda sql: sql.one("key_of_person", (blob,)))
        return None if row is None else KeyId(row[0])

    async def naming(self, person: PersonId) -> Sequence[Naming]:
        blob = known_blob(person)
        return await self._readers.ask(
            lambda sql: [
                Naming(NoticeId(text_of(notice)), None if key is None else KeyId(key))
                for notice, key in dict.fromkeys(sql.all("notices_naming", (blob,)))
            ]
        )

    async def files_naming(self, person: PersonId) -> Sequence[KeyId]:
        blob = known_blob(person)
        return await self._readers.ask(lambda sql: [KeyId(key) for _, key in sql.all("files_naming_done", (blob,))])

    async def forget(
        self, erasure: str, person: PersonId, subject: bytes, at: datetime, records: Sequence[PreparedRecord]
    ) -> int:
        unit = _Forgetting(erasure, blob_of(person), subject, millis(at), tuple(records))
        gone = await self._writer.submit(self._forget, unit)
        await self.empty_journal()
        return gone

    async def discard_expired(self, now: datetime, limit: int = 500) -> Discarded:
        return await self._writer.submit(self._discard, (millis(now), limit))

    @abstractmethod
    async def empty_journal(self) -> None: ...


def _changed(tx: Transaction, unit: _Change) -> bool:
    if tx.sql.run(unit.query, unit.values).rowcount == 0:
        return False
    tx.log(unit.records)
    return True


def _forgotten(tx: Transaction, unit: _Forgetting) -> int:
    row = tx.sql.one("erasure_by_id", (unit.erasure,))
    if row is None or row[6] is not None:
        return 0
    if tx.sql.all("holds_of", (unit.person,)):
        raise NotPermitted("a legal hold stands on this person", remedy="see `hutong legal-hold`")
    raw = tx.sql.run("forget_raw_naming", (unit.person,)).rowcount
    raw += _files_gone(tx, tx.sql.all("files_naming_done", (unit.person,)))
    tx.sql.run("forget_when_done", (unit.person,))
    for query in (
        "forget_relay_handles", "forget_aliases", "forget_likenesses", "forget_person", "forget_places_of_person",
        "forget_consents",
    ):  # fmt: skip
        tx.sql.run(query, (unit.person,))
    forget_pairs(tx, unit.person)
    tx.sql.run("forget_subject", (unit.subject,))
    tx.state.chains.forget(unit.subject)
    tx.sql.run("erasure_done", (unit.at, unit.erasure))
    tx.log(unit.records)
    return raw


def _discarded(tx: Transaction, now: int, limit: int) -> Discarded:
    raw = tx.sql.all("expired_raw_bodies", (now, limit))
    tx.sql.many("discard_raw_body", [(notice,) for notice, _ in raw])
    files = tx.sql.all("expired_files", (now, limit))
    _files_gone(tx, files)
    over = tx.sql.all("forgotten_files", (now, limit))
    for query in ("forget_file_rows", "forget_file"):
        tx.sql.many(query, over)
    receipts = tx.sql.all("expired_receipts", (now, limit))
    tx.sql.many("discard_receipts", [(notice,) for notice, _, _ in receipts])
    tx.sql.many(
        "discard_receipt_keys",
        [(head, notice) for notice, *keys in receipts for head in {head_of(key) for key in keys}],
    )
    tx.sql.many("discard_relay_handles", tx.sql.all("expired_relay_handles", (now, limit)))
    expiries = tx.sql.run("forget_expiries", {"now": now, "limit": limit}).rowcount
    gone = [*raw, *files]
    return Discarded(len(gone), len(receipts), expiries, tuple(KeyId(key) for _, key in gone))


def _files_gone(tx: Transaction, files: Sequence[tuple[Any, ...]]) -> int:
    """The pieces of these bulk files (id, key) go; what is known of their rows stays."""
    for query in ("drop_pieces", "raw_is_gone"):
        tx.sql.many(query, [(file,) for file, _ in files])
    return len(files)


def _hold(row: tuple[Any, ...]) -> LegalHold:
    id_, person, authority, by, at, lifted = row
    return LegalHold(
        id_, PersonId(text_of(person)), authority, by, instant(at), None if lifted is None else instant(lifted)
    )


def _erasure(row: tuple[Any, ...]) -> Erasure:
    id_, person, authority, asked_by, asked_at, approved_by, done_at = row
    return Erasure(
        id_,
        PersonId(text_of(person)) if person else None,
        authority,
        asked_by,
        instant(asked_at),
        approved_by,
        None if done_at is None else instant(done_at),
    )

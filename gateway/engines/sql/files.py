"""How are bulk files and what became of their rows kept?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.engines.sql.transaction import Kind, Readers, Transaction, Writer
from gateway.engines.sql.values import blob_of, instant, known_blob, millis, text_of
from gateway.model.errors import HutongError, Unavailable
from gateway.model.identifiers import KeyId, NoticeId, OfficeId
from gateway.ports.file_storage import Advance, NewFile, RowOutcome, RowReceipt, Stage, StoredFile


class SqlFiles:
    """FileStorage on either store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers
        self._stage: Kind[tuple[bytes, int, bytes], int] = Kind(
            "stage-piece", 70, lambda tx, units: [tx.sql.run("stage_piece", unit).rowcount for unit in units]
        )
        self._take: Kind[NewFile, StoredFile] = Kind("take-file", 71, lambda tx, units: [_taken(tx, u) for u in units])
        self._advance: Kind[Advance, Sequence[KeyId]] = Kind(
            "advance-file", 72, lambda tx, units: [_advanced(tx, unit) for unit in units]
        )
        self._drop: Kind[bytes, int] = Kind(
            "drop-orphans", 73, lambda tx, units: [tx.sql.run("drop_orphan_pieces", (one,)).rowcount for one in units]
        )

    async def stage(self, file: str, number: int, piece: bytes) -> None:
        await self._writer.submit(self._stage, (blob_of(file), number, piece))

    async def take(self, unit: NewFile) -> StoredFile:
        return await self._writer.submit(self._take, unit)

    async def find(self, file_key: bytes) -> StoredFile | None:
        row = await self._readers.ask(lambda sql: sql.one("file_by_key", (file_key,)))
        return None if row is None else _file(row)

    async def file(self, file: str) -> StoredFile | None:
        blob = known_blob(file)
        row = await self._readers.ask(lambda sql: sql.one("file_by_id", (blob,)))
        return None if row is None else _file(row)

    async def files_of(self, office: OfficeId, limit: int) -> Sequence[StoredFile]:
        rows = await self._readers.ask(lambda sql: sql.all("files_of_office", (office, limit)))
        return [_file(row) for row in rows]

    async def piece(self, file: str, number: int) -> bytes | None:
        row = await self._readers.ask(lambda sql: sql.one("file_piece", (blob_of(file), number)))
        return None if row is None else bytes(row[0])

    async def open_files(self, limit: int) -> Sequence[StoredFile]:
        return [_file(row) for row in await self._readers.ask(lambda sql: sql.all("files_open", (limit,)))]

    async def advance(self, unit: Advance) -> Sequence[KeyId]:
        return await self._writer.submit(self._advance, unit)

    async def rows(self, file: str, after: int, limit: int, *, only_refused: bool = False) -> Sequence[RowReceipt]:
        query, values = "file_rows_refused" if only_refused else "file_rows", (known_blob(file), after, limit)
        rows = await self._readers.ask(lambda sql: sql.all(query, values))
        return [
            RowReceipt(
                RowOutcome(row, position, None if notice is None else NoticeId(text_of(notice)), bytes(problem)),
                None if receipt is None else bytes(receipt),
            )
            for row, position, notice, problem, receipt in rows
        ]

    async def drop_orphans(self, before: datetime) -> int:
        # ids of files begin with their instant (RFC 9562, version 7)
        return await self._writer.submit(self._drop, millis(before).to_bytes(6, "big") + bytes(10))


def _taken(tx: Transaction, unit: NewFile) -> StoredFile:
    there = tx.sql.one("count_pieces", (blob_of(unit.id),))
    if there is None or there[0] != unit.pieces:
        raise Unavailable("the pieces of the file are not all there")
    is_new = tx.sql.run(
        "take_file",
        (
            blob_of(unit.id), unit.office, unit.file_key, unit.media_type, unit.size, unit.pieces, unit.key, unit.header,
            unit.receipt, millis(unit.received_at), millis(unit.raw_expires_at), millis(unit.receipt_expires_at),
        ),
    ).rowcount  # fmt: skip
    if is_new:
        tx.log(unit.records)
    else:
        tx.sql.run("drop_pieces", (blob_of(unit.id),))
    row = tx.sql.one("file_by_key", (unit.file_key,))
    if row is None:
        raise HutongError("the file that was taken is not there")
    return _file(row)


def _advanced(tx: Transaction, unit: Advance) -> Sequence[KeyId]:
    file, accepted, refused = blob_of(unit.file), 0, 0
    for outcome in unit.outcomes:
        notice = None if outcome.notice is None else blob_of(outcome.notice)
        values = (file, outcome.row, outcome.position, notice, outcome.problem)
        if tx.sql.run("add_row_outcome", values).rowcount:
            accepted += notice is not None
            refused += notice is None
    finished = None if unit.finished_at is None else millis(unit.finished_at)
    tx.sql.run(
        "advance_file",
        {
            "stage": unit.stage.value, "next_row": unit.next_row, "rows": unit.rows, "accepted": accepted,
            "refused": refused, "finished": finished, "file": file,
        },
    )  # fmt: skip
    tx.log(unit.records)
    if finished is None or (row := tx.sql.one("file_to_forget", (file,))) is None:
        return ()
    tx.sql.run("drop_pieces", (file,))
    tx.sql.run("raw_is_gone", (file,))
    return (KeyId(row[0]),)


def _file(row: tuple[Any, ...]) -> StoredFile:
    id_, office, media, size, pieces, key, header, receipt, at, stage, next_row, rows, accepted, refused, ended = row
    return StoredFile(
        text_of(id_), OfficeId(office), media, size, pieces, KeyId(key), bytes(header), bytes(receipt), instant(at),
        Stage(stage), next_row, rows, accepted, refused, None if ended is None else instant(ended),
    )  # fmt: skip

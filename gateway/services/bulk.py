"""How does a file of a hundred thousand rows come in, without holding up a single report?

1. The signature over the whole file is verified and its beginning read: what is no file of rows is refused.
2. The bytes are sealed in pieces under a key of their own, with the signature; one transaction makes them a file,
   logs it and keeps its signed receipt. From here on the file is promised. A crash before leaves pieces of no file,
   dropped a day later; the sender comes again and gets the same file by office, key and digest.
3. `work` takes the rows in chunks of at most 500, in two passes over the file: first the reports in it, if a look at
   the types of its rows finds any, then all the rest. Each row is accepted as a notice of its own under the key (office, file, row), and each waits until no
   single notice is being answered, though never longer than `PATIENCE`. The first pass of every file, also of one that comes
   meanwhile, goes before the next chunk of any second pass: no report waits behind another file, nor for a hold to end.
4. A transaction writes what the rows of a chunk became and how far the pass is. A crash in between repeats the
   chunk: rows that were accepted answer with their first receipt, so nothing is lost and nothing doubled.

Held in memory: one file as it came, and one chunk of decoded rows; of another one in its first pass the same.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import orjson

from gateway.config import Settings
from gateway.crypto.detached import DetachedVerifier
from gateway.crypto.sealing import NONCE_BYTES, keyed_digest, seal, unseal
from gateway.model.agency import Caller, Office, OfficeState
from gateway.model.audit import EventName
from gateway.model.canonical import canonical_json
from gateway.model.errors import (
    NotFound,
    Problem,
    Tampered,
    TooLarge,
    Unavailable,
    Undecodable,
    UnsupportedMediaType,
)
from gateway.model.identifiers import NoticeId
from gateway.model.notice import REPORTS, SubmittedNotice
from gateway.ports.clock import Clock, Ids
from gateway.ports.file_storage import Advance, FileStorage, NewFile, RowOutcome, RowReceipt, Stage, StoredFile
from gateway.ports.keys import KeyStore
from gateway.ports.translation import Adapter, DecodedRow, RefusedItem, RowAdapter
from gateway.services.attest import Attestation, pack, unpack
from gateway.services.directory import Directories
from gateway.services.receipts import ReceiptMaker
from gateway.services.submit import Submit
from gateway.services.tell import Teller

CHUNK_ROWS = 500
LOOK_ROWS = 10 * CHUNK_ROWS  # so often the look for reports says how far it is
AT_ONCE = 64  # rows under way: enough to keep a commit full while the next is prepared
PIECE_BYTES = 1 << 20
PATIENCE = timedelta(milliseconds=250)
_LOOK = timedelta(milliseconds=5)
_SAMPLE_ROWS = 50
_LOOKED_AT = 100
_UPLOADS_END = timedelta(days=1)
_LOOK_AGAIN = timedelta(seconds=1)  # for files that another node took
_RETRY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class TakenFile:
    """`body` is canonical JSON with the signed receipt, stored and repeated byte for byte."""

    id: str
    body: bytes
    replayed: bool


class BulkFiles:
    """Takes files, works off their rows, and tells their sender how far it is."""

    def __init__(
        self,
        *,
        settings: Settings,
        files: FileStorage,
        submit: Submit,
        adapter_for: Callable[[str, str, Mapping[str, str]], Adapter | None],
        directories: Directories,
        receipts: ReceiptMaker,
        teller: Teller,
        keys: KeyStore,
        clock: Clock,
        ids: Ids,
        pause: Callable[[timedelta], Awaitable[None]],
        trouble: Callable[[str], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._settings, self._files, self._submit = settings, files, submit
        self._adapter_for, self._directories, self._receipts = adapter_for, directories, receipts
        self._teller, self._keys, self._clock, self._ids = teller, keys, clock, ids
        self._pause, self._trouble, self._report = pause, trouble, report
        self._secret = keys.secret("idempotency")
        self._verifier = DetachedVerifier()
        self._came = asyncio.Event()
        self._set_aside: set[str] = set()
        self._room = asyncio.Semaphore(1)

    # Taking.

    async def take(self, caller: Caller, body: bytes, media_type: str, name: str, signature: str | None) -> TakenFile:
        """Make the bytes a promised file. `name` is the caller's Idempotency-Key, empty for none.

        Raises BadSignature, TooLarge, UnsupportedMediaType, Undecodable (no file of rows), Unavailable.
        """
        now = self._clock.now()
        if len(body) > self._settings.limits.max_file_bytes:
            raise TooLarge("the file is larger than this gateway takes", remedy="split the file")
        adapter = self._rows_of(caller.office, media_type)
        async with self._room:
            keys_of = self._directories.current.signing_keys(caller.office.id, now)
            await asyncio.to_thread(self._verifier.verify, signature or "", body, keys_of)
            digest = await asyncio.to_thread(lambda: hashlib.sha256(body).digest())
            file_key = keyed_digest(self._secret, b"file", caller.office.id.encode(), name.encode(), digest)
            known = await self._files.find(file_key)
            if known is None:
                await asyncio.to_thread(_readable, adapter, body, media_type, caller.office)
                unit = await self._stage(caller, body, media_type, digest, file_key, signature or "", now)
                known = await self._files.take(unit)
                if known.id == unit.id:
                    self._came.set()
                    return TakenFile(known.id, known.receipt, False)
                await self._keys.destroy([unit.key])  # the same file came twice at once: the other one stands
        return TakenFile(known.id, known.receipt, True)

    async def _stage(
        self, caller: Caller, body: bytes, media_type: str, digest: bytes, file_key: bytes, jws: str, now: datetime
    ) -> NewFile:
        file, key, office = str(self._ids.event()), self._keys.take(1)[0], caller.office.id
        kept = pack(body, Attestation("signature", jws))
        starts = range(0, len(kept), PIECE_BYTES)
        for number, start in enumerate(starts):
            part = kept[start : start + PIECE_BYTES]
            sealed = seal(key.secret, self._ids.secret(NONCE_BYTES), part, _place(file, number))
            await self._files.stage(file, number, sealed)
        told = {"file": file, "body_sha256": digest.hex(), "bytes": len(body)}
        signed = self._receipts.file(office, now, told)
        record = self._teller.event(
            EventName.FILE_ACCEPTED, now,
            {"file": file, "transport": "http", "attested": "signature"},
            actor=office, officer=caller.officer,
        )  # fmt: skip
        header = seal(
            key.secret, self._ids.secret(NONCE_BYTES),
            canonical_json({"officer": caller.officer, "report_only": caller.is_report_only}), _place(file, -1),
        )  # fmt: skip
        retention = self._settings.retention
        return NewFile(
            file, office, file_key, media_type, len(body), len(starts), key.id, header, signed, now,
            now + timedelta(days=retention.raw_days), now + timedelta(days=retention.receipt_days), (record,),
        )  # fmt: skip

    # Telling.

    async def status(self, caller: Caller, file: str) -> dict[str, Any]:
        """How far a file of one's own is. Raises NotFound for any other."""
        return _status(await self._own(caller, file))

    async def list(self, caller: Caller, limit: int) -> Sequence[dict[str, Any]]:
        return [_status(one) for one in await self._files.files_of(caller.office.id, limit)]

    async def rows(
        self, caller: Caller, file: str, after: int, limit: int, *, only_refused: bool
    ) -> Sequence[RowReceipt]:
        """What the rows became, from after one (-1: all): receipts, and problems with position and remedy."""
        stored = await self._own(caller, file)
        return await self._files.rows(stored.id, after, limit, only_refused=only_refused)

    async def _own(self, caller: Caller, file: str) -> StoredFile:
        stored = await self._files.file(file)
        if stored is None or stored.office != caller.office.id:
            raise NotFound("no such file for this caller")
        return stored

    # Working.

    async def run(self) -> None:
        """Work off files for ever. What the store's absence interrupts is taken up again where it was."""
        is_fresh = True
        while True:
            self._came.clear()
            try:
                if is_fresh:
                    await self._files.drop_orphans(self._clock.now() - _UPLOADS_END)
                    is_fresh = False
                worked = await self.work()
                wait = timedelta() if worked else _LOOK_AGAIN
            except Unavailable as away:
                wait = away.retry_after or _RETRY
            if wait:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait.total_seconds()):
                        await self._came.wait()

    async def work(self) -> bool:
        """Accept the reports of all open files, and work off the oldest to its end; False when there is none."""
        await self._reports()
        waiting = await self._waiting()
        oldest = next(
            (one for one in waiting if one.stage is Stage.REST), None
        )  # one that just came has its reports first
        if oldest is not None:
            await self._work_off(oldest, Stage.REST)
        return bool(waiting)

    async def _waiting(self) -> Sequence[StoredFile]:
        return [one for one in await self._files.open_files(_LOOKED_AT) if one.id not in self._set_aside]

    async def _reports(self) -> None:
        """The first pass of every file that has it before itself."""
        for stored in await self._waiting():
            if stored.stage is Stage.REPORTS:
                await self._work_off(stored, Stage.REPORTS)

    async def _work_off(self, stored: StoredFile, stage: Stage) -> None:
        """One pass, from where the file is."""
        try:
            body, officer, is_report_only = await self._opened(stored)
            skip = stored.next_row if stage is stored.stage else 0
            await self._pass(stored, body, officer, is_report_only, stage, skip)
        except Unavailable:
            raise
        except Exception as unforeseen:  # noqa: BLE001 - bytes that do not open, or any error, must stay this file's own
            self._report(unforeseen)
            self._set_aside.add(stored.id)  # until the next start; a person has to look, and the other files go on
            self._trouble("bulk-file")

    async def _pass(
        self, stored: StoredFile, body: bytes, officer: str, is_report_only: bool, stage: Stage, skip: int
    ) -> None:
        office = self._directories.current.offices.get(stored.office)
        adapter = None if office is None else self._adapter_for(office.adapter, stored.media_type, {})
        if office is None or not isinstance(adapter, RowAdapter):
            await self._give_up(stored, stage)
            return
        if stage is Stage.REPORTS:
            skip, is_all = await self._look_for_reports(stored, adapter, body, skip)
            if is_all:
                await self._files.advance(Advance(stored.id, Stage.REST, 0, skip))
                return
        rows = enumerate(adapter.decode_rows(body, stored.media_type, office))
        done = 0
        while chunk := await asyncio.to_thread(_next, rows):
            done = chunk[-1][0] + 1
            if done <= skip:
                continue
            wanted = [(row, one) for row, one in chunk if row >= skip and _belongs(one, stage)]
            if stage is Stage.REST:
                await self._reports()
            outcomes = await self._chunk(stored, officer, is_report_only, wanted)
            await self._files.advance(Advance(stored.id, stage, done, None, outcomes))
        if stage is Stage.REPORTS:
            await self._files.advance(Advance(stored.id, Stage.REST, 0, done))
            return
        await self._finish(stored, done)

    async def _look_for_reports(
        self, stored: StoredFile, adapter: RowAdapter, body: bytes, skip: int
    ) -> tuple[int, bool]:
        """Before how many rows there is no report to accept, and whether these are all rows. Writes down how far it is."""
        types, count = adapter.row_types(body, stored.media_type), 0
        while chunk := await asyncio.to_thread(lambda: list(islice(types, CHUNK_ROWS))):
            if not REPORTS.isdisjoint(chunk[max(0, skip - count) :]):
                return max(skip, count), False
            count += len(chunk)
            if count > skip and count % LOOK_ROWS == 0:
                await self._files.advance(Advance(stored.id, Stage.REPORTS, count, None))
            await self._let_pass()
        return count, True

    async def _finish(self, stored: StoredFile, rows: int) -> None:
        now, so_far = self._clock.now(), await self._files.file(stored.id)
        accepted = so_far.accepted if so_far is not None else 0
        record = self._teller.event(
            EventName.FILE_FINISHED, now,
            {"file": stored.id, "items": rows, "accepted": accepted, "refused": rows - accepted},
        )  # fmt: skip
        gone = await self._files.advance(Advance(stored.id, Stage.DONE, rows, rows, (), now, (record,)))
        if gone:
            await self._keys.destroy(gone)

    async def _give_up(self, stored: StoredFile, stage: Stage) -> None:
        """The office is gone, or lost its adapter: what is left of the file is one refusal, told as a row."""
        if stage is Stage.REPORTS:
            await self._files.advance(Advance(stored.id, Stage.REST, 0, None))
            return  # the second pass tells it
        problem = Problem(
            "unsupported-media-type", "file", "the office's adapter no longer reads this file", "send it again"
        )
        row = stored.rows or stored.next_row
        outcome = RowOutcome(row, "file", None, _told((problem,)))
        await self._files.advance(Advance(stored.id, Stage.REST, row + 1, row + 1, (outcome,)))
        await self._finish(stored, row + 1)

    async def _chunk(
        self, stored: StoredFile, officer: str, is_report_only: bool, chunk: Sequence[tuple[int, DecodedRow]]
    ) -> tuple[RowOutcome, ...]:
        office = self._directories.current.offices.get(stored.office)
        if office is None:
            raise Unavailable("the directory is changing", retry_after=_RETRY)
        caller = Caller(office, officer, is_report_only=is_report_only or office.state is not OfficeState.ACTIVE)
        good = [(row, one.position, one.item) for row, one in chunk if isinstance(one.item, SubmittedNotice)]
        keyed = [(f"{stored.id}#{row}", item) for row, _, item in good]
        answers = await self._submit.rows(caller, keyed, AT_ONCE, self._let_pass)
        outcomes = [
            RowOutcome(row, position, None, _told(answer.problems))
            if isinstance(answer, RefusedItem)
            else RowOutcome(row, position, answer.notice or _notice_in(answer.body))
            for (row, position, _), answer in zip(good, answers, strict=True)
        ]
        outcomes += [
            RowOutcome(row, one.position, None, _told(one.item.problems))
            for row, one in chunk
            if isinstance(one.item, RefusedItem)
        ]
        return tuple(outcomes)

    async def _let_pass(self) -> None:
        """Wait until no single notice is being answered, though not for ever: a busy gateway works files off too."""
        waited = timedelta()
        while self._submit.in_flight and waited < PATIENCE:
            await self._pause(_LOOK)
            waited += _LOOK

    async def _opened(self, stored: StoredFile) -> tuple[bytes, str, bool]:
        """The bytes, the officer who sent them, and whether that was allowed for reports alone. Raises Tampered."""
        secret = self._keys.open(stored.key)
        if secret is None:
            raise Tampered(
                "the key of a bulk file is missing", remedy="restore the key store that belongs to this data"
            )
        parts = []
        for number in range(stored.pieces):
            piece = await self._files.piece(stored.id, number)
            if piece is None:
                raise Tampered("a piece of a bulk file is missing")
            parts.append(unseal(secret, piece, _place(stored.id, number)))
        header = orjson.loads(unseal(secret, stored.header, _place(stored.id, -1)))
        return unpack(b"".join(parts)).body, str(header["officer"]), bool(header.get("report_only"))

    def _rows_of(self, office: Office, media_type: str) -> RowAdapter:
        adapter = self._adapter_for(office.adapter, media_type, {})
        if not isinstance(adapter, RowAdapter):
            raise UnsupportedMediaType(
                "this office has no format of rows with this media type",
                remedy="send CSV, XLSX or JSON Lines of the office's own adapter",
            )
        return adapter


def _readable(adapter: RowAdapter, body: bytes, media_type: str, office: Office) -> None:
    """Raises Undecodable when the file breaks off before its first row that says anything."""
    first = list(islice(adapter.decode_rows(body, media_type, office), _SAMPLE_ROWS))
    if not first or (len(first) == 1 and isinstance(first[0].item, RefusedItem)):
        problems = first[0].item.problems if first and isinstance(first[0].item, RefusedItem) else ()
        raise Undecodable("the file holds no rows that can be read", problems=problems)


def _next(rows: Iterator[tuple[int, DecodedRow]]) -> list[tuple[int, DecodedRow]]:
    return list(islice(rows, CHUNK_ROWS))


def _belongs(one: DecodedRow, stage: Stage) -> bool:
    is_report = isinstance(one.item, SubmittedNotice) and one.item.type in REPORTS
    return is_report if stage is Stage.REPORTS else not is_report


def _notice_in(receipt: bytes) -> NoticeId:
    return NoticeId(orjson.loads(receipt)["notice"])


def _told(problems: Sequence[Problem]) -> bytes:
    return canonical_json([problem.told() for problem in problems])


def _place(file: str, number: int) -> bytes:
    return f"{file}|bulk|{number}".encode()


def _status(stored: StoredFile) -> dict[str, Any]:
    status: dict[str, Any] = {
        "file": stored.id,
        "state": "done" if stored.stage is Stage.DONE else "working",
        "stage": stored.stage.value,
        "received_at": stored.received_at.isoformat(timespec="milliseconds"),
        "bytes": stored.size,
        "at_row": stored.next_row,
        "accepted": stored.accepted,
        "refused": stored.refused,
        "receipt": orjson.loads(stored.receipt)["receipt"],
    }
    if stored.rows is not None:
        status["rows"] = stored.rows
    if stored.finished_at is not None:
        status["finished_at"] = stored.finished_at.isoformat(timespec="milliseconds")
    return status

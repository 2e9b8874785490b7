"""Who reads the log, what are they given, and how is that itself remembered?

Every reading, export and report is an event of the log, written before the answer
leaves: who read, which questions, how many rows; never whom they asked about in clear
(a person's slot says it to whoever may open that). If it cannot be logged, nothing is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from gateway.audit.findings import Wrong
from gateway.audit.opening import open_slot, read_opening
from gateway.audit.report import Report, as_csv, as_document
from gateway.model.audit import OFFICER, EventName, LogValue, Slot
from gateway.model.audit_events import EVENTS
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, NotFound, Unavailable
from gateway.model.identifiers import CaseId, EventId
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogQuery, LogStorage, StoredRecord
from gateway.ports.storage import NoticeStorage
from gateway.services.export_log import export_files, export_records
from gateway.services.guardian_may_know import GuardianMayKnow
from gateway.services.log_reports import Asked, LogReports
from gateway.services.log_walk import ROWS
from gateway.services.people import FoundPerson, People
from gateway.services.prove import Prover
from gateway.services.publish import Publisher
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import Teller
from gateway.services.verify_chain import VerifiedChain, verify_chain

MOST_ROWS = ROWS
FORMATS = ("json", "csv", "document", "bundle")
_WITH_EVIDENCE = ("document", "bundle")
# The same words for somebody in conflict, for somebody who is no guardian, and where there is nothing to tell (DOMAIN 5.6 K2).
NEUTRAL = (
    "您的请求已登记，将由主管部门依法审核后书面答复。本答复不表示存在或者不存在任何记录。"
    "Your request is on record; the competent agency will review it and answer in writing. This answer neither confirms "
    "nor denies that any record exists."
)
# A guardian's evidence opens what the guardian's report tells, and nothing else: the rest stays a commitment.
_GUARDIAN_ENVELOPE = frozenset(
    {"actor", "recipient", "fields", "purpose", "basis", "policy", "notice", "delivery", "attachment", "emergency"}
)
_GUARDIAN_PERSONAL = frozenset({"person", "roles", "age_band"})
_PERSON_NOTES = (
    "本报告列出截至上述日志条数，网关决定向各单位提供该名儿童个人信息的全部情况：何时、向谁、哪些字段、以何种形式、出于何种目的、依据何种法律。"
    "日志只记字段名称，不记内容。 Every disclosure decided up to the size named above: names of fields, never values.",
    "形式：原文；部分遮盖（只见一部分）；概化（只见大致范围）；假名（代号，不能认出本人）；转达句柄（经网关转达，不见联系方式）；仅提示存在。",
    "没有遗漏可以证明：附件中的记录首尾相连，从最近一条逐条回溯到第一条，缺一条即核验不过。 The attachment proves that none was left out.",
    "对处理有异议的，可以向主管部门申请查阅、复制、更正、补充或者删除（个人信息保护法第44条至第47条）。",
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: an office (`procuratorate.440113`) or `staff`, and the person acting."""

    actor: str
    officer: str = ""

    @property
    def is_staff(self) -> bool:
        return self.actor == "staff"


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer in one format, with its media type and a file name."""

    body: bytes
    media_type: str
    name: str


class LogDesk:
    def __init__(
        self,
        *,
        log: LogStorage,
        publisher: Publisher,
        prover: Prover,
        reports: LogReports,
        people: People,
        notices: NoticeStorage,
        guardian_may_know: GuardianMayKnow,
        staff: StaffDirectory,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._log, self._publisher, self._prover, self.reports = log, publisher, prover, reports
        self._people, self._notices, self._guardian_may_know = people, notices, guardian_may_know
        self._staff, self._teller, self._clock = staff, teller, clock

    async def search(
        self, query: LogQuery, before: int | None, limit: int, reader: Reader, *,
        case: str | None = None, officer: str | None = None, person: str | None = None,
    ) -> Sequence[StoredRecord]:  # fmt: skip
        """Newest first. A field that neither the catalogue nor any record knows is refused. `person` (KIND:NUMBER or id) takes a compliance officer; `officer` is `OFFICE/REFERENCE`;
        `case` the gateway's own case id. Raises RoleMissing, NotFound, InvalidDocument."""
        limit = max(1, min(limit, MOST_ROWS))
        slots: tuple[Slot, ...] = ()
        queries = [query]
        if person is not None:
            found_person = await self._person(person, reader)
            slots = self._slots(found_person)
            queries = [replace(query, subject=one.subject) for one in found_person.everybody]
        by_index: dict[int, StoredRecord] = {}
        for query in queries:
            if case is not None:
                page = await self._of_case(query, CaseId(case), before, limit)
            elif officer is not None:
                page = await self._of_officer(query, officer, before, limit)
            else:
                page = list(await self._log.search(query, before, limit))
            by_index |= {record.index: record for record in page}
        found = [by_index[index] for index in sorted(by_index, reverse=True)[:limit]]
        asked = {name: value for name, value in (("case", case), ("officer", officer), ("person", person)) if value}
        await self._told(EventName.LOG_READ, reader, [*_filters(query), *asked], len(found), "json", slots=slots)
        if not found and query.field is not None and not self.reports.knows_field(query.field):
            raise InvalidDocument(
                "no field has this id", remedy="the ids are those of the policy: hutong policy who-sees"
            )
        return found

    async def show(self, event: EventId, reader: Reader) -> StoredRecord:
        record = await self._log.record(event)
        if record is None:
            raise NotFound("no such event")
        await self._told(EventName.LOG_READ, reader, ["record"], 1, "json")
        return record

    async def proof(self, event: EventId, reader: Reader) -> bytes:
        """One entry's inclusion as a tlog-proof file."""
        raw = await self._prover.proof(event)
        await self._told(EventName.LOG_READ, reader, ["record"], 1, "proof")
        return raw

    async def bundle(self, events: Sequence[EventId], reader: Reader) -> bytes:
        """Records with envelopes opened and every slot closed, proved. Raises NotFound, Unavailable for what is not signed yet."""
        raw = await self._prover.bundle(events[:MOST_ROWS])
        await self._told(EventName.LOG_EXPORTED, reader, ["record"], min(len(events), MOST_ROWS), "bundle")
        return raw

    async def export(self, reader: Reader, trust: bytes) -> AsyncIterator[tuple[str, bytes]]:
        """Everything an offline verifier needs, as path and content: `trust.policy`, tiles, checkpoint, and
        `records.jsonl` in several pieces, envelopes open and every slot closed. Staff: compliance officers alone."""
        await self._may_name(reader)
        latest = self._publisher.latest
        if latest is None:
            raise Unavailable("no checkpoint was signed yet")
        await self._told(EventName.LOG_EXPORTED, reader, [], latest.checkpoint.size, "files")
        yield "trust.policy", trust
        async for path, data in export_files(self._publisher):
            yield path, data
        lines: list[bytes] = []
        async for line in export_records(self._log, 0, latest.checkpoint.size):
            lines.append(line if line.endswith(b"\n") else line + b"\n")
            if len(lines) >= MOST_ROWS:
                yield "records.jsonl", b"".join(lines)
                lines.clear()
        yield "records.jsonl", b"".join(lines)

    async def verify_person(self, person: str, reader: Reader) -> Sequence[VerifiedChain]:
        """Whether the whole log, tried with the person's key, holds what the index of the chain says; one for each person who is the same."""
        found = await self._person(person, reader)
        chains = [await verify_chain(self._log, one.subject, one.log_secret) for one in found.everybody]
        rows = sum(chain.records for chain in chains)
        await self._told(EventName.LOG_READ, reader, ["person"], rows, "json", slots=self._slots(found))
        return chains

    async def consistency(self, old: int, new: int, reader: Reader) -> list[bytes]:
        latest = self._publisher.latest
        if latest is None or not 0 <= old <= new <= latest.checkpoint.size:
            raise InvalidDocument("sizes are of signed trees, the older first")
        return await self._publisher.tree.consistency(old, new)

    async def report(
        self, name: str, asked: Asked, format_: str, reader: Reader, *, person: str | None = None
    ) -> Rendered:
        """One of the named reports. What is about a person takes a compliance officer."""
        _known(format_)
        slots: tuple[Slot, ...] = ()
        if person is not None:
            found = await self._person(person, reader)
            asked = replace(asked, person=found)
            slots = self._slots(found)
        made = await self.reports(name, asked)
        await self._told(EventName.LOG_REPORT_MADE, reader, [], len(made.rows), format_, report=name, slots=slots)
        bundle, proved = await self._proofs(made.events) if format_ in _WITH_EVIDENCE else (None, 0)
        notes = () if proved == len(set(made.events)) else (
            f"附件证明其中 {proved} 条记录，其余尚待签名 the evidence proves {proved} records; the others wait to be signed",
        )  # fmt: skip
        return await self._render(made, format_, reader, bundle, notes=notes)

    async def person_report(
        self, person: str, format_: str, reader: Reader, *, for_guardian: str | None = None
    ) -> Rendered:
        """Who received what about one child, complete and provable, in words a guardian or a court can read.

        `for_guardian` (KIND:NUMBER) checks who it is for: whoever is in conflict, may be, or is no guardian of
        this child, and anybody asking about a child of whom there is nothing, get the same neutral words.
        """
        _known(format_)
        await self._may_name(reader)
        try:
            child: FoundPerson | None = await self._people.named(person)
        except NotFound:
            if for_guardian is None:
                raise
            child = None
        slots = () if child is None else self._slots(child)
        is_open = child is not None and (for_guardian is None or await self._guardian_may_know(child, for_guardian))
        if child is None or not is_open:
            await self._told(EventName.LOG_REPORT_MADE, reader, ["guardian"], 0, format_, report="person", slots=slots)
            return _neutral(format_)
        made = await self.reports("who-saw", Asked(person=child))
        named = Report(
            "person", "儿童个人信息提供情况报告", "who received a child's data", made.columns, made.rows, made.holds, made.verdict,
            made.made_at, made.origin, made.size, None, made.events,
        )  # fmt: skip
        complete = await self._complete(child, for_guardian) if format_ in _WITH_EVIDENCE else None
        filters = ["guardian"] if for_guardian else []
        await self._told(
            EventName.LOG_REPORT_MADE, reader, filters, len(made.rows), format_, report="person", slots=slots
        )
        return await self._render(named, format_, reader, complete, check="report", notes=_PERSON_NOTES)

    async def _complete(self, child: FoundPerson, for_guardian: str | None) -> bytes:
        persons = [(one.subject, one.log_secret) for one in child.everybody]
        if for_guardian is None:
            return await self._prover.report_of_one_person(persons)
        return await self._prover.report_of_one_person(
            persons, envelope=_GUARDIAN_ENVELOPE.__contains__, personal=_GUARDIAN_PERSONAL.__contains__
        )

    def _slots(self, person: FoundPerson) -> tuple[Slot, ...]:
        return tuple(self._teller.person_slot(one.person, one.log_secret) for one in person.everybody)

    async def _of_case(self, query: LogQuery, case: CaseId, before: int | None, limit: int) -> list[StoredRecord]:
        found: dict[int, StoredRecord] = {}
        for summary in await self._notices.summarise(case):
            page = await self._log.search(replace(query, notice=summary.id), before, limit)
            found |= {record.index: record for record in page}
        return [found[index] for index in sorted(found, reverse=True)[:limit]]

    async def _of_officer(self, query: LogQuery, officer: str, before: int | None, limit: int) -> list[StoredRecord]:
        """Records whose officer's slot opens with this officer's secret; the index itself knows no officers."""
        office, slash, reference = officer.partition("/")
        if not slash:
            raise InvalidDocument("an officer is OFFICE/REFERENCE", remedy="for staff: staff/NAME")
        secret = self._teller.officer_secret(office, reference)
        found: list[StoredRecord] = []
        while len(found) < limit:
            page = await self._log.search(replace(query, office=office), before, MOST_ROWS)
            found += await asyncio.to_thread(_all_by, page, secret)
            if len(page) < MOST_ROWS:
                break
            before = page[-1].index
        return found[:limit]

    async def _person(self, text: str, reader: Reader) -> FoundPerson:
        await self._may_name(reader)
        return await self._people.named(text)

    async def _may_name(self, reader: Reader) -> None:
        """Asking about a named child takes a compliance officer; an office was admitted as one before it came here."""
        if reader.is_staff:
            await require(self._staff, reader.officer, Role.COMPLIANCE_OFFICER)

    async def _proofs(self, events: Sequence[str]) -> tuple[bytes | None, int]:
        """A bundle of the records of a report that are signed already, and how many these are; of a report without rows
        the signed checkpoint. None where nothing was ever signed."""
        latest = self._publisher.latest
        if latest is None:
            return None, 0
        signed = set()
        for event in events:
            record = await self._log.record(EventId(event))
            if record is not None and record.index < latest.checkpoint.size:
                signed.add(record.event)
        return await self._prover.bundle(sorted(signed)), len(signed)

    async def _render(
        self, made: Report, format_: str, reader: Reader, bundle: bytes | None, *, check: str = "bundle",
        notes: Sequence[str] = (),
    ) -> Rendered:  # fmt: skip
        if format_ == "json":
            return Rendered(canonical_json(made.as_json()), "application/json", f"{made.name}.json")
        if format_ == "csv":
            return Rendered(as_csv(made).encode(), "text/csv; charset=utf-8", f"{made.name}.csv")
        if format_ == "bundle":
            if bundle is None:
                raise Unavailable("no checkpoint was signed yet")
            return Rendered(bundle, "application/json", f"{made.name}-evidence.json")
        document = as_document(made, asked_by=reader.actor, bundle=bundle, check=check, notes=notes)
        return Rendered(document.encode(), "text/html; charset=utf-8", f"{made.name}.html")

    async def _told(
        self, event: EventName, reader: Reader, filters: Sequence[str], rows: int, format_: str, *,
        report: str | None = None, slots: Sequence[Slot] = (),
    ) -> None:  # fmt: skip
        latest = self._publisher.latest
        values: dict[str, LogValue | None] = {
            "filters": tuple(sorted(set(filters))),
            "rows": rows,
            "format": format_,
            "report": report,
            "tree_size": None if latest is None else latest.checkpoint.size,
        }
        record = self._teller.event(
            event, self._clock.now(), values, actor=reader.actor, officer=reader.officer, persons=slots
        )
        await self._log.append([record])


def record_document(record: StoredRecord) -> dict[str, Any]:
    """One record as a reader sees it: the envelope, every slot closed."""
    return {
        "index": record.index,
        "event_id": record.event,
        "event": record.name,
        "title": EVENTS[EventName(record.name)].zh,
        "at": record.at.isoformat(),
        "envelope": dict(read_opening(record.opening).fields),
    }


def _all_by(page: Sequence[StoredRecord], secret: bytes) -> list[StoredRecord]:
    return [record for record in page if _is_by(record, secret)]


def _is_by(record: StoredRecord, secret: bytes) -> bool:
    opening = read_opening(record.opening)
    if not opening.slots or opening.slots[0].kind != OFFICER:
        return False
    try:
        open_slot(opening, 1, secret)
    except Wrong:
        return False
    return True


def _filters(query: LogQuery) -> list[str]:
    """What was asked about, by name. The keyed digests stand for a case, an officer or a person, which the caller names."""
    given = (one.name for one in fields(query) if one.name not in ("subject", "case", "person"))
    return [name for name in given if getattr(query, name) not in (None, False)]


def _known(format_: str) -> None:
    if format_ not in FORMATS:
        raise InvalidDocument("there is no such format", remedy=f"one of: {', '.join(FORMATS)}")


def _neutral(format_: str) -> Rendered:
    """The same bytes for everybody who gets nothing."""
    if format_ == "json" or format_ == "bundle":
        return Rendered(canonical_json({"answer": NEUTRAL}), "application/json", "answer.json")
    if format_ == "csv":
        return Rendered(NEUTRAL.encode(), "text/csv; charset=utf-8", "answer.csv")
    page = f'<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>答复</title></head><body><p>{NEUTRAL}</p></body></html>\n'
    return Rendered(page.encode(), "text/html; charset=utf-8", "answer.html")

"""What do compliance officers ask again and again, and what does the log answer? (DOMAIN 8.4)

Each report is one function over the log's search index; what it counts is what the
log says, so each row can be proved. Rows come newest first, at most `ROWS`, and a report that was cut says how to go
on. What a report does not look at is refused: an answer to another question than was asked reads as "it never happened".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from gateway.audit.findings import Wrong
from gateway.audit.opening import Opening, OpenSlot, open_slot, read_opening
from gateway.audit.report import Cell, Column, Report
from gateway.model.agency import Office
from gateway.model.audit import PERSON, EventName
from gateway.model.audit_events import EVENTS
from gateway.model.errors import InvalidDocument, NotFound, Problem, Tampered
from gateway.model.fields import REPORTER, FieldSpec
from gateway.model.identifiers import FieldId, NoticeId, OfficeId
from gateway.policy.vocabulary import Vocabulary
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogQuery, LogStorage, StoredRecord
from gateway.ports.storage import NoticeStorage
from gateway.services.facts import CHINA
from gateway.services.keep import Keeper
from gateway.services.log_completeness import completeness_of
from gateway.services.log_walk import LogWalk, Opened
from gateway.services.people import FoundPerson
from gateway.services.prove import records_of
from gateway.services.publish import Publisher
from gateway.services.report_words import FORMS_ZH, ReportWords, forms, text

EVERYTHING = 1 << 62
HARMLESS = frozenset({"relay", "presence"})  # a handle the gateway forwards through, or "there is one": no identity
UNDER_14 = frozenset({"unborn", "0-7", "8-13"})
SEALED_BASES = ("L50", "L54")
CONSENT = "consent"  # a legal basis of this kind is consent
SEEN = frozenset({EventName.DISCLOSURE_DECIDED, EventName.ATTACHMENT_RELEASED})
FOLLOWED = tuple(
    EventName(name)
    for name in (
        "delivery_sent", "delivery_acknowledged", "delivery_read", "delivery_accepted", "delivery_declined",
        "delivery_acted_on", "usage_receipt_recorded", "disposal_confirmed",
    )
)  # fmt: skip

AT = Column("at", "时间", "time")
EVENT = Column("event", "事件", "event")
RECIPIENT = Column("recipient", "接收单位", "recipient")
FIELDS = Column("fields", "字段与形式", "fields and forms")
PURPOSE = Column("purpose", "目的", "purpose")
BASIS = Column("basis", "依据", "basis")
POLICY = Column("policy", "规则版本", "policy")
DELIVERY = Column("delivery", "投递", "delivery")
NOTICE = Column("notice", "通报", "notice")
FOLLOWS = Column("followed_by", "其后", "followed by")
RECORD = Column("record", "记录", "record")
USUAL = (AT, RECIPIENT, FIELDS, PURPOSE, BASIS, POLICY, NOTICE, RECORD)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked about."""

    person: FoundPerson | None = None
    notice: str | None = None
    office: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Columns and rows of an answer, before it is dressed as a report."""

    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Cell]]
    holds: bool
    verdict: str
    events: Sequence[str]
    before: int | None = None


Answering = Callable[[Asked], Awaitable[Found]]


@dataclass(frozen=True, slots=True)
class Question:
    """A report by name: its titles, what makes it, and which conditions it looks at."""

    zh: str
    en: str
    answer: Answering
    takes: frozenset[str]


_TIME = frozenset({"since", "until", "before"})
_OFFICE = _TIME | {"office"}


class LogReports:
    def __init__(
        self,
        *,
        log: LogStorage,
        publisher: Publisher,
        notices: NoticeStorage,
        keeper: Keeper,
        fields: Mapping[FieldId, FieldSpec],
        offices: Callable[[], Mapping[OfficeId, Office]],
        vocabulary: Callable[[], Vocabulary],
        clock: Clock,
    ) -> None:
        self._log, self._publisher, self._notices, self._keeper = log, publisher, notices, keeper
        self._fields, self._offices, self._vocabulary, self._clock = fields, offices, vocabulary, clock
        self._walk = LogWalk(log)
        self._words = ReportWords(fields, offices, vocabulary)
        self._reports: dict[str, Question] = {
            "who-saw": Question(
                "谁看过这名儿童的信息", "who saw this child's data", self._who_saw, frozenset({"person", "since", "until"})
            ),
            "reporter-exposure": Question(
                "报告人身份是否曾被披露", "was the reporter ever exposed", self._reporter_exposure, _TIME | {"notice"}
            ),
            "after-contract-end": Question(
                "委托合同终止后的披露", "disclosures after the end of a contract", self._after_contract, _OFFICE
            ),
            "emergency": Question("紧急破例扩大的披露", "what emergencies widened", self._emergency, _OFFICE),
            "consent-only-under-14": Question(
                "仅凭同意披露的不满十四周岁儿童信息", "children under 14 with consent as the only basis", self._consent_only, _OFFICE
            ),
            "sealed-exceptions": Question("封存例外的使用", "uses of sealed exceptions", self._sealed, _OFFICE),
            "disposal-unconfirmed": Question("尚未确认处置", "disposal not confirmed", self._disposal, _OFFICE),
            "late-reports": Question("迟报的强制报告", "late mandatory reports", self._late, _OFFICE),
            "completeness": Question("日志完整性", "completeness of the log", self._completeness, frozenset()),
        }  # fmt: skip

    def knows_field(self, field: str) -> bool:
        return FieldId(field) in self._fields

    @property
    def names(self) -> Mapping[str, tuple[str, str]]:
        return {name: (one.zh, one.en) for name, one in self._reports.items()}

    async def __call__(self, name: str, asked: Asked) -> Report:
        """Raises InvalidDocument for a name that is none, without the person where one is needed, and for a condition
        that this report does not look at; NotFound for an office or a notice of which there is nothing."""
        if name not in self._reports:
            raise InvalidDocument("there is no such report", remedy=f"one of: {', '.join(self._reports)}")
        question = self._reports[name]
        await self._check(name, question, asked)
        await self._log.index(EVERYTHING)
        found = await question.answer(asked)
        latest = self._publisher.latest
        more = "" if found.before is None else f"；未完，更早的见续页 cut at {len(found.rows)}, earlier ones follow"
        return Report(
            name, question.zh, question.en, found.columns, tuple(found.rows), found.holds, found.verdict + more, self._clock.now(),
            self._publisher.origin, 0 if latest is None else latest.checkpoint.size, found.before, tuple(found.events),
        )  # fmt: skip

    async def _check(self, name: str, question: Question, asked: Asked) -> None:
        given = {one for one in (*_OFFICE, "notice", "person") if getattr(asked, one) is not None}
        if other := sorted(given - question.takes):
            problems = tuple(
                Problem("invalid-parameter", f"/{one}", "this report does not look at it") for one in other
            )
            takes = ", ".join(sorted(question.takes)) or "nothing"
            raise InvalidDocument(f"`{name}` is not asked about this", remedy=f"it takes: {takes}", problems=problems)
        if asked.office is not None and asked.office not in self._offices() and not await self._any(LogQuery(office=asked.office)):  # fmt: skip
            raise NotFound("no office of this name is in the directory or in the log", remedy="hutong office list")
        if asked.notice is not None and not await self._any(LogQuery(notice=asked.notice)):
            raise NotFound("no notice of this number is in the log")

    async def _any(self, query: LogQuery) -> bool:
        return bool(await self._log.search(query, None, 1))

    async def of_person(self, person: FoundPerson) -> list[tuple[StoredRecord, Opening, OpenSlot]]:
        """Every record about a person and whoever is the same one, oldest first, each once, opened with the secret of one
        of them."""
        found: dict[int, tuple[StoredRecord, Opening, OpenSlot]] = {}
        for one in person.everybody:
            for record in await records_of(self._log, await self._log.places_of(one.subject)):
                if record.index in found:
                    continue
                opening = read_opening(record.opening)
                slot = _opened(opening, [one.log_secret])
                if slot is None:
                    raise Tampered(f"no slot of leaf {record.index} opens with the person's secret")
                found[record.index] = record, opening, slot
        return [found[place] for place in sorted(found)]

    async def _who_saw(self, asked: Asked) -> Found:
        if asked.person is None:
            raise InvalidDocument("this report is about a person", remedy="--person KIND:NUMBER, in a body `person`")
        seen = [
            (record, opening)
            for record, opening, _ in await self.of_person(asked.person)
            if record.name in SEEN and _within(record, asked)
        ]
        rows: list[Mapping[str, Cell]] = []
        told = await self._log.told_of([str(opening.fields["delivery"]) for _, opening in seen])
        for (record, opening), events in zip(seen, told, strict=True):
            followed = "、".join(EVENTS[event].zh for event in FOLLOWED if event in events)
            delivery = text(opening.fields["delivery"])
            rows.append({**self._words.usual(record, opening), "delivery": delivery, "followed_by": followed})
        offices = sorted({str(row["recipient"]) for row in rows})
        verdict = (
            f"共 {len(rows)} 次披露决定，涉及 {len(offices)} 个单位 {len(rows)} disclosures to {len(offices)} offices"
        )
        return Found((AT, EVENT, *USUAL[1:], DELIVERY, FOLLOWS), rows, True, verdict, _events(seen))

    async def _reporter_exposure(self, asked: Asked) -> Found:
        secret = {one.id for one in self._fields.values() if one.compartment == REPORTER or one.role == "reporter"}

        def exposed(opening: Opening) -> list[tuple[str, str]]:
            return [(name, form) for name, form in forms(opening) if name in secret and form not in HARMLESS]

        queries = [LogQuery(field=name, notice=asked.notice) for name in sorted(secret)]
        page, before = await self._walk.page(queries, asked, lambda opening: bool(exposed(opening)))
        rows: list[Mapping[str, Cell]] = [
            {**self._words.usual(record, opening), "field": name, "form": FORMS_ZH.get(form, form)}
            for record, opening in page
            for name, form in exposed(opening)
        ]
        verdict = (
            "未发现报告人身份以任何形式披露 never exposed in any form"
            if not rows
            else f"{len(rows)} 处披露了报告人字段，须逐条核查 {len(rows)} disclosures show reporter fields"
        )
        columns = (*USUAL, Column("field", "字段", "field"), Column("form", "形式", "form"))
        return Found(columns, rows, not rows, verdict, _events(page), before)

    async def _after_contract(self, asked: Asked) -> Found:
        ends: dict[str, str] = {}
        queries = []
        for office in self._offices().values():
            until = office.attributes.get("contract_until")
            if until is None or asked.office not in (None, office.id):
                continue
            # the contract's last day is over when the next one begins, by China's clock
            over = datetime.combine(date.fromisoformat(until) + timedelta(days=1), time(), CHINA)
            since = over if asked.since is None else max(over, asked.since)
            ends[office.id] = until
            queries.append(LogQuery(event=EventName.DISCLOSURE_DECIDED, office=office.id, since=since))
        if asked.office is not None and not ends:
            raise NotFound("this office has no contract whose end is on record", remedy="hutong office show")
        page, before = await self._walk.page(queries, asked, lambda opening: opening.fields.get("recipient") in ends)
        rows: list[Mapping[str, Cell]] = [
            {**self._words.usual(record, opening), "contract_until": ends[opening.fields["recipient"]]}
            for record, opening in page
        ]
        verdict = (
            f"合同终止后没有披露（{len(ends)} 家） none after a contract's end ({len(ends)} contractors)"
            if not rows
            else f"{len(rows)} 次披露在合同终止之后 {len(rows)} after the end"
        )
        columns = (*USUAL, Column("contract_until", "合同至", "contract until"))
        return Found(columns, rows, not rows, verdict, _events(page), before)

    async def _emergency(self, asked: Asked) -> Found:
        page, before = await self._walk.page([LogQuery(is_emergency=True, office=asked.office)], asked)
        reviews = self._walk.all(LogQuery(event=EventName.EMERGENCY_ACCESS_REVIEWED), None)
        reviewed = {read_opening(record.opening).fields["emergency"] async for record in reviews}
        rows: list[Mapping[str, Cell]] = [
            {
                **self._words.usual(record, opening),
                "emergency": text(opening.fields["emergency"]),
                "reason_code": text(opening.fields.get("reason_code")),
                "outcome": text(opening.fields.get("outcome")),
                "reviewed": opening.fields["emergency"] in reviewed,
            }
            for record, opening in page
        ]
        granted = {
            opening.fields["emergency"] for record, opening in page if record.name == EventName.EMERGENCY_ACCESS_GRANTED
        }
        done = len(granted & reviewed)
        verdict = f"准许 {len(granted)} 次，已复核 {done} 次 {len(granted)} granted, {done} reviewed"
        columns = (
            AT, EVENT, Column("emergency", "破例", "emergency"), Column("reason_code", "理由", "reason"),
            Column("outcome", "结果", "outcome"), Column("reviewed", "已复核", "reviewed"), *USUAL[1:],
        )  # fmt: skip
        return Found(columns, rows, granted <= reviewed, verdict, _events(page), before)

    async def _consent_only(self, asked: Asked) -> Found:
        bases = self._vocabulary().legal_bases.values()
        consent = frozenset(one.code for one in bases if one.kind == CONSENT)
        queries = [
            LogQuery(event=EventName.DISCLOSURE_DECIDED, basis=basis, office=asked.office) for basis in sorted(consent)
        ]
        page, before = await self._walk.page(
            queries, asked, lambda opening: set(opening.fields.get("basis", ())) <= consent
        )
        rows: list[Mapping[str, Cell]] = []
        shown = []
        for record, opening in page:
            bands = await self._bands(opening)
            if bands is None or bands & UNDER_14:
                age = "已删除 erased" if bands is None else "、".join(sorted(bands & UNDER_14))
                rows.append({**self._words.usual(record, opening), "age_band": age})
                shown.append((record, opening))
        verdict = f"{len(rows)} 次披露仅以同意为依据 {len(rows)} disclosures rest on consent alone"
        columns = (*USUAL, Column("age_band", "年龄段", "age band"))
        return Found(columns, rows, True, verdict, _events(shown), before)

    async def _bands(self, opening: Opening) -> frozenset[str] | None:
        """The age bands of the minors of a record; None when nobody's slot opens any more."""
        stored = await self._notices.load(NoticeId(str(opening.fields.get("notice"))))
        if stored is None:
            return None
        secrets = [one.log_secret for one in self._keeper.open(stored).persons.values()]
        slots = [slot for secret in secrets if (slot := _opened(opening, [secret])) is not None]
        if not slots:
            return None
        return frozenset(str(one.values.get("age_band")) for one in slots if "minor" in one.values.get("roles", ()))

    async def _sealed(self, asked: Asked) -> Found:
        page, before = await self._walk.page(
            [LogQuery(basis=basis, office=asked.office) for basis in SEALED_BASES], asked
        )
        rows = [self._words.usual(record, opening) for record, opening in page]
        counted = 0
        asking = LogQuery(event=EventName.SEALED_QUESTION_COUNTED, office=asked.office)
        async for record in self._walk.all(replace(asking, since=asked.since, until=asked.until), None):
            counted += int(read_opening(record.opening).fields["count"])
        verdict = (
            f"使用例外 {len(rows)} 次；可由封存记录回答的提问 {counted} 次（不论有无记录） "
            f"{len(rows)} uses; {counted} questions a sealed record could answer, whether or not one exists"
        )
        return Found((AT, EVENT, *USUAL[1:]), rows, not rows, verdict, _events(page), before)

    async def _disposal(self, asked: Asked) -> Found:
        page, before = await self._walk.page([LogQuery(awaits_disposal=True, office=asked.office)], asked)
        newest = {str(opening.fields["delivery"]): (record, opening) for record, opening in reversed(page)}
        rows: list[Mapping[str, Cell]] = []
        told = await self._log.told_of([*reversed(newest)])
        for (delivery, (record, opening)), events in zip(reversed(newest.items()), told, strict=True):
            missed = EventName.DISPOSAL_MISSED in events
            rows.append({**self._words.usual(record, opening), "delivery": delivery, "overdue": missed})
        overdue = sum(bool(row["overdue"]) for row in rows)
        verdict = f"{len(rows)} 件未确认处置，其中逾期 {overdue} 件 {len(rows)} not confirmed, {overdue} overdue"
        columns = (*USUAL, DELIVERY, Column("overdue", "逾期", "overdue"))
        return Found(columns, rows, not overdue, verdict, _events(reversed(newest.values())), before)

    async def _late(self, asked: Asked) -> Found:
        queries = [
            LogQuery(flag="late-report", office=asked.office),
            LogQuery(event=EventName.DEADLINE_MISSED, office=asked.office),
        ]
        page, before = await self._walk.page(queries, asked)
        rows: list[Mapping[str, Cell]] = [
            {
                **self._words.usual(record, opening),
                "sender": text(opening.fields.get("office", opening.fields.get("actor"))),
                "clock": text(opening.fields.get("clock", "C01")),
            }
            for record, opening in page
        ]
        verdict = "没有迟报 none late" if not rows else f"{len(rows)} 件迟报或逾期 {len(rows)} late"
        columns = (AT, EVENT, Column("sender", "单位", "office"), Column("clock", "时限", "clock"), NOTICE, RECORD)
        return Found(columns, rows, not rows, verdict, _events(page), before)

    async def _completeness(self, asked: Asked) -> Found:
        found = await completeness_of(self._log, self._publisher, self._clock)
        entered = [record async for record in self._walk.all(LogQuery(event=EventName.HOLD_ENTERED), None)]
        checks = [*found.checks, ("历史冻结次数 holds on record", True, str(len(entered)))]
        rows: list[Mapping[str, Cell]] = [
            {"check": check, "holds": holds, "detail": detail} for check, holds, detail in checks
        ]
        verdict = "日志完整 complete" if found.is_shown else "日志完整性存疑 NOT shown to be complete"
        columns = (
            Column("check", "检查", "check"), Column("holds", "成立", "holds"), Column("detail", "数值", "detail"),
        )  # fmt: skip
        return Found(columns, rows, found.is_shown, verdict, [record.event for record in entered])


def _events(found: Iterable[Opened]) -> list[str]:
    return [record.event for record, _ in found]


def _opened(opening: Opening, secrets: Iterable[bytes]) -> OpenSlot | None:
    for number, slot in enumerate(opening.slots, 1):
        if slot.kind != PERSON:
            continue
        for secret in secrets:
            try:
                return open_slot(opening, number, secret)
            except Wrong:
                continue
    return None


def _within(record: StoredRecord, asked: Asked) -> bool:
    return (asked.since is None or record.at >= asked.since) and (asked.until is None or record.at < asked.until)

"""What do compliance officers ask again and again, and what does the log answer? (DOMAIN 8.4)

Each report is one function over the log's search index; what it counts is what the
log says, so each row can be proved. Reports are cut at `ROWS` and say how to go on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from gateway.audit.findings import Wrong
from gateway.audit.opening import Opening, OpenSlot, open_slot, read_opening
from gateway.audit.report import Cell, Column, Report
from gateway.model.agency import Office
from gateway.model.audit import PERSON, EventName
from gateway.model.audit_events import EVENTS
from gateway.model.errors import InvalidDocument, Tampered
from gateway.model.fields import REPORTER, FieldSpec
from gateway.model.identifiers import FieldId, NoticeId, OfficeId
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogQuery, LogStorage, StoredRecord
from gateway.ports.storage import NoticeStorage
from gateway.services.facts import CHINA
from gateway.services.keep import Keeper
from gateway.services.people import FoundPerson
from gateway.services.publish import Publisher
from gateway.services.verify_log import verify_tree

ROWS = 1000
EVERYTHING = 1 << 62
PAGE = 500
HARMLESS = frozenset({"relay", "presence"})  # a handle the gateway forwards through, or "there is one": no identity
UNDER_14 = frozenset({"unborn", "0-7", "8-13"})
SEALED_BASES = ("L50", "L54")
FORMS_ZH = {
    "presence": "仅提示存在", "pseudonym": "假名", "generalise": "概化", "mask": "部分遮盖", "relay": "转达句柄", "summary": "摘要",
    "clear": "原文",
}  # fmt: skip
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
    """What a report is asked about; what does not concern it is ignored."""

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


class LogReports:
    """`title` names an office, `consent_bases` are the legal bases that are consent, under the policy in force."""

    def __init__(
        self,
        *,
        log: LogStorage,
        publisher: Publisher,
        notices: NoticeStorage,
        keeper: Keeper,
        fields: Mapping[FieldId, FieldSpec],
        offices: Callable[[], Mapping[OfficeId, Office]],
        consent_bases: Callable[[], frozenset[str]],
        clock: Clock,
    ) -> None:
        self._log, self._publisher, self._notices, self._keeper = log, publisher, notices, keeper
        self._fields, self._offices, self._consent_bases, self._clock = fields, offices, consent_bases, clock
        self._reports: dict[str, tuple[str, str, Answering]] = {
            "who-saw": ("谁看过这名儿童的信息", "who saw this child's data", self._who_saw),
            "reporter-exposure": ("报告人身份是否曾被披露", "was the reporter ever exposed", self._reporter_exposure),
            "after-contract-end": ("委托合同终止后的披露", "disclosures after the end of a contract", self._after_contract),
            "emergency": ("紧急破例扩大的披露", "what emergencies widened", self._emergency),
            "consent-only-under-14": (
                "仅凭同意披露的不满十四周岁儿童信息", "children under 14 with consent as the only basis", self._consent_only,
            ),
            "sealed-exceptions": ("封存例外的使用", "uses of sealed exceptions", self._sealed),
            "disposal-unconfirmed": ("尚未确认处置", "disposal not confirmed", self._disposal),
            "late-reports": ("迟报的强制报告", "late mandatory reports", self._late),
            "completeness": ("日志完整性", "completeness of the log", self._completeness),
        }  # fmt: skip

    def knows_field(self, field: str) -> bool:
        return FieldId(field) in self._fields

    @property
    def names(self) -> Mapping[str, tuple[str, str]]:
        return {name: (zh, en) for name, (zh, en, _) in self._reports.items()}

    async def __call__(self, name: str, asked: Asked) -> Report:
        """Raises InvalidDocument for a name that is none, or without the person where one is needed."""
        if name not in self._reports:
            raise InvalidDocument("there is no such report", remedy=f"one of: {', '.join(self._reports)}")
        zh, en, answer = self._reports[name]
        await self._log.index(EVERYTHING)
        found = await answer(asked)
        latest = self._publisher.latest
        return Report(
            name, zh, en, found.columns, tuple(found.rows), found.holds, found.verdict, self._clock.now(),
            self._publisher.origin, 0 if latest is None else latest.checkpoint.size, found.before, tuple(found.events),
        )  # fmt: skip

    async def of_person(self, person: FoundPerson) -> list[tuple[StoredRecord, Opening, OpenSlot]]:
        """Every record about a person and whoever is the same one, oldest first, each once, opened with the secret of one
        of them."""
        found: dict[int, tuple[StoredRecord, Opening, OpenSlot]] = {}
        for one in person.everybody:
            for place in await self._log.places_of(one.subject):
                if place in found:
                    continue
                record = await self._log.record_at(place)
                if record is None:
                    raise Tampered(f"the record of leaf {place} is missing")
                opening = read_opening(record.opening)
                slot = _opened(opening, [one.log_secret])
                if slot is None:
                    raise Tampered(f"no slot of leaf {place} opens with the person's secret")
                found[place] = record, opening, slot
        return [found[place] for place in sorted(found)]

    async def _who_saw(self, asked: Asked) -> Found:
        if asked.person is None:
            raise InvalidDocument("this report is about a person", remedy="name one")
        rows, events = [], []
        for record, opening, _ in await self.of_person(asked.person):
            if record.name != EventName.DISCLOSURE_DECIDED or not _within(record, asked):
                continue
            delivery = str(opening.fields["delivery"])
            followed = [EVENTS[event].zh for event in FOLLOWED if await self._log.has_followed(event, delivery)]
            rows.append({**self._usual(record, opening), "delivery": delivery, "followed_by": "、".join(followed)})
            events.append(record.event)
        offices = sorted({str(row["recipient"]) for row in rows})
        verdict = (
            f"共 {len(rows)} 次披露决定，涉及 {len(offices)} 个单位 {len(rows)} disclosures to {len(offices)} offices"
        )
        return Found((*USUAL, DELIVERY, FOLLOWS), rows, True, verdict, events)

    async def _reporter_exposure(self, asked: Asked) -> Found:
        secret = [one.id for one in self._fields.values() if one.compartment == REPORTER or one.role == "reporter"]
        rows, events, last = [], [], None
        for name in secret:
            async for record, opening in self._records(LogQuery(field=name, notice=asked.notice), asked):
                shown = dict(_forms(opening))[name]
                if shown in HARMLESS:
                    continue
                rows.append({**self._usual(record, opening), "field": name, "form": FORMS_ZH.get(shown, shown)})
                events.append(record.event)
                last = record.index
        verdict = (
            "未发现报告人身份以任何形式披露 never exposed in any form"
            if not rows
            else f"{len(rows)} 处披露了报告人字段，须逐条核查 {len(rows)} disclosures show reporter fields"
        )
        columns = (*USUAL, Column("field", "字段", "field"), Column("form", "形式", "form"))
        return Found(columns, rows, not rows, verdict, events, last if len(rows) >= ROWS else None)

    async def _after_contract(self, asked: Asked) -> Found:
        rows: list[dict[str, Cell]] = []
        events: list[str] = []
        for office in self._offices().values():
            until = office.attributes.get("contract_until")
            if until is None or asked.office not in (None, office.id):
                continue
            # the contract's last day is over when the next one begins, by China's clock
            over = datetime.combine(date.fromisoformat(until) + timedelta(days=1), time(), CHINA)
            query = LogQuery(event=EventName.DISCLOSURE_DECIDED, office=office.id)
            since = over if asked.since is None else max(over, asked.since)
            async for record, opening in self._records(query, replace(asked, since=since)):
                if opening.fields.get("recipient") == office.id:
                    rows.append({**self._usual(record, opening), "contract_until": until})
                    events.append(record.event)
        verdict = (
            "合同终止后没有披露 none after a contract's end"
            if not rows
            else f"{len(rows)} 次披露在合同终止之后 after the end"
        )
        return Found((*USUAL, Column("contract_until", "合同至", "contract until")), rows, not rows, verdict, events)

    async def _emergency(self, asked: Asked) -> Found:
        rows, events, before = [], [], None
        async for record, opening in self._records(LogQuery(is_emergency=True, office=asked.office), asked):
            rows.append(
                {
                    **self._usual(record, opening),
                    "event": EVENTS[EventName(record.name)].zh,
                    "emergency": str(opening.fields["emergency"]),
                    "reason_code": _text(opening.fields.get("reason_code")),
                    "outcome": _text(opening.fields.get("outcome")),
                }
            )
            events.append(record.event)
            before = record.index
        reviewed = {row["emergency"] for row in rows if row["event"] == EVENTS[EventName.EMERGENCY_ACCESS_REVIEWED].zh}
        granted = {row["emergency"] for row in rows if row["event"] == EVENTS[EventName.EMERGENCY_ACCESS_GRANTED].zh}
        verdict = f"准许 {len(granted)} 次，已复核 {len(granted & reviewed)} 次 {len(granted)} granted, {len(granted & reviewed)} reviewed"
        columns = (
            AT, EVENT, Column("emergency", "破例", "emergency"), Column("reason_code", "理由", "reason"),
            Column("outcome", "结果", "outcome"), *USUAL[1:],
        )  # fmt: skip
        return Found(columns, rows, granted <= reviewed, verdict, events, before if len(rows) >= ROWS else None)

    async def _consent_only(self, asked: Asked) -> Found:
        consent = self._consent_bases()
        found: dict[int, tuple[StoredRecord, Opening]] = {}
        for basis in sorted(consent):
            query = LogQuery(event=EventName.DISCLOSURE_DECIDED, basis=basis, office=asked.office)
            async for record, opening in self._records(query, asked):
                if set(opening.fields.get("basis", ())) <= consent:
                    found[record.index] = record, opening
        rows, events = [], []
        for index in sorted(found, reverse=True)[:ROWS]:
            record, opening = found[index]
            bands = await self._bands(opening)
            if bands is None or bands & UNDER_14:
                age = "已删除 erased" if bands is None else "、".join(sorted(bands & UNDER_14))
                rows.append({**self._usual(record, opening), "age_band": age})
                events.append(record.event)
        verdict = f"{len(rows)} 次披露仅以同意为依据 {len(rows)} disclosures rest on consent alone"
        before = sorted(found, reverse=True)[ROWS - 1] if len(found) > ROWS else None
        return Found((*USUAL, Column("age_band", "年龄段", "age band")), rows, True, verdict, events, before)

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
        rows, events = [], []
        for basis in SEALED_BASES:
            async for record, opening in self._records(LogQuery(basis=basis), asked):
                rows.append({**self._usual(record, opening), "event": EVENTS[EventName(record.name)].zh})
                events.append(record.event)
        counted = 0
        async for _, opening in self._records(LogQuery(event=EventName.SEALED_QUESTION_COUNTED), asked):
            counted += int(opening.fields["count"])
        verdict = (
            f"使用例外 {len(rows)} 次；可由封存记录回答的提问 {counted} 次（不论有无记录） "
            f"{len(rows)} uses; {counted} questions a sealed record could answer, whether or not one exists"
        )
        return Found((AT, EVENT, *USUAL[1:]), rows, not rows, verdict, events)

    async def _disposal(self, asked: Asked) -> Found:
        rows: list[dict[str, Cell]] = []
        events: list[str] = []
        before: int | None = None
        seen: set[str] = set()
        async for record, opening in self._records(LogQuery(awaits_disposal=True, office=asked.office), asked):
            delivery = str(opening.fields["delivery"])
            before = record.index
            if delivery in seen:
                continue
            seen.add(delivery)
            missed = await self._log.has_followed(EventName.DISPOSAL_MISSED, delivery)
            rows.append({**self._usual(record, opening), "delivery": delivery, "overdue": missed})
            events.append(record.event)
        before = before if len(rows) >= ROWS else None
        overdue = sum(bool(row["overdue"]) for row in rows)
        verdict = f"{len(rows)} 件未确认处置，其中逾期 {overdue} 件 {len(rows)} not confirmed, {overdue} overdue"
        return Found(
            (*USUAL, DELIVERY, Column("overdue", "逾期", "overdue")), rows, not overdue, verdict, events, before
        )

    async def _late(self, asked: Asked) -> Found:
        rows, events = [], []
        for query in (
            LogQuery(flag="late-report", office=asked.office),
            LogQuery(event=EventName.DEADLINE_MISSED, office=asked.office),
        ):
            async for record, opening in self._records(query, asked):
                rows.append(
                    {
                        **self._usual(record, opening),
                        "event": EVENTS[EventName(record.name)].zh,
                        "sender": _text(opening.fields.get("office", opening.fields.get("actor"))),
                        "clock": _text(opening.fields.get("clock", "C01")),
                    }
                )
                events.append(record.event)
        verdict = "没有迟报 none late" if not rows else f"{len(rows)} 件迟报或逾期 {len(rows)} late"
        columns = (AT, EVENT, Column("sender", "单位", "office"), Column("clock", "时限", "clock"), NOTICE, RECORD)
        return Found(columns, rows, not rows, verdict, events)

    async def _completeness(self, asked: Asked) -> Found:
        tree, latest, hold = await verify_tree(self._log), self._publisher.latest, self._publisher.hold
        signed = 0 if latest is None else latest.checkpoint.size
        signed_root_holds = latest is not None and await self._publisher.tree.root(signed) == latest.checkpoint.root
        checks: list[tuple[str, bool, str]] = [
            ("全部记录重算的根与树头一致 the entries give the head's root", tree.is_verified, f"{tree.size}"),
            ("已签名检查点包含于现有日志 the signed checkpoint is in the tree", signed_root_holds, f"{signed}"),
            ("见证签名足够 enough witnesses", latest is not None and latest.is_witnessed, ""),
            ("无取证冻结 no forensic hold", hold is None, "" if hold is None else hold.why),
        ]
        holds_on_record = [record async for record, _ in self._records(LogQuery(event=EventName.HOLD_ENTERED), asked)]
        checks.append(("历史冻结次数 holds on record", True, str(len(holds_on_record))))
        rows: list[dict[str, Cell]] = [
            {"check": check, "holds": holds, "detail": detail} for check, holds, detail in checks
        ]
        complete = all(holds for _, holds, _ in checks)
        verdict = "日志完整 complete" if complete else "日志完整性存疑 NOT shown to be complete"
        columns = (
            Column("check", "检查", "check"),
            Column("holds", "成立", "holds"),
            Column("detail", "数值", "detail"),
        )
        return Found(columns, rows, complete, verdict, [record.event for record in holds_on_record])

    async def _records(self, query: LogQuery, asked: Asked) -> AsyncIterator[tuple[StoredRecord, Opening]]:
        """Newest first, at most `ROWS`, opened as far as the envelope."""
        limited = replace(query, since=asked.since, until=asked.until)
        before, given = asked.before, 0
        while given < ROWS:
            page = await self._log.search(limited, before, min(PAGE, ROWS - given))
            for record in page:
                yield record, read_opening(record.opening)
            given += len(page)
            if len(page) < PAGE:
                return
            before = page[-1].index

    def _usual(self, record: StoredRecord, opening: Opening) -> dict[str, Cell]:
        fields = opening.fields
        recipient = fields.get("recipient")
        office = None if recipient is None else self._offices().get(OfficeId(recipient))
        return {
            "at": record.at.astimezone(CHINA).isoformat(timespec="seconds"),
            "recipient": recipient if office is None else f"{office.name_zh}（{recipient}）",
            "fields": "；".join(f"{self._title(name)}：{FORMS_ZH.get(form, form)}" for name, form in _forms(opening)),
            "purpose": _text(fields.get("purpose")),
            "basis": "、".join(fields.get("basis", ())),
            "policy": str(fields.get("policy", ""))[-12:],
            "notice": _text(fields.get("notice")),
            "record": f"{record.index} {record.event}",
        }

    def _title(self, name: str) -> str:
        spec = self._fields.get(FieldId(name))
        return name if spec is None else spec.title_zh


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


def _forms(opening: Opening) -> list[tuple[str, str]]:
    """The fields of a record with their forms; none for events that name fields alone."""
    forms = opening.fields.get("fields")
    return sorted(forms.items()) if isinstance(forms, Mapping) else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _within(record: StoredRecord, asked: Asked) -> bool:
    return (asked.since is None or record.at >= asked.since) and (asked.until is None or record.at < asked.until)

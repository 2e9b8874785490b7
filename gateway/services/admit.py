"""What must be stored, as one unit, when a valid notice is admitted to the exchange?

Preparing has no effect but taking keys from the stock: case, persons, routing,
sealed segments, deliveries, log record and receipt are all made here, outside the
writer, and can be made again when something changed meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.audit.record import PreparedRecord
from gateway.config import Settings
from gateway.crypto.sealing import keyed_digest
from gateway.geography.competent import CompetentOffices
from gateway.model.agency import Caller
from gateway.model.audit import EventName, LogValue, Slot
from gateway.model.delivery import DeliveryState, NewDelivery, lane_of
from gateway.model.errors import InvalidNotice
from gateway.model.fields import REPORTER, SEALED
from gateway.model.identifiers import CaseId, NoticeId, NoticeType, OfficeId
from gateway.model.notice import Gap, JsonObject, Recipient, SubmittedNotice, ValidNotice
from gateway.model.routing import CaseContext, Held, Routing
from gateway.policy.safeguards import SealedQuestions
from gateway.ports.clock import Ids
from gateway.ports.keys import KeyStore
from gateway.ports.object_storage import ObjectName
from gateway.ports.storage import Acceptance, NoticeStorage
from gateway.privacy.segments import SetApart
from gateway.services.acquaintance import Acquaintance
from gateway.services.as_made import MEMBER, as_made
from gateway.services.attachments import DOCUMENTS
from gateway.services.attest import Attestation, pack
from gateway.services.cases import CaseLink, Cases
from gateway.services.conflicts import accused_schools
from gateway.services.directory import Directories
from gateway.services.facts import china_day
from gateway.services.in_step import in_step
from gateway.services.keep import Keeper
from gateway.services.participants import Participants
from gateway.services.receipts import ReceiptMaker
from gateway.services.replies import reply_move
from gateway.services.sealed_questions import counted_question, stays_here
from gateway.services.tell import Teller, loggable_flags
from gateway.validation.validate import located

# Withdrawals, corrections and consent events overtake, so that what is wrong is stopped first (DESIGN 7).
OVERTAKING = frozenset({NoticeType("WDR"), NoticeType("COR"), NoticeType("CON")})

# What a receipt given during a forensic hold says of itself (DESIGN 5): accepted, and not yet proved by a signed tree.
PROVISIONAL = "provisional"

_SOMEBODYS = re.compile(
    r"[0-9]{9,}[0-9Xx]?"
)  # a telephone's, a document's; no row, line or byte of a file is so far down

Route = Callable[[ValidNotice, CompetentOffices, CaseContext, datetime], Routing]
Scrub = Callable[[JsonObject, JsonObject], JsonObject]


@dataclass(frozen=True, slots=True)
class Admitted:
    """`accused` are the codes of the schools that a report accuses."""

    unit: Acceptance
    link: CaseLink
    accused: frozenset[str] = frozenset()


class Admission:
    def __init__(
        self,
        *,
        settings: Settings,
        cases: Cases,
        participants: Participants,
        keeper: Keeper,
        teller: Teller,
        receipts: ReceiptMaker,
        route: Route,
        scrub: Scrub,
        set_apart: Callable[[JsonObject], SetApart],
        sealed: Callable[[], SealedQuestions],
        notices: NoticeStorage,
        directories: Directories,
        keys: KeyStore,
        ids: Ids,
    ) -> None:
        self._settings, self._cases, self._keeper, self._teller = settings, cases, keeper, teller
        self._participants = participants
        self._receipts, self._route, self._scrub = receipts, route, scrub
        self._set_apart, self._sealed = set_apart, sealed
        self._notices, self._directories, self._ids = notices, directories, ids
        self._lane_secret = keys.secret("lanes")
        self._acquaintance = Acquaintance()

    async def prepare(
        self,
        caller: Caller,
        valid: ValidNotice,
        body: bytes,
        now: datetime,
        *,
        idempotency_key: bytes,
        native_id_key: bytes,
        body_digest: bytes,
        is_first_of_id: bool = False,
        flags: tuple[str, ...] = (),
        attestation: Attestation,
        documents: tuple[ObjectName, ...] = (),
    ) -> Admitted:
        """Make the unit of one notice. `attestation` says who vouches for the bytes, `documents` what it names.

        Raises InvalidNotice when the sender may not send this type or nobody may receive it.
        """
        snapshot, submitted = self._directories.current, valid.notice
        link = await self._cases.link(caller.office, submitted)
        routing = self._route(valid, snapshot.finder, link.context, now)
        if routing.problems:
            raise InvalidNotice("the notice cannot be routed", problems=located(routing.problems, submitted))
        notice_id, retention = self._ids.notice(), self._settings.retention
        parts = self._set_apart(submitted.data)
        await in_step()
        persons = self._keeper.identify(parts.data, self._acquaintance)
        data: JsonObject = self._scrub(parts.data, submitted.reporter) if submitted.reporter else parts.data
        all_flags = (*flags, *valid.flags, *routing.flags)
        deliveries: tuple[NewDelivery, ...] = ()
        if not stays_here(submitted, self._sealed()):
            deliveries = self._deliveries(valid, routing, link.case, now, is_on_hold=PROVISIONAL in flags)
        header = _header(valid, routing, link, caller, documents)
        header[MEMBER] = as_made(deliveries, submitted.type, link.case, caller.office.id, valid.urgency)
        await in_step()
        content = self._keeper.seal(
            notice_id, data, header, pack(body, attestation), persons,
            reporter=_with_parts(submitted.reporter, parts, REPORTER), sealed=_with_parts(submitted.sealed, parts, SEALED),
            quarantined=valid.set_aside,
        )  # fmt: skip
        await in_step()
        purposes = sorted({recipient.purpose for recipient in routing.recipients})
        slots = self._teller.slots(persons.values(), data.get("persons", ()), link.case, china_day(now))
        accused = accused_schools(submitted.data, submitted.data.get("persons", ())) if valid.is_report else frozenset()
        await in_step()
        record = self._teller.event(
            EventName.NOTICE_ACCEPTED,
            now,
            {
                "notice": notice_id,
                "type": submitted.type,
                "urgency": valid.urgency,
                "purpose": purposes[0] if len(purposes) == 1 else None,
                "basis": tuple(sorted({basis for r in routing.recipients for basis in r.legal_basis})),
                "attested": attestation.by,
                "flags": loggable_flags((*all_flags, *_late(valid, now, self._settings.log.late_report_hours))),
                "gaps": len(submitted.gaps) or None,
                "in_reply_to": link.prior,
            },
            actor=caller.office.id,
            officer=caller.officer,
            persons=slots,
        )
        await in_step()
        receipt = self._receipts.accepted(
            caller.office.id, now, notice_id, submitted.native_id, body, flags=all_flags,
            gaps=[_gap(gap) for gap in submitted.gaps],
        )  # fmt: skip
        unit = Acceptance(
            notice=notice_id,
            type=submitted.type,
            case=link.case,
            sender=caller.office.id,
            urgency=valid.urgency,
            received_at=now,
            idempotency_key=idempotency_key,
            native_id_key=native_id_key,
            body_digest=body_digest,
            header=content.header,
            header_key=content.header_key,
            segments=content.segments,
            raw=content.raw,
            raw_expires_at=now + timedelta(days=retention.raw_days),
            persons=tuple(person.link for person in persons.values()),
            deliveries=deliveries,
            records=(
                record,
                *self._vaulted(caller, valid, notice_id, now),
                *self._counted(caller, submitted, now),
                *self._accusing(accused, notice_id, slots, now),
            ),
            receipt=receipt,
            receipt_expires_at=now + timedelta(days=retention.receipt_days),
            flags=all_flags,
            is_first_of_id=is_first_of_id,
            replies_to=None if link.answered is None else link.answered.id,
            reply=None
            if link.answered is None
            else reply_move(submitted, link.answered, notice_id, now, self._teller, caller.officer),
            directory_epoch=snapshot.epochs.directory,
            policy_epoch=snapshot.epochs.policy,
        )
        return Admitted(unit, link, accused)

    async def rehearse(self, caller: Caller, valid: ValidNotice, now: datetime) -> dict[str, Any]:
        """What would happen to a notice: recipients with purpose, basis and trace, as far as the sender is told of them.
        Nothing is stored or taken."""
        link = await self._cases.link(caller.office, valid.notice)
        routing = self._route(valid, self._directories.current.finder, link.context, now)
        if routing.problems:
            raise InvalidNotice("the notice cannot be routed", problems=located(routing.problems, valid.notice))
        rules = [one.rule for one in routing.recipients] + [one.rule for one in routing.held]
        is_told = await self._participants.told(caller.office.id, link.case, rules)
        return {
            "type": "checked",
            "id": valid.notice.native_id,
            "flags": list(valid.flags) + list(routing.flags),
            "gaps": self._receipts.gaps([_gap(gap) for gap in valid.notice.gaps]),
            "recipients": [_recipient(one) for one in routing.recipients if is_told(one.rule, one.office)],
            "held": [
                {"reason": held.reason, "rule": held.rule} for held in routing.held if is_told(held.rule, held.meant)
            ],
        }

    def was_accepted(self, admitted: Admitted) -> None:
        """Remember whom a stored notice names, for the notices to come."""
        self._acquaintance.meet(admitted.unit.persons)

    async def look_again(self, admitted: Admitted) -> None:
        """After `Stale("person")`: learn from the store who the persons of this unit are now."""
        aliases = [alias for link in admitted.unit.persons for alias in link.aliases]
        self._acquaintance.correct(aliases, await self._notices.find_persons(aliases))

    def _counted(self, caller: Caller, submitted: SubmittedNotice, now: datetime) -> tuple[PreparedRecord, ...]:
        """A question that a sealed record could answer, counted whether or not there is one."""
        question = counted_question(submitted, self._sealed())
        if question is None:
            return ()
        return (self._teller.event(EventName.SEALED_QUESTION_COUNTED, now, question, actor=caller.office.id),)

    def _accusing(
        self, accused: frozenset[str], notice: NoticeId, slots: tuple[Slot, ...], now: datetime
    ) -> tuple[PreparedRecord, ...]:
        """That a report accuses a school, which is cut off from this instant on, from older notices too (K5, S9)."""
        if not accused:
            return ()
        told: dict[str, LogValue | None] = {"conflict": "accused-institution", "rule": ("K5",), "notice": notice}
        return (self._teller.event(EventName.CONFLICT_RECORDED, now, told, persons=slots),)

    def _vaulted(
        self, caller: Caller, valid: ValidNotice, notice: NoticeId, now: datetime
    ) -> tuple[PreparedRecord, ...]:
        """That somebody's identity went to the vault, and of which kind they are; never who."""
        if not valid.notice.reporter:
            return ()
        report = valid.notice.data.get("report", {})
        told: dict[str, LogValue | None] = {
            "notice": notice,
            "reporter_role": report.get("reporter_role"),
            "mandatory": report.get("mandatory"),
            "anonymous": report.get("anonymous"),
        }
        return (self._teller.event(EventName.REPORTER_VAULTED, now, told, actor=caller.office.id),)

    def _deliveries(
        self, valid: ValidNotice, routing: Routing, case: CaseId, now: datetime, *, is_on_hold: bool
    ) -> tuple[NewDelivery, ...]:
        # during a hold ordinary deliveries wait, and what may go on must not wait behind them
        overtakes = is_on_hold or valid.urgency == 2 or valid.type in OVERTAKING
        expires_at = now + timedelta(days=self._settings.delivery.expiry_days)

        def delivery(office: OfficeId, meant: Recipient | Held, state: DeliveryState, reason: str) -> NewDelivery:
            return NewDelivery(
                id=self._ids.delivery(),
                recipient=office,
                purpose=meant.purpose,
                legal_basis=meant.legal_basis,
                rule=meant.rule,
                role=meant.role if isinstance(meant, Recipient) else "competent",
                lane=lane_of(case, keyed_digest(self._lane_secret, office.encode(), case.encode())),
                overtakes=overtakes,
                expires_at=expires_at,
                state=state,
                hold_reason=reason,
                fallback_level=meant.fallback_level if isinstance(meant, Recipient) else 0,
            )

        routed = [delivery(r.office, r, DeliveryState.DUE, "") for r in routing.recipients]
        held = [delivery(meant.meant, meant, DeliveryState.HELD, meant.reason) for meant in routing.held]
        return (*routed, *held)


def _late(valid: ValidNotice, now: datetime, hours: int) -> tuple[str, ...]:
    """`late-report` for a mandatory report long after what it reports was noticed (C01). For the log, not for the sender."""
    noticed = valid.notice.data.get("report", {}).get("noticed_at")
    if valid.type != "RPT-M" or not isinstance(noticed, str):
        return ()
    at = datetime.fromisoformat(noticed)
    return ("late-report",) if at.tzinfo is not None and now - at > timedelta(hours=hours) else ()


def _header(
    valid: ValidNotice, routing: Routing, link: CaseLink, caller: Caller, documents: tuple[ObjectName, ...]
) -> dict[str, Any]:
    """What the gateway itself keeps beside the content, sealed under the notice's key."""
    submitted = valid.notice
    header: dict[str, Any] = {
        "native_id": submitted.native_id,
        "officer": caller.officer,
        "flags": list(valid.flags),
        "quarantined": list(valid.quarantined),
        "gaps": [{**_gap(gap), "target": gap.target} if gap.target else _gap(gap) for gap in submitted.gaps],
        "provenance": [[entry.pointer, entry.source] for entry in submitted.provenance],
        "routing": [{"office": r.office, "rule": r.rule, "trace": list(r.trace)} for r in routing.recipients],
        "held": [{"reason": held.reason, "rule": held.rule, "trace": list(held.trace)} for held in routing.held],
    }
    if submitted.subject:
        header["subject"] = submitted.subject
    if submitted.time is not None:
        header["time"] = submitted.time.isoformat()
    if documents:
        header[DOCUMENTS] = list(documents)
    if link.prior is not None:
        header["prior"] = link.prior
    return header


def _with_parts(own: JsonObject, parts: SetApart, compartment: str) -> JsonObject:
    """What goes into the vault of one compartment: what the adapter took out, and what the layout did."""
    found = [list(segment.data) for segment in parts.apart if segment.compartment == compartment]
    return {**own, "parts": found} if found else own


def _gap(gap: Gap) -> dict[str, str]:
    """A place is named by its heading or member, which the sender chose: a row of people taken for headings holds their numbers,
    and a gap outlives the people (receipts, `unmapped`)."""
    return {"code": gap.code, "position": _SOMEBODYS.sub("…", gap.position), "message": gap.message}


def _recipient(recipient: Recipient) -> dict[str, Any]:
    return {
        "office": recipient.office,
        "rule": recipient.rule,
        "purpose": recipient.purpose,
        "legal_basis": list(recipient.legal_basis),
        "role": recipient.role,
        "trace": list(recipient.trace),
    }


def withdraws(valid: ValidNotice, link: CaseLink) -> NoticeId | None:
    """The notice whose open deliveries a withdrawal ends: one of the sender's own, and never a report.

    A report that is taken back is still looked into (DOMAIN 3.5, S6): its recipients get
    the report and then the withdrawal.
    """
    if valid.type != "WDR" or not link.is_own_prior or link.prior is None or link.context.prior is None:
        return None
    return None if link.context.prior.type.startswith("RPT") else link.prior

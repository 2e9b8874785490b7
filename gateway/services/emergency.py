"""Who may look into one case in an emergency, and what does that set in motion?

DOMAIN 5.10. The steps, and what a crash after each leaves behind:

1. one transaction: the grant (reason and officer sealed), one delivery for each notice of the case, the log
   record. After a crash before it nothing was granted; the office asks again.
2. the doorbell: the office fetches the deliveries from its inbox, each decided on like any other (`Enforce`), with the
   fact that an emergency is in force. There is no other way to a release, and none lifts what is sealed.
3. after-notices (BGN) to the owners of the data and the case, with ids of their own; `tell_again` sends those
   a crash has lost, and those that could not go during a hold.

Two hours later the deliveries expire and the fact is gone. A second person reviews; repeated unjustified use ends the
office's right for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from gateway.crypto.sealing import NONCE_BYTES, keyed_digest, seal, unseal
from gateway.model.agency import Caller, Office, OfficeState
from gateway.model.audit import EventName, LogValue
from gateway.model.canonical import canonical_json
from gateway.model.delivery import NewDelivery, lane_of
from gateway.model.errors import IdempotencyConflict, InvalidDocument, NotFound, NotPermitted, Tampered, Unavailable
from gateway.model.identifiers import CaseId, DeliveryId, NoticeId, OfficeId, PersonId
from gateway.policy.safeguards import EmergencyRules
from gateway.ports.broker import Doorbell
from gateway.ports.clock import Clock, Ids
from gateway.ports.emergency_storage import EmergencyGrant, EmergencyStorage
from gateway.ports.keys import KeyStore
from gateway.ports.log_storage import LogStorage
from gateway.ports.storage import NoticeStorage, NoticeSummary
from gateway.services.cases import GATEWAY_AGENCY, Cases
from gateway.services.facts import ON_DUTY
from gateway.services.gateway_notices import GatewayNotices
from gateway.services.keep import Keeper, OpenedNotice, aliases_of
from gateway.services.tell import STAFF, Teller

PURPOSE, BASIS, RULE = "P01", "L03", "emergency-access"
URGENT = 2
OUTCOMES = ("justified", "not-justified", "training")
# What says nothing about the child's situation now, or is the emergency's own trace.
_LEFT_OUT = frozenset({"BGN", "CON", "STATS", "QRY", "ANS", "ESC", "WDR"})
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What an office asks. One of `notice` (its own, or a release it got) and `case` (its handle) names the case."""

    reason_code: str
    reason: str
    notice: str = ""
    case: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    id: str
    until: datetime
    deliveries: tuple[DeliveryId, ...]


@dataclass(frozen=True, slots=True)
class Emergency:
    """One emergency access for the review queue. `reason` is the officer's own text: for the reviewer alone."""

    grant: EmergencyGrant
    reason_code: str
    reason: str
    owners: tuple[OfficeId, ...]
    reviewer: str = ""
    finding: str = ""


class EmergencyAccess:
    def __init__(
        self,
        *,
        rules: Callable[[], EmergencyRules],
        reasons: Sequence[str],
        storage: EmergencyStorage,
        notices: NoticeStorage,
        cases: Cases,
        keeper: Keeper,
        keys: KeyStore,
        log: LogStorage,
        teller: Teller,
        doorbell: Doorbell,
        clock: Clock,
        ids: Ids,
        tell: GatewayNotices,
        policy_hash: Callable[[], str],
    ) -> None:
        self._rules, self._reasons, self._storage = rules, frozenset(reasons), storage
        self._notices, self._cases, self._keeper = notices, cases, keeper
        self._keys, self._log, self._teller = keys, log, teller
        self._doorbell, self._clock, self._ids, self._tell = doorbell, clock, ids, tell
        self._policy_hash = policy_hash
        self._secret, self._lanes = keys.secret("emergencies"), keys.secret("lanes")
        self._owes = asyncio.Event()

    async def __call__(self, caller: Caller, asked: Asked) -> Granted:
        """Grant emergency access to one case.

        Raises InvalidDocument for a call without reason or officer, NotPermitted for an office that is not on duty or
        lost the right, or where the matter is not urgent, NotFound for a case the office cannot name. Refusals of an
        office that named a case are logged.
        """
        self._complete(caller, asked)
        now = self._clock.now()
        if (refusal := await self._refusal(caller, now)) is not None:
            await self._refused(caller, asked, refusal, None, now)
        case, named = await self._case(caller.office, asked)
        if named.urgency != URGENT:
            await self._refused(caller, asked, "not-urgent", named.id, now)
        case, chosen = await self._scope(caller.office.id, case, named)
        until = now + self._rules().life
        emergency = (
            "e"
            + keyed_digest(self._secret, caller.office.id.encode(), case.encode(), self._ids.event().encode()).hex()[
                :31
            ]
        )
        owners = tuple(dict.fromkeys(one.sender for one in chosen))
        drafts = [(one.id, self._delivery(caller.office.id, case, until)) for one in chosen]
        said = {
            "reason_code": asked.reason_code, "reason": asked.reason, "officer": caller.officer, "owners": owners,
            **_bound(caller.office.id, case, until),
        }  # fmt: skip
        key = self._keys.take(1)[0]
        grant = EmergencyGrant(
            id=emergency,
            office=caller.office.id,
            case=case,
            granted_at=now,
            until=until,
            key=key.id,
            document=self._sealed(emergency, key.secret, said),
        )
        record = self._teller.event(
            EventName.EMERGENCY_ACCESS_GRANTED,
            now,
            {
                "emergency": emergency,
                "notice": named.id,
                "reason_code": asked.reason_code,
                "until": until,
                "policy": self._policy_hash(),
            },
            actor=caller.office.id,
            officer=caller.officer,
        )
        await self._storage.grant(grant, drafts, (record,))
        self._doorbell.ring([caller.office.id])
        try:
            await self._after_notices(grant, asked.reason_code, asked.reason, chosen)
        except Unavailable:  # a hold, or the store went away: who helps now does not wait for who is told
            self._owes.set()
        return Granted(emergency, until, tuple(draft.id for _, draft in drafts))

    async def queue(self, *, unreviewed: bool = True) -> list[Emergency]:
        """For the reviewer: oldest first those that wait, or all of the newest."""
        return [self._read(grant) for grant in await self._storage.emergencies(unreviewed=unreviewed, limit=_PAGE)]

    async def review(self, id_: str, outcome: str, finding: str, *, by: str) -> Emergency:
        """Keep what a second person found. Raises NotPermitted for whoever asked for the access, or a second review."""
        if outcome not in OUTCOMES:
            raise InvalidDocument("a review ends as one of: " + ", ".join(OUTCOMES))
        grant = await self._storage.emergency(id_)
        if grant is None:
            raise NotFound("no such emergency access", remedy="see `hutong emergency list`")
        read = self._opened(grant)
        if by == read.get("officer") or not by:
            raise NotPermitted("nobody reviews an own emergency access", remedy="ask a second person")
        now, secret = self._clock.now(), self._secret_of(grant)
        document = {**read, "reviewer": by, "finding": finding}
        reviewed = replace(
            grant, reviewed_at=now, outcome=outcome, document=self._sealed(grant.id, secret, document)
        )  # fmt: skip
        record = self._teller.event(
            EventName.EMERGENCY_ACCESS_REVIEWED,
            now,
            {"emergency": grant.id, "outcome": outcome},
            actor=STAFF,
            officer=by,
        )
        if not await self._storage.review(reviewed, (record,)):
            raise NotPermitted("this access was reviewed before", remedy="see `hutong emergency list --all`")
        return self._read(reviewed)

    def _complete(self, caller: Caller, asked: Asked) -> None:
        if caller.purpose not in (None, PURPOSE):
            raise NotPermitted("emergency access is for P01 alone", remedy="claim P01, or no purpose")
        if not caller.officer:
            raise InvalidDocument("an officer answers for it", remedy="send Hutong-Officer")
        if asked.reason_code not in self._reasons:
            raise InvalidDocument("this is no reason code", remedy="one of: " + ", ".join(sorted(self._reasons)))
        if not asked.reason.strip():
            raise InvalidDocument("a reason is given in words", remedy="say what happens now")
        if bool(asked.notice) == bool(asked.case):
            raise InvalidDocument("one case is named", remedy="send `notice` or `case`, not both")

    async def _refusal(self, caller: Caller, now: datetime) -> str | None:
        office = caller.office
        if office.state is not OfficeState.ACTIVE or caller.is_report_only:
            return "suspended"
        rules = self._rules()
        if office.agency not in rules.duty or office.attributes.get("on_duty") == "no":
            return "not-on-duty"
        unjustified = await self._storage.count_outcomes(office.id, "not-justified", now - rules.unjustified_within)
        return "right-suspended" if unjustified >= rules.unjustified else None

    async def _refused(self, caller: Caller, asked: Asked, code: str, notice: NoticeId | None, now: datetime) -> None:
        values: dict[str, LogValue | None] = {"code": code, "notice": notice, "reason_code": asked.reason_code}
        record = self._teller.event(
            EventName.EMERGENCY_ACCESS_REFUSED, now, values, actor=caller.office.id, officer=caller.officer
        )
        await self._log.append([record])
        remedy = {
            "not-urgent": "emergency access needs a notice of urgency 2 in the case: report it first",
            "right-suspended": "the right is suspended after unjustified use; ask compliance",
        }.get(code, "only offices on duty have this right")
        raise NotPermitted("emergency access is not granted", remedy=remedy)

    async def _case(self, office: Office, asked: Asked) -> tuple[CaseId, NoticeSummary]:
        """The case the office means, and the notice of it that is urgent (or the one named)."""
        if asked.notice:
            found = await self._cases.known(office.id, asked.notice)
            if found is None:
                raise NotFound("no such notice", remedy="name a notice you sent, or a release you got")
            summaries = await self._notices.summarise(found.case)
            return found.case, _most_urgent(summaries, found)
        case = await self._notices.find_case(office.id, self._cases.handle_digest(office.id, asked.case))
        summaries = () if case is None else await self._notices.summarise(case)
        if case is None or not summaries:
            raise NotFound("no such case", remedy="use the handle of a release you got")
        return case, _most_urgent(summaries, summaries[-1])

    async def _scope(self, office: OfficeId, case: CaseId, named: NoticeSummary) -> tuple[CaseId, list[NoticeSummary]]:
        """One case: the one named where others have told of it, else the newest other case of the same child."""
        chosen = self._tellable(await self._notices.summarise(case), office)
        if chosen:
            return case, chosen
        stored = await self._notices.load(named.id)
        minors = [] if stored is None else _recognisable_minors(self._keeper.open(stored))
        for person in minors:
            for notice, kind in await self._notices.notices_of(person, _PAGE):
                summary = await self._notices.summary(notice)
                if summary is None or summary.case == case or summary.sender == office or kind in _LEFT_OUT:
                    continue
                return summary.case, self._tellable(await self._notices.summarise(summary.case), office)
        raise NotFound("nothing is known that could be shown", remedy="nobody else has told of this child")

    def _tellable(self, summaries: Iterable[NoticeSummary], office: OfficeId) -> list[NoticeSummary]:
        told = [
            one
            for one in summaries
            if one.sender != office and one.type not in _LEFT_OUT and one.sender.split(".")[0] != GATEWAY_AGENCY
        ]
        return told[-self._rules().notices :]

    def _delivery(self, office: OfficeId, case: CaseId, until: datetime) -> NewDelivery:
        return NewDelivery(
            id=self._ids.delivery(),
            recipient=office,
            purpose=PURPOSE,
            legal_basis=(BASIS,),
            rule=RULE,
            role=ON_DUTY,
            lane=lane_of(case, keyed_digest(self._lanes, office.encode(), case.encode(), b"emergency")),
            overtakes=True,
            expires_at=until,
        )

    async def _after_notices(
        self, grant: EmergencyGrant, reason_code: str, reason: str, chosen: Sequence[NoticeSummary]
    ) -> None:
        """To everybody whose data were opened, once per owner; compliance has the queue and the log."""
        for owner in dict.fromkeys(one.sender for one in chosen):
            newest = [one for one in chosen if one.sender == owner][-1]
            data: dict[str, Any] = {
                "urgency": 1,
                "purpose": PURPOSE,
                "legal_basis": [BASIS],
                "caused_by": newest.id,
                "requested_recipients": [owner],
                "emergency": {
                    "reason_code": reason_code,
                    "reason": reason,
                    "approver": grant.office,
                    "until": grant.until.isoformat(timespec="seconds"),
                },
            }
            try:
                receipt = await self._tell("BGN", f"after-notice.{grant.id}.{owner}", data)
            except IdempotencyConflict:
                continue  # told, before the case held the newest of these notices
            record = self._teller.event(
                EventName.EMERGENCY_NOTICE_SENT,
                self._clock.now(),
                {"emergency": grant.id, "to": owner, "notice": receipt.notice},
            )
            if not receipt.replayed:
                await self._log.append([record])

    async def owes(self) -> None:
        """Return when an after-notice could not be sent: `tell_again` sends it."""
        await self._owes.wait()

    async def tell_again(self) -> int:
        """After a crash between grant and after-notice, or when one was owed: send what was lost. Returns how many were
        looked at."""
        self._owes.clear()
        waiting = await self._storage.emergencies(unreviewed=True, limit=_PAGE)
        for grant in waiting:
            read = self._opened(grant)
            summaries = [
                one for one in await self._notices.summarise(grant.case) if one.sender in read.get("owners", ())
            ]
            chosen = [one for one in summaries if any(status.rule == RULE for status in one.deliveries)]
            await self._after_notices(grant, str(read["reason_code"]), str(read["reason"]), chosen)
        return len(waiting)

    def _read(self, grant: EmergencyGrant) -> Emergency:
        read = self._opened(grant)
        return Emergency(
            grant,
            str(read.get("reason_code", "")),
            str(read.get("reason", "")),
            tuple(OfficeId(owner) for owner in read.get("owners", ())),
            str(read.get("reviewer", "")),
            str(read.get("finding", "")),
        )

    def _opened(self, grant: EmergencyGrant) -> dict[str, Any]:
        return _opened(grant, self._secret_of(grant))

    def _secret_of(self, grant: EmergencyGrant) -> bytes:
        secret = self._keys.open(grant.key)
        if secret is None:
            raise NotFound("the key of this access is gone")
        return secret

    def _sealed(self, emergency: str, secret: bytes, document: Any) -> bytes:
        return seal(secret, self._ids.secret(NONCE_BYTES), canonical_json(document), _place(emergency))


def is_granted(grant: EmergencyGrant, keys: KeyStore) -> bool:
    """Whether a grant in force is the one that was given: to this office, for this case, until then. Its row says so too, but
    whoever writes the database could give one to anybody."""
    secret = keys.open(grant.key)
    try:
        read = {} if secret is None else _opened(grant, secret)
    except Tampered:
        return False
    return _bound(grant.office, grant.case, grant.until).items() <= read.items()


def _bound(office: OfficeId, case: CaseId, until: datetime) -> dict[str, str]:
    return {"office": office, "case": case, "until": until.isoformat(timespec="milliseconds")}


def _opened(grant: EmergencyGrant, secret: bytes) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(unseal(secret, grant.document, _place(grant.id)))
    return read


def _most_urgent(summaries: Iterable[NoticeSummary], otherwise: NoticeSummary) -> NoticeSummary:
    return next((one for one in reversed(list(summaries)) if one.urgency == URGENT), otherwise)


def _recognisable_minors(opened: OpenedNotice) -> list[PersonId]:
    return [
        opened.persons[person["ref"]].link.person
        for person in opened.data.get("persons", ())
        if "minor" in person.get("roles", ()) and person.get("ref") in opened.persons and any(aliases_of(person))
    ]


def _place(emergency: str) -> bytes:
    return f"{emergency}|emergency".encode()

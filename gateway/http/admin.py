"""What may an operator ask of the running gateway, through its local socket?

The socket belongs to the account the gateway runs under (mode 0600); whoever can
open it acts as the local operator, under the name the client gives, which is
logged with the account that the kernel names. It shows metadata and never content.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, instant_of, operator_of
from gateway.http.in_chinese import both
from gateway.http.office_entry import entry_of
from gateway.http.problems import in_both
from gateway.model.agency import Office, OfficeState
from gateway.model.delivery import Delivery
from gateway.model.errors import HutongError, InvalidDocument, NotFound, Problem, Refusal, Unavailable
from gateway.model.identifiers import CaseId, DeliveryId, NoticeId, OfficeId, parse_office_id
from gateway.ports.clock import TimeInDoubt
from gateway.ports.storage import Backlog, DeadLetterFilter, NoticeStorage, NoticeSummary
from gateway.services.backlog import Backlogs
from gateway.services.dead_letters import DeadLetters
from gateway.services.enrol import Enrol, office_document
from gateway.services.release_held import ReleaseHeld
from gateway.services.unmapped import MOST_ROWS, UnmappedFields
from gateway.services.verify_log import Verified

MAX_PAGE = 1000
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AdminServices:
    enrol: Enrol
    dead_letters: DeadLetters
    backlogs: Backlogs
    release_held: ReleaseHeld
    notices: NoticeStorage
    verify: Callable[[], Awaitable[Verified]]
    unmapped: UnmappedFields
    time: TimeInDoubt


def make_admin_app(services: AdminServices, more: Iterable[web.RouteDef] = ()) -> web.Application:
    """`more` are the routes of other rooms of the admin API, such as `admin_policies`."""
    app = web.Application(middlewares=[_problems], client_max_size=4 << 20)
    admin = _Admin(services)
    app.router.add_routes(
        [
            web.get("/admin/v1/offices", admin.list_offices),
            web.post("/admin/v1/offices", admin.add_office),
            web.get("/admin/v1/offices/{office}", admin.show_office),
            web.patch("/admin/v1/offices/{office}", admin.change_office),
            web.post("/admin/v1/offices/{office}/state", admin.set_state),
            web.post("/admin/v1/offices/{office}/keys", admin.rotate_key),
            web.post("/admin/v1/offices/{office}/seal", admin.vouch),
            web.get("/admin/v1/time", admin.show_time),
            web.get("/admin/v1/cases/{case}", admin.show_case),
            web.get("/admin/v1/notices/{notice}", admin.show_notice),
            web.get("/admin/v1/backlog", admin.show_backlog),
            web.get("/admin/v1/dead-letters", admin.list_dead_letters),
            web.get("/admin/v1/dead-letters/{delivery}", admin.show_dead_letter),
            web.post("/admin/v1/dead-letters/retry", admin.retry_dead_letters),
            web.post("/admin/v1/dead-letters/stop", admin.stop_retry),
            web.get("/admin/v1/offices/{office}/held", admin.list_held),
            web.get("/admin/v1/offices/{office}/unmapped", admin.list_unmapped),
            web.post("/admin/v1/deliveries/{delivery}/release", admin.release),
            web.get("/admin/v1/log/verification", admin.verify_log),
            *more,
        ]
    )
    return app


@web.middleware
async def _problems(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    try:
        return await handler(request)
    except HutongError as error:
        status = 404 if isinstance(error, NotFound) else 422 if isinstance(error, Refusal) else 503
        problems = [in_both(problem.told()) for problem in error.problems]
        document = {
            "code": error.code,
            "detail": both(error.message),
            "remedy": both(error.remedy),
            "problems": problems,
        }
        return answer(document, status if not isinstance(error, Unavailable) else 503)


class _Admin:
    def __init__(self, services: AdminServices) -> None:
        self._services = services

    async def show_time(self, _request: web.Request) -> web.Response:
        return answer({"doubt": self._services.time.doubt()})

    async def list_offices(self, _request: web.Request) -> web.Response:
        return answer([self._document(office) for office in self._services.enrol.offices()])

    async def show_office(self, request: web.Request) -> web.Response:
        return answer(self._document(self._services.enrol.office(OfficeId(request.match_info["office"]))))

    def _document(self, office: Office) -> dict[str, Any]:
        """`doubted` where the entry in the database is not the one this gateway wrote."""
        is_doubted = self._services.enrol.is_doubted(office.id)
        return office_document(office) | ({"doubted": True} if is_doubted else {})

    async def add_office(self, request: web.Request) -> web.Response:
        document = {name: value for name, value in (await document_of(request)).items() if value is not None}
        enrol = self._services.enrol
        try:
            fields = entry_of(document, enrol)
            office = Office(
                **{"id": parse_office_id(str(document["id"])), "media_type": enrol.media_type("canonical"), **fields}
            )
        except (KeyError, TypeError, AttributeError, ValueError) as broken:
            raise InvalidDocument(
                "an office needs `id`, `name_zh` and `keys`", remedy="see `hutong office add --help`"
            ) from broken
        added = await enrol.add(office, by=operator_of(request))
        await enrol.known_everywhere()
        return answer(office_document(added), 201)

    async def change_office(self, request: web.Request) -> web.Response:
        document, enrol = await document_of(request), self._services.enrol
        office = enrol.office(OfficeId(request.match_info["office"]))
        try:
            key = document.pop("encryption_key", None)
            changes = entry_of(document, enrol)
        except (KeyError, TypeError, AttributeError, ValueError) as broken:
            raise InvalidDocument(
                "this changes nothing of an office", remedy="see `hutong office change --help`"
            ) from broken
        if key is not None:
            kept = tuple(one for one in office.keys if one.use != "enc")
            changes["keys"] = (*kept, enrol.key(key, "enc"))
        if not changes:
            raise InvalidDocument("nothing is changed", remedy="see `hutong office change --help`")
        changed = await enrol.change(office.id, changes, by=operator_of(request))
        await enrol.known_everywhere()
        return answer(office_document(changed))

    async def set_state(self, request: web.Request) -> web.Response:
        document = await document_of(request)
        try:
            state = OfficeState(str(document.get("state")))
        except ValueError as broken:
            raise InvalidDocument("a state is active, suspended or compromised") from broken
        office = await self._services.enrol.set_state(
            OfficeId(request.match_info["office"]),
            state,
            reason=str(document.get("reason", "")),
            by=operator_of(request),
        )
        return answer(office_document(office))

    async def rotate_key(self, request: web.Request) -> web.Response:
        document = await document_of(request)
        overlap = timedelta(days=float(document.get("overlap_days", 30)))
        office = await self._services.enrol.rotate_key(
            OfficeId(request.match_info["office"]), document.get("jwk", {}), overlap=overlap, by=operator_of(request)
        )
        await self._services.enrol.known_everywhere()
        return answer(office_document(office))

    async def vouch(self, request: web.Request) -> web.Response:
        office = OfficeId(request.match_info["office"])
        return answer(office_document(await self._services.enrol.vouch(office, by=operator_of(request))))

    async def list_unmapped(self, request: web.Request) -> web.Response:
        office = self._services.enrol.office(OfficeId(request.match_info["office"]))
        days = request.query.get("days", "7")
        if not days.isdecimal() or not 1 <= int(days) <= 366:
            raise InvalidDocument("`days` is a number from 1 to 366")
        found = await self._services.unmapped(office.id, int(days), by=operator_of(request))
        rows = sorted(found.counts.items(), key=lambda entry: (-entry[1][0], entry[0].position))
        return answer(
            {
                "notices_with_gaps": found.notices,
                "rows": [
                    {"count": count, "code": place.code, "position": place.position, "target": place.target,
                     "newest": newest.isoformat()}
                    for place, (count, newest) in rows[:MOST_ROWS]
                ],
                "truncated": found.is_cut or len(rows) > MOST_ROWS,
            }
        )  # fmt: skip

    async def show_case(self, request: web.Request) -> web.Response:
        summaries = await self._services.notices.summarise(CaseId(request.match_info["case"]))
        if not summaries:
            raise NotFound("no such case")
        return answer([_summary(summary) for summary in summaries])

    async def show_notice(self, request: web.Request) -> web.Response:
        summary = await self._services.notices.summary(NoticeId(request.match_info["notice"]))
        if summary is None:
            raise NotFound("no such notice")
        return answer(_summary(summary))

    async def show_backlog(self, request: web.Request) -> web.Response:
        """Of one office where it is named; else of all for which something waits, the longest waiting first."""
        found = await self._services.backlogs.by_office()
        office = request.query.get("office")
        if office is not None:
            found = {one: found[one] for one in found if one == office}
        rows = sorted(found.items(), key=lambda one: (one[1].waits_since or _NEVER, one[0]))
        known = {one.id: one for one in self._services.enrol.offices()}
        return answer([_backlog(one, backlog, known.get(one)) for one, backlog in rows])

    async def list_dead_letters(self, request: web.Request) -> web.Response:
        after = request.query.get("after")
        found = await self._services.dead_letters.search(
            _filter(dict(request.query)), None if after is None else DeliveryId(after), _limit(request)
        )
        return answer([_dead_letter(delivery) for delivery in found])

    async def show_dead_letter(self, request: web.Request) -> web.Response:
        delivery = DeliveryId(request.match_info["delivery"])
        found = await self._services.dead_letters.search(DeadLetterFilter(delivery=delivery))
        if not found:
            raise NotFound("no such dead letter", remedy="it may have been driven again: `hutong dead-letter list`")
        return answer(_dead_letter(found[0]))

    async def retry_dead_letters(self, request: web.Request) -> web.Response:
        document = await document_of(request)
        outcome = await self._services.dead_letters.retry(
            _filter(document.get("where", {})),
            by=operator_of(request),
            dry_run=bool(document.get("dry_run", True)),
            per_second=float(document.get("per_second", 10)),
        )
        return answer({"matched": outcome.matched, "driven": outcome.driven, "stopped": outcome.stopped})

    async def stop_retry(self, _request: web.Request) -> web.Response:
        self._services.dead_letters.stop()
        return answer({"stopped": True})

    async def list_held(self, request: web.Request) -> web.Response:
        found = await self._services.release_held.waiting(OfficeId(request.match_info["office"]))
        return answer([_dead_letter(delivery) for delivery in found])

    async def release(self, request: web.Request) -> web.Response:
        delivery = DeliveryId(request.match_info["delivery"])
        state = await self._services.release_held.one(delivery, by=operator_of(request))
        return answer({"delivery": delivery, "state": state.value})

    async def verify_log(self, _request: web.Request) -> web.Response:
        outcome = await self._services.verify()
        told = {"verified": outcome.is_verified, "size": outcome.size, "root": outcome.root.hex()}
        if not outcome.is_verified:
            told |= {"first_bad": outcome.first_bad, "reason": outcome.reason}
        return answer(told)


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", "100")
    if not text.isdecimal():
        raise InvalidDocument("`limit` is a number")
    return max(1, min(int(text), MAX_PAGE))


def _filter(given: dict[str, Any]) -> DeadLetterFilter:
    given = {name: value for name, value in given.items() if name not in ("after", "limit")}
    known = {"recipient", "sender", "reason", "notice_type", "since", "until", "delivery"}
    if unknown := sorted(given.keys() - known):
        raise InvalidDocument(
            "the filter has an unknown condition", problems=tuple(Problem("unknown-condition", n, "") for n in unknown)
        )
    for name in {"recipient", "sender"} & given.keys():
        try:
            parse_office_id(str(given[name]))
        except ValueError as wrong:
            raise InvalidDocument(
                "the filter names no office", problems=(Problem("invalid-office", name, str(wrong)),)
            ) from wrong
    conditions: dict[str, Any] = {
        name: instant_of(str(value)) if name in ("since", "until") else str(value) for name, value in given.items()
    }
    return DeadLetterFilter(**conditions)


def _summary(summary: NoticeSummary) -> dict[str, Any]:
    return {
        "notice": summary.id,
        "type": summary.type,
        "case": summary.case,
        "sender": summary.sender,
        "urgency": summary.urgency,
        "received_at": summary.received_at.isoformat(),
        "flags": list(summary.flags),
        "deliveries": [
            {
                "delivery": status.delivery,
                "recipient": status.recipient,
                "state": status.state.value,
                "attempts": status.attempts,
                "updated_at": status.updated_at.isoformat(),
                "reason": status.reason,
            }
            for status in summary.deliveries
        ],
    }


def _backlog(office: OfficeId, backlog: Backlog, entry: Office | None) -> dict[str, Any]:
    """`handover` is how the office gets what waits: whom to ask when it waits too long."""
    if entry is None:
        handover = "not enrolled"
    elif entry.queue is not None:
        handover = f"queue: {entry.queue.value}"
    else:
        handover = "pull" if entry.webhook is None else "webhook"
    instants = {"oldest_due_at": backlog.oldest_due_at, "oldest_leased_at": backlog.oldest_leased_at}
    return {
        "office": office,
        "handover": handover,
        "due": backlog.due,
        "leased": backlog.leased,
        **{name: None if at is None else at.isoformat(timespec="seconds") for name, at in instants.items()},
        "held": backlog.held,
        "dead_letters": dict(backlog.by_reason),
    }


def _dead_letter(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery": delivery.id,
        "notice": delivery.notice,
        "type": delivery.notice_type,
        "sender": delivery.sender,
        "recipient": delivery.recipient,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "urgency": delivery.urgency,
        "created_at": delivery.created_at.isoformat(),
        "expires_at": delivery.expires_at.isoformat(),
    }

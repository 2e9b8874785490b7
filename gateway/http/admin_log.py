"""What may staff ask about the exchange log, through the local socket? A person is named in the body, never in a path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass

import orjson
from aiohttp import web

from gateway.http.admin_answers import answer, document_of, operator_of
from gateway.http.log import asked_of, number_of, query_of, rendered, text_of
from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import EventId
from gateway.services.hold import LogHold
from gateway.services.log_desk import LogDesk, Reader, record_document
from gateway.services.travelling_witness import TravellingWitness


@dataclass(frozen=True, slots=True)
class LogAdmin:
    """`export` gives path and content of every file an offline verifier needs; `trust` the policy file for readers."""

    hold: LogHold
    desk: LogDesk
    export: Callable[[Reader], AsyncIterator[tuple[str, bytes]]]
    trust: Callable[[], bytes]
    travelling: TravellingWitness


def log_routes(services: LogAdmin) -> list[web.RouteDef]:
    hold, desk = services.hold, services.desk

    async def show_hold(_request: web.Request) -> web.Response:
        return answer(hold.show())

    async def show_journals(_request: web.Request) -> web.Response:
        return answer(await hold.journals())

    async def release_hold(request: web.Request) -> web.Response:
        document = await document_of(request)
        return answer(await hold.release(by=operator_of(request), reason=str(document.get("reason", ""))))

    async def search(request: web.Request) -> web.Response:
        given = await document_of(request)
        found = await desk.search(
            query_of(given),
            number_of(given, "before"),
            number_of(given, "limit") or 100,
            _reader(request),
            case=text_of(given, "case"),
            officer=text_of(given, "officer"),
            person=text_of(given, "person"),
        )
        return answer([record_document(one) for one in found])

    async def record(request: web.Request) -> web.Response:
        return answer(record_document(await desk.show(EventId(request.match_info["event"]), _reader(request))))

    async def proof(request: web.Request) -> web.Response:
        raw = await desk.proof(EventId(request.match_info["event"]), _reader(request))
        return answer({"proof": raw.decode()})

    async def bundle(request: web.Request) -> web.Response:
        events = (await document_of(request)).get("events")
        if not isinstance(events, list) or not all(isinstance(one, str) for one in events):
            raise InvalidDocument("`events` is a list of event ids")
        return answer(orjson.loads(await desk.bundle([EventId(one) for one in events], _reader(request))))

    async def reports(_request: web.Request) -> web.Response:
        return answer([{"name": name, "zh": zh, "en": en} for name, (zh, en) in desk.reports.names.items()])

    async def report(request: web.Request) -> web.Response:
        given = await document_of(request)
        format_ = text_of(given, "format") or "json"
        name = request.match_info["report"]
        made = await desk.report(name, asked_of(given), format_, _reader(request), person=text_of(given, "person"))
        return rendered(made)

    async def verify_person(request: web.Request) -> web.Response:
        person = text_of(await document_of(request), "person")
        if person is None:
            raise InvalidDocument("`person` is needed")
        chains = await desk.verify_person(person, _reader(request))
        return answer([{**asdict(one), "whole": one.is_whole} for one in chains])

    async def person_report(request: web.Request) -> web.Response:
        given = await document_of(request)
        person = text_of(given, "person")
        if person is None:
            raise InvalidDocument("`person` is needed")
        format_ = text_of(given, "format") or "json"
        guardian = text_of(given, "for_guardian")
        return rendered(await desk.person_report(person, format_, _reader(request), for_guardian=guardian))

    async def export(request: web.Request) -> web.StreamResponse:
        """Every file, one JSON header line with path and size before each."""
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        files = services.export(_reader(request))
        first = await anext(files)  # what is refused is refused before the first byte
        await response.prepare(request)
        await _send(response, *first)
        async for path, data in files:
            await _send(response, path, data)
        await response.write_eof()
        return response

    async def trust(_request: web.Request) -> web.Response:
        return answer({"policy": services.trust().decode()})

    async def request_witness(request: web.Request) -> web.Response:
        given = await document_of(request)
        made = await services.travelling.request(text_of(given, "witness") or "", number_of(given, "old"))
        return answer({"old": made.old_size, "size": made.size, "request": made.raw.decode()})

    async def take_cosignatures(request: web.Request) -> web.Response:
        given = await document_of(request)
        asked, reply = (text_of(given, name) or "" for name in ("request", "reply"))
        return answer({"kept": await services.travelling.take(asked.encode(), reply.encode())})

    return [
        web.get("/admin/v1/hold", show_hold),
        web.get("/admin/v1/hold/journals", show_journals),
        web.post("/admin/v1/hold/release", release_hold),
        web.post("/admin/v1/log/search", search),
        web.get("/admin/v1/log/trust", trust),
        web.post("/admin/v1/log/witness-requests", request_witness),
        web.post("/admin/v1/log/cosignatures", take_cosignatures),
        web.get("/admin/v1/log/reports", reports),
        web.post("/admin/v1/log/reports/{report}", report),
        web.post("/admin/v1/log/person-report", person_report),
        web.post("/admin/v1/log/person-verification", verify_person),
        web.post("/admin/v1/log/bundle", bundle),
        web.post("/admin/v1/log/export", export),
        web.get("/admin/v1/log/records/{event}", record),
        web.get("/admin/v1/log/records/{event}/proof", proof),
    ]


async def _send(response: web.StreamResponse, path: str, data: bytes) -> None:
    await response.write(orjson.dumps({"path": path, "size": len(data)}) + b"\n" + data)


def _reader(request: web.Request) -> Reader:
    return Reader("staff", operator_of(request))

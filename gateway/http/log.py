"""How do auditors, witnesses and compliance officers read the exchange log over HTTP?

An office reads the log when the directory says so: its attribute `log_role` is `witness`
(checkpoints and tiles), `auditor` (also records, proofs and reports) or `compliance` (also what is
about a named child). To everybody else these paths do not exist. Identifiers travel in
bodies, never in paths.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from aiohttp import hdrs, web

from gateway.audit.findings import Unreadable
from gateway.audit.forms import PATTERNS
from gateway.audit.tiles import WIDTH, parse_tile_path
from gateway.http.admin_answers import instant_of
from gateway.http.authentication import Gate
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import read_json_object, whole_number
from gateway.http.services import LogReading
from gateway.http.settings import HttpSettings
from gateway.model.agency import Caller
from gateway.model.audit import EventName, Form
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, NotFound, Problem
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import LogQuery
from gateway.services.log_desk import Reader, Rendered, record_document
from gateway.services.log_reports import Asked

LOG_ROLE = "log_role"
WITNESS, AUDITOR, COMPLIANCE = "witness", "auditor", "compliance"
_ALL, _AUDIT, _PERSONAL = (WITNESS, AUDITOR, COMPLIANCE), (AUDITOR, COMPLIANCE), (COMPLIANCE,)
_JSON = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}
_TEXT = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"}

TEXTS = (
    "event",
    "office",
    "notice",
    "delivery",
    "purpose",
    "policy",
    "outcome",
    "field",
    "basis",
    "obligation",
    "flag",
    "type",
)
INSTANTS = ("since", "until")
_SHAPES = {
    "office": Form.OFFICE, "notice": Form.ID, "delivery": Form.ID, "purpose": Form.PURPOSE, "policy": Form.HASH, "field": Form.FIELDS,
    "basis": Form.BASIS, "type": Form.NOTICE_TYPE,
}  # fmt: skip
SEARCH = (*TEXTS, *INSTANTS, "case", "officer", "person", "before", "limit")
REPORT = ("format", "notice", "office", "since", "until", "before", "person")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def query_of(given: Mapping[str, Any]) -> LogQuery:
    """The search conditions among `given`. InvalidDocument for values that cannot be."""
    conditions: dict[str, Any] = {}
    for name in (*TEXTS, *INSTANTS):
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidDocument(f"`{name}` is a text", problems=(Problem("wrong-type", f"/{name}", "not a text"),))
        conditions[name] = instant_of(value) if name in INSTANTS else _could_be(name, value)
    return LogQuery(**conditions)


def _could_be(name: str, value: str) -> str:
    """A word that no record can have is a slip: an empty answer would read as "it never happened"."""
    if name == "event":
        fits = value in frozenset(EventName)
    else:
        fits = name not in _SHAPES or re.fullmatch(PATTERNS[_SHAPES[name]], value) is not None
    if not fits:
        problem = Problem("invalid-value", f"/{name}", "no record of the log can have this")
        raise InvalidDocument(f"`{name}` is none of the log's", remedy="see docs/events.md", problems=(problem,))
    return value


def asked_of(given: Mapping[str, Any]) -> Asked:
    """What a report is asked about, but for the person."""
    query = query_of({name: given.get(name) for name in ("notice", "office", *INSTANTS)})
    return Asked(None, query.notice, query.office, query.since, query.until, number_of(given, "before"))


def number_of(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise InvalidDocument(f"`{name}` is a number from 0")
    return value


def text_of(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidDocument(f"`{name}` is a text")
    return value


def rendered(made: Rendered) -> web.Response:
    disposition = f'attachment; filename="{made.name}"'
    headers = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: made.media_type, hdrs.CONTENT_DISPOSITION: disposition}
    return web.Response(body=made.body, headers=headers)


def log_handlers(reading: LogReading | None, gate: Gate, settings: HttpSettings) -> dict[str, Handler]:
    """The functions of the log's routes by route name. Without `reading` they answer as to somebody who may not."""
    door = _Door(reading, gate, settings)
    return {
        "log-checkpoint": door.checkpoint,
        "log-tile": door.tile,
        "log-record": door.record,
        "log-proof": door.proof,
        "log-consistency": door.consistency,
        "log-reports": door.reports,
        "log-search": door.search,
        "log-bundle": door.bundle,
        "log-report": door.report,
        "log-person-report": door.person_report,
    }


class _Door:
    def __init__(self, reading: LogReading | None, gate: Gate, settings: HttpSettings) -> None:
        self._reading, self._gate, self._settings = reading, gate, settings

    def _admit(self, request: web.Request, roles: Collection[str]) -> tuple[LogReading, Reader]:
        caller: Caller = self._gate.admit(request)
        if self._reading is None or caller.office.attributes.get(LOG_ROLE) not in roles:
            raise NotFound("no such path")
        return self._reading, Reader(caller.office.id, caller.officer)

    async def checkpoint(self, request: web.Request) -> web.Response:
        reading, _ = self._admit(request, _ALL)
        latest = reading.publisher.latest
        if latest is None:
            raise NotFound("nothing was signed yet")
        return web.Response(body=latest.note, headers=_TEXT)

    async def tile(self, request: web.Request) -> web.Response:
        reading, _ = self._admit(request, _ALL)
        latest = reading.publisher.latest
        try:
            level, index, width = parse_tile_path("tile/" + request.match_info["path"])
        except Unreadable as wrong:
            raise NotFound("no such path") from wrong
        data = None
        if latest is not None:
            data = await reading.publisher.tree.file(level, index, width, latest.checkpoint.size)
        if data is None:
            raise NotFound("no such path")
        life = "public, max-age=31536000, immutable" if width == WIDTH else "no-store"
        headers = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/octet-stream", hdrs.CACHE_CONTROL: life}
        return web.Response(body=data, headers=headers)

    async def record(self, request: web.Request) -> web.Response:
        reading, reader = self._admit(request, _AUDIT)
        found = await reading.desk.show(EventId(request.match_info["event"]), reader)
        return web.Response(body=canonical_json(record_document(found)), headers=_JSON)

    async def proof(self, request: web.Request) -> web.Response:
        reading, reader = self._admit(request, _AUDIT)
        raw = await reading.desk.proof(EventId(request.match_info["event"]), reader)
        return web.Response(body=raw, headers=_TEXT)

    async def consistency(self, request: web.Request) -> web.Response:
        reading, reader = self._admit(request, _ALL)
        old = whole_number(request.query, "from", 0, 0, 1 << 53)
        new = whole_number(request.query, "to", 0, 0, 1 << 53)
        path = await reading.desk.consistency(old, new, reader)
        return web.Response(
            body=canonical_json({"from": old, "to": new, "path": [one.hex() for one in path]}), headers=_JSON
        )

    async def reports(self, request: web.Request) -> web.Response:
        reading, _ = self._admit(request, _AUDIT)
        names = reading.desk.reports.names.items()
        return web.Response(
            body=canonical_json([{"name": name, "zh": zh, "en": en} for name, (zh, en) in names]), headers=_JSON
        )

    async def search(self, request: web.Request) -> web.Response:
        reading, reader = self._admit(request, _AUDIT)
        given = await read_json_object(request, self._settings, SEARCH)
        person = text_of(given, "person")
        if person is not None:
            self._admit_personal(request)
        found = await reading.desk.search(
            query_of(given),
            number_of(given, "before"),
            number_of(given, "limit") or 100,
            reader,
            case=text_of(given, "case"),
            officer=text_of(given, "officer"),
            person=person,
        )
        return web.Response(body=canonical_json([record_document(one) for one in found]), headers=_JSON)

    async def bundle(self, request: web.Request) -> web.Response:
        reading, reader = self._admit(request, _AUDIT)
        given = await read_json_object(request, self._settings, ("events",))
        events = given.get("events")
        if not isinstance(events, list) or not all(isinstance(one, str) for one in events):
            raise InvalidDocument("`events` is a list of event ids")
        return web.Response(body=await reading.desk.bundle([EventId(one) for one in events], reader), headers=_JSON)

    async def report(self, request: web.Request) -> web.Response:
        reading, reader = self._admit(request, _AUDIT)
        given = await read_json_object(request, self._settings, REPORT)
        person = text_of(given, "person")
        if person is not None:
            self._admit_personal(request)
        format_ = text_of(given, "format") or "json"
        made = await reading.desk.report(request.match_info["report"], asked_of(given), format_, reader, person=person)
        return rendered(made)

    async def person_report(self, request: web.Request) -> web.Response:
        reading, reader = self._admit(request, _PERSONAL)
        given = await read_json_object(request, self._settings, ("person", "format", "for_guardian"))
        person = text_of(given, "person")
        if person is None:
            raise InvalidDocument("`person` is needed: KIND:NUMBER or a person id")
        format_ = text_of(given, "format") or "json"
        made = await reading.desk.person_report(person, format_, reader, for_guardian=text_of(given, "for_guardian"))
        return rendered(made)

    def _admit_personal(self, request: web.Request) -> None:
        caller = self._gate.admit(request, is_metered=False)
        if caller.office.attributes.get(LOG_ROLE) not in _PERSONAL:
            raise NotFound("no such path")

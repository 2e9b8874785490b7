"""How does a file of many rows come in over HTTP, and how does its sender follow the rows?"""

from __future__ import annotations

import orjson
from aiohttp import hdrs, web

from gateway.http.authentication import Gate
from gateway.http.notices import REPLAYED_HEADER
from gateway.http.problems import SAFE_HEADERS, in_both, plain_text
from gateway.http.reading import SIGNATURE_HEADER, media_type, read_file, transport_headers, whole_number
from gateway.http.refusals import InvalidParameter
from gateway.http.services import BulkLike
from gateway.http.settings import HttpSettings
from gateway.model.canonical import canonical_json
from gateway.ports.file_storage import RowReceipt

MAX_ROWS = 500
_MAX_KEY_CHARS = 128
_JSON = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}


class Files:
    def __init__(self, bulk: BulkLike, gate: Gate, settings: HttpSettings) -> None:
        self._bulk, self._gate, self._settings = bulk, gate, settings

    async def post(self, request: web.Request) -> web.Response:
        """POST /v1/files"""
        caller = self._gate.admit(request, report_only=True)
        kind, name = media_type(request), transport_headers(request).get("idempotency-key", "")
        if len(name) > _MAX_KEY_CHARS:
            raise InvalidParameter("`Idempotency-Key` is too long", remedy=f"at most {_MAX_KEY_CHARS} characters")
        body = await read_file(request, self._settings)
        taken = await self._bulk.take(caller, body, kind, name, request.headers.get(SIGNATURE_HEADER))
        headers = {**_JSON, hdrs.LOCATION: f"/v1/files/{taken.id}"}
        if taken.replayed:
            headers[REPLAYED_HEADER] = "true"
        return web.Response(status=202, body=taken.body, headers=headers)

    async def list(self, request: web.Request) -> web.Response:
        """GET /v1/files"""
        caller = self._gate.admit(request, report_only=True)
        limit = whole_number(request.query, "max", 20, 1, self._settings.max_inbox_items)
        return _answer({"files": list(await self._bulk.list(caller, limit))})

    async def status(self, request: web.Request) -> web.Response:
        """GET /v1/files/{file}"""
        caller = self._gate.admit(request, report_only=True)
        return _answer(await self._bulk.status(caller, request.match_info["file"]))

    async def rows(self, request: web.Request) -> web.Response:
        """GET /v1/files/{file}/rows"""
        caller = self._gate.admit(request, report_only=True)
        outcome = request.query.get("outcome", "")
        if outcome not in ("", "refused"):
            raise InvalidParameter("`outcome` is not known", remedy="leave it out, or say `refused`")
        limit = whole_number(request.query, "max", 100, 1, MAX_ROWS)
        start = whole_number(request.query, "after", 0, 0, 10**8)
        rows = await self._bulk.rows(
            caller, request.match_info["file"], start - 1, limit, only_refused=outcome == "refused"
        )
        cursor = str(rows[-1].outcome.row + 1 if rows else start)
        body = b",".join(_row(row) for row in rows)
        return web.Response(body=b'{"cursor":"%b","rows":[%b]}' % (cursor.encode(), body), headers=_JSON)


def _row(found: RowReceipt) -> bytes:
    """A row's place, and its notice with the receipt's exact bytes, or its problems."""
    outcome = found.outcome
    head = {"row": outcome.row, "position": plain_text(outcome.position)}
    if outcome.notice is None:
        return canonical_json(
            {**head, "status": "refused", "problems": list(map(in_both, orjson.loads(outcome.problem)))}
        )
    told = canonical_json({**head, "status": "accepted", "notice": outcome.notice})
    return told if found.receipt is None else told[:-1] + b',"receipt":' + found.receipt + b"}"


def _answer(document: dict[str, object]) -> web.Response:
    return web.Response(body=canonical_json(document), headers=_JSON)

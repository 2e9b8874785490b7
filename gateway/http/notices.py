"""How does a notice come in over HTTP, and how does its sender follow it?

The hottest route of the gateway, so it does little: prove the caller, take the rate, pass the exact bytes on, send
the receipt's bytes back as they are.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web

from gateway.http.authentication import Gate
from gateway.http.draining import Drain
from gateway.http.limits import OfficeRates
from gateway.http.long_poll import long_poll
from gateway.http.marks import CODE
from gateway.http.problems import PROBLEM_MEDIA_TYPE, SAFE_HEADERS, plain_text, refused_item_document
from gateway.http.reading import (
    SIGNATURE_HEADER,
    batch_size,
    hold_depth,
    media_type,
    read_body,
    transport_headers,
    whole_number,
)
from gateway.http.refusals import InvalidParameter
from gateway.http.services import FollowLike, ReceiptLike, SubmitLike, SubmittedLike
from gateway.http.settings import HttpSettings
from gateway.model.agency import Caller
from gateway.model.canonical import canonical_json
from gateway.model.errors import NotFound, TooLarge
from gateway.model.identifiers import NoticeId
from gateway.ports.translation import RefusedItem

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
REPLAYED_HEADER = "Hutong-Replayed"
BATCH_RECEIPT_HEADER = "Hutong-Batch-Receipt"
_JSON = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}
_MAX_CURSOR_CHARS = 64
_NOTICE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_REPORT_MARKS = (b"hutong.notice.RPT", b"RPT-M")

Take = Callable[[Caller, bytes, str, Mapping[str, str], str | None], Awaitable[SubmittedLike]]


class Notices:
    def __init__(
        self,
        submit: SubmitLike,
        follow: FollowLike,
        gate: Gate,
        rates: OfficeRates,
        drain: Drain,
        settings: HttpSettings,
    ) -> None:
        self._submit, self._follow, self._gate, self._rates = submit, follow, gate, rates
        self._drain, self._settings = drain, settings

    async def post(self, request: web.Request) -> web.Response:
        """POST /v1/notices"""
        caller, body, submitted = await self._take(request, self._submit)
        if submitted.is_batch:
            self._rates.charge(caller.office.id, len(submitted.items) - 1)
        return accepted_response(self._submit, caller, body, submitted)

    async def check(self, request: web.Request) -> web.Response:
        """POST /v1/notices:check"""
        _, _, submitted = await self._take(request, self._submit.check)
        return submission_response(submitted, status=200)

    async def follow(self, request: web.Request) -> web.Response:
        """GET /v1/notices/{notice}"""
        caller = self._gate.admit(request, report_only=True)
        notice = request.match_info["notice"]
        if _NOTICE_ID.fullmatch(notice) is None:
            raise NotFound("no such notice for this caller")
        status = await self._follow.notice(caller, NoticeId(notice))
        return web.Response(body=canonical_json(status), headers=_JSON)

    async def changes(self, request: web.Request) -> web.Response:
        """GET /v1/notices"""
        caller = self._gate.admit(request, report_only=True)
        cursor = request.query.get("changed_since", "")
        if len(cursor) > _MAX_CURSOR_CHARS or not cursor.isascii():
            raise InvalidParameter("`changed_since` is not of its form", remedy="use the cursor of the last answer")
        limit = whole_number(request.query, "max", 50, 1, self._settings.max_inbox_items)
        found = await long_poll(
            request,
            self._drain,
            self._settings,
            lambda part: self._follow.changes(caller, cursor, limit, part),
            lambda answer: bool(answer["changes"]),
        )
        return web.Response(body=canonical_json(found), headers=_JSON)

    async def _take(self, request: web.Request, take: Take) -> tuple[Caller, bytes, SubmittedLike]:
        caller = self._gate.admit(request, report_only=True, is_metered=False)
        has_room = self._rates.take(caller.office.id)
        kind = media_type(request)
        headers = transport_headers(request)
        body = await read_body(request, self._settings.max_body_bytes, self._settings)
        if not has_room:
            self._take_reserve(caller, kind, headers, body)
        if kind.endswith("json"):
            hold_depth(body, self._settings.max_json_depth)
            if kind == BATCH and batch_size(body) > self._settings.max_batch_items:
                raise TooLarge(
                    f"a batch holds at most {self._settings.max_batch_items} notices", remedy="split the batch"
                )
        return caller, body, await take(caller, body, kind, headers, request.headers.get(SIGNATURE_HEADER))

    def _take_reserve(self, caller: Caller, kind: str, headers: Mapping[str, str], body: bytes) -> None:
        """The general rate is used up: what may be a report takes from the reserve. A look is enough here, since the
        reserve has a rate of its own and native formats cannot be told before they are decoded."""
        is_canonical = kind in (STRUCTURED, BATCH) or "ce-type" in headers
        marks = headers.get("ce-type", "").encode() + body if is_canonical else b""
        may_be_report = caller.is_report_only or not is_canonical or any(mark in marks for mark in _REPORT_MARKS)
        if not may_be_report or not self._rates.take_for_report(caller.office.id):
            raise self._rates.too_many(caller.office.id)


def accepted_response(submit: SubmitLike, caller: Caller, body: bytes, submitted: SubmittedLike) -> web.Response:
    """What an office is answered to what it sent. A batch's answer is signed as a whole, with the digest of its bytes."""
    response = submission_response(submitted, status=202)
    if submitted.is_batch:
        assert isinstance(response.body, bytes)
        response.headers[BATCH_RECEIPT_HEADER] = submit.receipt_of_batch(caller, body, response.body)
    return response


def submission_response(submitted: SubmittedLike, status: int) -> web.Response:
    """One notice: the receipt's exact bytes, or its problem. A batch: 202 with one item each, in order."""
    if submitted.is_batch:
        items = b",".join(_item(item, status) for item in submitted.items)
        return web.Response(status=status, body=b"[" + items + b"]", headers=_JSON)
    item = submitted.items[0]
    if isinstance(item, RefusedItem):
        document = refused_item_document(item.problems)
        headers = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: PROBLEM_MEDIA_TYPE}
        response = web.Response(status=document["status"], body=canonical_json(document), headers=headers)
        response[CODE] = document["code"]
        return response
    return web.Response(status=status, body=item.body, headers=_receipt_headers(item))


def _receipt_headers(receipt: ReceiptLike) -> dict[str, str]:
    headers = _JSON.copy()
    if receipt.notice is not None:
        headers[hdrs.LOCATION] = f"/v1/notices/{receipt.notice}"
    if receipt.replayed:
        headers[REPLAYED_HEADER] = "true"
    return headers


def _item(item: ReceiptLike | RefusedItem, status: int) -> bytes:
    """What the notice would have been answered alone, with its status in front."""
    if isinstance(item, RefusedItem):
        document = refused_item_document(item.problems)
        return canonical_json({**document, "position": plain_text(item.position)})
    return b'{"status":%d,"replayed":%b,%b' % (status, b"true" if item.replayed else b"false", item.body[1:])

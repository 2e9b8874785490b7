"""How does an office fetch what is addressed to it, and say what became of it?

Leases, no cursors. A long poll is taken in slices, so that a closing gateway or a vanished caller is noticed before
anything more is leased. `accept`, `decline` and `feedback` write the notice (ACC, REF-R, PFB or AID) for the office and
send it through the one way in; its id is fixed by the call, so a repetition gets the first receipt.

Durable steps of `accept` and its kin: 1. the lease, if one is named, is acknowledged (repeating it is harmless);
2. the notice is accepted. A crash in between leaves an acknowledged delivery without the answer; the office repeats
the same call and gets both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aiohttp import hdrs, web

from gateway.http.authentication import Gate
from gateway.http.draining import Drain
from gateway.http.long_poll import long_poll
from gateway.http.notices import STRUCTURED, submission_response
from gateway.http.orders import read_order
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import (
    SIGNATURE_HEADER,
    member_text,
    read_json_object,
    small_object,
    transport_headers,
    whole_number,
)
from gateway.http.refusals import InvalidParameter
from gateway.http.services import AcknowledgeLike, PullLike, SubmitLike, VerifyOrderLike
from gateway.http.settings import HttpSettings
from gateway.model.agency import Caller
from gateway.model.canonical import canonical_json
from gateway.model.errors import NotFound, Problem
from gateway.model.identifiers import DeliveryId, OfficeId, office_urn
from gateway.ports.clock import Clock
from gateway.services.attest import BY_GATEWAY, Attestation
from gateway.services.handout import HandoutLike, instant_text, listed

DELIVERY_HEADER = "Hutong-Delivery"
REVISION_HEADER = "Hutong-Revision"
LEASE_HEADER = "Hutong-Lease"
LEASE_EXPIRES_HEADER = "Hutong-Lease-Expires"

_JSON = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}
_DELIVERY_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LEASE_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,256}")
_REASON = re.compile(r"[a-z][a-z0-9-]{0,63}")
_EVENT_ID = re.compile(r"[!-~]{1,128}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[ -~]{0,4096}")
_MAX_ACCEPT_CHARS = 512
_MAX_RETRY_SECONDS = 7 * 86_400
_FEEDBACK_TYPES = ("PFB", "AID")
_REPLY_MEMBERS = ("id", "data", "lease_token")


class Inbox:
    def __init__(
        self,
        pull: PullLike[Any],
        acknowledge: AcknowledgeLike,
        submit: SubmitLike,
        verify_order: VerifyOrderLike,
        clock: Clock,
        gate: Gate,
        drain: Drain,
        settings: HttpSettings,
    ) -> None:
        self._pull, self._acknowledge, self._submit = pull, acknowledge, submit
        self._verify_order, self._clock = verify_order, clock
        self._gate, self._drain, self._settings = gate, drain, settings
        self._page_sizes: dict[OfficeId, int] = {}

    async def page(self, request: web.Request) -> web.Response:
        """GET /v1/inbox"""
        caller = self._gate.admit(request, report_only=True)
        limit = whole_number(request.query, "max", 10, 1, self._settings.max_inbox_items)
        limit = min(limit, self._page_sizes.get(caller.office.id, limit))
        handouts = await self._in_time(caller, limit, await self._wait(request, caller, limit))
        return web.Response(body=canonical_json([listed(handout) for handout in handouts]), headers=_JSON)

    async def next(self, request: web.Request) -> web.Response:
        """GET /v1/inbox/next"""
        caller = self._gate.admit(request, report_only=True)
        handouts = await self._in_time(caller, 1, await self._wait(request, caller, 1))
        if not handouts:
            return web.Response(status=204, headers=SAFE_HEADERS)
        handout = handouts[0]
        headers = {
            name: value
            for name, value in handout.headers.items()
            if _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
        }
        headers |= {
            **SAFE_HEADERS,
            hdrs.CONTENT_TYPE: handout.media_type,
            DELIVERY_HEADER: handout.delivery,
            REVISION_HEADER: str(handout.revision),
            LEASE_HEADER: handout.lease_token,
            LEASE_EXPIRES_HEADER: instant_text(handout.lease_expires_at),
            SIGNATURE_HEADER: handout.signature,
        }
        return web.Response(body=handout.body, headers=headers)

    async def ack(self, request: web.Request) -> web.Response:
        """POST /v1/inbox/{delivery}/ack"""
        caller, delivery = self._gate.admit(request, report_only=True), _delivery(request)
        document = await read_json_object(request, self._settings, ("lease_token",))
        receipt = await self._acknowledge.acknowledge(caller, delivery, lease_of(document, request))
        return web.Response(body=receipt, headers=_JSON)

    async def nack(self, request: web.Request) -> web.Response:
        """POST /v1/inbox/{delivery}/nack"""
        caller, delivery = self._gate.admit(request, report_only=True), _delivery(request)
        document = await read_json_object(request, self._settings, ("lease_token", "reason", "retry_after_seconds"))
        reason = member_text(document, "reason", _REASON, "a reason code: small letters, digits and -", "not-processed")
        seconds = document.get("retry_after_seconds")
        if seconds is not None and (type(seconds) is not int or not 0 <= seconds <= _MAX_RETRY_SECONDS):
            problem = Problem("invalid-parameter", "/retry_after_seconds", f"a whole number up to {_MAX_RETRY_SECONDS}")
            raise InvalidParameter("`retry_after_seconds` is not of its form", problems=(problem,))
        wait = None if seconds is None else timedelta(seconds=seconds)
        lease = lease_of(document, request)
        receipt = await self._acknowledge.give_back(caller, delivery, lease, reason, wait)
        return web.Response(body=receipt, headers=_JSON)

    async def accept(self, request: web.Request) -> web.Response:
        """POST /v1/inbox/{delivery}/accept"""
        return await self._reply(request, "ACC", _REPLY_MEMBERS)

    async def decline(self, request: web.Request) -> web.Response:
        """POST /v1/inbox/{delivery}/decline"""
        return await self._reply(request, "REF-R", _REPLY_MEMBERS)

    async def feedback(self, request: web.Request) -> web.Response:
        """POST /v1/inbox/{delivery}/feedback"""
        return await self._reply(request, "", (*_REPLY_MEMBERS, "type"))

    async def _reply(self, request: web.Request, kind: str, members: Sequence[str]) -> web.Response:
        caller, delivery = self._gate.admit(request), _delivery(request)
        headers = transport_headers(request)
        body, signature = await read_order(request, caller, self._verify_order, self._settings)
        attested = BY_GATEWAY if signature is None else Attestation("signature", signature, body)
        document = small_object(request, body, self._settings, members)
        if not kind:
            kind = document.get("type", _FEEDBACK_TYPES[0])
            if kind not in _FEEDBACK_TYPES:
                problem = Problem("invalid-parameter", "/type", "one of " + ", ".join(_FEEDBACK_TYPES))
                raise InvalidParameter("`type` is not a feedback type", problems=(problem,))
        event = _event(caller, delivery, kind, document, headers.get("idempotency-key"))
        if "lease_token" in document or LEASE_HEADER in request.headers:
            await self._acknowledge.acknowledge(caller, delivery, lease_of(document, request))
        submitted = await self._submit.on_behalf(caller, event, STRUCTURED, {"content-type": STRUCTURED}, attested)
        return submission_response(submitted, status=202)

    async def _in_time(self, caller: Caller, limit: int, handouts: Sequence[HandoutLike]) -> Sequence[HandoutLike]:
        """Those whose tickets still live. The caller must send them without waiting for anything more.

        The others are logged void; then the office's next page is half as large, and grows back page by page.
        """
        office, page_sizes, had_all = caller.office.id, self._page_sizes, True
        while late := [handout for handout in handouts if self._clock.monotonic() >= handout.send_before]:
            had_all, handouts = False, [handout for handout in handouts if handout not in late]
            for handout in late:
                await self._pull.void(handout)
        if not had_all:
            page_sizes[office] = max(1, limit // 2)
        elif office in page_sizes and handouts:
            page_sizes[office] = min(self._settings.max_inbox_items, page_sizes[office] * 2)
        return handouts

    async def _wait(self, request: web.Request, caller: Caller, limit: int) -> Sequence[HandoutLike]:
        """Pull, in slices until something is there, the caller's time is over, the caller is gone or we are closing."""
        accept = request.headers.get(hdrs.ACCEPT, "*/*")
        if not accept.isascii() or len(accept) > _MAX_ACCEPT_CHARS:
            raise InvalidParameter("`Accept` is not of its form", remedy="name media types, or leave it out")

        async def pull(part: timedelta) -> Sequence[HandoutLike]:
            return () if self._drain.is_draining else await self._pull(caller, accept, limit, part)

        return await long_poll(request, self._drain, self._settings, pull, bool)


def _event(caller: Caller, delivery: DeliveryId, kind: str, document: dict[str, Any], key: str | None) -> bytes:
    """The answer as a CloudEvent of the office. Without an id of the caller's own it is the digest of what is said."""
    data = document.get("data", {})
    if not isinstance(data, dict):
        problem = Problem("invalid-parameter", "/data", "an object")
        raise InvalidParameter("`data` is not an object", problems=(problem,))
    if data.get("in_reply_to", delivery) != delivery:
        problem = Problem("invalid-parameter", "/data/in_reply_to", "the delivery of the path, or left out")
        raise InvalidParameter("`in_reply_to` names something else", problems=(problem,))
    data = {**data, "in_reply_to": delivery}
    if kind == "REF-R":
        referral = data.get("referral", {})
        if isinstance(referral, dict):
            data["referral"] = {"answer": "declined", **referral}
    said = hashlib.sha256(canonical_json([delivery, kind, data])).hexdigest()[:32]
    event = {
        "specversion": "1.0",
        "id": member_text(document, "id", _EVENT_ID, "1 to 128 visible ASCII characters", key or f"{delivery}.{said}"),
        "source": office_urn(caller.office.id),
        "type": f"hutong.notice.{kind}.v1",
        "datacontenttype": "application/json",
        "data": data,
    }
    return canonical_json(event)


def _delivery(request: web.Request) -> DeliveryId:
    return delivery_id(request.match_info["delivery"])


def delivery_id(text: str) -> DeliveryId:
    """Raises NotFound for what cannot be one."""
    if _DELIVERY_ID.fullmatch(text) is None:
        raise NotFound("no such delivery for this caller")
    return DeliveryId(text)


def lease_of(document: dict[str, Any], request: web.Request) -> str:
    """The lease token, from the body or the header that `next` gave it in."""
    named = document if "lease_token" in document else {"lease_token": request.headers.get(LEASE_HEADER)}
    return member_text(named, "lease_token", _LEASE_TOKEN, "the lease token this delivery was handed out with")

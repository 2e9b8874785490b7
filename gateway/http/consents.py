"""How does an office record a yes, a no or a withdrawal, and a use or disposal of what it got?

A consent call writes a CON notice for the office and sends it through the one way in; the id of the notice is fixed by
what is said, so a repetition gets the first receipt. The answer to a withdrawal comes when nothing decided
before it can leave any more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import hdrs, web

from gateway.consent.receipt import ANY_PURPOSE
from gateway.http.authentication import Gate
from gateway.http.notices import STRUCTURED, submission_response
from gateway.http.orders import read_order
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import member_text, read_json_object, small_object
from gateway.http.refusals import InvalidParameter
from gateway.http.services import RecordUseLike, ShowConsentLike, SubmitLike, VerifyOrderLike
from gateway.http.settings import HttpSettings
from gateway.model.agency import Caller
from gateway.model.canonical import canonical_json
from gateway.model.errors import NotFound, Problem
from gateway.model.identifiers import DeliveryId, office_urn

_JSON = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_CODE = re.compile(r"[a-z][a-z-]{0,31}")
_DELIVERY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_INSTANT = re.compile(r"[0-9T:.Z+-]{16,40}")
_SAYS = ("status", "scope_purposes", "recipients", "giver", "giver_kind", "text_version", "evidence", "until")


class Consents:
    def __init__(
        self,
        submit: SubmitLike,
        show: ShowConsentLike,
        use: RecordUseLike,
        verify_order: VerifyOrderLike,
        gate: Gate,
        settings: HttpSettings,
    ) -> None:
        self._submit, self._show, self._use = submit, show, use
        self._verify_order, self._gate, self._settings = verify_order, gate, settings

    async def put(self, request: web.Request) -> web.Response:
        """PUT /v1/consents/{consent}"""
        caller, name = self._gate.admit(request), _name(request)
        document = await self._signed(request, caller, ("subject", "in_reply_to", "persons", *_SAYS))
        said = {member: document[member] for member in _SAYS if member in document}
        data = {"consent": {"status": "given", **said, "consent_id": name}}
        for member in ("persons", "in_reply_to"):
            if member in document:
                data[member] = document[member]
        return await self._record(caller, name, data, document.get("subject"))

    async def withdraw(self, request: web.Request) -> web.Response:
        """POST /v1/consents/{consent}/withdrawal"""
        caller, name = self._gate.admit(request), _name(request)
        document = await self._signed(request, caller, ("giver", "persons"))
        first = (await self._show(caller.office, name))[0]
        kept = first["receipt"]["pii_processing"]["purposes"]
        scope = sorted({one["purpose"] for one in kept} - {ANY_PURPOSE})
        recipients = sorted({office for one in kept for office in one["recipient_third_parties"]})
        said: dict[str, Any] = {
            "consent_id": name,
            "status": "withdrawn",
            **({"scope_purposes": scope} if scope else {}),
            "recipients": recipients,
        }
        data: dict[str, Any] = {"consent": said, "in_reply_to": first["notice"]}
        if "giver" in document:
            said["giver"] = document["giver"]
        if "persons" in document:
            data["persons"] = document["persons"]
        return await self._record(caller, name, data, None)

    async def get(self, request: web.Request) -> web.Response:
        """GET /v1/consents/{consent}"""
        caller = self._gate.admit(request)
        shown = await self._show(caller.office, _name(request))
        return web.Response(body=canonical_json(shown), headers=_JSON)

    async def usage(self, request: web.Request) -> web.Response:
        """POST /v1/usage-receipts"""
        caller = self._gate.admit(request, report_only=True)
        document = await read_json_object(request, self._settings, ("delivery", "kind", "code", "at"))
        delivery = member_text(document, "delivery", _DELIVERY, "the id of a delivery you got")
        kind = member_text(document, "kind", _CODE, "use or disposal")
        code = member_text(document, "code", _CODE, "a code of the use or of the method")
        at = None
        if "at" in document:
            at = _instant(member_text(document, "at", _INSTANT, "a time with its offset (RFC 3339)"))
        receipt = await self._use(caller, DeliveryId(delivery), kind, code, at)
        return web.Response(body=receipt, headers=_JSON)

    async def _signed(self, request: web.Request, caller: Caller, members: tuple[str, ...]) -> dict[str, Any]:
        body, _ = await read_order(request, caller, self._verify_order, self._settings)
        return small_object(request, body, self._settings, members)

    async def _record(self, caller: Caller, name: str, data: Mapping[str, Any], subject: object) -> web.Response:
        said = hashlib.sha256(canonical_json(data)).hexdigest()[:32]
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"consent.{said}",
            "source": office_urn(caller.office.id),
            "type": "hutong.notice.CON.v1",
            "datacontenttype": "application/json",
            "data": data,
        }
        if isinstance(subject, str):
            event["subject"] = subject
        body = canonical_json(event)
        submitted = await self._submit.on_behalf(caller, body, STRUCTURED, {"content-type": STRUCTURED})
        taken = submission_response(submitted, status=202)
        if taken.status != 202:
            return taken
        shown = {"consent": name, "records": await self._show(caller.office, name)}
        # the notice's own receipt stands beside, byte for byte as it was stored
        assert isinstance(taken.body, bytes)
        document = canonical_json(shown)[:-1] + b',"notice":' + taken.body + b"}"
        return web.Response(body=document, headers=_JSON)


def _name(request: web.Request) -> str:
    text = request.match_info["consent"]
    if _NAME.fullmatch(text) is None:
        raise NotFound("no such consent for this caller")
    return text


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as broken:
        raise InvalidParameter(
            "`at` is no time", problems=(Problem("invalid-parameter", "/at", "RFC 3339"),)
        ) from broken
    if instant.tzinfo is None:
        raise InvalidParameter("`at` has no offset", problems=(Problem("invalid-parameter", "/at", "RFC 3339"),))
    return instant

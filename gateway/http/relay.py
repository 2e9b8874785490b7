"""How does a message through a relay handle come in?"""

from __future__ import annotations

import hashlib
import re

from aiohttp import hdrs, web

from gateway.http.authentication import Gate
from gateway.http.notices import REPLAYED_HEADER
from gateway.http.orders import read_order
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import member_text, small_object, transport_headers
from gateway.http.services import PassOnLike, VerifyOrderLike
from gateway.http.settings import HttpSettings
from gateway.model.errors import NotFound
from gateway.services.attest import BY_GATEWAY, Attestation
from gateway.services.pass_on import Message

_HANDLE = re.compile(r"rl-[0-9a-f]{32}")
_NAME = re.compile(r"[\x21-\x7e]{1,128}")
_TEXT = re.compile(r"(?s)(?=.*\S).{1,2000}")


class RelayDoor:
    def __init__(self, pass_on: PassOnLike, verify_order: VerifyOrderLike, gate: Gate, settings: HttpSettings) -> None:
        self._pass_on, self._verify_order, self._gate, self._settings = pass_on, verify_order, gate, settings

    async def post(self, request: web.Request) -> web.Response:
        """POST /v1/relay/{handle}"""
        caller, handle = self._gate.admit(request), request.match_info["handle"]
        headers = transport_headers(request)
        body, signature = await read_order(request, caller, self._verify_order, self._settings)
        attested = BY_GATEWAY if signature is None else Attestation("signature", signature)
        document = small_object(request, body, self._settings, ("id", "text"))
        text = member_text(document, "text", _TEXT, "1 to 2000 characters, for the contact")
        own = headers.get("idempotency-key") or hashlib.sha256(body).hexdigest()[:32]
        name = member_text(document, "id", _NAME, "1 to 128 visible ASCII characters", own)
        if _HANDLE.fullmatch(handle) is None:
            raise NotFound("no such handle for this caller", remedy="use a handle of your newest release of the case")
        receipt = await self._pass_on(caller, Message(handle, name, text, body, attested))
        told = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json", hdrs.LOCATION: f"/v1/notices/{receipt.notice}"}
        if receipt.replayed:
            told[REPLAYED_HEADER] = "true"
        return web.Response(status=202, body=receipt.body, headers=told)

"""How does an office say where it wants to be called?

The call moves where releases about children go, so a token alone is not enough: it is an order that is signed, for
this call and once, with a key of the office's own entry. What is asked for takes effect for every delivery not yet decided.
"""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from gateway.http.authentication import Gate
from gateway.http.orders import read_order
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import member_text, small_object
from gateway.http.services import VerifyOrderLike, WebhookLike
from gateway.http.settings import HttpSettings
from gateway.model.agency import Webhook
from gateway.model.canonical import canonical_json

_URL = re.compile(r"https?://[!-~]{1,2040}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s-]{1,32768}")


class Webhooks:
    def __init__(self, enrol: WebhookLike, verify_order: VerifyOrderLike, gate: Gate, settings: HttpSettings) -> None:
        self._enrol, self._verify_order, self._gate, self._settings = enrol, verify_order, gate, settings

    async def put(self, request: web.Request) -> web.Response:
        """PUT /v1/webhook"""
        caller = self._gate.admit(request)
        body, _ = await read_order(request, caller, self._verify_order, self._settings, is_required=True)
        document = small_object(request, body, self._settings, ("url", "trust_pem"))
        webhook = None
        if document:
            url = member_text(document, "url", _URL, "the URL to call")
            pem = member_text(document, "trust_pem", _PEM, "a PEM certificate", "")
            webhook = Webhook(url, pem or None)
        await self._enrol.set_webhook(caller, webhook)
        told = {} if webhook is None else {"url": webhook.url, "is_pinned": webhook.trust_pem is not None}
        return web.Response(body=canonical_json(told), headers={**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"})

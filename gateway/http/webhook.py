"""How does an office say where it wants to be called?

The call moves where releases about children go, so a token alone is not enough: it is signed like a notice, over the
exact bytes, with a key of the office's own entry. What is asked for takes effect for every delivery not yet decided.
"""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from gateway.crypto.detached import DetachedVerifier
from gateway.http.authentication import Gate
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import SIGNATURE_HEADER, member_text, read_body, small_object
from gateway.http.services import WebhookLike
from gateway.http.settings import HttpSettings
from gateway.model.agency import Webhook
from gateway.model.canonical import canonical_json
from gateway.ports.clock import Clock
from gateway.services.authenticate import OfficeDirectory

_URL = re.compile(r"https?://[!-~]{1,2040}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s-]{1,32768}")


class Webhooks:
    def __init__(
        self, enrol: WebhookLike, directories: OfficeDirectory, clock: Clock, gate: Gate, settings: HttpSettings
    ) -> None:
        self._enrol, self._directories, self._clock = enrol, directories, clock
        self._gate, self._settings, self._verifier = gate, settings, DetachedVerifier()

    async def put(self, request: web.Request) -> web.Response:
        """PUT /v1/webhook"""
        caller = self._gate.admit(request)
        body = await read_body(request, self._settings.max_small_body_bytes, self._settings)
        keys = self._directories.current.signing_keys(caller.office.id, self._clock.now())
        self._verifier.verify(request.headers.get(SIGNATURE_HEADER, ""), body, keys)
        document = small_object(request, body, self._settings, ("url", "trust_pem"))
        webhook = None
        if document:
            url = member_text(document, "url", _URL, "the URL to call")
            pem = member_text(document, "trust_pem", _PEM, "a PEM certificate", "")
            webhook = Webhook(url, pem or None)
        await self._enrol.set_webhook(caller, webhook)
        told = {} if webhook is None else {"url": webhook.url, "is_pinned": webhook.trust_pem is not None}
        return web.Response(body=canonical_json(told), headers={**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"})

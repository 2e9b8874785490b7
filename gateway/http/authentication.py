"""Who is at the door, and what are strangers told?

`Gate.admit` is asked once by every route that is not public. Whatever is wrong with the credentials, the answer is
one and the same; only the number of tries shows, as a 429. The token endpoint answers in the words of RFC 6749 5.2.
"""

from __future__ import annotations

import hashlib
import math
import re
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from gateway.crypto.signing import b64url
from gateway.http.limits import OfficeRates, Strangers, peer_of
from gateway.http.marks import CODE, OFFICE
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import media_type, read_body
from gateway.http.refusals import InvalidParameter, MalformedRequest
from gateway.http.settings import HttpSettings
from gateway.model.agency import Caller
from gateway.model.canonical import canonical_json
from gateway.model.errors import (
    NotPermitted,
    Problem,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMediaType,
)
from gateway.services.authenticate import ALGORITHMS, SCOPE_NOTICES, SCOPE_REPORT_ONLY, Authenticate, TokenRefused

OFFICER_HEADER = "Hutong-Officer"
PURPOSE_HEADER = "Hutong-Purpose"
_OFFICER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_PERSONAL_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]|[0-9]{15}|1[3-9][0-9]{9}")  # identity card, old card, mobile phone
_PURPOSE = re.compile(r"P[0-9]{2}")
_NONE: list[str] = []
_JSON = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}


class Gate:
    """Lets offices in, counts strangers, holds rates."""

    def __init__(self, authenticate: Authenticate, rates: OfficeRates, strangers: Strangers, settings: HttpSettings):
        self._authenticate, self._rates, self._strangers, self._settings = authenticate, rates, strangers, settings

    @property
    def strangers(self) -> Strangers:
        return self._strangers

    def admit(self, request: web.Request, *, report_only: bool = False, is_metered: bool = True) -> Caller:
        """The office that calls. `report_only` says that the route is open to a suspended office too.

        Raises Unauthenticated (always alike), NotPermitted, InvalidParameter for officer and purpose,
        TooManyRequests when the office's general rate is used up (`is_metered`).
        """
        headers = request.headers
        credentials = headers.getall(hdrs.AUTHORIZATION, _NONE)
        try:
            if len(credentials) != 1 or credentials[0][:7].lower() != "bearer " or len(credentials[0]) > 4096:
                raise Unauthenticated("no credentials, or more than one")
            caller = self._authenticate.caller_of(credentials[0][7:].strip(), certificate_of(request))
        except Unauthenticated:
            self._strangers.count(self.peer(request))
            raise
        request[OFFICE] = caller.office.id
        if caller.is_report_only and not report_only:
            raise NotPermitted("this office may send reports alone", remedy="ask for the office to be resumed")
        if is_metered and not self._rates.take(caller.office.id):
            raise self._rates.too_many(caller.office.id)
        officer, purpose = headers.get(OFFICER_HEADER), headers.get(PURPOSE_HEADER)
        if officer is None and purpose is None:
            return caller
        return Caller(caller.office, officer_of(officer), purpose_of(purpose), caller.is_report_only)

    def peer(self, request: web.Request) -> str:
        return peer_of(request.remote, request.headers.get("X-Forwarded-For"), self._settings.trusted_proxies)


class TokenEndpoint:
    """POST /oauth/token, and what a client needs to find it."""

    def __init__(self, authenticate: Authenticate, gate: Gate, settings: HttpSettings) -> None:
        self._authenticate, self._gate, self._settings = authenticate, gate, settings
        token_settings = authenticate.settings
        self._metadata = canonical_json(
            {
                "issuer": token_settings.issuer,
                "token_endpoint": token_settings.token_endpoint,
                "jwks_uri": f"{token_settings.issuer}/.well-known/jwks.json",
                "grant_types_supported": ["client_credentials"],
                "response_types_supported": [],
                "scopes_supported": [SCOPE_NOTICES, SCOPE_REPORT_ONLY],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
                "tls_client_certificate_bound_access_tokens": True,
                "service_documentation": f"{token_settings.issuer}/docs",
            }
        )

    async def issue(self, request: web.Request) -> web.Response:
        try:
            form = await self._form(request)
            issued = await self._authenticate.issue(form, certificate_of(request))
        except TokenRefused as refused:
            return _oauth_error(400, refused.error)
        except (MalformedRequest, UnsupportedMediaType):
            return _oauth_error(400, "invalid_request")
        except Unauthenticated:
            try:
                self._gate.strangers.count(self._gate.peer(request))
            except TooManyRequests as many:
                return _oauth_error(429, "temporarily_unavailable", math.ceil(many.retry_after.total_seconds()))
            return _oauth_error(401, "invalid_client")
        document = {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": int(issued.expires_in.total_seconds()),
            "scope": issued.scope,
        }
        return web.Response(body=canonical_json(document), headers={**_JSON, "Pragma": "no-cache"})

    async def metadata(self, request: web.Request) -> web.Response:
        """RFC 8414."""
        return web.Response(body=self._metadata, headers={**_JSON, hdrs.CACHE_CONTROL: "public, max-age=300"})

    async def keys(self, request: web.Request) -> web.Response:
        """RFC 7517: the keys of tokens, receipts, releases and the log, the retired included."""
        body = canonical_json({"keys": self._authenticate.public_keys()})
        return web.Response(body=body, headers={**_JSON, hdrs.CACHE_CONTROL: "public, max-age=300"})

    async def _form(self, request: web.Request) -> dict[str, str]:
        """The form, each parameter once (RFC 6749 3.2)."""
        body = await read_body(request, self._settings.max_small_body_bytes, self._settings)
        if media_type(request) != "application/x-www-form-urlencoded":
            raise UnsupportedMediaType("a token request is a form")
        try:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        except ValueError as broken:
            raise MalformedRequest("not a form") from broken
        form = dict(pairs)
        if len(form) != len(pairs):
            raise MalformedRequest("a parameter stands twice")
        return form


def certificate_of(request: web.Request) -> str | None:
    """The SHA-256 thumbprint of the client's certificate on this connection (RFC 8705 3.1), None without one."""
    if not request.secure or request.transport is None:
        return None
    ssl_object = request.transport.get_extra_info("ssl_object")
    certificate = None if ssl_object is None else ssl_object.getpeercert(binary_form=True)
    return b64url(hashlib.sha256(certificate).digest()) if certificate else None


def officer_of(text: str | None) -> str:
    if text is None:
        return ""
    if _OFFICER.fullmatch(text) is None or _PERSONAL_NUMBER.fullmatch(text) is not None:
        problem = Problem("invalid-parameter", f"header {OFFICER_HEADER}", "a pseudonymous reference of 1 to 64 letters, digits, . _ : -",
                          "use the office's own pseudonym for the officer, no name, identity or phone number")  # fmt: skip
        raise InvalidParameter(f"`{OFFICER_HEADER}` is not of its form", problems=(problem,))
    return text


def purpose_of(text: str | None) -> str | None:
    if text is not None and _PURPOSE.fullmatch(text) is None:
        problem = Problem("invalid-parameter", f"header {PURPOSE_HEADER}", "a purpose code, for instance P01")
        raise InvalidParameter(f"`{PURPOSE_HEADER}` is not of its form", problems=(problem,))
    return text


def _oauth_error(status: int, error: str, retry_after: int | None = None) -> web.Response:
    headers = {**_JSON, "Pragma": "no-cache"}
    if status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="hutong"'
    if retry_after is not None:
        headers[hdrs.RETRY_AFTER] = str(max(1, retry_after))
    response = web.Response(status=status, body=canonical_json({"error": error}), headers=headers)
    response[CODE] = error
    return response

"""How does the message broker ask who may do what?

The four questions of rabbitmq_auth_backend_http, as forms, answered `allow` or `deny` in plain text. Asked from anywhere
but the brokers' networks, the path does not exist.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from gateway.http.limits import is_straight_from
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import read_body
from gateway.http.settings import HttpSettings
from gateway.model.errors import NotFound
from gateway.services.broker_access import BrokerAccess

_TEXT = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"}
_MAX_FIELDS = 32


class BrokerQuestions:
    """`access` is None on a node without a message broker."""

    def __init__(self, access: BrokerAccess | None, settings: HttpSettings) -> None:
        self._access, self._settings = access, settings

    async def answer(self, request: web.Request) -> web.Response:
        """POST /internal/rabbitmq/{question}"""
        if self._access is None or not is_straight_from(request.remote, request.headers, self._settings.brokers):
            raise NotFound("no such path")
        form = await self._form(request)
        is_allowed = self._is_allowed(request.match_info["question"], form, self._access)
        response = web.Response(body=b"allow" if is_allowed else b"deny", headers=_TEXT)
        response.force_close()  # brokers ask seldom, and a node that leaves waits for connections that are kept
        return response

    def _is_allowed(self, question: str, form: dict[str, str], access: BrokerAccess) -> bool:
        def said(name: str) -> str:
            return form.get(name, "")

        match question:
            case "user":
                return access.user(said("username"), said("password"))
            case "vhost":
                return access.vhost(said("username"), said("vhost"))
            case "resource":
                return access.resource(
                    said("username"), said("vhost"), said("resource"), said("name"), said("permission")
                )
            case "topic":
                return access.topic(
                    said("username"), said("vhost"), said("name"), said("permission"), said("routing_key")
                )
        raise NotFound("no such path")

    async def _form(self, request: web.Request) -> dict[str, str]:
        body = await read_body(request, self._settings.max_small_body_bytes, self._settings)
        try:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError:
            return {}
        form = dict(pairs)
        return form if len(form) == len(pairs) else {}

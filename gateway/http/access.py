"""POST /access/v1/evaluation and /access/v1/evaluations: the AuthZEN form of the decision point (OpenID Authorization API 1.0)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from gateway.http.authentication import Gate
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import hold_depth, media_type, read_body
from gateway.http.refusals import InvalidParameter, MalformedRequest
from gateway.http.services import AccessLike
from gateway.http.settings import HttpSettings
from gateway.model.canonical import canonical_json
from gateway.model.errors import UnsupportedMediaType
from gateway.services.answer_access import OBLIGATION_TYPES, Question
from gateway.validation.strict_json import Malformed, parse_json

MAX_EVALUATIONS = 200
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SEMANTICS: Mapping[str, bool | None] = {
    "execute_all": None,
    "deny_on_first_deny": False,
    "permit_on_first_permit": True,
}
_MEMBERS = ("subject", "action", "resource", "context")


class Access:
    def __init__(self, access: AccessLike, gate: Gate, settings: HttpSettings, issuer: str) -> None:
        self._access, self._gate, self._settings = access, gate, settings
        self._metadata = canonical_json(
            {
                "policy_decision_point": issuer,
                "access_evaluation_endpoint": f"{issuer}/access/v1/evaluation",
                "access_evaluations_endpoint": f"{issuer}/access/v1/evaluations",
                "obligations_supported": list(OBLIGATION_TYPES),
            }
        )

    async def metadata(self, request: web.Request) -> web.Response:
        """GET /.well-known/authzen-configuration (section 9)."""
        return web.Response(
            body=self._metadata,
            headers={**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json", hdrs.CACHE_CONTROL: "public, max-age=300"},
        )

    async def evaluation(self, request: web.Request) -> web.Response:
        """One question, one answer (section 6)."""
        caller = self._gate.admit(request)
        document = await self._document(request)
        (answer,) = await self._access(caller, [_question(document)])
        return _response(request, answer.document())

    async def evaluations(self, request: web.Request) -> web.Response:
        """Many questions with shared defaults (section 7); without any, the same as `evaluation`."""
        caller = self._gate.admit(request)
        document = await self._document(request)
        entries = document.get("evaluations", [])
        if not isinstance(entries, list) or any(not isinstance(entry, dict) for entry in entries):
            raise InvalidParameter("`evaluations` is an array of objects")
        if len(entries) > MAX_EVALUATIONS:
            raise InvalidParameter(f"`evaluations` holds at most {MAX_EVALUATIONS}")
        if not entries:
            (answer,) = await self._access(caller, [_question(document)])
            return _response(request, answer.document())
        options = document.get("options", {})
        semantic = options.get("evaluations_semantic", "execute_all") if isinstance(options, dict) else None
        if not isinstance(semantic, str) or semantic not in _SEMANTICS:
            raise InvalidParameter(f"`evaluations_semantic` is one of {', '.join(_SEMANTICS)}")
        defaults = {name: document[name] for name in _MEMBERS if name in document}
        questions = [_question({**defaults, **entry}) for entry in entries]
        answers = await self._access(caller, questions, _SEMANTICS[semantic])
        return _response(request, {"evaluations": [answer.document() for answer in answers]})

    async def _document(self, request: web.Request) -> dict[str, Any]:
        if media_type(request) != "application/json":
            raise UnsupportedMediaType("an evaluation is JSON", remedy="send application/json")
        body = await read_body(request, self._settings.max_body_bytes, self._settings)
        hold_depth(body, self._settings.max_json_depth)
        try:
            document = parse_json(body, self._settings.max_json_depth)
        except Malformed as broken:
            raise MalformedRequest("not a JSON object") from broken
        if not isinstance(document, dict):
            raise MalformedRequest("not a JSON object")
        return document


def _question(document: Mapping[str, Any]) -> Question:
    subject, action = _object(document, "subject"), _object(document, "action")
    resource = _object(document, "resource")
    context = _object(document, "context") if "context" in document else {}
    properties = _object(action, "properties") if "properties" in action else {}
    facts = _object(context, "facts") if "facts" in context else {}
    if any(not isinstance(value, str) for value in facts.values()):
        raise InvalidParameter("`context.facts` maps facts to one value each")
    supported = _texts(context, "obligations_supported")
    return Question(
        _text(subject, "type"), _text(subject, "id"), _text(action, "name"), _text(properties, "form", ""),
        _text(resource, "type"), _text(resource, "id"), dict(facts), _texts(context, "obligations_understood"),
        supported is None or bool(supported & set(OBLIGATION_TYPES)),
    )  # fmt: skip


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    if not isinstance(found, dict):
        raise InvalidParameter(f"`{name}` is an object")
    return found


def _text(document: Mapping[str, Any], name: str, otherwise: str | None = None) -> str:
    found = document.get(name, otherwise)
    if not isinstance(found, str) or len(found) > 256:
        raise InvalidParameter(f"`{name}` is text of at most 256 characters")
    return found


def _texts(document: Mapping[str, Any], name: str) -> frozenset[str] | None:
    if name not in document:
        return None
    found = document[name]
    if not isinstance(found, list) or any(not isinstance(one, str) for one in found):
        raise InvalidParameter(f"`{name}` is an array of texts")
    return frozenset(found)


def _response(request: web.Request, document: Mapping[str, Any]) -> web.Response:
    headers = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}
    asked = request.headers.get("X-Request-ID", "")
    if _REQUEST_ID.fullmatch(asked):
        headers["X-Request-ID"] = asked  # section 10.1.3: given back as it came
    return web.Response(body=canonical_json(document), headers=headers)

"""What may staff ask the tools for policies, through the local socket?

`POST /admin/v1/policies:check` and its kin take the policy as `files` (name to text) or as `policy` (a hash, its beginning,
or `in-force`, the default), with an optional day `as_of` and `division`, and answer what `hutong policy ... --json` prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, files_of, operator_of
from gateway.http.problems import in_both
from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import EventId
from gateway.services.administer_policies import IN_FORCE
from gateway.services.analyse_policies import AnalysePolicies, Which


def analysis_routes(analyse: AnalysePolicies) -> list[web.RouteDef]:
    async def check(request: web.Request) -> web.Response:
        document = await document_of(request)
        told = await analyse.check(_which(document), **_common(request, document))
        return answer(told | {"problems": [in_both(problem) for problem in told["problems"]]})

    async def test(request: web.Request) -> web.Response:
        document = await document_of(request)
        return answer(await analyse.test(_which(document), **_common(request, document)))

    async def lint(request: web.Request) -> web.Response:
        document = await document_of(request)
        return answer(await analyse.lint(_which(document), **_common(request, document)))

    async def diff(request: web.Request) -> web.Response:
        document = await document_of(request)
        sides = [_which(_object(document, name)) for name in ("old", "new")]
        return answer(await analyse.diff(sides[0], sides[1], **_common(request, document)))

    async def why(request: web.Request) -> web.Response:
        document = await document_of(request)
        field = _text(document, "field")
        if "event" in document:
            named = "policy" in document or "files" in document
            return answer(
                await analyse.why_then(
                    _which(document) if named else None, field, EventId(_text(document, "event")),
                    _text(document, "person", ""), by=operator_of(request),
                )
            )  # fmt: skip
        accepts = document.get("accepts", [])
        if not isinstance(accepts, list):
            raise InvalidDocument("`accepts` is a list of obligations, or of `all`")
        given, common = _pairs(document), _common(request, document)
        return answer(await analyse.why(_which(document), field, given, tuple(map(str, accepts)), **common))

    async def who_sees(request: web.Request) -> web.Response:
        document = await document_of(request)
        return answer(await analyse.who_sees(_which(document), _text(document, "field"), **_common(request, document)))

    async def ceiling(request: web.Request) -> web.Response:
        document = await document_of(request)
        return answer(await analyse.ceiling(_which(document), _pairs(document), **_common(request, document)))

    asked = {
        "check": check, "test": test, "lint": lint, "diff": diff, "why": why, "who-sees": who_sees, "ceiling": ceiling,
    }  # fmt: skip
    return [web.post(f"/admin/v1/policies:{name}", handler) for name, handler in asked.items()]


def _which(document: Mapping[str, Any]) -> Which:
    return files_of(document) if "files" in document else _text(document, "policy", IN_FORCE)


def _common(request: web.Request, document: Mapping[str, Any]) -> dict[str, Any]:
    day, division = _text(document, "as_of", ""), document.get("division")
    try:
        return {
            "by": operator_of(request),
            "day": date.fromisoformat(day) if day else None,
            "division": None if division is None else str(division),
        }
    except ValueError as broken:
        raise InvalidDocument("`as_of` is a day: YYYY-MM-DD") from broken


def _text(document: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = document.get(name, default)
    if not isinstance(value, str):
        raise InvalidDocument(f"`{name}` is a text")
    return value


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if isinstance(value, str):
        return {"policy": value}
    if not isinstance(value, dict):
        raise InvalidDocument(f"`{name}` is the name of a policy, or an object with `files` or `policy`")
    return value


def _pairs(document: Mapping[str, Any]) -> dict[str, str]:
    value = document.get("facts", {})
    if not isinstance(value, dict) or any(not isinstance(one, str) for one in value.values()):
        raise InvalidDocument("`facts` maps facts to values")
    return value

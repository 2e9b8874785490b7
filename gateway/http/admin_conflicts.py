"""How do two compliance officers clear an unknown conflict of a guardian, through the local socket? A person is named in the body, never in a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, operator_of
from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import CaseId
from gateway.services.clear_conflict import ClearConflict, KeptClearing


def conflict_routes(clearing: ClearConflict) -> list[web.RouteDef]:
    async def clear(request: web.Request) -> web.Response:
        return answer(await _asked(request, clearing.clear))

    async def reverse(request: web.Request) -> web.Response:
        return answer(await _asked(request, clearing.reverse))

    return [web.post("/admin/v1/conflicts/clearing", clear), web.post("/admin/v1/conflicts/reversal", reverse)]


async def _asked(request: web.Request, act: Callable[..., Awaitable[KeptClearing]]) -> dict[str, Any]:
    document = await document_of(request)
    values = [document.get(name) for name in ("guardian", "case", "reason")]
    if not all(isinstance(value, str) and value for value in values):
        raise InvalidDocument("`guardian`, `case` and `reason` are given")
    guardian, case, reason = values
    done = await act(guardian, CaseId(str(case)), reason, by=operator_of(request))
    return {
        "clearing": done.id,
        "person": done.guardian,
        "case": done.case,
        "state": done.state,
        "officers": [officer for officer in done.officers if officer],
        "reason": done.reason,
        "at": done.at.isoformat(),
    }

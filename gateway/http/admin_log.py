"""What may staff ask about the exchange log, through the local socket?"""

from __future__ import annotations

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, operator_of
from gateway.services.hold import LogHold


def hold_routes(hold: LogHold) -> list[web.RouteDef]:
    async def show(_request: web.Request) -> web.Response:
        return answer(hold.show())

    async def release(request: web.Request) -> web.Response:
        document = await document_of(request)
        return answer(await hold.release(by=operator_of(request), reason=str(document.get("reason", ""))))

    return [web.get("/admin/v1/hold", show), web.post("/admin/v1/hold/release", release)]

"""How does a security administrator see and change the keys this gateway signs with, through the local socket?"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.http.admin_answers import answer, document_of, operator_of
from gateway.services.gateway_keys import GatewayKeys, KeyInUse


def key_routes(keys: GatewayKeys) -> list[web.RouteDef]:
    async def in_use(request: web.Request) -> web.Response:
        return answer([_document(key) for key in keys.in_use()])

    async def rotate(request: web.Request) -> web.Response:
        document = await document_of(request)
        algorithm = str(document.get("algorithm", "EdDSA"))
        made = await keys.rotate(request.match_info["use"], algorithm=algorithm, by=operator_of(request))
        return answer(_document(made), 201)

    async def change_root(request: web.Request) -> web.Response:
        name = await keys.change_root(by=operator_of(request))
        return answer({"use": "root", "name": name}, 201)

    return [
        web.post("/admin/v1/root-key", change_root),
        web.get("/admin/v1/keys", in_use),
        web.post("/admin/v1/keys/{use}", rotate),
    ]


def _document(key: KeyInUse) -> dict[str, Any]:
    return {"use": key.use, "kid": key.kid, "algorithm": key.algorithm}

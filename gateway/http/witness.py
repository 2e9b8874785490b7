"""The witness's HTTP interface: `POST /add-checkpoint`, `GET /<hash of origin>/checkpoint` (C2SP tlog-witness)."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.audit.witness import MAX_REQUEST_BYTES, TEXT_TYPE, monitoring_path
from gateway.services.witness import Witness


def witness_app(witness: Witness) -> web.Application:
    """An application for one witness. Requests are handled one after another, as its store does anyway."""
    turn = asyncio.Lock()
    paths = {monitoring_path(origin): origin for origin in witness.origins}

    async def add_checkpoint(request: web.Request) -> web.Response:
        body = await request.read()
        async with turn:
            reply = await asyncio.to_thread(witness.add_checkpoint, body)
        return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type})

    async def checkpoint(request: web.Request) -> web.Response:
        origin = paths.get(f"{request.match_info['origin']}/checkpoint")
        note = None if origin is None else await asyncio.to_thread(witness.checkpoint_of, origin)
        if note is None:
            return web.Response(status=404, text="no checkpoint of this log\n")
        return web.Response(body=note, headers={"Content-Type": TEXT_TYPE, "Cache-Control": "no-store"})

    app = web.Application(client_max_size=MAX_REQUEST_BYTES)
    app.router.add_post("/add-checkpoint", add_checkpoint)
    app.router.add_get("/{origin:[0-9a-f]{64}}/checkpoint", checkpoint)
    return app

"""How does the admin API read what it is asked, and how does it answer?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from gateway.engines.system.peer import peer_of
from gateway.model.errors import InvalidDocument, NotPermitted
from gateway.model.identifiers import Operator


def answer(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


async def document_of(request: web.Request) -> dict[str, Any]:
    """The JSON object of the body. Raises InvalidDocument for anything else."""
    try:
        document = orjson.loads(await request.read())
    except orjson.JSONDecodeError as broken:
        raise InvalidDocument("the body is not JSON") from broken
    if not isinstance(document, dict):
        raise InvalidDocument("the body is not a JSON object")
    return document


def files_of(document: Mapping[str, Any]) -> dict[str, str]:
    """The documents of a policy that came along. Raises InvalidDocument for anything but names and texts."""
    files = document.get("files")
    if not isinstance(files, dict) or not files or any(not isinstance(text, str) for text in files.values()):
        raise InvalidDocument("`files` maps names of files to their text")
    return {str(name): text for name, text in files.items()}


def operator_of(request: web.Request) -> str:
    """Who acts, as the client says, with the account that the kernel names: the log holds both, and roles are held under the
    name until sign-in comes. Raises NotPermitted for the name of another person's account."""
    name = request.headers.get("Hutong-Operator", "local")[:64]
    connection = None if request.transport is None else request.transport.get_extra_info("socket")
    peer = None if connection is None else peer_of(connection)
    if peer is None:
        return name
    if peer.is_another(name):
        raise NotPermitted("this is the name of somebody else's account", remedy="act under a name of your own")
    return Operator(name, peer.account)


def instant_of(text: str) -> datetime:
    """An aware instant. Raises InvalidDocument for a time without offset."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as broken:
        raise InvalidDocument("a time is RFC 3339 with an offset") from broken
    if instant.tzinfo is None:
        raise InvalidDocument("a time is RFC 3339 with an offset")
    return instant

"""How does a document come in and go out over HTTP?

Streamed both ways, a piece at a time, so that a large document costs no memory. Coming in it is whole and is what its
digest says, or nothing is kept. Going out, the first piece is read before the answer begins, and the ticket is looked at
right before its first byte; whatever goes wrong after that cuts the connection, so that half a document never looks whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import hdrs, web

from gateway.http.authentication import Gate
from gateway.http.inbox import delivery_id, lease_of
from gateway.http.limits import UploadQuota
from gateway.http.problems import SAFE_HEADERS
from gateway.http.reading import too_large
from gateway.http.refusals import InvalidParameter, MalformedRequest, RequestTimeout
from gateway.http.services import AttachmentsLike, FetchAttachmentLike
from gateway.http.settings import HttpSettings
from gateway.model.canonical import canonical_json
from gateway.model.errors import Problem, Tampered, Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.clock import Clock

_MOST_DIGEST_CHARS = 80


class AttachmentDoors:
    def __init__(
        self, attachments: AttachmentsLike, fetch: FetchAttachmentLike, gate: Gate, clock: Clock, settings: HttpSettings
    ) -> None:
        self._attachments, self._fetch, self._gate, self._clock, self._settings = (
            attachments,
            fetch,
            gate,
            clock,
            settings,
        )
        self._quota = UploadQuota(settings, clock)

    async def put(self, request: web.Request) -> web.Response:
        """PUT /v1/attachments/{digest}"""
        caller = self._gate.admit(request, report_only=True)
        most = self._settings.max_attachment_bytes
        if (request.content_length or 0) > most:
            raise too_large(most)
        office, digest = caller.office.id, _digest(request)
        self._quota.take(office, 0, promised=request.content_length or 1)
        done = await self._attachments.upload(caller, digest, self._content(request, office))
        told = canonical_json({"digest": done.digest, "size": done.size})
        headers = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}
        return web.Response(status=201 if done.is_new else 200, body=told, headers=headers)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/attachments/{digest}"""
        caller = self._gate.admit(request, report_only=True)
        delivery = delivery_id(request.query.get("delivery", ""))
        lease = lease_of({}, request)
        fetched = await self._fetch(caller, delivery, lease, _digest(request))
        first = await anext(fetched.content, b"")
        if self._clock.monotonic() >= fetched.leave.send_before:
            await self._fetch.unused(delivery, fetched.leave)
            raise Unavailable("the decision was too old to act on", remedy="ask again")
        headers = {
            **SAFE_HEADERS,
            hdrs.CONTENT_TYPE: "application/octet-stream",  # what a document says it is, is the release's to tell
            hdrs.CONTENT_DISPOSITION: "attachment",
        }
        response = web.StreamResponse(headers=headers)
        response.content_length = fetched.size
        await response.prepare(request)
        try:
            await response.write(first)
            async for piece in fetched.content:
                await response.write(piece)
        except (Tampered, Unavailable) as broken:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the document could not be sent whole") from broken
        await response.write_eof()
        return response

    async def _content(self, request: web.Request, office: OfficeId) -> AsyncIterator[bytes]:
        """The body as it arrives, counted; each piece has `body_seconds` to come."""
        while True:
            try:
                async with asyncio.timeout(self._settings.body_seconds):
                    piece = await request.content.readany()
            except TimeoutError as slow:
                raise RequestTimeout("the body did not arrive in time") from slow
            except web.RequestPayloadError as broken:
                raise MalformedRequest("the body's framing is broken") from broken
            if not piece:
                return
            self._quota.take(office, len(piece))
            yield piece


def _digest(request: web.Request) -> str:
    digest = request.match_info["digest"]
    if len(digest) > _MOST_DIGEST_CHARS:
        problem = Problem("invalid-parameter", "/digest", "`sha256:` or `sm3:` and 64 hexadecimal digits")
        raise InvalidParameter("the digest is not of its form", problems=(problem,))
    return digest

"""How does the edge stand on a socket, and how does it leave it?

A connection of our own, so that what never becomes a request (broken framing, header floods, a client that says nothing)
gets the same clean problems as everything else, and nothing of it reaches a log line.

Leaving, so that no request is begun into nothing (RFC 9112 9.5: whoever closes an idle connection may close it in the
moment its other end sends):

1. `begin_drain`: the node is not ready, long polls come back empty, each answer says `Connection: close`.
2. `leave`: new connections are refused. Those that are open end by themselves: one that asks once more is answered and
   closed, one that is idle is closed by its client or, as at any other time, after `keepalive_seconds`. None is closed
   earlier because the node leaves.
3. `stop`: requests in flight finish within `drain_seconds`; what is left is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from gateway.http.answering import NO_ROUTE, unmatched_response
from gateway.http.app import ANSWERING, DRAIN, EVENT_LOG, SETTINGS
from gateway.http.problems import problem_response
from gateway.http.refusals import HeaderTooLarge, MalformedRequest


class _Connection(RequestHandler):
    """One connection. Whatever aiohttp would answer in its own words is answered as a problem instead."""

    def __init__(self, server: _Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._server, self._event_log, self._answering = server, server.log, server.answering
        self._first_request: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.opened()
        if len(self._server.connections) > self._server.settings.max_connections:
            self.force_close()
            return
        self._first_request = self._loop.call_later(self._server.settings.header_seconds, self._close_if_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._first_request is not None:
            self._first_request.cancel()
        self._server.closed()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """For messages that could not be parsed, and for errors that left the application."""
        if status >= 500:
            error = exc if exc is not None else RuntimeError()
            self._event_log.error("request_failed", error)
            response = problem_response(error)
        elif isinstance(exc, LineTooLong) or "Too many headers" in str(message):
            response = problem_response(HeaderTooLarge("a line, or the number of headers, is too large"))
        else:
            response = problem_response(MalformedRequest("the request is not HTTP/1.1"))
        response.force_close()
        self._answering.observe(NO_ROUTE, request, response, 0.0)
        return response

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException):  # a path or method that is no route, so nothing of ours has seen it
            resp = unmatched_response(resp)
            if request.headers.get(hdrs.EXPECT):
                resp.force_close()  # the client may send its body or not: nobody can tell
            self._answering.observe(NO_ROUTE, request, resp, 0.0)
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        error = kw.get("exc_info")
        self._event_log.error("connection_failed", error if isinstance(error, BaseException) else RuntimeError())

    def _close_if_silent(self) -> None:
        self._first_request = None
        if self._request_count == 0:
            self.force_close()


class _Server(web.Server):
    def __init__(self, inner: web.Server, app: web.Application) -> None:
        self.log, self.answering, self.settings = app[EVENT_LOG], app[ANSWERING], app[SETTINGS]
        settings = self.settings
        super().__init__(
            inner.request_handler,
            request_factory=inner.request_factory,
            access_log=None,
            keepalive_timeout=settings.keepalive_seconds,
            max_line_size=settings.max_line_bytes,
            max_field_size=settings.max_line_bytes,
            max_headers=settings.max_headers,
            lingering_time=settings.lingering_seconds,
            auto_decompress=False,
        )
        self._open, self._gone = 0, asyncio.Event()
        self._gone.set()

    def opened(self) -> None:
        self._open += 1
        self._gone.clear()

    def closed(self) -> None:
        self._open -= 1
        if not self._open:
            self._gone.set()

    async def all_gone(self) -> None:
        """Return when no connection is open."""
        await self._gone.wait()

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self.app)


class Edge:
    """The agencies' API on a socket."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._runner = _Runner(app, shutdown_timeout=app[SETTINGS].drain_seconds)
        self._sites: list[web.BaseSite] = []
        self._flusher: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, ssl_context: ssl.SSLContext | None = None) -> int:
        """Listen; returns the port (port 0: any free one). Raises OSError when the address is taken."""
        if self._runner.server is None:
            await self._runner.setup()
            self._flusher = asyncio.create_task(self._flush(), name="edge-log-flush")
        site = web.TCPSite(self._runner, host, port, ssl_context=ssl_context, backlog=1024)
        await site.start()
        self._sites.append(site)
        return int(self._runner.addresses[-1][1])

    async def start_on(self, listener: socket.socket, ssl_context: ssl.SSLContext | None = None) -> None:
        """The same on a socket that listens already, so that its port is known before the application is made."""
        if self._runner.server is None:
            await self._runner.setup()
            self._flusher = asyncio.create_task(self._flush(), name="edge-log-flush")
        site = web.SockSite(self._runner, listener, ssl_context=ssl_context, backlog=1024)
        await site.start()
        self._sites.append(site)

    def begin_drain(self) -> None:
        """Not ready from now on; long polls come back empty. Give the balancer its time, then `leave` and `stop`."""
        self._app[DRAIN].begin()

    async def leave(self) -> None:
        """Take no new connection, and return when none is open any more. Ends within `keepalive_seconds`, the time an idle
        connection has anyway, or with a client that keeps one busy for longer than that."""
        self.begin_drain()
        while self._sites:
            await self._sites.pop().stop()
        server = self._runner.server
        if isinstance(server, _Server):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(server.settings.keepalive_seconds):
                    await server.all_gone()

    async def stop(self) -> None:
        """Finish what is in flight, within `drain_seconds`, and let go of the sockets."""
        self.begin_drain()
        await self._runner.cleanup()
        if self._flusher is not None:
            self._flusher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flusher
        self._app[EVENT_LOG].flush()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._app[EVENT_LOG].flush()


def server_tls(certificate: str, key: str, client_authorities: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 and up (1.3 preferred); with `client_authorities` a client may show a certificate of theirs, and its
    tokens are then bound to it (RFC 8705)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if client_authorities:
        context.load_verify_locations(client_authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context

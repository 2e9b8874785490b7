"""What happens around every route, whichever it is?

One wrapper, put on when the application is made: the route's function is called, errors are answered through the problem
table, and what was answered is counted and written as one line: route, method, status, time, office, code. There is no
other middleware. Who calls is asked by the route itself (`Gate.admit`), before a byte of the body is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from aiohttp import hdrs, web

from gateway.engines.system.logs import EventLog, Field
from gateway.http.draining import Drain
from gateway.http.marks import CODE, OFFICE
from gateway.http.metrics import EdgeMetrics
from gateway.http.problems import problem_response
from gateway.http.refusals import ExpectationFailed, MalformedRequest, MethodNotAllowed
from gateway.http.settings import HttpSettings
from gateway.model.errors import HutongError, NotFound, TooLarge

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

NO_ROUTE = "none"
_METHODS = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"})
_QUIET_ROUTES = frozenset({"alive", "ready", "metrics"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Answering:
    """Wraps routes, and watches what they answer."""

    def __init__(self, metrics: EdgeMetrics, drain: Drain, log: EventLog, settings: HttpSettings) -> None:
        self._metrics, self._drain, self._log, self._settings = metrics, drain, log, settings

    def wrap(self, route: str, handle: Answer) -> Answer:
        """The route's function with errors answered and the answer observed."""
        metrics, drain = self._metrics, self._drain

        async def answer(request: web.Request) -> web.StreamResponse:
            begin = monotonic()
            metrics.in_flight += 1
            try:
                response = await handle(request)
            except HutongError as known:
                response = problem_response(known)
            except web.HTTPException as foreign:
                response = unmatched_response(foreign)
            except (asyncio.CancelledError, ConnectionError):
                raise
            except Exception as unforeseen:  # noqa: BLE001 - the process's edge: told as `internal`, logged by kind
                self._log.error("request_failed", unforeseen, route=route)
                response = problem_response(unforeseen)
            finally:
                metrics.in_flight -= 1
            if drain.is_draining:
                response.force_close()
            self.observe(route, request, response, monotonic() - begin)
            return response

        return answer

    def expect(self, route: str) -> Callable[[web.Request], Awaitable[web.StreamResponse | None]]:
        """`Expect`: 100-continue, unless the body would be refused for its length anyway (RFC 9110 10.1.1)."""

        own = {"attachment-put": self._settings.max_attachment_bytes, "file-submit": self._settings.max_file_bytes}
        most = own.get(route, self._settings.max_body_bytes)

        async def answer(request: web.Request) -> web.StreamResponse | None:
            refused: HutongError
            if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
                refused = ExpectationFailed("only 100-continue is understood")
            elif (request.content_length or 0) > most:
                refused = TooLarge(f"the body is larger than {most} bytes")
            else:
                await request.writer.write(_CONTINUE)
                request.writer.output_size = 0
                return None
            response = problem_response(refused)
            response.force_close()
            self.observe(route, request, response, 0.0)
            return response

        return answer

    def observe(self, route: str, request: web.BaseRequest, response: web.StreamResponse, seconds: float) -> None:
        status = response.status
        code = response.get(CODE) if status >= 400 else None
        self._metrics.observe(route, status, seconds, code)
        if status < 400 and route in _QUIET_ROUTES:
            return
        method = request.method
        fields: dict[str, Field] = {
            "route": route,
            "method": method if method in _METHODS else "other",
            "status": status,
            "ms": int(seconds * 1e5) / 100,
        }
        office = request.get(OFFICE)
        if office is not None:
            fields["office"] = office
        if code is not None:
            fields["code"] = code
        self._log.write_buffered("request_answered", fields)


def unmatched_response(foreign: web.HTTPException) -> web.Response:
    """aiohttp's own refusals: no such path or method, an expectation on a path that is none, a body over the limit."""
    if isinstance(foreign, web.HTTPMethodNotAllowed):
        allow = ", ".join(sorted(foreign.allowed_methods))
        return problem_response(MethodNotAllowed("this path has other methods"), allow=allow)
    if isinstance(foreign, web.HTTPNotFound):
        return problem_response(NotFound("no such path"))
    if isinstance(foreign, web.HTTPExpectationFailed):
        return problem_response(ExpectationFailed("only 100-continue is understood"))
    if isinstance(foreign, web.HTTPRequestEntityTooLarge):
        return problem_response(TooLarge("the body is too large"))
    return problem_response(MalformedRequest("the request is not understood"))

"""How do routes, services and settings become one application?

`make_app` is the only place that binds a row of the route table to its function. There is one middleware, and what it
does is all that happens around a route: name it for the log, answer errors through the problem table. Who calls is
asked by the route itself (`Gate.admit`), before a byte of the body is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web

from gateway.engines.system.logs import EventLog
from gateway.http.authentication import Gate, TokenEndpoint
from gateway.http.draining import Drain
from gateway.http.health import Health
from gateway.http.inbox import Inbox
from gateway.http.limits import OfficeRates, Strangers
from gateway.http.marks import ROUTE
from gateway.http.metrics import EdgeMetrics
from gateway.http.notices import Notices
from gateway.http.openapi import openapi_document
from gateway.http.pages import PAGE_HEADERS, docs_page
from gateway.http.problems import SAFE_HEADERS, kind_of, problem_response
from gateway.http.refusals import ExpectationFailed, MalformedRequest, MethodNotAllowed
from gateway.http.routes import ROUTES
from gateway.http.services import ApiServices
from gateway.http.settings import HttpSettings
from gateway.model.canonical import canonical_json
from gateway.model.errors import HutongError, NotFound, TooLarge

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DRAIN = web.AppKey("drain", Drain)
EVENT_LOG = web.AppKey("event_log", EventLog)
METRICS = web.AppKey("metrics", EdgeMetrics)
SETTINGS = web.AppKey("settings", HttpSettings)
STRANGERS = web.AppKey("strangers", Strangers)


def make_app(services: ApiServices, settings: HttpSettings) -> web.Application:
    """The agencies' API. The application holds `DRAIN`, `STRANGERS` and `METRICS` for the assembly."""
    registry, log = services.registry, services.log
    drain, strangers = Drain(), Strangers(settings, services.clock)
    rates = OfficeRates(settings, services.clock)
    metrics = EdgeMetrics(lambda: strangers.total)
    registry.register(metrics)
    gate = Gate(services.authenticate, rates, strangers, settings)
    tokens = TokenEndpoint(services.authenticate, gate, settings)
    notices = Notices(services.submit, services.follow, gate, rates, settings)
    inbox = Inbox(
        services.pull,
        services.acknowledge,
        services.submit,
        services.directories,
        services.clock,
        gate,
        drain,
        settings,
    )
    health = Health(services.readiness, drain, registry, settings)
    description = canonical_json(openapi_document(services.authenticate.settings.issuer))
    handlers: Mapping[str, Handler] = {
        "token": tokens.issue,
        "metadata": tokens.metadata,
        "keys": tokens.keys,
        "submit": notices.post,
        "check": notices.check,
        "follow": notices.follow,
        "inbox": inbox.page,
        "inbox-next": inbox.next,
        "ack": inbox.ack,
        "nack": inbox.nack,
        "accept": inbox.accept,
        "decline": inbox.decline,
        "feedback": inbox.feedback,
        "alive": health.alive,
        "ready": health.ready,
        "metrics": health.metrics,
        "openapi": _static(description, "application/json"),
        "docs": _static(docs_page(), "text/html; charset=utf-8", PAGE_HEADERS),
    }
    app = web.Application(middlewares=[_answer_errors], client_max_size=settings.max_body_bytes)
    app[DRAIN], app[EVENT_LOG], app[METRICS] = drain, log, metrics
    app[SETTINGS], app[STRANGERS] = settings, strangers
    for route in ROUTES:
        app.router.add_route(
            route.method, route.path, handlers[route.name], name=route.name, expect_handler=_expect(settings)
        )
    return app


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The one map from errors to answers, for every route and for paths that are none."""
    app = request.app
    request[ROUTE] = request.match_info.route.name or "none"
    metrics = app[METRICS]
    metrics.in_flight += 1
    try:
        response = await handler(request)
    except web.HTTPException as unmatched:
        response = unmatched_response(unmatched)
    except HutongError as known:
        response = problem_response(known)
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception as unforeseen:  # noqa: BLE001 - the edge of the process: told as `internal`, logged by kind and place
        app[EVENT_LOG].error("request_failed", unforeseen, route=request[ROUTE], code=kind_of(unforeseen).code)
        response = problem_response(unforeseen)
    finally:
        metrics.in_flight -= 1
    if app[DRAIN].is_draining:
        response.force_close()
    return response


def unmatched_response(unmatched: web.HTTPException) -> web.Response:
    """aiohttp's own refusals: no such path or method, a body over the limit, an expectation."""
    if isinstance(unmatched, web.HTTPMethodNotAllowed):
        return problem_response(
            MethodNotAllowed("this path has other methods"), allow=", ".join(sorted(unmatched.allowed_methods))
        )
    if isinstance(unmatched, web.HTTPNotFound):
        return problem_response(NotFound("no such path"))
    if isinstance(unmatched, web.HTTPExpectationFailed):
        return problem_response(ExpectationFailed("only 100-continue is understood"))
    if isinstance(unmatched, web.HTTPRequestEntityTooLarge):
        return problem_response(TooLarge("the body is too large"))
    return problem_response(MalformedRequest("the request is not understood"))


def _expect(settings: HttpSettings) -> Callable[[web.Request], Awaitable[web.StreamResponse | None]]:
    async def answer(request: web.Request) -> web.StreamResponse | None:
        """`100-continue`, unless the body would be refused for its length anyway (RFC 9110 10.1.1)."""
        request[ROUTE] = request.match_info.route.name or "none"
        if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
            return _closing(problem_response(ExpectationFailed("only 100-continue is understood")))
        if (request.content_length or 0) > settings.max_body_bytes:
            return _closing(problem_response(TooLarge(f"the body is larger than {settings.max_body_bytes} bytes")))
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
        return None

    return answer


def _closing(response: web.Response) -> web.Response:
    response.force_close()
    return response


def _static(body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Handler:
    kept = {**SAFE_HEADERS, **(headers or {}), hdrs.CONTENT_TYPE: media_type}

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers=kept)

    return answer

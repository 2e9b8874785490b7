"""How do routes, services and settings become one application?

`make_app` is the only place that binds a row of the route table to its function, inside the one wrapper there is
(`answering`).
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

from gateway.engines.system.logs import EventLog
from gateway.http.access import Access
from gateway.http.answering import Answer, Answering
from gateway.http.asyncapi import asyncapi_document
from gateway.http.attachments import AttachmentDoors
from gateway.http.authentication import Gate, TokenEndpoint
from gateway.http.broker_access import BrokerQuestions
from gateway.http.consents import Consents
from gateway.http.draining import Drain
from gateway.http.emergency import Emergency
from gateway.http.files import Files
from gateway.http.health import Health
from gateway.http.inbox import Inbox
from gateway.http.limits import OfficeRates, Strangers
from gateway.http.log import log_handlers
from gateway.http.metrics import EdgeMetrics
from gateway.http.notices import Notices
from gateway.http.openapi import openapi_document
from gateway.http.pages import PAGE_HEADERS, docs_page
from gateway.http.problems import SAFE_HEADERS
from gateway.http.relay import RelayDoor
from gateway.http.routes import ROUTES
from gateway.http.services import ApiServices
from gateway.http.settings import HttpSettings
from gateway.http.webhook import Webhooks
from gateway.model.canonical import canonical_json

DRAIN = web.AppKey("drain", Drain)
EVENT_LOG = web.AppKey("event_log", EventLog)
ANSWERING = web.AppKey("answering", Answering)
SETTINGS = web.AppKey("settings", HttpSettings)
STRANGERS = web.AppKey("strangers", Strangers)


def make_app(services: ApiServices, settings: HttpSettings) -> web.Application:
    """The agencies' API. The application holds `DRAIN` and `STRANGERS` for the assembly."""
    registry, log = services.registry, services.log
    drain, strangers = Drain(), Strangers(settings, services.clock)
    rates = OfficeRates(settings, services.clock)
    metrics = EdgeMetrics(lambda: strangers.total)
    registry.register(metrics)
    gate = Gate(services.authenticate, rates, strangers, settings)
    tokens = TokenEndpoint(services.authenticate, gate, settings)
    notices = Notices(services.submit, services.follow, gate, rates, drain, settings)
    files = Files(services.bulk, gate, settings)
    inbox = Inbox(
        services.pull,
        services.acknowledge,
        services.submit,
        services.verify_order,
        services.clock,
        gate,
        drain,
        settings,
    )
    access = Access(services.access, gate, settings, services.authenticate.settings.issuer)
    consents = Consents(
        services.submit,
        services.show_consent,
        services.record_use,
        services.verify_order,
        gate,
        settings,
    )
    emergency = Emergency(services.emergency, gate, settings)
    webhooks = Webhooks(services.webhooks, services.verify_order, gate, settings)
    attachments = AttachmentDoors(services.attachments, services.fetch_attachment, gate, services.clock, settings)
    relay = RelayDoor(services.pass_on, services.verify_order, gate, settings)
    health = Health(services.readiness, drain, registry, services.recount, settings)
    description = canonical_json(openapi_document(services.authenticate.settings.issuer))
    pushed = canonical_json(asyncapi_document(services.authenticate.settings.issuer))
    handlers: Mapping[str, Answer] = {
        "token": tokens.issue,
        "metadata": tokens.metadata,
        "keys": tokens.keys,
        "submit": notices.post,
        "check": notices.check,
        "follow": notices.follow,
        "changes": notices.changes,
        "file-submit": files.post,
        "files": files.list,
        "file": files.status,
        "file-rows": files.rows,
        "inbox": inbox.page,
        "inbox-next": inbox.next,
        "ack": inbox.ack,
        "nack": inbox.nack,
        "accept": inbox.accept,
        "decline": inbox.decline,
        "feedback": inbox.feedback,
        "evaluation": access.evaluation,
        "evaluations": access.evaluations,
        "access-metadata": access.metadata,
        "consent-put": consents.put,
        "consent-get": consents.get,
        "consent-withdraw": consents.withdraw,
        "usage-receipt": consents.usage,
        "emergency-access": emergency.ask,
        "webhook": webhooks.put,
        "attachment-put": attachments.put,
        "attachment-get": attachments.get,
        "relay": relay.post,
        **log_handlers(services.log_reading, gate, settings),
        "alive": health.alive,
        "ready": health.ready,
        "metrics": health.metrics,
        "broker-access": BrokerQuestions(services.broker_access, settings).answer,
        "openapi": _static(description, "application/json"),
        "asyncapi": _static(pushed, "application/json"),
        "docs": _static(docs_page(), "text/html; charset=utf-8", PAGE_HEADERS),
    }
    answering = Answering(metrics, drain, log, settings)
    app = web.Application(client_max_size=settings.max_body_bytes)
    app[DRAIN], app[ANSWERING], app[SETTINGS], app[STRANGERS] = drain, answering, settings, strangers
    for route in ROUTES:
        app.router.add_route(
            route.method,
            route.path.replace("{path}", "{path:.+}"),  # a tile's path has slashes
            answering.wrap(route.name, handlers[route.name]),
            name=route.name,
            expect_handler=answering.expect(route.name),
        )
    app[EVENT_LOG] = log
    return app


def _static(body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Answer:
    kept = {**SAFE_HEADERS, **(headers or {}), hdrs.CONTENT_TYPE: media_type}

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers=kept)

    return answer

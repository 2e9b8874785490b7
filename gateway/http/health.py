"""Is this process alive, may it be given work, and what has it counted?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from gateway.http.draining import Drain
from gateway.http.limits import is_straight_from
from gateway.http.problems import SAFE_HEADERS
from gateway.http.services import Readiness
from gateway.http.settings import HttpSettings
from gateway.model.canonical import canonical_json
from gateway.model.errors import NotFound

_JSON = {**SAFE_HEADERS, hdrs.CONTENT_TYPE: "application/json"}


class Health:
    def __init__(
        self,
        readiness: Readiness,
        drain: Drain,
        registry: CollectorRegistry,
        recount: Callable[[], Awaitable[None]],
        settings: HttpSettings,
    ) -> None:
        self._readiness, self._drain, self._registry, self._settings = readiness, drain, registry, settings
        self._recount = recount

    async def alive(self, request: web.Request) -> web.Response:
        """GET /healthz: the event loop turns. Says nothing about the store: a restart would not help it."""
        return web.Response(body=b'{"status":"ok"}', headers=_JSON)

    async def ready(self, request: web.Request) -> web.Response:
        """GET /readyz: 200 when all this node needs is there and it is not closing. A time in doubt is told and takes no
        node away: reports go on."""
        checks = {"draining": "yes"} if self._drain.is_draining else dict(await self._readiness())
        is_ready = not self._drain.is_draining and all(
            state == "ok" for name, state in checks.items() if name != "time"
        )
        body = canonical_json({"status": "ready" if is_ready else "not-ready", "checks": checks})
        return web.Response(status=200 if is_ready else 503, body=body, headers=_JSON)

    async def metrics(self, request: web.Request) -> web.Response:
        """GET /metrics, for the networks of `metrics_readers`; to others it does not exist."""
        if not is_straight_from(request.remote, request.headers, self._settings.metrics_readers):
            raise NotFound("no such path")
        await self._recount()
        return web.Response(
            body=generate_latest(self._registry), headers={**SAFE_HEADERS, hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST}
        )

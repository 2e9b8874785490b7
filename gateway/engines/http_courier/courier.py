"""How do bytes reach an office's webhook, and nobody else?

One session per webhook that is in use, with its own pool and its own pinned trust: the certificate must be the pinned one or chain to
it, and carry the host's name. Connecting is a step of its own, done before anything is decided, so that the ticket's
two seconds are not spent on a handshake; `send` then takes the pooled connection.

Redirects are not followed, proxies and environment are not looked at, cookies not kept, answers read to a bound and
thrown away. A URL is https, except to this very machine where the settings say so (the demo).
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import ipaddress
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp import ClientRequest, hdrs
from aiohttp.connector import Connection as PooledConnection
from yarl import URL

from gateway.config import DeliverySettings
from gateway.model.agency import Webhook
from gateway.model.errors import Unavailable
from gateway.ports.clock import Clock
from gateway.ports.courier import Answer, Connection

SIGNATURE_HEADER = "Hutong-Signature"
_LONGEST_RETRY_AFTER = timedelta(days=1)
_DELIVERY = DeliverySettings()


@dataclass(frozen=True, slots=True)
class CourierSettings:
    max_answer_bytes: int = 64 * 1024  # only the status counts; more than this closes the connection
    connections_per_office: int = _DELIVERY.max_in_flight_per_office  # as many as pushes to one office may be in flight
    idle_seconds: float = 60.0  # under most servers' keep-alive, so that a pooled connection is seldom dead
    session_idle_seconds: float = 600.0  # then a webhook's session ends: offices change their webhooks and leave
    is_plain_loopback_allowed: bool = (
        _DELIVERY.webhook_plain_loopback
    )  # http to 127.0.0.1 and ::1: the demo's simulated agencies


class HttpCourier:
    """The courier port on aiohttp's client. `close` ends all sessions."""

    def __init__(self, clock: Clock, settings: CourierSettings | None = None) -> None:
        self._settings, self._clock = settings or CourierSettings(), clock
        self._sessions: dict[bytes, _OfficeSession] = {}

    async def connect(self, webhook: Webhook, timeout: timedelta) -> Connection:
        """Open or re-use a connection. Raises Unavailable when the office cannot be reached, its certificate is not
        the pinned one, or its URL is none that may be called."""
        url = _allowed_url(webhook.url, self._settings.is_plain_loopback_allowed)
        for idle in self._idle():
            await idle.close()
        session = self._session(webhook)
        session.users += 1
        try:
            opened = await session.warm(url, timeout)
        except BaseException:
            self._leave(session)
            raise
        leave = functools.partial(self._leave, session)
        return _OpenConnection(session, opened, url, self._clock, self._settings.max_answer_bytes, leave)

    async def close(self) -> None:
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    def _leave(self, session: _OfficeSession) -> None:
        session.users -= 1
        session.left_at = self._clock.monotonic()

    def _idle(self) -> list[_OfficeSession]:
        """Take out the sessions that nobody has used for a while."""
        before = self._clock.monotonic() - self._settings.session_idle_seconds
        places = [place for place, one in self._sessions.items() if one.users == 0 and one.left_at < before]
        return [self._sessions.pop(place) for place in places]

    def _session(self, webhook: Webhook) -> _OfficeSession:
        """A changed pin or URL is another session: an old connection never serves under a new trust."""
        pin = (webhook.trust_pem or "").encode()
        place = hashlib.sha256(webhook.url.encode() + b"\0" + pin).digest()
        if place not in self._sessions:
            try:
                trust = _trust(webhook.trust_pem)
            except (ssl.SSLError, ValueError) as broken:
                raise Unavailable("the pinned certificate cannot be read", remedy="pin a PEM certificate") from broken
            self._sessions[place] = _OfficeSession(trust, self._settings, self._clock.monotonic())
        return self._sessions[place]


class _OfficeSession:
    """The pool and trust of one webhook, how many hold a connection of it, and when (monotonic) the last gave one back."""

    def __init__(self, trust: ssl.SSLContext, settings: CourierSettings, made_at: float) -> None:
        self.users, self.left_at = 0, made_at
        self._connector = aiohttp.TCPConnector(
            ssl=trust,
            limit=settings.connections_per_office,
            keepalive_timeout=settings.idle_seconds,
            use_dns_cache=False,
            force_close=False,
        )
        self._trust = trust
        self.http = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT_ENCODING),
        )

    async def warm(self, url: URL, timeout: timedelta) -> PooledConnection:
        """A live connection, taken out of the pool: nobody else sends on it until it is released."""
        seconds = timeout.total_seconds()
        request = ClientRequest("POST", url, loop=asyncio.get_running_loop(), ssl=True)
        try:
            return await self._connector.connect(request, [], aiohttp.ClientTimeout(connect=seconds))
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeError) as failed:  # no name of a host: UnicodeError
            raise Unavailable("the office cannot be reached", retry_after=timedelta(seconds=5)) from failed

    async def close(self) -> None:
        await self.http.close()


class _OpenConnection:
    """A way to one office that is open: kept for this holder until its first send, which then finds it in the pool."""

    def __init__(
        self,
        session: _OfficeSession,
        opened: PooledConnection,
        url: URL,
        clock: Clock,
        max_answer_bytes: int,
        leave: Callable[[], None],
    ) -> None:
        self._session, self._opened, self._leave, self._is_held = session, opened, leave, True
        self._url, self._clock, self._max_answer_bytes = url, clock, max_answer_bytes

    async def send(
        self, body: bytes, headers: Mapping[str, str], timeout: timedelta, begin_within: float | None = None
    ) -> Answer:
        """Send one push. The signature is the caller's to make: without one nothing is sent (ValueError)."""
        if SIGNATURE_HEADER not in headers:
            raise ValueError("a push carries a signature")
        limit = aiohttp.ClientTimeout(total=timeout.total_seconds(), connect=begin_within)
        self._opened.release()
        try:
            async with self._session.http.post(
                self._url, data=body, headers=headers, allow_redirects=False, timeout=limit
            ) as response:
                answer = Answer(
                    response.status, _retry_after(response.headers.get(hdrs.RETRY_AFTER), self._clock.now())
                )
                if not await _is_short(response, self._max_answer_bytes):
                    response.close()
                return answer
        except (aiohttp.ClientError, OSError, TimeoutError) as failed:
            raise Unavailable("the office did not answer", retry_after=timedelta(seconds=5)) from failed

    async def close(self) -> None:
        """Give the connection to its pool for the next push; a second time does nothing."""
        self._opened.release()
        if self._is_held:
            self._is_held = False
            self._leave()


async def _is_short(response: aiohttp.ClientResponse, max_bytes: int) -> bool:
    """Read the answer's body away, up to a bound."""
    read = 0
    async for chunk in response.content.iter_any():
        read += len(chunk)
        if read > max_bytes:
            return False
    return True


def _allowed_url(text: str, is_plain_loopback_allowed: bool) -> URL:
    try:
        url = URL(text)
    except ValueError as broken:
        raise Unavailable("the webhook's URL cannot be called", remedy="correct the office's entry") from broken
    is_plain = url.scheme == "http" and is_plain_loopback_allowed and _is_loopback(url.host)
    if not (url.scheme == "https" or is_plain) or not url.host or url.user or url.password or url.fragment:
        raise Unavailable("the webhook's URL cannot be called", remedy="use https, without user or fragment")
    return url


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _trust(pem: str | None) -> ssl.SSLContext:
    """Pinned: this certificate, or what it signed, and nothing else. Not pinned: the system's authorities."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if pem is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=pem)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the pin may be the server's own certificate
    return context


def _retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Seconds or a date (RFC 9110 10.2.3), at most a day; None for anything else."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 9:
        wish = timedelta(seconds=int(text))
    else:
        try:
            at = parsedate_to_datetime(text)
            wish = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
        except (ValueError, OverflowError):  # no date, or one beyond all calendars
            return None
    return min(max(wish, timedelta(0)), _LONGEST_RETRY_AFTER)

"""A push reaches the pinned office over a connection that was open before, and nobody else."""

import asyncio
import socket
import ssl
from datetime import timedelta

import pytest
from aiohttp import web

from gateway.engines.http_courier.courier import CourierSettings, HttpCourier
from gateway.model.agency import Webhook
from gateway.model.errors import Unavailable
from tests.support.certificates import make_certificate
from tests.unit.http.standins import START, SetClock

SOON = timedelta(seconds=60)
HEADERS = {"Hutong-Signature": "e30..c2ln", "Content-Type": "application/xml", "ce-id": "d.1"}


class Receiver:
    """An office's own system: answers as told, remembers what came and over how many connections."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict, bytes]] = []
        self.connections = 0
        self.answer = lambda: web.Response(status=204)
        self.url = ""

    async def handle(self, request):
        self.seen.append((dict(request.headers), await request.read()))
        found = self.answer()
        return await found if asyncio.iscoroutine(found) else found

    async def start(self, tls: ssl.SSLContext | None = None):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        made = self.runner.server.connection_made

        def count(*connection):
            self.connections += 1
            return made(*connection)

        self.runner.server.connection_made = count
        await web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=tls).start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.runner.addresses[0][1]}/hook"
        return self


@pytest.fixture
async def courier():
    made = HttpCourier(SetClock(), CourierSettings(is_plain_loopback_allowed=True, max_answer_bytes=1000))
    yield made
    await made.close()


@pytest.fixture
async def receiver():
    made = await Receiver().start()
    yield made
    await made.runner.cleanup()


def certificate(tmp_path, address: str = "127.0.0.1") -> tuple[str, ssl.SSLContext]:
    """A self-signed certificate for an address, and a server context with it."""
    made = make_certificate(tmp_path, address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.path)
    return made.pem, context


async def test_a_webhook_that_nobody_calls_any_more_keeps_no_session(receiver):
    clock = SetClock()
    courier = HttpCourier(clock, CourierSettings(is_plain_loopback_allowed=True))
    try:
        held = await courier.connect(Webhook(f"{receiver.url}/held"), SOON)
        for number in range(30):
            await (await courier.connect(Webhook(f"{receiver.url}/{number}"), SOON)).close()
        assert len(courier._sessions) == 31
        clock.advance(minutes=11)
        await (await courier.connect(Webhook(f"{receiver.url}/next"), SOON)).close()
        assert len(courier._sessions) == 2, "the one that is held, and the one of now"
        assert (await held.send(b"{}", {"Hutong-Signature": "x"}, SOON)).status == 204
        await held.close()
        await held.close()
        clock.advance(minutes=11)
        await (await courier.connect(Webhook(f"{receiver.url}/last"), SOON)).close()
        assert len(courier._sessions) == 1
    finally:
        await courier.close()


async def test_a_push_arrives_byte_for_byte_with_its_signature(courier, receiver):
    connection = await courier.connect(Webhook(receiver.url), SOON)
    answer = await connection.send(b"\x00<xml/>\xff", HEADERS, SOON)
    assert (answer.status, answer.retry_after) == (204, None)
    headers, body = receiver.seen[0]
    assert body == b"\x00<xml/>\xff"
    assert {name: headers[name] for name in HEADERS} == HEADERS


async def test_connecting_sends_nothing_and_the_pushes_use_that_connection(courier, receiver):
    connection = await courier.connect(Webhook(receiver.url), SOON)
    assert (receiver.connections, receiver.seen) == (1, [])
    for _ in range(3):
        await connection.send(b"x", HEADERS, SOON)
        connection = await courier.connect(Webhook(receiver.url), SOON)
    assert (receiver.connections, len(receiver.seen)) == (1, 3)


async def test_nothing_is_sent_without_a_signature(courier, receiver):
    connection = await courier.connect(Webhook(receiver.url), SOON)
    with pytest.raises(ValueError, match="signature"):
        await connection.send(b"x", {}, SOON)
    assert not receiver.seen


async def test_a_redirect_is_an_answer_and_is_not_followed(courier, receiver):
    receiver.answer = lambda: web.Response(status=307, headers={"Location": receiver.url + "/elsewhere"})
    connection = await courier.connect(Webhook(receiver.url), SOON)
    assert (await connection.send(b"x", HEADERS, SOON)).status == 307
    assert len(receiver.seen) == 1


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("7", timedelta(seconds=7)),
        ("99999999", timedelta(days=1)),
        ("Mon, 02 Mar 2026 01:01:00 GMT", timedelta(minutes=1)),
        ("Mon, 02 Mar 2020 01:01:00 GMT", timedelta(0)),
        ("soon", None),
        ("-1", None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", None),
        ("Mon, 99999999999999999999 Jan 2026 00:00:00 GMT", None),
    ],
)
async def test_the_offices_own_wish_to_be_left_alone_is_heard(courier, receiver, text, wish):
    assert START.isoformat() == "2026-03-02T01:00:00+00:00"
    receiver.answer = lambda: web.Response(status=503, headers={"Retry-After": text})
    connection = await courier.connect(Webhook(receiver.url), SOON)
    answer = await connection.send(b"x", HEADERS, SOON)
    assert (answer.status, answer.retry_after) == (503, wish)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example"])
async def test_what_no_resolver_takes_as_a_host_is_an_office_that_cannot_be_reached(courier, host):
    with pytest.raises(Unavailable):
        await courier.connect(Webhook(f"https://{host}/hook"), SOON)


async def test_an_endless_answer_is_not_read_to_its_end(courier, receiver):
    receiver.answer = lambda: web.Response(body=b"x" * 5_000_000)
    connection = await courier.connect(Webhook(receiver.url), SOON)
    assert (await connection.send(b"x", HEADERS, SOON)).status == 200
    receiver.answer = lambda: web.Response(status=204)
    connection = await courier.connect(Webhook(receiver.url), SOON)
    assert (await connection.send(b"x", HEADERS, SOON)).status == 204


async def test_an_office_that_does_not_answer_in_time_is_unavailable(courier, receiver):
    never = asyncio.Event()

    async def hang():
        await never.wait()
        return web.Response()

    receiver.answer = hang
    connection = await courier.connect(Webhook(receiver.url), SOON)
    with pytest.raises(Unavailable):
        await connection.send(b"x", HEADERS, timedelta(seconds=0.1))
    never.set()


async def test_a_connection_that_ended_meanwhile_and_is_slow_to_come_again_carries_nothing(courier, tmp_path):
    """The ticket covers the first byte: a handshake that an office draws out must not outlive it."""
    pem, tls = certificate(tmp_path)
    loop, is_over = asyncio.get_running_loop(), asyncio.Event()

    async def office(listener):
        """Ends the first connection once it stands, and begins the handshake of the second when it is too late."""
        first, _ = await loop.sock_accept(listener)
        (await loop.connect_accepted_socket(asyncio.Protocol, first, ssl=tls))[0].abort()
        second, _ = await loop.sock_accept(listener)
        await is_over.wait()
        reader = asyncio.StreamReader()
        try:
            await loop.connect_accepted_socket(lambda: asyncio.StreamReaderProtocol(reader), second, ssl=tls)
            return await reader.read(1)
        except (OSError, ssl.SSLError):
            return b""

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        seen = asyncio.create_task(office(listener))
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/hook"
        connection = await courier.connect(Webhook(url, pem), SOON)
        while connection._opened.protocol.connected:  # noqa: ASYNC110 - until it is seen to have ended
            await asyncio.sleep(0.001)
        loop.call_later(0.3, is_over.set)
        with pytest.raises(Unavailable):
            await connection.send(b"x", HEADERS, SOON, 0.1)
        assert await seen == b""


async def test_an_office_that_is_gone_is_unavailable_before_anything_is_decided(courier, receiver):
    url = receiver.url
    await receiver.runner.cleanup()
    with pytest.raises(Unavailable):
        await courier.connect(Webhook(url), SOON)


async def test_the_pinned_certificate_is_trusted_and_no_other(courier, tmp_path):
    pem, tls = certificate(tmp_path)
    other, _ = certificate(tmp_path)
    receiver = await Receiver().start(tls)
    try:
        connection = await courier.connect(Webhook(receiver.url, pem), SOON)
        assert (await connection.send(b"x", HEADERS, SOON)).status == 204
        for trust in (other, None):
            with pytest.raises(Unavailable):
                await courier.connect(Webhook(receiver.url, trust), SOON)
        with pytest.raises(Unavailable):
            await courier.connect(Webhook(receiver.url, "no certificate"), SOON)
        assert len(receiver.seen) == 1
    finally:
        await receiver.runner.cleanup()


async def test_a_pinned_certificate_for_another_name_is_not_enough(courier, tmp_path):
    pem, tls = certificate(tmp_path, "127.0.0.2")
    receiver = await Receiver().start(tls)
    try:
        with pytest.raises(Unavailable):
            await courier.connect(Webhook(receiver.url, pem), SOON)
    finally:
        await receiver.runner.cleanup()


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1/hook",
        "http://localhost.example/hook",
        "ftp://127.0.0.1/hook",
        "file:///etc/passwd",
        "https://user:secret@127.0.0.1/hook",
        "https:///hook",
        "//127.0.0.1/hook",
        "https://[::1",
        "",
    ],
)
async def test_a_url_that_may_not_be_called_is_not(courier, url):
    with pytest.raises(Unavailable):
        await courier.connect(Webhook(url), SOON)


async def test_plain_http_is_only_for_the_demo(receiver):
    strict = HttpCourier(SetClock())
    with pytest.raises(Unavailable):
        await strict.connect(Webhook(receiver.url), SOON)
    await strict.close()
    assert receiver.connections == 0

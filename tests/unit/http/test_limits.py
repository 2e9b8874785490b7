"""Rates, peers and connections: what is too many, and for whom."""

import asyncio
import ssl
from datetime import timedelta
from ipaddress import ip_network

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.limits import Strangers, TokenBucket, UploadQuota, peer_of
from gateway.http.serving import server_tls
from gateway.http.settings import HttpSettings
from gateway.model.errors import TooManyRequests
from gateway.model.identifiers import OfficeId
from tests.support.certificates import make_certificate
from tests.unit.http.standins import SetClock, StandIn, event

HEALTH, POLICE = OfficeId("health.440113"), OfficeId("police.440113")
STEPS = st.lists(st.floats(0, 5), min_size=1, max_size=200)


@given(rate=st.floats(0.1, 50), burst=st.integers(1, 50), steps=STEPS)
def test_no_bucket_ever_gives_more_than_its_burst_and_its_rate(rate, burst, steps):
    now, given_out = 100.0, 0
    bucket = TokenBucket(rate, burst, now)
    for step in steps:
        now += step
        given_out += bucket.take(now)
        assert given_out <= burst + rate * (now - 100.0) + 1e-6


@given(rate=st.floats(0.1, 50), burst=st.integers(1, 50))
def test_whoever_waits_as_told_is_served(rate, burst):
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    while bucket.take(now):
        pass
    assert bucket.take(now + bucket.wait().total_seconds() + 1e-6)


def test_strangers_are_remembered_within_a_bound_and_the_rest_counted_together():
    clock = SetClock()
    strangers = Strangers(HttpSettings(kept_peers=10), clock)
    for number in range(50):
        strangers.count(f"192.0.2.{number}")
    clock.advance(minutes=2)
    counts = strangers.collect()
    assert sum(count.refusals for count in counts) == strangers.total == 50
    assert len(counts) == 11
    assert len(strangers._peers) == 10


def test_a_stranger_is_let_try_again_after_its_wait():
    clock = SetClock()
    strangers = Strangers(HttpSettings(strangers_per_minute=60), clock)
    for _ in range(60):
        strangers.count("192.0.2.1")
    with pytest.raises(TooManyRequests) as told:
        strangers.count("192.0.2.1")
    assert timedelta(0) < told.value.retry_after <= timedelta(seconds=1)
    clock.advance(seconds=1.1)
    strangers.count("192.0.2.1")


PROXIES = (ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("remote", "forwarded", "peer"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("2001:db8::1", None, "2001:0db8:0000:0000::/64"),
        ("2001:db8::2", None, "2001:0db8:0000:0000::/64"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        (None, None, "unknown"),
        ("/run/socket", None, "unknown"),
    ],
)
def test_only_a_trusted_proxy_may_say_who_its_caller_is(remote, forwarded, peer):
    assert peer_of(remote, forwarded, PROXIES) == peer


async def is_served(standin):
    try:
        return (await standin.client.get("/healthz")).status == 200
    except aiohttp.ClientConnectionError:  # the server has not seen yet that another one ended
        return False


async def test_connections_over_the_limit_are_closed_and_room_comes_back():
    standin = await StandIn(HttpSettings(max_connections=2)).start()
    try:
        async with asyncio.timeout(60):
            held = [await asyncio.open_connection("127.0.0.1", standin.port) for _ in range(2)]
            reader, writer = await asyncio.open_connection("127.0.0.1", standin.port)
            assert await reader.read() == b""
            writer.close()
            for _, kept in held:
                kept.close()
                await kept.wait_closed()
            while not await is_served(standin):
                pass
    finally:
        await standin.stop()


async def test_a_token_got_over_mutual_tls_is_bound_to_that_certificate(tmp_path):
    server, own, other = (make_certificate(tmp_path / name) for name in ("server", "own", "other"))
    authorities = tmp_path / "authorities.pem"
    authorities.write_text(own.pem + other.pem)
    standin = await StandIn().start()

    def client(certificate=None) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cadata=server.pem)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if certificate is not None:
            context.load_cert_chain(certificate.path)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))

    try:
        port = await standin.edge.start("127.0.0.1", 0, server_tls(server.path, server.path, str(authorities)))
        url, body = f"https://127.0.0.1:{port}", event()
        async with client(own) as mine, client(other) as theirs, client() as nobody:
            form = standin.police.form(standin.clock.now())
            async with mine.post(f"{url}/oauth/token", data=form) as answer:
                token = (await answer.json())["access_token"]
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/cloudevents+json",
                "Hutong-Signature": standin.police.sign(body),
            }
            statuses = []
            for session in (mine, theirs, nobody):
                async with session.post(f"{url}/v1/notices", data=body, headers=headers) as answer:
                    statuses.append(answer.status)
            async with standin.client.post("/v1/notices", data=body, headers=headers) as answer:
                statuses.append(answer.status)
        assert statuses == [202, 401, 401, 401]
    finally:
        await standin.stop()


def test_bytes_of_documents_come_back_evenly_over_a_day_and_each_office_has_its_own():
    clock = SetClock()
    quota = UploadQuota(HttpSettings(attachment_bytes_per_day=24_000, max_attachment_bytes=24_000), clock)
    quota.take(HEALTH, 0, promised=24_000)
    quota.take(HEALTH, 24_000)
    with pytest.raises(TooManyRequests) as waits:
        quota.take(HEALTH, 1)
    assert waits.value.retry_after <= timedelta(hours=1)
    quota.take(POLICE, 24_000)
    clock.advance(hours=2)
    with pytest.raises(TooManyRequests):
        quota.take(HEALTH, 0, promised=2_001)
    quota.take(HEALTH, 1_999)

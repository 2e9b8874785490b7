"""An office that wants to be called is called: slow, wrong, twice or gone, it delays nobody but itself."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest

from gateway.client.agency import AgencyClient, Answered
from gateway.crypto.signing import verify_key
from gateway.engines.system.clock import SystemClock
from gateway.ports.log_storage import LogQuery
from gateway.ports.storage import DeadLetterFilter
from tests.support.receiver import Receiver
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

SENDER = "health.440113"
POLICE = "police.440113"
QUICK = {"webhook_plain_loopback": True, "first_backoff_seconds": 0.05, "max_backoff_seconds": 0.2, "max_attempts": 3,
         "breaker_open_seconds": 0.2, "webhook_timeout_seconds": 55.0}  # fmt: skip


class MovedClock:
    """The system's clock, moved forward by a test. Monotonic time is the system's own."""

    def __init__(self, system):
        self._system, self.ahead = system, timedelta()

    def now(self):
        return self._system.now() + self.ahead

    def monotonic(self):
        return self._system.monotonic()


def report(number, case=None):
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"n-{number}",
            "source": f"urn:hutong:office:{SENDER}",
            "type": "hutong.notice.RPT.v1",
            "subject": case or f"case-{number}",
            "data": {
                "urgency": 1,
                "purpose": "P01",
                "legal_basis": ["L20"],
                "place": {"region": "440113", "school_related": False},
                "report": {"reporter_role": "public", "anonymous": True},
                "persons": [{"ref": "p1", "roles": ["minor"], "age": {"years": 9, "approximate": True}}],
            },
        }
    ).encode()


@pytest.fixture
async def receiver():
    made = await Receiver().start()
    yield made
    await made.stop()


@pytest.fixture
async def whole(tmp_path, receiver):
    async with town(tmp_path, webhooks={POLICE: receiver.url}, **QUICK) as found:
        yield found


async def send(whole, number, case=None):
    return (await whole.clients[SENDER].submit(report(number, case), CANONICAL))["notice"]


async def until(whole, notice, *states, seconds=60.0):
    """The police's delivery of a notice, once it is in one of the states, as its sender follows it."""
    sender, cursor = whole.clients[SENDER], ""
    async with asyncio.timeout(seconds):
        while True:
            for one in (await sender.notice(notice))["deliveries"]:
                if one["recipient"] == POLICE and one["state"] in states:
                    return one
            cursor = (await sender.changes(cursor, wait_seconds=2))["cursor"]


async def events(whole, name, **where):
    return list(await whole.gateway.engines.store.log.search(LogQuery(event=name, **where), None, 200))


async def test_an_office_registers_its_webhook_and_is_called_with_signed_releases(whole, receiver):
    await whole.clients[POLICE].set_webhook({"url": receiver.url})
    notice = await send(whole, 1)
    (call,) = await receiver.has(1)
    async with whole.clients[POLICE]._session.get(f"{whole.gateway.url}/.well-known/jwks.json") as answer:
        keys = {key["kid"]: verify_key(key) for key in (await answer.json())["keys"]}
    receiver.verify(call, keys.get)
    assert (await until(whole, notice, "acknowledged"))["receipt"]
    assert await whole.clients[POLICE].pull() == []
    assert await events(whole, "office_changed")


async def test_a_webhook_needs_the_offices_signature_and_a_decent_address(whole, receiver):
    client = whole.clients[POLICE]
    with pytest.raises(Answered) as unsigned:
        await client._json("PUT", "/v1/webhook", {"url": receiver.url})
    assert unsigned.value.problem["code"] == "bad-signature"
    for url in ("http://10.1.2.3/hook", "https://127.0.0.1/hook", "https://169.254.169.254/x", "https://localhost/x",
                "https://user:word@example.org/", "https://[::1]/", "https://a..b/hook",
                f"https://{'a' * 64}.example/"):  # fmt: skip
        with pytest.raises(Answered) as refused:
            await client.set_webhook({"url": url})
        assert refused.value.problem["code"] == "invalid-document", url
    await client.set_webhook({})
    await send(whole, 1)
    assert len(await client.pull()) == 1
    assert receiver.calls == []


async def test_what_is_pushed_handed_out_and_told_has_the_shapes_that_asyncapi_says(whole, receiver):
    police, sender = whole.clients[POLICE], whole.clients[SENDER]
    async with police._session.get(f"{whole.gateway.url}/asyncapi.json") as answer:
        shapes = (await answer.json())["components"]["schemas"]
    await send(whole, 1)
    (call,) = await receiver.has(1)
    jsonschema.validate(call.headers, shapes["PushHeaders"])
    await police.set_webhook({})
    await send(whole, 2)
    items = await police._call("GET", "/v1/inbox", None, {"Accept": CANONICAL})
    assert items
    jsonschema.validate(items, shapes["InboxItems"])
    for item in items:
        jsonschema.validate(json.loads(base64.b64decode(item["data_base64"])), shapes["Release"])
    told = await sender.changes()
    assert told["changes"]
    jsonschema.validate(told, shapes["Changes"])


async def test_wrong_answers_are_tried_again_with_growing_pauses_and_every_try_decides_anew(whole, receiver):
    receiver.will(500, 503)
    notice = await send(whole, 1)
    first, second, third = await receiver.has(3)
    await until(whole, notice, "acknowledged")
    assert {call.delivery for call in receiver.calls} == {first.delivery}
    assert {call.revision for call in receiver.calls} == {1}, "nothing changed, so no new revision"
    assert second.at - first.ended_at >= 0.025 - 0.005
    assert third.at - second.ended_at >= 0.05 - 0.005
    assert len(await events(whole, "disclosure_decided", delivery=first.delivery)) == 3


async def test_the_offices_own_retry_after_is_kept_up_to_the_ceiling(whole, receiver):
    receiver.will(429, **{"Retry-After": "1"})
    notice = await send(whole, 1)
    first, second = await receiver.has(2)
    assert second.at - first.ended_at >= 0.2 - 0.01, "the ceiling of this gateway is 0.2 s"
    await until(whole, notice, "acknowledged")


async def test_an_office_that_answered_too_late_gets_it_again_and_is_told_one_revision(tmp_path, receiver):
    impatient = {**QUICK, "webhook_timeout_seconds": 0.5, "max_attempts": 1000}
    async with town(tmp_path, webhooks={POLICE: receiver.url}, **impatient) as whole:
        receiver.will(204, once=asyncio.Event())
        notice = await send(whole, 1)
        first, second = (await receiver.has(2))[:2]
        assert (first.delivery, first.revision) == (second.delivery, second.revision)
        await until(whole, notice, "acknowledged")


async def test_a_slow_office_has_no_more_in_flight_than_its_quota_and_delays_nobody_else(whole, receiver):
    quota, first, page = whole.gateway.settings.delivery.max_in_flight_per_office, asyncio.Event(), asyncio.Event()
    receiver.will(204, once=first)
    receiver.will(*[204] * 8, once=page)
    notices = [await send(whole, 0)]
    await receiver.has(1)
    notices += [await send(whole, number) for number in range(1, 9)]
    others = [one for one in await whole.clients["civil_affairs.440113"].pull() if one]
    assert others, "another recipient has its own by then"
    first.set()
    await receiver.has(1 + quota)
    page.set()
    for notice in notices:
        await until(whole, notice, "acknowledged")
    assert len(receiver.calls) == 9
    assert max(sum(a.at <= b.at < a.ended_at for a in receiver.calls) for b in receiver.calls) == quota


async def test_what_was_decided_before_an_office_moved_does_not_leave_for_its_old_address(tmp_path, receiver):
    async with town(tmp_path, webhooks={POLICE: receiver.url}, **QUICK) as whole:
        elsewhere, first, moved = await Receiver().start(), asyncio.Event(), asyncio.Event()
        receiver.will(204, once=first)
        receiver.will(*[204] * 4, once=moved)
        notices = [await send(whole, 0)]
        await receiver.has(1)
        notices += [await send(whole, number) for number in range(1, 13)]
        first.set()
        await receiver.has(1 + 4)  # a page is under way there until the office has moved
        await whole.clients[POLICE].set_webhook({"url": elsewhere.url})
        moved.set()
        for notice in notices:
            await until(whole, notice, "acknowledged")
        assert (len(receiver.calls), len(elsewhere.calls)) == (1 + 4, 8)
        await elsewhere.stop()


async def test_what_ran_out_of_its_tickets_time_is_not_decided_again_at_once(tmp_path):
    async with town(tmp_path, ticket_seconds=0) as whole:
        await send(whole, 1)
        assert await AgencyClient.pull(whole.clients[POLICE], accept=CANONICAL) == []
        voided = (await events(whole, "ticket_voided"))[0].at
        ((_, due_at),) = await whole.gateway.engines.store.deliveries.offices_due(voided, {POLICE})
        assert due_at - voided >= timedelta(seconds=1)


async def test_an_error_nobody_foresaw_with_one_office_stays_that_offices_own(whole, receiver, monkeypatch):
    courier, other = whole.gateway.engines.courier, await Receiver().start()
    connect = courier.connect

    async def fails_for_the_police(webhook, timeout):
        if webhook.url == receiver.url:
            raise ZeroDivisionError("李小测 must not be told")
        return await connect(webhook, timeout)

    monkeypatch.setattr(courier, "connect", fails_for_the_police)
    await whole.clients["civil_affairs.440113"].set_webhook({"url": other.url})
    notice = await send(whole, 1)
    await other.has(1)
    assert not whole.gateway.background.done()
    monkeypatch.undo()
    await until(whole, notice, "acknowledged")
    whole.gateway.engines.events.flush()
    lines = whole.lines.getvalue().decode()
    assert '"push_failed"' in lines
    assert "李小测" not in lines
    await other.stop()


async def test_order_is_kept_within_a_case_and_not_across_cases(whole, receiver):
    receiver.will(500)
    first = await send(whole, 1, "one-case")
    await receiver.has(1)
    later = await send(whole, 2, "one-case")
    other = await send(whole, 3, "another-case")
    for notice in (first, later, other):
        await until(whole, notice, "acknowledged")
    ids = list(dict.fromkeys(call.delivery for call in receiver.calls))
    case_of = {}
    for delivery in ids:
        case_of[delivery] = (await whole.gateway.engines.store.deliveries.delivery(delivery)).notice
    order = [case_of[call.delivery] for call in receiver.calls]
    assert order.index(later) > max(place for place, notice in enumerate(order) if notice == first)


async def test_an_office_that_is_gone_opens_its_breaker_ends_as_dead_letters_and_is_driven_again(whole, receiver):
    await receiver.stop()
    notices = [await send(whole, number) for number in range(3)]
    for notice in notices:
        dead = await until(whole, notice, "dead-letter")
        assert dead["reason"] == "unreachable"
        claims = await whole.clients[SENDER].verify_receipt(dead["receipt"])
        assert claims["type"] == "undelivered"
    letters = whole.gateway.services.dead_letters
    mine = DeadLetterFilter(reason="unreachable")
    assert {one.recipient for one in await letters.search(mine)} == {POLICE}
    assert await letters.search(DeadLetterFilter(reason="http-500")) == []
    dry = await letters.retry(mine, by="test")
    assert (dry.matched, dry.driven) == (3, 0)
    await receiver.start()
    driven = await letters.retry(mine, by="test", dry_run=False, per_second=50)
    assert (driven.matched, driven.driven) == (3, 3)
    for notice in notices:
        await until(whole, notice, "acknowledged")
    states = [one["state"] for one in (await whole.clients[SENDER].changes())["changes"] if one["recipient"] == POLICE]
    assert sorted(states) == ["acknowledged"] * 3 + ["dead-letter"] * 3 + ["due"] * 3


async def test_driving_again_keeps_its_rate_and_stops_when_told(whole, receiver, monkeypatch):
    await receiver.stop()
    for notice in [await send(whole, number) for number in range(4)]:
        await until(whole, notice, "dead-letter")
    letters, pauses, is_over = whole.gateway.services.dead_letters, asyncio.Queue(), asyncio.Event()

    async def pause(length):
        pauses.put_nowait(length)
        await is_over.wait()

    monkeypatch.setattr(letters, "_pause", pause)
    running = asyncio.create_task(letters.retry(DeadLetterFilter(), by="test", dry_run=False, per_second=2))
    assert await pauses.get() == timedelta(seconds=0.5), "two a second"
    letters.stop()
    is_over.set()
    done = await running
    assert done.stopped
    assert done.driven == 1, "the stop came before the second"
    driven = [one["state"] for one in (await whole.clients[SENDER].changes())["changes"] if one["recipient"] == POLICE]
    assert driven.count("due") == 1


async def test_what_nobody_fetched_in_time_expires_and_the_sender_has_a_receipt(tmp_path):
    clock = MovedClock(SystemClock())
    async with town(tmp_path, clock=clock) as whole:
        notice = await send(whole, 1)
        sender = whole.clients[SENDER]
        assert await whole.gateway.services.expire() == 0
        clock.ahead = timedelta(days=whole.gateway.settings.delivery.expiry_days, seconds=1)
        assert await whole.gateway.services.expire() > 0
        assert await whole.gateway.services.expire() == 0
        clock.ahead = timedelta()
        told = (await sender.changes())["changes"]
        assert {(one["notice"], one["state"]) for one in told} == {(notice, "expired")}
        claims = await sender.verify_receipt(told[0]["receipt"])
        assert claims["type"] == "expired"
        assert datetime.fromisoformat(claims["at"]) > datetime.now(UTC) + timedelta(days=29)
        assert await whole.clients[POLICE].pull() == []

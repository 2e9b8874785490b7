"""A withdrawal that was answered is honoured by every later disclosure, judged by log order, under concurrent pulls and pushes."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from functools import partial

import pytest
from aiohttp import web

from gateway.client.agency import Answered
from gateway.ports.log_storage import LogQuery
from tests.support.family import notice, person
from tests.support.offices import join
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

CITY = "civil_affairs.440100"
PULLING, PUSHED = "contractor.440113.xinli", "contractor.440113.jiating"
CHILDREN, ROUNDS, SECONDS = 4, 2, 14.0


@dataclass
class Watch:
    """What recipients got, by our clock, and when withdrawals were answered."""

    got: list[tuple[float, str]] = field(default_factory=list)
    answered: dict[str, float] = field(default_factory=dict)
    over: bool = False


def family(number):
    return [
        person("p1", "minor", years=10, name="李小测", serial=2 + 2 * number),
        person("p2", "guardian", years=35, name="王测乙", serial=500 + 2 * number, relation="52", of="p1"),
    ]


def referral(number, count):
    data = {
        "urgency": 0,
        "purpose": "P08",
        "legal_basis": ["L07"],
        "answer_by": "2099-12-31",
        "requested_recipients": [PULLING, PUSHED],
        "needs": ["psychological"],
        "persons": family(number),
        "measures": [{"code": "A06"}],
    }
    return notice("REF", CITY, f"{number}-{count}", data, f"case-{number}-{count}")


async def insist(call):
    """What an office's system does with a 503: ask again."""
    while True:
        try:
            return await call()
        except Answered as refused:
            if refused.status != 503:
                raise


async def refer_for_ever(whole, watch):
    count = 0
    while not watch.over:
        await asyncio.gather(
            *[
                insist(partial(whole.clients[CITY].submit, referral(child, count), CANONICAL))
                for child in range(CHILDREN)
            ]
        )
        count += 1


async def pull_for_ever(client, watch):
    while not watch.over:
        for item in await client.pull(limit=10, wait_seconds=1):
            watch.got.append((time.monotonic(), item.delivery))
            await client.acknowledge(item)


async def agree_and_withdraw(whole, child, watch):
    client = whole.clients[CITY]
    for turn in range(ROUNDS):
        name = f"c-{child}-{turn}"
        said = {
            "persons": family(child),
            "giver": "p2",
            "giver_kind": "guardian",
            "scope_purposes": ["P08"],
            "recipients": [PULLING, PUSHED],
            "text_version": "2026-03",
            "evidence": "sha256:" + "ab" * 32,
            "subject": f"consents-{child}",
        }
        await insist(partial(client.record_consent, name, said))
        await asyncio.sleep(0.6 + 0.2 * child)  # consent stands for a while; the load does the rest
        answer = await insist(partial(client.withdraw_consent, name))
        watch.answered[answer["records"][0]["receipt"]["record_header"]["record_id"]] = time.monotonic()


@contextlib.asynccontextmanager
async def webhook(watch):
    async def take(request):
        watch.got.append((time.monotonic(), request.headers["Hutong-Delivery"]))
        await request.read()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/in", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/in"
    finally:
        await runner.cleanup()


def envelope(record):
    return json.loads(record.opening)["envelope"]["fields"]


async def whole_log(whole):
    log, found, before = whole.gateway.engines.store.log, [], None
    while page := await log.search(LogQuery(), before, 500):
        found += page
        before = page[-1].index
    return sorted(found, key=lambda record: record.index)


async def test_no_disclosure_on_consent_follows_its_answered_withdrawal(tmp_path):
    watch = Watch()
    async with (
        town(tmp_path, webhook_plain_loopback=True) as whole,
        webhook(watch) as url,
        await join(whole, PULLING, contract_until="2099-12-31") as one,
        await join(whole, PUSHED, webhook=url, contract_until="2099-12-31"),
    ):
        tasks = [asyncio.create_task(pull_for_ever(one, watch)) for _ in range(2)]
        tasks.append(asyncio.create_task(refer_for_ever(whole, watch)))
        async with asyncio.timeout(SECONDS * 3):
            await asyncio.gather(*[agree_and_withdraw(whole, child, watch) for child in range(CHILDREN)])
            await asyncio.sleep(0.5)
        watch.over = True
        await asyncio.gather(*tasks)
        records = await whole_log(whole)
        assert not whole.failures()

    consent_of = {record.event: envelope(record)["consent"] for record in records if record.name == "consent_recorded"}
    ended = {envelope(record)["consent"]: record.index for record in records if record.name == "consent_withdrawn"}
    assert len(consent_of) == len(ended) == CHILDREN * ROUNDS
    rested = [
        (record.index, consent_of[_event(envelope(record)["consent"])], envelope(record)["delivery"])
        for record in records
        if record.name == "disclosure_decided" and "consent" in envelope(record)
    ]
    assert len(rested) >= CHILDREN * ROUNDS, "the load disclosed while consent stood"
    assert [one for one in rested if one[0] > ended[one[1]]] == [], "leaks by log order"

    transports = {envelope(record)["transport"] for record in records if record.name == "disclosure_decided"}
    assert transports >= {"pull", "webhook"}
    # and by the clock: whatever rested on a consent was in the recipient's hands before its withdrawal was answered
    assert watch.answered.keys() == ended.keys()
    rests_on = {delivery: consent for _, consent, delivery in rested}
    late = [delivery for at, delivery in watch.got if delivery in rests_on and at > watch.answered[rests_on[delivery]]]
    assert late == []
    assert {delivery for _, delivery in watch.got} & rests_on.keys()


def _event(reference):
    return (
        reference[0]
        if isinstance(reference, list)
        else reference["event"]
        if isinstance(reference, dict)
        else reference
    )

"""Two nodes on one database: any node answers anything, and what one is told the other knows."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import aiohttp
import pytest

from gateway.assembly import running
from gateway.bench.processes import free_port
from gateway.client.agency import Profile
from gateway.config import ServerSettings
from gateway.engines.system.clock import SystemClock
from gateway.model.agency import OfficeState
from gateway.services.roles import Role
from gateway.services.verify_log import verify_log
from tests.scenarios.test_answers_to_a_delivery import report
from tests.scenarios.test_persons_joined import House, referral, without_number
from tests.scenarios.test_s7_consent_withdrawn import CITY, CONTRACTOR, agreed
from tests.scenarios.test_webhooks import report as of_a_case
from tests.support.offices import join, received
from tests.support.patient_client import PatientClient
from tests.support.receiver import Receiver
from tests.support.town import CANONICAL, town

pytestmark = [pytest.mark.slow, pytest.mark.services]

SENDER = "police.440100"


class WrongClock(SystemClock):
    """The system's clock, and so much before it."""

    by = timedelta(0)

    def now(self):
        return super().now() + self.by


class Pair:
    """A town and its second node, with a client of every office at each."""

    def __init__(self, first, second, others, url, clock):
        self.first, self.gateway, self.others, self.url, self.clock = first, second, others, url, clock

    async def client(self, office):
        """The office at the second node, with a token that the first one gave."""
        other = self.others[office]
        other._token, other._token_until = await self.first.clients[office].token(), time.monotonic() + 600
        return other


@asynccontextmanager
async def second_node(first, folder):
    port = free_port()
    settings = replace(
        first.gateway.settings,
        directory=folder / "data-2",
        server=ServerSettings(port=port, public_url=first.gateway.url, leave_seconds=0.01),
    )
    settings.directory.mkdir(mode=0o700)
    others, url, clock = {}, f"http://127.0.0.1:{port}", WrongClock()
    async with running(settings, log_stream=BytesIO(), clock=clock) as gateway:
        for office, client in first.clients.items():
            profile = Profile(client.profile.office, url, client.profile.key)
            others[office] = await PatientClient(gateway.engines.store.log, profile).__aenter__()
        try:
            yield Pair(first, gateway, others, url, clock)
        finally:
            for client in others.values():
                await client.__aexit__(None, None, None)


@pytest.fixture
async def pair(tmp_path, postgres):
    url = await postgres.make_database()
    quick = {"webhook_plain_loopback": True, "first_backoff_seconds": 0.05, "max_backoff_seconds": 0.2}
    async with town(tmp_path, postgres=url, **quick) as first, second_node(first, tmp_path) as both:
        yield both
        assert not first.failures()
    await postgres.drop_database(url)


async def test_two_nodes_are_one_gateway(pair):
    first, second = pair.first.clients[SENDER], await pair.client(SENDER)

    # A repetition at the other node is answered with the first receipt.
    receipt = await first.submit(report(1), CANONICAL)
    assert await second.submit(report(1), CANONICAL) == receipt

    # What came in at one node goes out at the other, and is acknowledged at either.
    office = (await pair.first.gateway.engines.store.deliveries.offices_due(datetime.now(UTC), pair.first.clients))[0][
        0
    ]
    at_first, at_second = pair.first.clients[office], await pair.client(office)
    (item,) = await at_second.pull()
    await at_first.acknowledge(item)
    assert await at_second.pull() == []

    # Whoever waits at one node is woken by what comes in at the other.
    woken = asyncio.ensure_future(at_second.pull(wait_seconds=30))
    async with asyncio.timeout(60):
        while not pair.gateway.engines.doorbell._local.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await first.submit(report(2), CANONICAL)
        (item,) = await woken
    await at_second.acknowledge(item)

    # A suspension that was answered at one node is known at the other.
    enrol, directories = pair.first.gateway.services.enrol, pair.gateway.services.directories
    await enrol.set_state(office, OfficeState.SUSPENDED, reason="test", by="test")
    assert directories.current.offices[office].state is OfficeState.SUSPENDED

    # Webhooks are called by either node, each notice once, a case in its order.
    receiver = await Receiver().start()
    await pair.first.clients["police.440113"].set_webhook({"url": receiver.url})
    senders = [pair.first.clients["health.440113"], await pair.client("health.440113")]
    receiver.will(500, 500)
    mine = set[str]()
    for number in range(12):
        receipt = await senders[number % 2].submit(of_a_case(number, f"case-{number % 4}"), CANONICAL)
        told = await pair.gateway.engines.store.notices.summary(receipt["notice"])
        mine |= {one.delivery for one in told.deliveries if one.recipient == "police.440113"}
    async with asyncio.timeout(60):
        while not mine <= {call.delivery for call in receiver.calls[2:]}:  # the first two were told to come again
            await receiver.has(len(receiver.calls) + 1)
    taken = [call.delivery for call in receiver.calls[2:] if call.delivery in mine]
    assert len(taken) == len(mine) == 12
    deliveries = [await pair.gateway.engines.store.deliveries.delivery(one) for one in taken]
    for case in {one.case for one in deliveries}:
        arrived = [one.created_at for one in deliveries if one.case == case]
        assert arrived == sorted(arrived)
    await receiver.stop()

    # One log, signed by one of them and known to both.
    proofs = [gateway.engines.proof for gateway in (pair.first.gateway, pair.gateway)]
    logs = [gateway.engines.store.log for gateway in (pair.first.gateway, pair.gateway)]
    assert await logs[0].head() == await logs[1].head()
    assert (await verify_log(logs[1])).is_verified
    async with asyncio.timeout(60):
        while any(proof.publisher.latest is None for proof in proofs):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert [proof.publisher.hold for proof in proofs] == [None, None]
    assert proofs[0].publisher.origin == proofs[1].publisher.origin

    # A node whose clock is wrong by more than offices may be is given no work.
    assert await readiness(pair.url) == (200, "ok")
    pair.clock.by = timedelta(seconds=pair.gateway.settings.limits.clock_skew_seconds + 5)
    assert await readiness(pair.url) == (503, "differs-from-the-database")
    assert await readiness(pair.first.gateway.url) == (200, "ok")
    pair.clock.by = timedelta(0)
    assert await readiness(pair.url) == (200, "ok")


async def readiness(url):
    """The status of a node's /readyz, and what it says of the clock."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as answer:
        return answer.status, (await answer.json())["checks"]["clock"]


async def test_what_two_officers_find_at_two_nodes_counts_at_both(pair):
    """One asks at the first node, the other confirms at the second; a no for one of the persons then holds at either."""
    services = pair.first.gateway.services, pair.gateway.services
    for name in ("first", "second"):
        await services[0].staff.grant(name, Role.COMPLIANCE_OFFICER, by="test")
    house = House("辛", 8)
    known, unnumbered = (house.child(), house.mother()), (without_number(house.child()), house.mother())
    committee, other = pair.first.clients[CITY], await pair.client(CITY)
    async with await join(pair.first, CONTRACTOR, contract_until="2099-12-31") as contractor:
        await committee.record_consent("yes", agreed(people=[*known]))
        sent = await other.submit(referral(1, *known), CANONICAL)
        assert "REF" in [kind for kind, _ in await received(contractor)]
        no = await other.record_consent("no", {**agreed(people=[*unnumbered]), "status": "refused"})
        loads = pair.first.gateway.engines.store.notices.load
        persons = [(await loads(one["notice"])).persons["p1"] for one in (sent, no["notice"])]
        assert (await services[0].join_persons.join(*persons, "same-child", by="first")).state == "asked"
        assert (await services[1].join_persons.join(*persons, "same-child", by="second")).state == "joined"
        await committee.submit(referral(2, *known), CANONICAL)
        assert "REF" not in [kind for kind, _ in await received(contractor)], "decided at the node that was not told"
        assert services[0].join_persons._kin.of(persons[0]) == tuple(persons)

"""What a notice's rows say of where it goes counts as it was stored: who writes the database sends it to nobody else."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from gateway.client.agency import AgencyClient, Answered, Profile
from gateway.crypto.signing import new_signing_key
from gateway.model.agency import OfficeState, Webhook
from gateway.ports.storage import DeadLetterFilter
from gateway.services.enforce import Way
from tests.support.family import notice, person
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

HEALTH, POLICE, STRANGER, HOTLINE = "health.440113", "police.440113", "police.440100.elsewhere", "hotline.440113"


def report(number, **said):
    child = person("p1", "minor", years=13, name="李小测", serial=2)
    data = {"urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "place": {"region": "440113", "school_related": False},
            "report": {"reporter_role": "public", "anonymous": True}, "persons": [child], **said}  # fmt: skip
    return data, f"case-{number}"


async def send(whole, number, client=None, sender=HEALTH, **said):
    data, case = report(number, **said)
    client = client or whole.clients[sender]
    return (await client.submit(notice("RPT", sender, number, data, case), CANONICAL))["notice"]


async def pulled(client):
    return await client.pull(accept=CANONICAL)


def change(folder, *statements):
    with closing(sqlite3.connect(folder / "data" / "store.db", timeout=10)) as store, store:
        for statement, *values in statements:
            assert store.execute(statement, values).rowcount, statement


async def test_a_delivery_changed_in_the_database_reaches_nobody_and_a_person_is_told(tmp_path):
    async with town(tmp_path) as whole, await join(whole, STRANGER) as stranger:
        await send(whole, "to-another")
        change(tmp_path, ("UPDATE delivery SET recipient = ? WHERE recipient = ?", STRANGER, POLICE))
        await send(whole, "for-another-purpose")
        change(
            tmp_path,
            ("UPDATE delivery SET route = replace(route, '[\"P', '[\"Q') WHERE recipient = ?", POLICE),
        )
        assert await pulled(stranger) == await pulled(whole.clients[POLICE]) == []
        await send(whole, "of-another-type")
        change(tmp_path, ("UPDATE notice SET type = 'TRN' WHERE number = (SELECT max(number) FROM notice)",))
        assert await pulled(whole.clients[POLICE]) == []
        await send(whole, "untouched")
        assert len(await pulled(whole.clients[POLICE])) == 1
        letters = await whole.gateway.engines.store.deliveries.dead_letters(DeadLetterFilter(), None, 10)
        told = sorted((one.recipient, one.reason) for one in letters if one.recipient in (POLICE, STRANGER))
        assert told == sorted([(POLICE, "tampered"), (POLICE, "tampered"), (STRANGER, "tampered")])


async def test_an_emergency_access_written_into_the_database_opens_nothing(tmp_path):
    urgent = {"urgency": 2, "immediate_danger": True}
    async with town(tmp_path) as whole, await join(whole, HOTLINE) as hotline, await join(whole, STRANGER) as stranger:
        await send(whole, "roll")
        called = await send(whole, "call", hotline, HOTLINE, **urgent)
        asked = {"notice": called, "reason_code": "suicide", "reason": "短信称要跳楼"}
        granted = await hotline.emergency_access(asked)
        change(
            tmp_path,
            ("UPDATE emergency SET office = ?", STRANGER),
            ("UPDATE delivery SET recipient = ? WHERE route LIKE '%emergency-access%'", STRANGER),
        )
        assert await received(stranger) == []
        enforce, store = whole.gateway.services.push._attempt._enforce, whole.gateway.engines.store
        delivery = await store.deliveries.delivery(granted["deliveries"][0])
        opened, now = enforce._keeper.open(await store.notices.load(delivery.notice)), whole.gateway.engines.clock.now()
        office = whole.gateway.services.directories.current.offices[STRANGER]
        known = (await enforce._gather(opened, delivery, office, now)).facts
        assert (known.value("emergency"), known.value("legal_basis_kind")) == ("no", "none"), "it rests on nothing"
        await hotline.emergency_access(asked)
        assert [kind for kind, _ in await received(hotline)] == ["RPT"], "what was granted is given"


async def test_nothing_is_handed_to_a_compromised_office_and_what_waits_for_it_goes_on_waiting(tmp_path):
    async with town(tmp_path, ticket_seconds=0.2) as whole:
        sent, services, store = await send(whole, 1), whole.gateway.services, whole.gateway.engines.store.deliveries
        await services.enrol.set_state(POLICE, OfficeState.COMPROMISED, reason="test", by="test")
        await services.enrol.change(POLICE, {"webhook": Webhook("https://hook.example/")}, by="test")
        async with asyncio.TaskGroup() as pushing:
            await services.push._start_due(pushing)
            assert not pushing._tasks, "no webhook is called"
        now = whole.gateway.engines.clock.now()
        (leased,) = await store.lease_due(POLICE, now, timedelta(seconds=30), 9)
        office = services.directories.current.offices[POLICE]
        made = await services.push._attempt(leased, office, Way("webhook", CANONICAL))
        assert made.reason == "office-compromised", "nor anything made for it, whoever asks"
        states = {one["recipient"]: one["state"] for one in (await whole.clients[HEALTH].notice(sent))["deliveries"]}
        assert states[POLICE] == "due"


async def test_a_key_that_was_stolen_opens_nothing_once_its_office_is_resumed_with_a_new_one(tmp_path):
    async with town(tmp_path, ticket_seconds=0.05, webhook_plain_loopback=True) as whole:
        stolen, enrol = whole.clients[POLICE], whole.gateway.services.enrol
        await stolen.set_webhook({"url": "http://127.0.0.1:9/of-the-thief"})
        await enrol.set_state(POLICE, OfficeState.COMPROMISED, reason="test", by="test")
        new = new_signing_key()
        await enrol.rotate_key(POLICE, new.public().jwk(), overlap=timedelta(days=30), by="test")
        await enrol.set_state(POLICE, OfficeState.ACTIVE, reason="test", by="test")
        assert enrol.office(POLICE).webhook is None
        assert stolen._token, "one from before is worth nothing either"
        for _ in range(2):
            with pytest.raises(Answered):
                await stolen.pull()
            stolen._token = ""
        async with AgencyClient(Profile(POLICE, whole.gateway.url, new)) as office:
            assert await pulled(office) == []

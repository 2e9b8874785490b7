"""An accusation that is answered between a decision and its disclosure stops what rested on there being none."""

import json

import pytest

from gateway.ports.log_storage import LogQuery
from tests.scenarios.test_s7_consent_withdrawn import CITY, CONTRACTOR, agreed, family, referral
from tests.scenarios.test_s9_accused_school import CODE, SCHOOL
from tests.scenarios.test_s9_accused_school import report as report_at_school
from tests.support.family import notice
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow
HOSPITAL = "health.440113"


def against_the_mother():
    child, mother = family()
    data = {
        "urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "place": {"region": "440113102"},
        "harm": {"types": ["H21"]}, "persons": [child, {**mother, "roles": ["infringer"]}],
    }  # fmt: skip
    return notice("RPT", HOSPITAL, "accusation", data, "case-elsewhere")


async def test_a_guardian_accused_before_a_disclosure_is_durable_consents_to_nothing(tmp_path, monkeypatch):
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as contractor:
        city, store = whole.clients[CITY], whole.gateway.engines.store.deliveries
        await city.record_consent("c-1", agreed())
        assert [kind for kind, _ in await received(contractor)] == ["CON"]
        sent = await city.submit(referral(1), CANONICAL)
        disclose = store.disclose

        async def after_an_accusation(unit):
            monkeypatch.undo()
            await whole.clients[HOSPITAL].submit(against_the_mother(), CANONICAL)
            return await disclose(unit)

        monkeypatch.setattr(store, "disclose", after_an_accusation)
        assert await received(contractor) == []
        told = await whole.gateway.engines.store.log.search(LogQuery(notice=sent["notice"], office=CONTRACTOR), None, 9)
        names = [one.name for one in reversed(told)]
        assert names == ["disclosure_decided", "ticket_voided", "delivery_withheld"]
        assert not whole.failures()


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_message_through_a_handle_reaches_nobody_once_its_writer_is_accused(tmp_path, monkeypatch, when):
    async with town(tmp_path) as whole, await join(whole, SCHOOL, school_code=CODE) as school:
        city, store = whole.clients[CITY], whole.gateway.engines.store.deliveries
        body = json.loads(report_at_school("handle", school_related=False))
        body["data"]["sender"] = {"contact_officer": "mz-4"}
        await city.submit(json.dumps(body).encode(), CANONICAL)
        ((_, release),) = await received(school)
        handle = release["data"]["sender"]["contact_officer"]
        first = await school.relay(handle, "请回电。")
        (passed_on,) = await city.pull(accept=CANONICAL)
        assert "请回电" in passed_on.body.decode()
        await city.acknowledge(passed_on)
        second = await school.relay(handle, "孩子家里怎么说？")
        assert first["notice"] != second["notice"]
        if when == "before":
            await city.submit(report_at_school("accusation", school_related=True), CANONICAL)
        else:
            disclose = store.disclose

            async def after_an_accusation(unit):
                monkeypatch.undo()
                await city.submit(report_at_school("accusation", school_related=True), CANONICAL)
                return await disclose(unit)

            monkeypatch.setattr(store, "disclose", after_an_accusation)
        assert not [one for one in await city.pull(accept=CANONICAL) if "家里" in one.body.decode()]
        told = await whole.gateway.engines.store.log.search(LogQuery(notice=second["notice"], office=CITY), None, 9)
        assert told[0].name == "delivery_withheld"
        assert not whole.failures()

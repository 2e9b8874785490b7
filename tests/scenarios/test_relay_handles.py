"""A recipient reaches whom it may not know, through a handle, and the one who holds the contact answers the same way."""

import json

import pytest

from gateway.client.agency import AgencyClient, Answered
from gateway.ports.log_storage import LogQuery
from tests.scenarios.test_s7_consent_withdrawn import CITY, CONTRACTOR, agreed, referral
from tests.support.family import notice, person
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

HOSPITAL, POLICE = "health.440113", "police.440113"
NONE = "rl-" + "0" * 32


def report(number="r1"):
    data = {
        "urgency": 2,
        "purpose": "P01",
        "legal_basis": ["L20"],
        "place": {"region": "440113102"},
        "sender": {"contact_officer": "dr-wang"},
        "report": {"reporter_role": "doctor", "reporter_handle": "desk-3", "mandatory": True},
        "harm": {"types": ["H21"], "m_flags": ["M4"]},
        "persons": [person("kid", "minor", years=10, name="李小测", serial=31)],
    }
    return notice("RPT-M", HOSPITAL, number, data, f"case-{number}")


async def got(whole, office):
    return await canonical(whole.clients[office])


async def canonical(client):
    """What waits for an office that can read CloudEvents, acknowledged."""
    events = []
    while items := await client.pull(accept=CANONICAL):
        for item in items:
            events.append(json.loads(item.body))
            await client.acknowledge(item)
    return events


async def answered(call):
    with pytest.raises(Answered) as refused:
        await call
    problem = {name: value for name, value in refused.value.problem.items() if name != "instance"}
    return refused.value.status, problem


async def told(whole, event):
    return [record.name for record in await whole.gateway.engines.store.log.search(LogQuery(event=event), None, 100)]


async def test_the_police_reach_the_doctor_and_the_doctor_the_police_and_neither_learns_the_contact(tmp_path):
    async with town(tmp_path) as whole:
        hospital, police = whole.clients[HOSPITAL], whole.clients[POLICE]
        sent = await hospital.submit(report(), CANONICAL)
        (release,) = await got(whole, POLICE)
        handle = release["data"]["sender"]["contact_officer"]
        assert handle.startswith("rl-")
        assert "dr-wang" not in json.dumps(release)
        async with AgencyClient(police.profile, officer="pc-7") as officer:
            receipt = await officer.relay(handle, "请把孩子留在医院，我们马上到。", "m-1")
        claims = await police.verify_receipt(receipt["receipt"])
        assert claims["type"] == "accepted"
        (asked,) = [one for one in await got(whole, HOSPITAL) if one["type"] == "hutong.notice.QRY.v1"]
        query = asked["data"]["query"]
        assert query["message"] == "请把孩子留在医院，我们马上到。"
        assert (query["question"], query["contact"]) == ("pass_on", "/sender/contact_officer")
        assert asked["data"]["in_reply_to"] == sent["notice"], "the holder finds its own notice"
        assert asked["data"]["sender"]["unit"], "and who asks"
        back = asked["data"]["sender"]["contact_officer"]
        assert back.startswith("rl-")
        assert "pc-7" not in json.dumps(asked)
        await hospital.relay(back, "已留院观察。")
        (answer,) = [one for one in await got(whole, POLICE) if one["type"] == "hutong.notice.QRY.v1"]
        assert answer["data"]["query"]["message"] == "已留院观察。"
        assert answer["data"]["in_reply_to"] == receipt["notice"]
        assert len(await told(whole, "message_relayed")) == 2
        status = await police.notice(receipt["notice"])
        assert [(one["recipient"], one["state"]) for one in status["deliveries"]] == [(HOSPITAL, "acknowledged")]
        assert not whole.failures()


async def test_a_message_is_taken_once_and_a_handle_that_leads_nowhere_answers_like_one_that_never_was(tmp_path):
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as contractor:
        city, police = whole.clients[CITY], whole.clients[POLICE]
        await whole.clients[HOSPITAL].submit(report(), CANONICAL)
        (release,) = await got(whole, POLICE)
        handle = release["data"]["report"]["reporter_handle"]
        first = await police.relay(handle, "请回电。", "m-1")
        assert await police.relay(handle, "请回电。", "m-1") == first
        status, problem = await answered(police.relay(handle, "别的话。", "m-1"))
        assert (status, problem["code"]) == (409, "idempotency-conflict")

        absent = await answered(police.relay(NONE, "在吗？"))
        assert absent[0] == 404
        assert await answered(contractor.relay(handle, "在吗？")) == absent, "a handle works for whom it was given to"
        assert await answered(contractor.relay("anything", "在吗？")) == absent
        assert await told(whole, "message_refused") == []

        await city.record_consent("c-1", agreed())
        body = json.loads(referral("ref"))
        body["data"]["sender"] = {"contact_officer": "mz-4"}
        await city.submit(json.dumps(body).encode(), CANONICAL)
        (service,) = [one for kind, one in await received(contractor) if kind == "REF"]
        own = service["data"]["sender"]["contact_officer"]
        await contractor.relay(own, "首次面谈定在周三。")
        await city.withdraw_consent("c-1")
        assert await answered(contractor.relay(own, "改到周四。")) == absent, "consent is asked for anew each time"
        assert len(await told(whole, "message_refused")) == 1
        assert await police.relay(handle, "请回电。", "m-1") == first, "what was taken stays answered"
        assert not whole.failures()


async def test_no_office_writes_by_itself_what_goes_through_a_handle_alone(tmp_path):
    """Or it would pass for a message that the gateway decided on, with free text that no rule of a narrative holds."""
    query = {"question": "residence", "minimal": {"name": "李小测"}}
    async with town(tmp_path) as whole:

        async def ask(number, more):
            data = {
                "purpose": "P03", "legal_basis": ["L02"], "answer_by": "2099-12-31",
                "requested_recipients": [POLICE], "query": query | more,
            }  # fmt: skip
            return await whole.clients[CITY].submit(notice("QRY", CITY, number, data, number), CANONICAL)

        for number, more in enumerate(
            ({"message": "请回电。"}, {"contact": "/persons/0/phone"}, {"question": "pass_on"})
        ):
            status, problem = await answered(ask(f"q-{number}", more))
            assert status == 422
            assert {one["code"] for one in problem["problems"]} == {"not-through-a-handle"}
        assert (await ask("q-plain", {}))["type"] == "accepted"
        assert len(await got(whole, POLICE)) == 1


async def test_a_withdrawn_notice_takes_its_handles_with_it_and_one_handle_has_so_many_messages_an_hour(tmp_path):
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as contractor:
        city = whole.clients[CITY]
        await city.record_consent("c-1", agreed())
        body = json.loads(referral("ref"))
        body["data"]["sender"] = {"contact_officer": "mz-4"}
        sent = await city.submit(json.dumps(body).encode(), CANONICAL)
        (service,) = [one for kind, one in await received(contractor) if kind == "REF"]
        handle = service["data"]["sender"]["contact_officer"]
        for number in range(30):
            await contractor.relay(handle, "第几条？", f"m-{number}")
        assert (await answered(contractor.relay(handle, "又一条。")))[1]["code"] == "too-many-requests"
        mistaken = {"withdrawal": {"reason": "mistaken", "effect": "stop_use"}, "supersedes": sent["notice"]}
        await city.submit(notice("WDR", CITY, "w", mistaken), CANONICAL)
        absent = await answered(contractor.relay(NONE, "在吗？"))
        assert await answered(contractor.relay(handle, "还在吗？")) == absent
        assert not whole.failures()


async def test_a_message_waits_while_disclosures_wait(tmp_path, monkeypatch):
    async with town(tmp_path) as whole:
        await whole.clients[HOSPITAL].submit(report(), CANONICAL)
        (release,) = await got(whole, POLICE)
        handle = release["data"]["sender"]["contact_officer"]
        monkeypatch.setattr(whole.gateway.services.pass_on._enforce, "_waits", lambda *_: "forensic-hold")
        status, problem = await answered(whole.clients[POLICE].relay(handle, "请回电。", "m-1"))
        assert (status, problem["code"]) == (503, "unavailable")
        assert not await told(whole, "message_relayed")

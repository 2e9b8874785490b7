"""S8: a girl of 13 texts the hotline at night that she will jump; name and number only."""

import json

import pytest

from gateway.client.agency import Answered
from gateway.ports.log_storage import LogQuery
from gateway.services.publish import Hold
from tests.support.family import notice, person
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

HOTLINE, SCHOOLS = "hotline.440113", "education.440100"
SECRETS = ("咨询室的秘密", "从前的旧案", "门外的邻居")


def girl(**said):
    return person("p1", "minor", years=13, name="李小测", serial=2, **said)


def roll(*harm, name="roll"):
    """What the school has told civil affairs of her before, with parts that no emergency opens."""
    mother = person("p2", "guardian", years=38, name="王测乙", serial=4, relation="52", of="p1", phone="13800000000")
    home = {"residence": {"region": "440113102", "address": "测试路一号"}, "phone": "13900000000"}
    return notice(
        "RPT",
        SCHOOLS,
        name,
        {
            "urgency": 1,
            "purpose": "P01",
            "legal_basis": ["L20"],
            "place": {"region": "440113102"},
            "report": {"reporter_role": "school", "anonymous": False},
            "persons": [girl(**home), mother],
            "harm": {**({"types": list(harm)} if harm else {}), "narrative": SECRETS[0], "summary": "在校受欺凌"},
            "sealed": {"record": SECRETS[1]},
            "reporter": {"name": SECRETS[2], "phone": "13700000000"},
        },
        "roll",
    )


def call(urgency=2):
    data = {
        "urgency": urgency,
        "purpose": "P01",
        "legal_basis": ["L20"],
        "immediate_danger": True,
        "report": {"reporter_role": "hotline", "anonymous": True},
        "persons": [girl()],
    }
    return notice("RPT", HOTLINE, f"call-{urgency}", data, f"call-{urgency}")


def asked(receipt, **said):
    return {"notice": receipt["notice"], "reason_code": "suicide", "reason": "短信称要跳楼", **said}


async def events(whole, name):
    found = await whole.gateway.engines.store.log.search(LogQuery(event=name), None, 100)
    return [json.loads(record.opening)["envelope"]["fields"] for record in reversed(found)]


async def refusal(call):
    with pytest.raises(Answered) as refused:
        await call
    return refused.value.status


@pytest.mark.parametrize("harm", [(), ("H21",)])
async def test_the_hotline_gets_the_emergency_set_of_one_case_and_everybody_is_told(tmp_path, harm):
    async with town(tmp_path) as whole, await join(whole, HOTLINE) as hotline:
        owner = whole.clients[SCHOOLS]
        await owner.submit(roll(*harm), CANONICAL)
        called = await hotline.submit(call(), CANONICAL)
        granted = await hotline.emergency_access(asked(called))
        assert len(granted["deliveries"]) == 1

        ((kind, event),) = await received(hotline)
        seen = json.dumps(event, ensure_ascii=False)
        assert kind == "RPT"
        assert "测试路一号" in seen
        assert "李小测" in seen
        assert "13900000000" in seen
        assert ("13800000000" in seen) is (not harm), "a guardian of unknown conflict is no safe contact"
        assert not [secret for secret in SECRETS if secret in seen]
        assert "999999" not in seen, "no identity numbers"
        assert await received(hotline) == []

        told = [event for kind, event in await received(owner) if kind == "BGN"]
        assert told[0]["data"]["emergency"]["reason_code"] == "suicide"
        (given,) = await events(whole, "emergency_access_granted")
        assert given["actor"] == HOTLINE
        assert [one["to"] for one in await events(whole, "emergency_notice_sent")] == [SCHOOLS]
        assert not whole.failures()


async def test_only_an_office_on_duty_with_a_reason_an_officer_and_a_matter_of_life_is_let_in(tmp_path):
    async with town(tmp_path) as whole, await join(whole, HOTLINE) as hotline:
        await whole.clients[SCHOOLS].submit(roll(), CANONICAL)
        calm = await hotline.submit(call(urgency=1), CANONICAL)
        assert await refusal(hotline.emergency_access(asked(calm))) == 403
        called = await hotline.submit(call(), CANONICAL)
        assert await refusal(hotline.emergency_access(asked(called, reason_code="curious"))) == 422
        assert await refusal(hotline.emergency_access(asked(called, reason=" "))) == 422
        assert await refusal(hotline.emergency_access(asked({"notice": called["notice"][::-1]}))) == 404
        assert await refusal(whole.clients["education.440113"].emergency_access(asked(called))) in (403, 422)
        async with await join(whole, "hotline.440114", officer="") as nameless:
            assert await refusal(nameless.emergency_access(asked(called))) == 422
        async with await join(whole, "hotline.440115", on_duty="no") as off_duty:
            assert await refusal(off_duty.emergency_access(asked(called))) == 403
        assert {one["code"] for one in await events(whole, "emergency_access_refused")} >= {"not-urgent", "not-on-duty"}
        assert await events(whole, "emergency_access_granted") == []


async def test_a_second_person_reviews_and_repeated_unjustified_use_ends_the_right(tmp_path):
    async with town(tmp_path) as whole, await join(whole, HOTLINE) as hotline:
        await whole.clients[SCHOOLS].submit(roll(), CANONICAL)
        called = await hotline.submit(call(), CANONICAL)
        access = whole.gateway.services.emergency
        for _ in range(2):
            granted = await hotline.emergency_access(asked(called))
            assert [one.grant.id for one in await access.queue()] == [granted["emergency"]]
            with pytest.raises(Exception, match="own emergency access"):
                await access.review(granted["emergency"], "justified", "", by="o-1")
            reviewed = await access.review(granted["emergency"], "not-justified", "无须破例", by="officer-2")
            assert reviewed.grant.outcome == "not-justified"
            with pytest.raises(Exception, match="reviewed before"):
                await access.review(granted["emergency"], "justified", "", by="officer-3")
        assert await refusal(hotline.emergency_access(asked(called))) == 403
        assert (await events(whole, "emergency_access_refused"))[-1]["code"] == "right-suspended"
        assert await access.queue() == []


async def test_during_a_hold_access_is_given_at_once_and_its_owners_are_told_when_it_is_over(tmp_path, monkeypatch):
    async with town(tmp_path) as whole, await join(whole, HOTLINE) as hotline:
        owner = whole.clients[SCHOOLS]
        await owner.submit(roll(), CANONICAL)
        called = await hotline.submit(call(), CANONICAL)
        monkeypatch.setattr(whole.gateway.engines.proof.publisher, "_hold", Hold("guard", 9, b"r" * 32, 1, b"o" * 32))
        await hotline.emergency_access(asked(called))
        assert [kind for kind, _ in await received(hotline)] == ["RPT"]
        assert [kind for kind, _ in await received(owner)] == []
        monkeypatch.undo()
        await whole.gateway.services.emergency.tell_again()
        assert [kind for kind, _ in await received(owner)] == ["BGN"]


async def test_after_a_start_owners_that_were_told_of_an_access_are_not_told_again(tmp_path):
    async with town(tmp_path) as whole, await join(whole, HOTLINE) as hotline:
        owner = whole.clients[SCHOOLS]
        await owner.submit(roll(), CANONICAL)
        called = await hotline.submit(call(), CANONICAL)
        await hotline.emergency_access(asked(called))
        await owner.submit(roll("H21", name="roll-2"), CANONICAL)  # the case goes on, and is asked for once more
        await hotline.emergency_access(asked(called))
        assert await whole.gateway.services.emergency.tell_again() == 2
        assert [kind for kind, _ in await received(owner)].count("BGN") == 2


async def test_two_hours_later_nothing_more_comes(tmp_path):
    async with town(tmp_path) as whole, await join(whole, HOTLINE) as hotline:
        await whole.clients[SCHOOLS].submit(roll(), CANONICAL)
        called = await hotline.submit(call(), CANONICAL)
        granted = await hotline.emergency_access(asked(called))
        store = whole.gateway.engines.store
        delivery = await store.deliveries.delivery(granted["deliveries"][0])
        assert (delivery.expires_at - delivery.due_at).total_seconds() == 7200
        assert await store.deliveries.lease_due(HOTLINE, delivery.expires_at, whole.gateway.settings.lease, 10) == []
        assert await store.emergencies.in_force(HOTLINE, delivery.case, delivery.expires_at) is None

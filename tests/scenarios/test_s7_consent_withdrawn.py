"""S7: a mother without conflict agrees to counselling for her son, and takes it back."""

import json
from dataclasses import replace

import pytest

from gateway.client.agency import Answered
from gateway.ports.log_storage import LogQuery
from tests.support.family import notice, person
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

CITY = "civil_affairs.440100"
CONTRACTOR = "contractor.440113.xinli"


def family():
    return [
        person("p1", "minor", years=13, name="李小测", serial=2),
        person("p2", "guardian", years=38, name="王测乙", serial=4, relation="52", of="p1"),
    ]


def referral(number, *offices):
    data = {
        "urgency": 0,
        "purpose": "P08",
        "legal_basis": ["L07"],
        "answer_by": "2099-12-31",
        "requested_recipients": list(offices) or [CONTRACTOR],
        "needs": ["psychological"],
        "persons": family(),
        "measures": [{"code": "A06"}],
    }
    return notice("REF", CITY, number, data, "case-s7")


def agreed(*purposes, giver="p2", giver_kind="guardian", people=None, recipients=(CONTRACTOR,)):
    return {
        "subject": "case-s7",
        "persons": family() if people is None else people,
        "giver": giver,
        "giver_kind": giver_kind,
        "scope_purposes": list(purposes) or ["P08"],
        "recipients": list(recipients),
        "text_version": "2026-03",
        "evidence": "sha256:" + "ab" * 32,
    }


async def names(whole, *wanted):
    records = await whole.gateway.engines.store.log.search(LogQuery(), None, 500)
    return [record.name for record in reversed(records) if not wanted or record.name in wanted]


async def test_a_withdrawal_stops_what_rested_on_consent_and_nothing_else(tmp_path):
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as contractor:
        committee, women = whole.clients[CITY], whole.clients["womens_federation.440113"]
        await committee.submit(referral(1), CANONICAL)
        assert await received(contractor) == [], "nobody has agreed yet"

        said = await committee.record_consent("c-1", agreed())
        assert said["records"][0]["state"] == "given"
        assert said["notice"]["type"] == "accepted"
        assert await committee.record_consent("c-1", agreed()) == said, "a repetition gets the first answer"
        await committee.submit(referral(2), CANONICAL)
        before = await received(contractor)
        assert [kind for kind, _ in before] == ["CON", "REF"]
        referred = before[1][1]
        assert "id_no" not in json.dumps(referred["data"])

        started = whole.gateway.engines.clock.monotonic()
        withdrawn = await committee.withdraw_consent("c-1")
        assert whole.gateway.engines.clock.monotonic() - started >= 2.0, "answered when no ticket from before lives"
        assert withdrawn["records"][0]["state"] == "withdrawn"
        assert withdrawn["records"][0]["receipt"]["events"][-1]["event_state"] == "withdrawn"

        await committee.submit(referral(3), CANONICAL)
        after = await received(contractor)
        assert [kind for kind, _ in after] == ["CON", "CON"], "the event and the order to stop using, no referral"
        stop = next(event for _, event in after if event["data"].get("in_reply_to") == referred["id"])
        assert stop["data"]["consent"]["status"] == "withdrawn"
        assert [kind for kind, _ in await received(women)] == [], "who never received on it is not told"

        receipt = await contractor.usage_receipt(
            {"delivery": referred["delivery"], "kind": "disposal", "code": "storage-only"}
        )
        assert receipt["receipt"]
        told = await names(whole, "consent_recorded", "consent_withdrawn", "disposal_confirmed")
        assert told == ["consent_recorded", "consent_withdrawn", "disposal_confirmed"]

        at_home = family()
        at_home[0]["residence"] = {"region": "440113102"}
        statutory = {
            "needs": ["guardianship_support"], "urgency": 0, "purpose": "P03", "legal_basis": ["L02"],
            "answer_by": "2099-12-31", "persons": at_home, "measures": [{"code": "A09"}],
        }  # fmt: skip
        await committee.submit(notice("REF", CITY, 4, statutory, "case-s7"), CANONICAL)
        assert await whole.clients["civil_affairs.440113"].pull(), "what rests on a statutory duty goes on"
        assert not whole.failures()


async def test_a_no_to_everything_is_recorded_over_http_and_ends_what_was_agreed_before(tmp_path):
    async with town(tmp_path, ticket_seconds=0.2) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as office:  # fmt: skip
        committee = whole.clients[CITY]
        no = {name: value for name, value in agreed().items() if name not in ("scope_purposes", "recipients")}
        with pytest.raises(Answered) as nothing_named:
            await committee.record_consent("c-0", no)
        assert nothing_named.value.problem["problems"][0]["position"] == "/consent/scope_purposes", (
            "a yes names purposes"
        )
        await committee.record_consent("yes", agreed("P08", "P04"))
        refused = await committee.record_consent("no", {**no, "status": "refused"})
        said = refused["records"][0]
        assert said["state"] == "refused"
        assert [one["purpose"] for one in said["receipt"]["pii_processing"]["purposes"]] == ["any"]
        await committee.submit(referral(1), CANONICAL)
        assert {kind for kind, _ in await received(office)} == {"CON"}, "the no holds for every purpose"
        assert (await committee.withdraw_consent("no"))["records"][0]["state"] == "withdrawn"
        await committee.submit(referral(2), CANONICAL)
        assert "REF" in [kind for kind, _ in await received(office)], "who said no may lift it"
        assert not whole.failures()


async def test_from_fourteen_on_the_child_itself_is_asked(tmp_path):
    child = person("p1", "minor", years=14, name="李小测", serial=2)
    people = [child, family()[1]]
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as contractor:
        committee = whole.clients[CITY]
        data = json.loads(referral(0))["data"] | {"persons": people}
        await committee.record_consent("by-mother", agreed(people=people))
        await committee.submit(notice("REF", CITY, 1, data, "case-s7"), CANONICAL)
        assert [kind for kind, _ in await received(contractor)] == ["CON"]
        await committee.record_consent("own", agreed(people=people, giver="p1", giver_kind="minor"))
        await committee.submit(notice("REF", CITY, 2, data, "case-s7"), CANONICAL)
        assert [kind for kind, _ in await received(contractor)] == ["CON", "REF"]


async def test_a_mother_who_becomes_a_suspect_has_no_say_from_then_on_and_her_consent_is_kept(tmp_path):
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as contractor:
        committee = whole.clients[CITY]
        await committee.record_consent("c-1", agreed())
        await committee.submit(referral(1), CANONICAL)
        assert "REF" in [kind for kind, _ in await received(contractor)]
        suspected = family()
        suspected[1] |= {"roles": ["guardian", "infringer"], "is_guardian": True}
        report = {
            "urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "place": {"region": "440113102005"},
            "harm": {"types": ["H21"]}, "persons": suspected,
        }  # fmt: skip
        await whole.clients["police.440100"].submit(notice("RPT", "police.440100", 7, report), CANONICAL)
        await committee.submit(referral(2), CANONICAL)
        assert [kind for kind, _ in await received(contractor)] == []
        assert (await committee.consent("c-1"))[0]["state"] == "given", "frozen, not deleted"


async def test_another_office_cannot_see_or_withdraw_what_it_did_not_record(tmp_path):
    async with town(tmp_path) as whole:
        await whole.clients[CITY].record_consent("c-1", agreed(recipients=["womens_federation.440113"]))
        other = whole.clients["health.440100"]
        for call in (other.consent("c-1"), other.withdraw_consent("c-1"), other.consent("c-2")):
            with pytest.raises(Answered) as refused:
                await call
            assert refused.value.status == 404


async def test_a_yes_that_is_repeated_opens_nothing_that_was_refused_or_withdrawn_since(tmp_path):
    """Senders repeat what was not answered, and brokers hand over twice: the older of two notices never wins."""
    ticket = {"ticket_seconds": 0.2}
    async with town(tmp_path, **ticket) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as office:
        committee = whole.clients[CITY]

        async def say(number, status, *purposes):
            said = {**agreed(*purposes), "status": status, "consent_id": "c-1"}
            people, subject = said.pop("persons"), said.pop("subject")
            data = {"consent": said, "persons": people}
            await committee.submit(notice("CON", CITY, number, data, subject), CANONICAL)
            return [one["state"] for one in await committee.consent("c-1")]

        assert await say("yes", "given") == ["given"]
        assert await say("no", "refused") == ["refused"]
        assert await say("yes", "given") == ["refused"], "the first receipt again, and nothing else"
        await committee.submit(referral(1), CANONICAL)
        assert [kind for kind, _ in await received(office)] == ["CON", "CON"]
        assert await say("wider", "given", "P08", "P04") == ["given"], "a new notice says something new"
        assert await say("end", "withdrawn") == ["withdrawn"]
        for repeated in (("yes", "given"), ("wider", "given", "P08", "P04")):
            assert await say(*repeated) == ["withdrawn"]
        assert await say("again", "refused") == ["refused"]
        assert await say("end", "withdrawn") == ["refused"], "nor does a withdrawal lift a no that came after it"
        assert not whole.failures()


async def test_a_withdrawal_that_is_refused_ends_nothing(tmp_path):
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31"):
        committee = whole.clients[CITY]
        first = await committee.submit(referral(1), CANONICAL)
        await committee.submit(referral(2), CANONICAL)
        said = {"withdrawal": {"reason": "mistaken", "effect": "review"}, "supersedes": first["notice"]}
        with pytest.raises(Answered) as refused:
            await committee.submit(notice("WDR", CITY, 2, said, "case-s7"), CANONICAL)  # an id that is taken
        assert refused.value.problem["code"] == "idempotency-conflict"
        (status,) = (await committee.notice(first["notice"]))["deliveries"]
        assert status["state"] == "due"


async def test_a_trial_tells_nobody_who_else_takes_part_in_a_case(tmp_path):
    """A contractor that got a consent alone holds the handle of the case, and could try a closure to see who is active in it."""
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31") as office:
        committee = whole.clients[CITY]
        await committee.record_consent("c-1", agreed())
        ((_, event),) = await received(office)
        about = {"urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "place": {"region": "440113102"}}
        told = await committee.submit(notice("RPT", CITY, "r", {**about, "persons": family()}, "case-s7"), CANONICAL)
        assert "police.440113" in {one["recipient"] for one in (await committee.notice(told["notice"]))["deliveries"]}
        closure = {"urgency": 0, "purpose": "P08", "legal_basis": ["L07"], "closure": {"reason": "resolved"}}
        tried = await office.check(notice("CLS", CONTRACTOR, "c", closure, event["subject"]), CANONICAL)
        assert tried["recipients"] == tried["held"] == []


async def test_what_another_node_recorded_meanwhile_makes_a_consent_be_prepared_anew(tmp_path, monkeypatch):
    async with town(tmp_path) as whole, await join(whole, CONTRACTOR, contract_until="2099-12-31"):
        store, tries = whole.gateway.engines.store, []
        put = store.consents.put_consent

        async def beside_another(record, records, after=None):
            tries.append(after)
            if len(tries) == 1:
                await put(replace(record, id="another"), [])
            return await put(record, records, after)

        monkeypatch.setattr(store.consents, "put_consent", beside_another)
        await whole.clients[CITY].record_consent("c-1", agreed())
        assert tries == [tries[0], tries[0] + 1]
        (told,) = await store.log.search(LogQuery(event="consent_recorded"), None, 9)
        assert json.loads(told.opening)["envelope"]["fields"]["epoch"] == tries[1] + 1

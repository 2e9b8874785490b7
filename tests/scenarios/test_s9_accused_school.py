"""S9 and the switch: an accused school gets nothing, its bureau does; a suspended office keeps reports and floors, and loses the rest."""

import base64
import json

import pytest

from gateway.client.agency import Answered
from gateway.model.agency import OfficeState
from gateway.ports.log_storage import LogQuery
from tests.support.family import notice, person
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

SCHOOL, CODE = "education.440113.xuexiao", "3144019999"
POLICE, CITY = "police.440100", "civil_affairs.440100"


def victim(serial=2):
    return person("p1", "minor", years=8, name="李小测", serial=serial, school={"code": CODE, "name": "测试小学"})


def report(number, pupil=2, **place):
    data = {
        "urgency": 1, "purpose": "P01", "legal_basis": ["L20"],
        "requested_recipients": [SCHOOL], "persons": [victim(pupil)],
        "harm": {"types": ["H21"]}, "place": {"region": "440113102", **place},
    }  # fmt: skip
    return notice("RPT", CITY, number, data, f"case-{number}")


async def asked_of(store, monkeypatch, ask):
    """The questions about moves that answering puts to the storage."""
    asked = []

    def noting(name):
        question = getattr(store, name)

        async def noted(*given):
            asked.append(name)
            return await question(*given)

        return noted

    with monkeypatch.context() as watched:
        for name in ("changes", "changes_of_notice"):
            watched.setattr(store, name, noting(name))
        await ask
    return asked


async def decided(whole, sent, office):
    status = await whole.clients[CITY].notice(sent["notice"])
    return [one["state"] for one in status["deliveries"] if one["recipient"] == office]


async def test_the_school_a_matter_accuses_reads_nothing_and_doubt_counts_as_an_accusation(tmp_path):
    async with town(tmp_path) as whole, await join(whole, SCHOOL, school_code=CODE) as school:
        seen = {}
        for pupil, (number, related) in enumerate((("accused", True), ("cleared", False), ("unsaid", None))):
            place = {} if related is None else {"school_related": related}
            sent = await whole.clients[CITY].submit(report(number, 20 + pupil, **place), CANONICAL)
            got = await received(school)
            seen[number] = (len(got), await decided(whole, sent, SCHOOL))
        assert seen["accused"][0] == seen["unsaid"][0] == 0
        assert not [state for _, states in (seen["accused"], seen["unsaid"]) for state in states if state != "refused"]
        assert seen["cleared"] == (1, ["acknowledged"])
        assert not whole.failures()


async def test_an_accusation_learnt_later_cuts_what_the_school_was_still_to_get(tmp_path):
    """Notices that look harmless by themselves: decided right before the first byte, with what is known by then."""
    async with town(tmp_path) as whole, await join(whole, SCHOOL, school_code=CODE) as school:
        first = await whole.clients[CITY].submit(report("before", school_related=False), CANONICAL)
        assert len(await received(school)) == 1
        waiting = await whole.clients[CITY].submit(report("waiting", school_related=False), CANONICAL)
        await whole.clients[CITY].submit(report("accusation", school_related=True), CANONICAL)
        after = await whole.clients[CITY].submit(report("after", school_related=False), CANONICAL)
        assert await received(school) == []
        assert await decided(whole, first, SCHOOL) == ["acknowledged"]
        assert await decided(whole, waiting, SCHOOL) == await decided(whole, after, SCHOOL) == ["refused"]
        for number in range(21):
            await whole.clients[CITY].submit(report(f"later-{number}", school_related=False), CANONICAL)
        assert await received(school) == [], "an accusation is not outgrown by what comes after it"
        other = await whole.clients[CITY].submit(report("other-child", school_related=False, pupil=7), CANONICAL)
        assert len(await received(school)) == 1, "a school is accused about a child, not about every pupil"
        assert await decided(whole, other, SCHOOL) == ["acknowledged"]
        assert not whole.failures()


async def test_an_accusation_that_was_answered_before_a_disclosure_was_durable_stops_it(tmp_path, monkeypatch):
    async with town(tmp_path) as whole, await join(whole, SCHOOL, school_code=CODE) as school:
        waiting = await whole.clients[CITY].submit(report("waiting", school_related=False), CANONICAL)
        store = whole.gateway.engines.store.deliveries
        disclose = store.disclose

        async def after_an_accusation(unit):
            monkeypatch.undo()
            await whole.clients[CITY].submit(report("accusation", school_related=True), CANONICAL)
            return await disclose(unit)

        monkeypatch.setattr(store, "disclose", after_an_accusation)
        assert await received(school) == []
        assert await decided(whole, waiting, SCHOOL) == ["refused"]
        told = await whole.gateway.engines.store.log.search(LogQuery(notice=waiting["notice"], office=SCHOOL), None, 9)
        assert [one.name for one in reversed(told)] == ["disclosure_decided", "ticket_voided", "delivery_withheld"]


def unrelated():
    return {
        "urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "persons": [victim(77)],
        "place": {"region": "440113102", "school_related": False},
    }  # fmt: skip


async def test_an_accused_school_learns_nothing_more_of_its_own_notices_and_the_log_says_since_when(
    tmp_path, monkeypatch
):
    """S9: its earlier notices stand still for it, told nothing of why, and no notice goes to it that would."""
    async with town(tmp_path) as whole, await join(whole, SCHOOL, school_code=CODE) as school:
        own = []
        for number in ("first", "second"):
            data = {
                "urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "persons": [victim(41)],
                "place": {"region": "440113102", "school_related": False},
            }  # fmt: skip
            own.append(await school.submit(notice("RPT", SCHOOL, number, data, number), CANONICAL))
        police = whole.clients["police.440113"]
        (before,) = await police.pull(1, accept=CANONICAL)
        await police.acknowledge(before)
        stood = [await school.notice(one["notice"]) for one in own]
        told = await school.changes()
        assert {one["state"] for one in told["changes"]} == {"acknowledged"}

        accusation = await whole.clients[CITY].submit(report("accusation", pupil=41, school_related=True), CANONICAL)
        for item in await police.pull(accept=CANONICAL):
            await police.acknowledge(item)
        moved = {one.notice for one in await whole.gateway.engines.store.deliveries.changes(SCHOOL, 0, 100)}
        assert moved == {one["notice"] for one in own}, "both went their way meanwhile"
        assert [await school.notice(one["notice"]) for one in own] == stood
        assert await school.changes(told["cursor"]) == {"changes": [], "cursor": told["cursor"]}
        third = await school.submit(notice("RPT", SCHOOL, "third", unrelated(), "third"), CANONICAL)
        for item in await police.pull(accept=CANONICAL):
            await police.acknowledge(item)
        store = whole.gateway.engines.store.deliveries
        assert (
            await asked_of(store, monkeypatch, school.notice(own[0]["notice"]))
            == await asked_of(store, monkeypatch, school.notice(third["notice"]))
            == ["changes_of_notice"]
        ), "the same questions, however long the history that one of them hides: time would tell"
        later = await school.changes(told["cursor"])
        assert {one["notice"] for one in later["changes"]} == {third["notice"]}, "what came after the hidden is listed"
        read = [base64.urlsafe_b64decode(one["cursor"] + "==") for one in (told, later)]
        assert len(read[0]) == len(read[1]) == 16
        assert sum(a == b for a, b in zip(*read, strict=True)) < 8, "no cursor tells how many changes it passed over"
        with pytest.raises(Answered) as refused:
            await school.changes(base64.urlsafe_b64encode(b"changes:8").decode())
        assert refused.value.problem["code"] == "invalid-parameter"
        assert await received(school) == [], "nor is it told to stop using what it got: that would tell why"
        (cut,) = await whole.gateway.engines.store.log.search(LogQuery(event="conflict_recorded"), None, 10)
        (came,) = await whole.gateway.engines.store.log.search(
            LogQuery(event="notice_accepted", notice=accusation["notice"]), None, 10
        )
        assert cut.at == came.at, "the cut stands in the log, with its instant"
        assert not whole.failures()


@pytest.mark.parametrize("office", [SCHOOL, "health.440113"])
async def test_a_school_does_not_see_from_who_takes_part_in_its_case_that_somebody_reported_in_it(tmp_path, office):
    """A closure goes to all who take part: neither trying one, nor sending it and following it, shows who came newly in. The
    same for an office that is no school."""
    async with town(tmp_path) as whole, await join(whole, SCHOOL, school_code=CODE) as school:
        school = school if office == SCHOOL else whole.clients[office]
        own = {**unrelated(), "persons": [victim(51)]}
        await school.submit(notice("RPT", office, "own", own, "own"), CANONICAL)

        def closure(number):
            said = {"urgency": 0, "purpose": "P01", "legal_basis": ["L20"], "closure": {"reason": "resolved"}}
            return notice("CLS", office, number, said, "own")

        before = await school.check(closure("c"), CANONICAL)
        assert [one["office"] for one in before["recipients"]] == ["police.440113", "civil_affairs.440113"]
        committee = whole.clients["civil_affairs.440113"]
        (item,) = await committee.pull(accept=CANONICAL)
        place = {"region": "440113102", "school_related": True}
        accusing = {**own, "place": place, "harm": {"types": ["H22"]}, "in_reply_to": item.delivery}
        accused = await committee.submit(notice("RPT", "civil_affairs.440113", "a", accusing), CANONICAL)
        reached = {one["recipient"] for one in (await committee.notice(accused["notice"]))["deliveries"]}
        assert "education.440113" in reached
        assert await school.check(closure("c"), CANONICAL) == before
        sent = await school.submit(closure("c"), CANONICAL)
        status = await school.notice(sent["notice"])
        assert [one["recipient"] for one in status["deliveries"]] == ["police.440113", "civil_affairs.440113"]
        bureau = whole.clients["education.440113"]
        while items := await bureau.pull(accept=CANONICAL):
            for item in items:
                await bureau.acknowledge(item)
        moved = await whole.gateway.engines.store.deliveries.changes(office, 0, 100)
        assert {one.recipient for one in moved if one.notice == sent["notice"]} == {"education.440113"}, "it reached it"
        assert [one for one in (await school.changes())["changes"] if one["notice"] == sent["notice"]] == []
        assert not whole.failures()


async def test_a_switched_off_recipient_still_gets_reports_with_their_floor_and_nothing_else(tmp_path):
    async with town(tmp_path) as whole:
        police = whole.clients["police.440113"]
        enrol = whole.gateway.services.enrol
        await enrol.set_state(police.profile.office, OfficeState.SUSPENDED, reason="misuse", by="test")
        place = {"region": "440113102", "detail": "测试路一号"}
        report = {
            "urgency": 2, "purpose": "P01", "legal_basis": ["L20"], "place": place, "persons": [victim()],
            "harm": {"types": ["H21"], "narrative": "邻里听到哭声。"},
        }  # fmt: skip
        await whole.clients[CITY].submit(notice("RPT", CITY, "r", report, "r"), CANONICAL)
        await whole.clients[CITY].submit(
            notice("QRY", CITY, "q", {
                "purpose": "P03", "legal_basis": ["L02"], "answer_by": "2099-12-31",
                "requested_recipients": ["police.440113"],
                "query": {"question": "residence", "minimal": {"name": "李小测"}},
            }, "q"),
            CANONICAL,
        )  # fmt: skip
        (got,) = await police.pull(accept=CANONICAL)
        event = json.loads(got.body)
        assert event["type"] == "hutong.notice.RPT.v1"
        seen = json.dumps(event["data"], ensure_ascii=False)
        assert "李小测" in seen
        assert "测试路一号" in seen

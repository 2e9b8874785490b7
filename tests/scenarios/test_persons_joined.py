"""Two officers find that two persons on record are one: what limits one limits both, and no more is seen than before."""

from __future__ import annotations

import json
import re

import pytest
import pytest_asyncio

from gateway.audit.bundle import check_report
from gateway.audit.evidence import canonical
from gateway.audit.findings import Wrong
from gateway.audit.verifier import main as verify_offline
from gateway.client.agency import Answered
from gateway.model.errors import HutongError
from gateway.model.identifiers import NoticeId
from gateway.ports.log_storage import LogQuery
from gateway.ports.retention_storage import LegalHold
from gateway.services.log_desk import Reader
from gateway.services.roles import Role
from tests.scenarios.test_s7_consent_withdrawn import CITY, CONTRACTOR, agreed
from tests.support.family import notice, person
from tests.support.offices import join, received
from tests.support.town import CANONICAL, town

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

OFFICERS = ("first", "second", "third")
REASON = "same-child-by-visit"


REPORTED = {
    "urgency": 1, "purpose": "P01", "legal_basis": ["L20"], "harm": {"types": ["H21"]}, "place": {"region": "440113102"},
}  # fmt: skip


class House:
    """A child and its mother whom no other test tells of."""

    def __init__(self, name, number):
        self._name, self._serial = name, 100 + 20 * number

    def child(self):
        return person("p1", "minor", years=13, name=f"李小{self._name}", serial=self._serial)

    def mother(self):
        return person(
            "p2", "guardian", years=38, name=f"王测{self._name}", serial=self._serial + 2, relation="52", of="p1"
        )


def without_number(one):
    return {name: value for name, value in one.items() if name not in ("id_type", "id_no")}


def referral(number, *people):
    data = {
        "urgency": 0, "purpose": "P08", "legal_basis": ["L07"], "answer_by": "2099-12-31",
        "requested_recipients": [CONTRACTOR], "needs": ["psychological"], "persons": list(people),
        "measures": [{"code": "A06"}],
    }  # fmt: skip
    return notice("REF", CITY, number, data, f"case-{number}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    """A town with a contractor whose referrals rest on consent, and with compliance officers."""
    folder = tmp_path_factory.mktemp("town")
    async with (
        town(folder, ticket_seconds=0.2) as whole,
        await join(whole, CONTRACTOR, contract_until="2099-12-31") as contractor,
    ):
        for name in OFFICERS:
            await whole.gateway.services.staff.grant(name, Role.COMPLIANCE_OFFICER, by="test")
        yield whole, contractor
        assert not whole.failures()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(running):
    desk = Desk(*running)
    assert await desk.proposals() == ()
    yield desk
    for one in await desk.services.propose_joining.joined(by="first"):
        await desk.both("part", one.first, one.second)
    await desk.settle_all()
    for office in desk.whole.clients.values():  # what waits would be taken for the next test's
        while items := await office.pull():
            for item in items:
                await office.acknowledge(item)


class Desk:
    """The officers of a running gateway, and what they may know."""

    def __init__(self, whole, contractor):
        self.whole, self.contractor, self.committee = whole, contractor, whole.clients[CITY]
        self.services, self.store = whole.gateway.services, whole.gateway.engines.store
        self.kin = self.services.join_persons._kin

    async def who(self, receipt, ref="p1"):
        """The gateway's own id of somebody in a notice that was accepted."""
        return (await self.store.notices.load(NoticeId(receipt["notice"]))).persons[ref]

    async def proposals(self):
        return (await self.services.propose_joining(by="first")).proposals

    async def settle_all(self):
        """Decline whatever is proposed, so that the next test finds nothing."""
        while found := await self.proposals():
            for one in found:
                await self.services.join_persons.decline(one.first.person, one.second.person, "test", by="first")

    async def refer(self, number, *people):
        return await self.committee.submit(referral(number, *people), CANONICAL)

    async def is_referred(self):
        """Whether the contractor has got a referral."""
        return "REF" in [kind for kind, _ in await received(self.contractor)]

    async def report(self, number, *people):
        return await self.committee.submit(
            notice("RPT", CITY, number, {**REPORTED, "persons": list(people)}, number), CANONICAL
        )

    async def reported(self, number, who):
        """A report: the child's id, what the police got, and what the sender may know of it."""
        police = self.whole.clients["police.440113"]
        sent = await self.report(number, who)
        items = await police.pull()
        for item in items:
            await police.acknowledge(item)
        return await self.who(sent), b"".join(item.body for item in items), await self.committee.notice(sent["notice"])

    async def both(self, what, one, other):
        act = getattr(self.services.join_persons, what)
        await act(one, other, REASON, by="first")
        return (await act(one, other, REASON, by="second")).state

    async def told(self, event):
        found = await self.store.log.search(LogQuery(event=event), None, 50)
        return [json.loads(record.opening)["envelope"]["fields"] for record in found]


async def refused(call):
    with pytest.raises(HutongError) as caught:
        await call
    return caught.value.code


async def test_joining_takes_two_officers_and_so_does_parting(desk):
    act, house = desk.services.join_persons, House("甲", 1)
    one = await desk.who(await desk.refer(1, house.child(), house.mother()))
    other = await desk.who(await desk.refer(2, without_number(house.child()), house.mother()))
    assert one != other
    assert await refused(desk.services.propose_joining(by="nobody")) == "role-missing"
    assert await refused(act.join(one, other, REASON, by="nobody")) == "role-missing"
    assert await refused(act.join(one, one, REASON, by="first")) == "invalid-document"
    assert await refused(act.join(one, other, "Said so: 李", by="first")) == "invalid-document"
    assert await refused(act.join(one, other[::-1], REASON, by="first")) == "not-found"
    assert await refused(act.part(one, other, REASON, by="first")) == "not-found"

    (proposal,) = await desk.proposals()
    assert {proposal.first.person, proposal.second.person} == {one, other}
    assert (await act.join(one, other, REASON, by="first")).state == "asked"
    assert await refused(act.join(other, one, REASON, by="first")) == "not-permitted", "nobody stands for both"
    assert [proposal.asked_by for proposal in await desk.proposals()] == ["first"]
    assert not desk.kin.is_joined(one)
    assert (await act.join(other, one, REASON, by="second")).state == "joined"
    assert (await act.join(one, other, REASON, by="third")).state == "joined", "repeating it changes nothing"
    assert await desk.proposals() == ()
    (pair,) = await desk.services.propose_joining.joined(by="third")
    assert (pair.first, pair.second) == tuple(sorted((one, other)))
    assert await refused(act.decline(one, other, REASON, by="third")) == "not-permitted", "joined is not declined"

    assert (await act.part(one, other, REASON, by="third")).state == "parting"
    assert desk.kin.is_joined(one), "one officer alone lifts no limit"
    assert await refused(act.part(one, other, REASON, by="third")) == "not-permitted"
    assert (await act.part(one, other, REASON, by="first")).state == "parted"
    assert not desk.kin.is_joined(one)
    assert await desk.proposals() == (), "what officers found apart is not proposed again"

    assert (await act.decline(one, other, "twins", by="second")).state == "declined"
    (joined,) = await desk.told("persons_joined")
    assert joined["reason"] == REASON
    assert [one["kind"] for one in await desk.told("persons_finding_asked")] == ["parting", "joining"]
    reader = Reader("staff", "third")
    by = {
        name: [record.name for record in await desk.services.proof.desk.search(LogQuery(), None, 500, reader, officer=f"staff/{name}")]
        for name in ("first", "second")
    }  # fmt: skip
    assert "persons_finding_asked" in by["first"], "the log says of either officer what they found"
    assert "persons_joined" in by["second"]
    assert len(await desk.told("persons_parted")) == len(await desk.told("persons_held_apart")) == 1
    assert {row["rows"] for row in await desk.told("person_proposals_read")} == {0, 1}


async def test_a_no_for_one_holds_for_both_and_a_yes_for_one_alone(desk):
    house = House("乙", 2)
    known, unnumbered = (house.child(), house.mother()), (without_number(house.child()), house.mother())
    await desk.committee.record_consent("yes", agreed(people=[*known]))
    one = await desk.who(await desk.refer(10, *known))
    assert await desk.is_referred()
    other = await desk.who(await desk.refer(11, *unnumbered))
    assert not await desk.is_referred(), "nobody agreed for the child without a number"
    assert await desk.both("join", one, other) == "joined"
    await desk.refer(12, *known)
    assert await desk.is_referred(), "joining takes nothing from the child that was agreed for"

    no = await desk.committee.record_consent("no", {**agreed(people=[*unnumbered]), "status": "refused"})
    third = await desk.who(no["notice"])
    await desk.refer(13, *known)
    assert await desk.is_referred(), "a no for somebody else"
    assert await desk.both("join", third, other) == "joined", "by way of the second it is the first child's"
    await desk.refer(14, *known)
    assert not await desk.is_referred()
    assert await desk.both("part", third, other) == "parted"
    await desk.refer(15, *known)
    assert await desk.is_referred()
    await desk.both("part", one, other)
    await desk.services.join_persons.decline(third, one, REASON, by="first")


async def test_a_guardian_joined_with_a_suspect_has_no_say(desk):
    house = House("丙", 3)
    people = (house.child(), without_number(house.mother()))
    yes = await desk.committee.record_consent("by-mother", agreed(people=[*people]))
    giver = await desk.who(yes["notice"], "p2")
    await desk.refer(20, *people)
    assert await desk.is_referred()

    victim = person("p1", "minor", years=7, name="赵小测", serial=30)
    suspect = {**house.mother(), "roles": ["infringer"], "is_guardian": False}
    accused = await desk.who(await desk.report("suspect", victim, suspect), "p2")
    await desk.refer(21, *people)
    assert await desk.is_referred(), "a suspect with a number is nobody's mother without one, until people say so"
    assert await desk.both("join", giver, accused) == "joined"
    await desk.refer(22, *people)
    assert not await desk.is_referred()
    assert await desk.both("part", giver, accused) == "parted"
    await desk.refer(23, *people)
    assert await desk.is_referred()
    await desk.settle_all()


async def test_a_childs_report_is_of_everybody_who_is_the_child_and_proved_complete(desk, tmp_path):
    house, proof, reader = House("丁", 4), desk.whole.gateway.engines.proof, Reader("staff", "third")
    one, _, _ = await desk.reported("a", house.child())
    other, _, _ = await desk.reported("b", without_number(house.child()))

    async def rows(person, **asked):
        made = await desk.services.proof.desk.person_report(person, "json", reader, **asked)
        return len(json.loads(made.body).get("rows", ()))

    assert [await rows(one), await rows(other)] == [1, 1]
    assert await desk.both("join", one, other) == "joined"
    assert [await rows(one), await rows(other)] == [2, 2]
    found = await desk.services.proof.desk.search(LogQuery(event="notice_accepted"), None, 50, reader, person=one)
    assert len(found) == 2
    assert await rows(one, for_guardian=other) == 0, "who is no guardian gets the neutral words"

    await proof.hold.beat()
    bundle = await desk.services.proof.desk.person_report(one, "bundle", reader)
    checked = check_report(bundle.body, proof.generation.trust)
    names = [proven.record.event for proven in checked.records]
    assert names.count("notice_accepted") == names.count("disclosure_decided") == 2
    assert names.count("persons_joined") == 1
    assert checked.joined_elsewhere == ()
    document = json.loads(bundle.body)
    stripped = canonical({name: part for name, part in document.items() if name != "also"})
    (joined,) = [proven.index for proven in checked.records if proven.record.event == "persons_joined"]
    assert check_report(stripped, proof.generation.trust).joined_elsewhere == (joined,)
    page = (await desk.services.proof.desk.person_report(one, "document", reader)).body
    for name, raw in {"whole.json": bundle.body, "page.html": page, "stripped.json": stripped}.items():
        (tmp_path / name).write_bytes(raw)
    keys = [part for signer in proof.generation.signers for part in ("--key", signer.key.vkey)]
    for name, code, *more in (
        ("whole.json", 0),
        ("page.html", 0),
        ("stripped.json", 3),
        ("stripped.json", 0, "--alone"),
    ):
        assert verify_offline(["report", str(tmp_path / name), *keys, *more]) == code
    del document["also"][0]["records"][0]
    with pytest.raises(Wrong):
        check_report(canonical(document), proof.generation.trust)

    assert await desk.both("part", one, other) == "parted"
    assert [await rows(one), await rows(other)] == [1, 1]
    await proof.hold.beat()
    bundle = await desk.services.proof.desk.person_report(one, "bundle", reader)
    assert check_report(bundle.body, proof.generation.trust).joined_elsewhere == (), "parted again"


async def test_a_legal_hold_on_one_keeps_the_other_and_an_erasure_ends_the_joining(desk):
    house, proof = House("戊", 5), desk.services.proof
    one, _, _ = await desk.reported("c", house.child())
    other, _, _ = await desk.reported("d", without_number(house.child()))
    await desk.both("join", one, other)
    hold = await proof.legal_holds.set(one, authority="court-order", by="first")
    assert await refused(proof.erase.ask(other, authority="rights-request", by="first")) == "not-permitted"
    await proof.legal_holds.lift(hold.id, by="second")
    erasure = await proof.erase.ask(other, authority="rights-request", by="first")
    assert await proof.erase.same_as(other) == [one], "the other is asked for too, or stays"
    await proof.erase.approve(erasure.id, by="second")
    assert await desk.services.propose_joining.joined(by="first") == []
    assert await desk.proposals() == ()
    assert (await proof.people.by_id(one)).also == ()


async def test_a_legal_hold_stands_in_the_way_of_an_erasure_that_had_begun_too(desk):
    proof, keys = desk.services.proof, desk.whole.gateway.engines.keys
    one, _, _ = await desk.reported("held", House("辰", 23).child())
    erasure = await proof.erase.ask(one, authority="rights-request", by="first")
    await keys.destroy([await desk.store.retention.key_of(one)])
    hold = LegalHold(str(desk.whole.gateway.engines.ids.event()), one, "court-order", "third", erasure.asked_at)
    await desk.store.retention.set_hold(hold, [])
    before = len(await desk.told("erasure_refused"))
    assert await refused(proof.erase.approve(erasure.id, by="second")) == "not-permitted"
    assert len(await desk.told("erasure_refused")) == before + 1
    await desk.store.retention.lift_hold(hold.id, erasure.asked_at, [])
    await proof.erase.approve(erasure.id, by="second")


async def test_erasing_the_one_by_way_of_whom_two_were_joined_parts_them_not(desk):
    house, proof = House("寅", 21), desk.services.proof
    middle, _, _ = await desk.reported("way-h", house.child())
    one, _, _ = await desk.reported("way-i", without_number(house.child()))
    other, _, _ = await desk.reported("way-j", {**without_number(house.child()), "name": "李小根"})
    apart, _, _ = await desk.reported("way-k", {**without_number(house.child()), "name": "李小耘"})
    for whom in (one, other, apart):
        await desk.both("join", middle, whom)
    await desk.both("join", apart, other)
    await desk.both("part", apart, other)
    before = len(await desk.store.log.search(LogQuery(event="persons_joined"), None, 100))
    erasure = await proof.erase.ask(middle, authority="rights-request", by="first")
    await proof.erase.approve(erasure.id, by="second")
    pairs = {frozenset((pair.first, pair.second)): pair for pair in await desk.store.persons.pairs()}
    assert not pairs[frozenset((apart, other))].is_one, "two officers found that these two are two"
    linked = [pair for pair in pairs.values() if pair.is_one]
    assert {(pair.state, pair.asked_by, pair.confirmed_by, pair.reason) for pair in linked} == {
        ("joined", "first", "second", "by-way-of-erased")
    }
    told = await desk.store.log.search(LogQuery(event="persons_joined"), None, 100)
    assert len(told) - before == len(linked) > 0, "the log tells of each"
    assert set((await proof.people.by_id(one)).also) != set()
    assert middle not in {person for pair in pairs for person in pair}


async def test_a_parting_that_was_asked_for_is_asked_for_still(desk):
    house, proof = House("卯", 22), desk.services.proof
    middle, _, _ = await desk.reported("way-l", house.child())
    one, _, _ = await desk.reported("way-m", without_number(house.child()))
    other, _, _ = await desk.reported("way-n", {**without_number(house.child()), "name": "李小新"})
    for whom in (one, other):
        await desk.both("join", middle, whom)
    await desk.services.join_persons.part(middle, one, "not-the-same", by="third")
    erasure = await proof.erase.ask(middle, authority="rights-request", by="first")
    await proof.erase.approve(erasure.id, by="second")
    (pair,) = [pair for pair in await desk.store.persons.pairs() if one in (pair.first, pair.second)]
    assert (pair.state, pair.asked_by, pair.confirmed_by, pair.reason) == ("parting", "third", "", "not-the-same")
    assert {pair.first, pair.second} == {one, other}
    assert (await desk.services.join_persons.part(one, other, "not-the-same", by="second")).state == "parted"


async def test_an_office_learns_neither_of_a_proposal_nor_of_a_joining(desk):
    house = House("己", 6)
    one, first, before = await desk.reported("e", house.child())
    passport = {**without_number(house.child()), "sex": "1", "id_type": "PASS", "id_no": "E12345678"}
    other, second, after = await desk.reported("f", passport)
    (proposal,) = await desk.proposals()
    assert proposal.contradictions == ("conflicting-sex",), "different kinds of documents contradict nothing"
    assert {told.sender for told in (*proposal.first.notices, *proposal.second.notices)} == {CITY}
    for secret in (house.child()["name"], house.child()["id_no"], "E12345678", house.child()["birth_date"]):
        assert secret not in repr(proposal)

    answers = set()
    for path in ("/v1/persons", "/v1/persons/proposals", "/admin/v1/persons/joined", "/v1/nothing-of-the-kind"):
        with pytest.raises(Answered) as absent:
            await desk.committee._call("GET", path, None, {})
        answers.add((absent.value.status, absent.value.problem["code"]))
    assert len(answers) == 1, "what concerns persons is as absent to an office as what never was"

    assert await desk.both("join", one, other) == "joined"
    _, third, again = await desk.reported("g", house.child())
    assert before.keys() == after.keys() == again.keys()
    assert re.findall(rb"<[^/>]+>", first) == re.findall(rb"<[^/>]+>", third), "the same elements, joined or not"
    for text in (first, second, third, json.dumps([before, after, again]).encode()):
        assert not [word for word in (one, other, "joined", "likeness") if word.encode() in text]


async def test_different_numbers_are_shown_as_contradicting(desk):
    house = House("庚", 7)
    one, _, _ = await desk.reported("h", house.child())
    wrong = {**house.child(), "id_no": person("p1", "minor", years=13, name="x", serial=241)["id_no"]}
    other, _, _ = await desk.reported("i", wrong)
    (proposal,) = await desk.proposals()
    assert {proposal.first.person, proposal.second.person} == {one, other}
    assert "conflicting-identifiers" in proposal.contradictions
    await desk.settle_all()

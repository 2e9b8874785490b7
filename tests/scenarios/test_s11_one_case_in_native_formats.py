"""S11: eight offices push the same case in their own formats. One child with a number is one person; nobody is merged on looks.

Two children are the same person by an identifier and by nothing else. Twins one digit apart, and a child without a
document whom eight offices describe alike, are never joined by the gateway itself: it proposes, and two officers decide.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta

import pytest
import pytest_asyncio

from gateway.model.identifiers import NoticeId
from gateway.ports.log_storage import LogQuery
from gateway.privacy.segments import Layout, join
from gateway.services.keep import Keeper
from gateway.services.roles import Role
from gateway.simulation.families import Edge, citizen_id
from gateway.simulation.scenarios import WRITERS, make_case, messages
from gateway.simulation.telling import Telling
from tests.support.town import town

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SEED, EIGHT = 7, 8
NUMBERED = {Edge.SMALL_X, Edge.RARE_CHARACTERS, Edge.FULL_WIDTH}
TOLD = NUMBERED | {Edge.TWINS, Edge.NO_DOCUMENT}


class Landed:
    """What the gateway made of one case: per child, who it was taken to be and what was kept of it, by notice."""

    def __init__(self):
        self.people = defaultdict(set)
        self.facts = defaultdict(list)
        self.father = set()
        self.named = defaultdict(set)
        self.agencies = set()


async def push_all(whole) -> dict[Edge, tuple[int, Landed]]:
    """Every agency's native file of each case, over HTTP, by the office of the agency."""
    engines = whole.gateway.engines
    layout = Layout(whole.gateway.documents.catalogue.fields.values())
    keeper = Keeper(engines.keys, engines.ids, layout.split, join)
    found: dict[Edge, tuple[int, Landed]] = {}
    for message in messages(SEED, 20):
        if message.edge not in TOLD or message.name.endswith((".fhir.json", ".cda.xml")):
            continue
        _, landed = found.setdefault(message.edge, (message.case, Landed()))
        answer = await whole.clients[f"{message.agency}.440113"].submit(message.file.body, message.file.media_type)
        for receipt in answer if isinstance(answer, list) else [answer]:
            stored = await engines.store.notices.load(NoticeId(receipt["notice"]))
            landed.agencies.add(message.agency)
            for person in keeper.open(stored).data["persons"]:
                who = stored.persons[person["ref"]]
                if "id_no" in person:
                    landed.named[person["id_type"], person["id_no"]].add(stored.id)
                if "minor" in person["roles"]:
                    landed.people[person["name"]].add(who)
                    landed.facts[person["name"]].append(person)
                elif person.get("relation") == "51" and "id_no" in person:
                    landed.father.add(who)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pushed(tmp_path_factory):
    async with town(tmp_path_factory.mktemp("town"), ticket_seconds=0.2) as whole:
        landed = await push_all(whole)
        assert not whole.failures()
        yield whole, landed


@pytest.mark.parametrize("edge", sorted(NUMBERED))
async def test_a_child_with_a_number_is_one_person_whoever_tells_of_it(pushed, edge):
    whole, cases = pushed
    case, landed = cases[edge]
    child = make_case(SEED, case)[1].child
    ((name, people),) = landed.people.items()
    assert name == child.name
    assert len(landed.agencies) == len(landed.facts[name]) == EIGHT
    (person,) = people
    (id_no,) = {told["id_no"] for told in landed.facts[name]}
    found = await whole.gateway.services.proof.people.by_identifier("ID", id_no)
    assert found.person == person
    assert {told["birth_date"] for told in landed.facts[name] if "birth_date" in told} == {child.born}
    assert {told["sex"] for told in landed.facts[name] if "sex" in told} == {child.sex}
    assert len(await whole.gateway.engines.store.notices.notices_of(person, 20)) == EIGHT


async def test_whoever_has_a_number_is_in_every_notice_that_names_it_and_in_no_other(pushed):
    """Relatives too: an agency whose format has no number for a parent tells of somebody else, until officers join the two."""
    whole, cases = pushed
    people, notices = whole.gateway.services.proof.people, whole.gateway.engines.store.notices
    numbers = [(named, told) for _, landed in cases.values() for named, told in landed.named.items()]
    assert any(len(told) not in (1, EIGHT) for _, told in numbers), "parents, whom some formats number"
    for (kind, number), told in numbers:
        found = await people.by_identifier(kind, number)
        assert {notice for notice, _ in await notices.notices_of(found.person, 50)} == told


async def test_twins_one_digit_apart_stay_two(pushed):
    _, cases = pushed
    case, landed = cases[Edge.TWINS]
    assert set(landed.people) == {child.name for child in make_case(SEED, case)[1].children}
    first, second = landed.people.values()
    assert len(first) == len(second) == 1
    assert first != second
    assert all(len(told) == EIGHT for told in landed.facts.values())


async def test_a_child_without_a_document_is_joined_to_nobody_on_name_and_birth_date(pushed):
    _, cases = pushed
    case, landed = cases[Edge.NO_DOCUMENT]
    child = make_case(SEED, case)[1].child
    assert set(landed.people) == {child.name}
    assert len(landed.people[child.name]) == EIGHT
    assert {told["birth_date"] for told in landed.facts[child.name] if "birth_date" in told} == {child.born}
    assert not any("id_no" in told for told in landed.facts[child.name])
    assert len(landed.father) == 1, "the father, whose number four of them give, is one man"


async def test_the_log_knows_one_child_where_the_gateway_does(pushed):
    whole, cases = pushed
    ((person,),) = cases[Edge.SMALL_X][1].people.values()
    found = await whole.gateway.services.proof.people.by_id(person)
    entries = await whole.gateway.engines.store.log.search(
        LogQuery(event="notice_accepted", subject=found.subject), None, 50
    )
    assert len(entries) == EIGHT


# Whose formats have a place for the birth date of a child without a number: all but the justice bureau's.
DESCRIBING = {"health", "police", "civil_affairs", "education", "womens_federation", "procuratorate", "courts"}


async def test_who_looks_alike_in_native_records_without_a_number_is_proposed_once_and_twins_are_not(pushed):
    whole, cases = pushed
    staff, propose = whole.gateway.services.staff, whole.gateway.services.propose_joining
    for name in ("first", "second"):
        await staff.grant(name, Role.COMPLIANCE_OFFICER, by="test")
    whole_list = (await propose(limit=200, by="first")).proposals
    case, landed = cases[Edge.NO_DOCUMENT]
    ((name, people),) = landed.people.items()
    proposed = [one for one in whole_list if {one.first.person, one.second.person} <= people]
    assert len(proposed) == len(DESCRIBING) - 1, "each person once, whoever they look like"
    agencies = {
        told.sender.split(".")[0] for one in proposed for side in (one.first, one.second) for told in side.notices
    }
    assert agencies == DESCRIBING
    assert not any(one.contradictions for one in proposed)
    numbered = {
        person for edge in (*NUMBERED, Edge.TWINS) for persons in cases[edge][1].people.values() for person in persons
    }
    assert not [one for one in whole_list if numbered & {one.first.person, one.second.person}], "a number is enough"
    family = make_case(SEED, case)[1]
    for secret in (name, family.child.born, *(one.id_no for one in family.kin), *(one.name for one in family.kin)):
        assert secret not in repr(whole_list)

    pairs = [{one.first.person, one.second.person} for one in whole_list]
    (by_telephone,) = set().union(*(pair for pair in pairs if pair & landed.father)) - landed.father
    assert sum(by_telephone in pair for pair in pairs) == 2, "the father, told of by name and telephone in two formats"

    join, kin = whole.gateway.services.join_persons, whole.gateway.services.join_persons._kin
    for one in proposed:
        for by in ("first", "second"):
            await join.join(one.first.person, one.second.person, "same-case", by=by)
    assert len(kin.of(proposed[0].first.person)) == len(DESCRIBING)
    left = (await propose(limit=200, by="second")).proposals
    assert not [one for one in left if people & {one.first.person, one.second.person}]
    assert len(left) == len(whole_list) - len(proposed)


async def test_a_record_with_a_number_meets_those_without_and_says_what_contradicts(pushed):
    """The police find the child's number later: their own file, in their own format, is proposed with the others."""
    whole, cases = pushed
    case, landed = cases[Edge.NO_DOCUMENT]
    ((_, people),) = landed.people.items()
    scenario, family, event = make_case(SEED, case)
    born = date.fromisoformat(family.child.born)
    found = replace(family.child, id_no=citizen_id(born, 7, family.child.sex))
    later = replace(family, children=(found,))
    telling = Telling(later, event, "police", "WCNRTB", f"{scenario}-later", event.happened + timedelta(days=9))
    file = WRITERS["police"](telling)
    receipt = await whole.clients["police.440113"].submit(file.body, file.media_type)
    receipt = receipt[0] if isinstance(receipt, list) else receipt
    stored = await whole.gateway.engines.store.notices.load(NoticeId(receipt["notice"]))
    proposals = (await whole.gateway.services.propose_joining(limit=200, by="first")).proposals
    (one,) = [
        one for one in proposals
        if {one.first.person, one.second.person} & set(stored.persons.values()) and {one.first.person, one.second.person} & people
    ]  # fmt: skip
    joined = {one.first.person, *one.first.same, one.second.person, *one.second.same}
    assert len(joined & people) == len(DESCRIBING), "with all who are joined already, once"
    assert one.contradictions == ()
    assert not whole.failures()

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.geography.competent import GOVERNING
from gateway.model.agency import EIGHT_AGENCIES, Office, OfficeState
from gateway.model.geography import Competence, Jurisdiction, Level, Matter, Place, PlaceKind
from gateway.model.identifiers import AgencyName, DivisionCode, OfficeId
from tests.support.routing import eight_in, finder, offices, pilots, shipped_tree

TODAY = date(2026, 3, 1)
POLICE = AgencyName("police")
CIVIL = AgencyName("civil_affairs")
COURTS = AgencyName("courts")


def ask(
    directory: object,
    *places: tuple[str, str],
    agency: AgencyName = POLICE,
    matter: Matter = Matter.INVESTIGATION,
    event: date = TODAY,
    on: date = TODAY,
    conflicted: frozenset[OfficeId] = frozenset(),
) -> Competence:
    given_places = tuple(Place(PlaceKind(kind), code) for kind, code in places)
    return directory.competent(agency, matter, given_places, event, on, conflicted)  # type: ignore[attr-defined,no-any-return]


def test_the_county_police_answer_for_a_village() -> None:
    answer = ask(finder(eight_in("440113", "440100")), ("incident", "440113102005"))
    assert (answer.office, answer.fallback_level) == ("police.440113", 0)


def test_every_pilot_area_finds_its_own_office_under_todays_and_the_old_code() -> None:
    directory = finder([f"police.{row['code']}" for row in pilots()])
    for row in pilots():
        assert ask(directory, ("incident", row["code"])).office == f"police.{row['code']}"
        old = ask(directory, ("incident", row["code_2014"]), event=date(2014, 8, 1))
        assert old.office == f"police.{row['code']}"


def test_without_a_county_office_the_city_answers_and_the_fallback_is_counted() -> None:
    answer = ask(finder(["police.440100"]), ("incident", "440113102"))
    assert (answer.office, answer.fallback_level) == ("police.440100", 1)
    assert answer.trace == (
        "place:incident=440113102",
        "ask:police/investigation@440113102",
        "none@440113102",
        "none@440113",
        "found:police.440100@440100/own",
        "fallback:1",
    )


def test_the_search_ends_at_the_city() -> None:
    answer = ask(finder(["police.440000", "civil_affairs.440100", "coordinator.440100"]), ("incident", "440113"))
    assert answer.office is None
    assert answer.told == ("civil_affairs.440100", "coordinator.440100")
    assert answer.trace[-1] == "told:coordinator.440100"


def test_where_a_line_has_no_city_the_province_is_the_next_level() -> None:
    assert ask(finder(["police.110000"]), ("incident", "110105")).office == "police.110000"
    assert ask(finder(["police.410000", "police.410200"]), ("incident", "410225")).office == "police.410000"


def test_a_township_desk_does_not_take_what_belongs_to_the_county() -> None:
    directory = finder(["civil_affairs.440113102", "civil_affairs.440113"])
    child = (("incident", "440113102"), ("residence", "440113102"))
    county = ask(directory, *child, agency=CIVIL, matter=Matter.TEMPORARY_GUARDIANSHIP)
    township = ask(directory, *child, agency=CIVIL, matter=Matter.SUPPORT)
    assert (county.office, township.office) == ("civil_affairs.440113", "civil_affairs.440113102")
    alone = ask(finder(["civil_affairs.440113"]), *child, agency=CIVIL, matter=Matter.SUPPORT)
    assert (alone.office, alone.fallback_level) == ("civil_affairs.440113", 1)


@pytest.mark.parametrize("state", [OfficeState.SUSPENDED, OfficeState.COMPROMISED])
def test_a_suspended_office_is_stepped_over_to_the_next_level(state: OfficeState) -> None:
    known = offices("police.440113", "police.440100", police__440113=state)
    answer = ask(finder(known), ("incident", "440113"))
    assert (answer.office, answer.fallback_level) == ("police.440100", 1)
    assert answer.stepped_over == (("police.440113", state.value),)


def test_a_conflict_at_the_city_goes_to_the_province_and_no_further() -> None:
    directory = finder(["police.440100", "police.440000", "police.000000"])
    conflict = frozenset({OfficeId("police.440100")})
    assert ask(directory, ("incident", "440113"), conflicted=conflict).office == "police.440000"
    both = conflict | {OfficeId("police.440000")}
    assert ask(finder(["police.440100", "police.440000"]), ("incident", "440113"), conflicted=both).office is None


def test_a_map_row_overrides_the_namesake_for_its_matters_and_dates() -> None:
    row = Jurisdiction(
        COURTS,
        DivisionCode("440113"),
        OfficeId("courts.440100.juvenile"),
        frozenset({Matter.REVOCATION}),
        valid_from=date(2026, 1, 1),
        basis="指定管辖",
    )
    directory = finder(["courts.440113", "courts.440100.juvenile"], (row,))
    home = ("residence", "440113")
    assert ask(directory, home, agency=COURTS, matter=Matter.REVOCATION).office == "courts.440100.juvenile"
    assert ask(directory, home, agency=COURTS, matter=Matter.PROTECTION_ORDER).office == "courts.440113"
    before = ask(directory, home, agency=COURTS, matter=Matter.REVOCATION, on=date(2025, 6, 1))
    assert before.office == "courts.440113"


def test_a_map_to_an_office_that_is_not_enrolled_does_not_fall_to_the_namesake() -> None:
    row = Jurisdiction(POLICE, DivisionCode("440113"), OfficeId("police.440113.railway"))
    answer = ask(finder(["police.440113", "police.440100"], (row,)), ("incident", "440113"))
    assert answer.office == "police.440100"


def test_an_office_with_a_scope_answers_there() -> None:
    station = Office(OfficeId("police.440113.station-2"), "某派出所", scope=(DivisionCode("440113102"),))
    directory = finder({**offices("police.440113"), station.id: station})
    assert ask(directory, ("incident", "440113102")).office == station.id
    assert ask(directory, ("incident", "440113103")).office == "police.440113"


def test_each_matter_is_governed_by_its_own_place() -> None:
    directory = finder(eight_in("440113", "410225"))
    places = (("incident", "440113"), ("residence", "410225"))
    assert ask(directory, *places).office == "police.440113"
    assert ask(directory, *places, agency=COURTS, matter=Matter.REVOCATION).office == "courts.410225"
    assert ask(directory, *places, agency=CIVIL, matter=Matter.TEMPORARY_GUARDIANSHIP).office == "civil_affairs.440113"


def test_an_unknown_place_gives_way_to_the_next_and_is_flagged() -> None:
    answer = ask(finder(["police.440113"]), ("incident", "999999"), ("sender", "440113"))
    assert answer.office == "police.440113"
    assert answer.flags == ("unknown-region:incident", "place-from-sender")


def test_an_institutions_superior_is_its_bureau_and_a_bureaus_the_next_level() -> None:
    directory = finder(["education.440113.x", "education.440113", "education.440000"])
    assert directory.superior(OfficeId("education.440113.x"), TODAY) == "education.440113"
    assert directory.superior(OfficeId("education.440113"), TODAY) == "education.440000"
    assert directory.superior(OfficeId("education.440000"), TODAY) is None
    assert directory.superior(OfficeId("education.440199.y"), TODAY) is None


CODES = st.one_of(
    st.sampled_from(
        [row.code for row in shipped_tree().all(TODAY)] + ["500234", "110228", "440113102005", "620201001"]
    ),
    st.text(max_size=13),
    st.from_regex(r"[0-9]{6}|[0-9]{9}|[0-9]{12}", fullmatch=True),
)
PLACES = st.lists(st.builds(Place, st.sampled_from(list(PlaceKind)), CODES), max_size=4).map(tuple)
KNOWN_CODES = [row.code for row in shipped_tree().all(TODAY)]
OFFICE_IDS = st.lists(
    st.builds(
        lambda agency, code: OfficeId(f"{agency}.{code}"), st.sampled_from(EIGHT_AGENCIES), st.sampled_from(KNOWN_CODES)
    ),
    max_size=12,
    unique=True,
)
DAYS = st.dates(date(2009, 1, 1), date(2030, 12, 31))


@settings(max_examples=300, deadline=None)
@given(PLACES, OFFICE_IDS, st.sampled_from(EIGHT_AGENCIES), st.sampled_from(list(Matter)), DAYS, DAYS, st.data())
def test_the_resolver_always_answers_on_the_reporting_line_and_explains_itself(
    places: tuple[Place, ...],
    ids: list[OfficeId],
    agency: AgencyName,
    matter: Matter,
    event: date,
    on: date,
    data: st.DataObject,
) -> None:
    states = {office: data.draw(st.sampled_from(list(OfficeState))) for office in ids}
    conflicted = frozenset(data.draw(st.lists(st.sampled_from(ids), max_size=3)) if ids else [])
    directory = finder({office: Office(office, "某单位", state=states[office]) for office in ids})
    answer = directory.competent(agency, matter, places, event, on, conflicted)
    assert answer.trace
    if answer.division is None:
        asked = (*GOVERNING[matter], PlaceKind.SENDER)
        assert answer.office is None
        assert all(
            shipped_tree().resolve(place.code, min(event, on)) is None for place in places if place.kind in asked
        )
        return
    division = shipped_tree().resolve(answer.division, on)
    assert division is not None
    line = {row.code: row for row in shipped_tree().line(division.division, on)}
    for office in filter(None, (answer.office, answer.call_centre, *answer.told)):
        assert office.split(".")[1] in line
        assert office not in conflicted and states[office] is OfficeState.ACTIVE
    for office, reason in answer.stepped_over:
        assert (office in conflicted) == (reason == "conflict")
    if answer.office is None:
        assert answer.fallback_level == 0 and any(step.startswith("unresolved") for step in answer.trace)
    else:
        assert answer.office.startswith(f"{agency}.")
        assert any(step.startswith(f"found:{answer.office}@") for step in answer.trace)
        if not answer.stepped_over and line[DivisionCode(answer.office.split(".")[1])].level < Level.CITY:
            assert all(row.level != Level.CITY for row in line.values())
    assert directory.competent(agency, matter, places, event, on, conflicted) is answer

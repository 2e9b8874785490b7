"""What routing promises for every type, sender and broken body."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.agency import EIGHT_AGENCIES, Office, OfficeState
from gateway.model.geography import Place, PlaceKind
from gateway.model.identifiers import AgencyName, NoticeType, OfficeId
from gateway.model.notice import Recipient
from gateway.model.routing import NO_CASE, CaseContext, PriorNotice
from gateway.policy.places import places_of
from gateway.policy.route import route, sender_problem
from gateway.policy.routing_rules import RANK, RoutingTables, Setting
from tests.support.routing import MARCH_1, eight_in, finder, notice, offices, shipped_tables

COUNTY = finder(eight_in("440113", "440100"))
HARM: dict[str, Any] = {"place": {"region": "440113"}, "harm": {"types": ["H21"]}, "urgency": 1}


def sent_to(
    directory: Any, sender: str, notice_type: str, data: dict[str, Any], case: CaseContext = NO_CASE
) -> dict[str, str]:
    routing = route(notice(sender, notice_type, data), shipped_tables(), directory, case, MARCH_1)
    return {recipient.office: recipient.role for recipient in routing.recipients}


def was(office: str, purpose: str = "P02") -> Recipient:
    return Recipient(OfficeId(office), "RPT.police", purpose, ("L20",), "competent")


def test_a_suspended_police_office_is_reached_and_its_superior_is_competent() -> None:
    known = offices(*eight_in("440113", "440100"), police__440113=OfficeState.SUSPENDED)
    assert sent_to(finder(known), "health.440113", "RPT-M", HARM) == {
        "police.440100": "competent",
        "police.440113": "competent",
        "procuratorate.440113": "copy",
    }


def test_a_compromised_police_office_is_not_reached() -> None:
    known = offices(*eight_in("440113", "440100"), police__440113=OfficeState.COMPROMISED)
    assert "police.440113" not in sent_to(finder(known), "health.440113", "RPT-M", HARM)


def test_other_notices_do_not_reach_a_suspended_office() -> None:
    known = offices(*eight_in("440113", "440100"), police__440113=OfficeState.SUSPENDED)
    assert "police.440113" not in sent_to(finder(known), "civil_affairs.440113", "GRD-T", HARM)


def test_without_police_anywhere_the_report_is_held_with_an_alarm() -> None:
    directory = finder(["civil_affairs.440100", "coordinator.440100"])
    routing = route(notice("health.440113", "RPT-M", HARM), shipped_tables(), directory, NO_CASE, MARCH_1)
    assert [held.reason for held in routing.held] == ["region_unresolved"]
    assert routing.held[0].told == ("civil_affairs.440100", "coordinator.440100")


def test_at_urgency_2_the_citys_call_centre_gets_an_unresolved_report() -> None:
    directory = finder(["civil_affairs.410000", "police.410000", "police.410225"])
    conflicted = frozenset({OfficeId("police.410225")})
    case = CaseContext(conflicted=conflicted | {OfficeId("police.410000")})
    data = {**HARM, "urgency": 2, "place": {"region": "410225"}}
    routing = route(notice("health.410225", "RPT-M", data), shipped_tables(), directory, case, MARCH_1)
    assert [held.rule for held in routing.held] == ["RPT-M.police"]
    only_city = finder(["police.440100", "civil_affairs.440100"])
    reached = sent_to(only_city, "health.440113", "RPT-M", {**HARM, "urgency": 2})
    assert reached["police.440100"] == "competent"


def test_a_school_named_in_a_report_of_sexual_harm_is_replaced_by_its_bureau() -> None:
    school = Office(OfficeId("education.440113.x"), "某小学", attributes={"school_code": "3144010001"})
    directory = finder({**offices(*eight_in("440113")), school.id: school})
    data = {
        "place": {"region": "440113", "school_related": True},
        "harm": {"types": ["H12"], "m_flags": ["M1"]},
        "persons": [{"ref": "p1", "roles": ["minor"], "school": {"code": "3144010001"}}],
        "requested_recipients": [school.id],
    }
    routing = route(notice("health.440113", "RPT", data), shipped_tables(), directory, NO_CASE, MARCH_1)
    reached = {recipient.office for recipient in routing.recipients}
    assert school.id not in reached and "education.440113" in reached
    assert f"conflict:{school.id}" in routing.flags
    harmless = {**data, "harm": {"types": ["H21"]}}
    assert school.id in sent_to(directory, "health.440113", "RPT", harmless)


def test_a_conflicted_reporter_hears_through_its_superior() -> None:
    directory = finder([*eight_in("440113"), "education.440113.x"])
    prior = PriorNotice(NoticeType("RPT"), OfficeId("education.440113.x"))
    case = CaseContext(prior=prior, conflicted=frozenset({prior.sender}))
    assert sent_to(directory, "police.440113", "ACC", {}, case) == {"education.440113": "copy"}


def test_a_school_cannot_recall_its_report_of_sexual_harm_or_bullying() -> None:
    school = OfficeId("education.440113.x")
    directory = finder([*eight_in("440113"), school])
    for harm in ("H12", "H7"):
        prior = PriorNotice(NoticeType("RPT-M"), school, (was("police.440113"),), True, (harm,))
        routing = route(notice(school, "WDR"), shipped_tables(), directory, CaseContext(prior=prior), MARCH_1)
        assert [problem.code for problem in routing.problems] == ["recall-not-permitted"]
        assert routing.recipients == ()
    other = PriorNotice(NoticeType("LED"), school, (was("civil_affairs.440113", "P07"),))
    assert sent_to(directory, school, "WDR", {}, CaseContext(prior=other)) == {"civil_affairs.440113": "copy"}


def test_only_the_original_sender_withdraws_and_a_recipient_may_correct() -> None:
    prior = PriorNotice(NoticeType("RPT"), OfficeId("health.440113"), (was("police.440113"),))
    case = CaseContext(prior=prior)
    refused = route(notice("police.440113", "WDR"), shipped_tables(), COUNTY, case, MARCH_1)
    assert [problem.code for problem in refused.problems] == ["not-a-party"]
    assert sent_to(COUNTY, "police.440113", "COR", {}, case) == {"health.440113": "copy"}
    stranger = route(notice("courts.440113", "COR"), shipped_tables(), COUNTY, case, MARCH_1)
    assert [problem.code for problem in stranger.problems] == ["not-a-party"]


def test_a_correction_keeps_the_purpose_of_the_original() -> None:
    prior = PriorNotice(NoticeType("RPT"), OfficeId("health.440113"), (was("police.440113", "P11"),))
    routing = route(notice("health.440113", "COR"), shipped_tables(), COUNTY, CaseContext(prior=prior), MARCH_1)
    assert [(one.office, one.purpose) for one in routing.recipients] == [("police.440113", "P11")]


def test_an_office_sends_only_what_its_agency_and_its_enrolment_allow() -> None:
    tables = shipped_tables()
    office = Office(OfficeId("courts.440113"), "某法院", sends=frozenset({NoticeType("GRD-P")}))
    assert sender_problem(office, AgencyName("courts"), NoticeType("GRD-P"), tables) is None
    for refused in ("GRD-R", "LED", "XYZ"):
        assert sender_problem(office, AgencyName("courts"), NoticeType(refused), tables) is not None
    for report in ("RPT", "RPT-M"):
        assert sender_problem(office, AgencyName("courts"), NoticeType(report), tables) is None


def test_requested_recipients_outside_the_rule_are_flagged_by_position_and_not_reached() -> None:
    data = {**HARM, "requested_recipients": ["womens_federation.440113", "nobody.440113", "health.440113", "x"]}
    routing = route(notice("police.440113", "RPT", data), shipped_tables(), COUNTY, NO_CASE, MARCH_1)
    assert "health.440113" in {recipient.office for recipient in routing.recipients}
    assert "womens_federation.440113" not in {recipient.office for recipient in routing.recipients}
    assert set(routing.flags) == {
        "sender-is-competent:RPT.police",
        "requested-not-permitted:/data/requested_recipients/0",
        "requested-unknown:/data/requested_recipients/1",
        "requested-unknown:/data/requested_recipients/3",
    }


def test_a_villages_ledger_event_reaches_township_and_county_and_no_further() -> None:
    directory = finder(
        [
            "community.440113102005",
            "community.440113102",
            "community.440113103",
            "civil_affairs.440113",
            "civil_affairs.440100",
        ]
    )
    child = {"persons": [{"ref": "p1", "roles": ["minor"], "residence": {"region": "440113102005"}}]}
    assert sent_to(directory, "community.440113102005", "LED", child) == {
        "civil_affairs.440113": "competent",
        "community.440113102": "copy",
    }
    assert sent_to(directory, "community.440113102", "LED", child) == {"civil_affairs.440113": "competent"}


def test_an_order_nobody_can_serve_on_the_committee_is_held_for_people() -> None:
    child = {"persons": [{"ref": "p1", "roles": ["minor"], "residence": {"region": "440113102"}}]}
    routing = route(notice("courts.440113", "GRD-P", child), shipped_tables(), COUNTY, NO_CASE, MARCH_1)
    assert [(held.rule, held.told) for held in routing.held] == [("GRD-P.committee", ("civil_affairs.440100",))]


def test_a_contractor_needs_consent_unless_the_child_is_a_victim_of_violence() -> None:
    directory = finder(["contractor.440113.xin", "civil_affairs.440113"])
    data = {"measures": [{"code": "A06", "executor": "contractor.440113.xin"}], "place": {"region": "440113"}}
    for harm, basis in (({}, ("L07",)), ({"harm": {"types": ["H21"]}}, ("L28",))):
        routing = route(
            notice("civil_affairs.440113", "REF", {**data, **harm}), shipped_tables(), directory, NO_CASE, MARCH_1
        )
        assert [(one.office, one.legal_basis) for one in routing.recipients] == [("contractor.440113.xin", basis)]


def test_a_poverty_matter_without_harm_is_not_told_to_the_police() -> None:
    poor = {
        "urgency": 0,
        "place": {"region": "440113"},
        "persons": [{"ref": "p1", "roles": ["minor"], "difficulty": ["D41"]}],
    }
    assert set(sent_to(COUNTY, "education.440113", "RPT", poor)) == {"civil_affairs.440113"}
    mixed = {**poor, "persons": [{"ref": "p1", "roles": ["minor"], "difficulty": ["D41", "D22"]}]}
    assert "police.440113" in sent_to(COUNTY, "education.440113", "RPT", mixed)
    assert "police.440113" in sent_to(COUNTY, "education.440113", "RPT", {"place": {"region": "440113"}})


def test_a_local_rule_is_switched_off_for_a_city_and_all_below_it() -> None:
    tables = shipped_tables()
    name = "filing_copy_to_procuratorate"
    off = Setting(name, "甲", "a", default=True, exceptions=frozenset({"440100"}))  # type: ignore[arg-type]
    local: RoutingTables = dataclasses.replace(tables, settings={**tables.settings, name: off})
    routing = route(notice("health.440113", "RPT-M", HARM), local, COUNTY, NO_CASE, MARCH_1)
    assert "procuratorate.440113" not in {recipient.office for recipient in routing.recipients}
    elsewhere = finder(eight_in("410225"))
    data = {**HARM, "place": {"region": "410225"}}
    kept = route(notice("health.410225", "RPT-M", data), local, elsewhere, NO_CASE, MARCH_1)
    assert "procuratorate.410225" in {recipient.office for recipient in kept.recipients}


def test_statistics_go_one_level_up() -> None:
    directory = finder(["civil_affairs.440113", "civil_affairs.440100", "coordinator.440113"])
    assert sent_to(directory, "civil_affairs.440113", "STATS", {}) == {
        "civil_affairs.440100": "copy",
        "coordinator.440113": "coordinator",
    }


def test_a_report_about_2014_reaches_the_office_of_the_successor() -> None:
    directory = finder(["police.500154"])
    data = {**HARM, "occurred_at": "2014-08", "place": {"region": "500234"}}
    assert set(sent_to(directory, "health.500154", "RPT-M", data)) == {"police.500154"}


def test_the_childs_places_are_told_from_the_guardians() -> None:
    data = {
        "place": {"region": "440113"},
        "persons": [
            {"roles": ["minor"], "residence": {"region": "440113102"}, "placement": {"region": "440100"}},
            {"roles": ["guardian"], "residence": {"region": "410225"}},
        ],
    }
    assert places_of(notice("health.440113", "RPT", data)) == (
        Place(PlaceKind.INCIDENT, "440113"),
        Place(PlaceKind.PRESENT, "440100"),
        Place(PlaceKind.RESIDENCE, "440113102"),
        Place(PlaceKind.GUARDIAN_RESIDENCE, "410225"),
        Place(PlaceKind.SENDER, "440113"),
    )


JSON = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-3, 9), st.sampled_from(["440113", "H12", "minor", "yes", "education.440113", ""])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["region", "types", "m_flags", "roles", "school", "code", "detail", "terms", "target", "recipients"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(
    st.sampled_from(
        [
            "urgency",
            "immediate_danger",
            "place",
            "persons",
            "harm",
            "measures",
            "order",
            "occurred_at",
            "visit",
            "requested_recipients",
            "transfer",
            "consent",
            "assessment",
            "discovered_at",
        ]
    ),
    JSON,
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(shipped_tables().by_type)),
    st.sampled_from([*EIGHT_AGENCIES, "contractor", "hotline", "gateway"]),
    BODIES,
    st.booleans(),
)
def test_any_body_is_routed_and_a_report_always_reaches_somebody_or_is_held(
    notice_type: NoticeType, agency: str, data: dict[str, Any], with_case: bool
) -> None:
    sender = f"{agency}.440113"
    prior = PriorNotice(NoticeType("RPT"), OfficeId(sender), (was("police.440113"),))
    case = (
        CaseContext(prior=prior, active=prior.recipients, owner=OfficeId("civil_affairs.440113"))
        if with_case
        else NO_CASE
    )
    routing = route(notice(sender, notice_type, data), shipped_tables(), COUNTY, case, MARCH_1)
    reached = [recipient.office for recipient in routing.recipients]
    assert len(reached) == len(set(reached)) and sender not in reached
    assert [RANK[one.role] for one in routing.recipients] == sorted(RANK[one.role] for one in routing.recipients)
    assert all(one.purpose.startswith("P") and one.legal_basis for one in routing.recipients)
    if notice_type in ("RPT", "RPT-M"):
        with_sender = any(flag.startswith("sender-is-competent") for flag in routing.flags)
        assert routing.problems == () and (reached or routing.held or with_sender)
    if routing.problems:
        assert not reached and not routing.held
    later = route(notice(sender, notice_type, data), shipped_tables(), COUNTY, case, MARCH_1 + timedelta(seconds=1))
    assert later == routing


@pytest.mark.parametrize("notice_type", ["RPT", "RPT-M"])
@pytest.mark.parametrize("agency", EIGHT_AGENCIES)
def test_every_agencys_empty_report_is_with_the_police(agency: str, notice_type: str) -> None:
    routing = route(notice(f"{agency}.440113", notice_type), shipped_tables(), COUNTY, NO_CASE, MARCH_1)
    if agency == "police":
        assert f"sender-is-competent:{notice_type}.police" in routing.flags
    else:
        assert "police.440113" in {recipient.office for recipient in routing.recipients}
    assert "nobody" not in routing.flags

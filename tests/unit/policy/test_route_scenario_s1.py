"""Scenario S1 (DOMAIN 7): a county hospital suspects abuse by the father. Who is written to, step by step?"""

from __future__ import annotations

from typing import Any

from gateway.model.notice import Recipient
from gateway.model.routing import NO_CASE, CaseContext, PriorNotice, Routing
from gateway.policy.route import route
from tests.support.routing import MARCH_1, eight_in, finder, notice, shipped_tables

HOSPITAL = "health.440113.county-hospital"
SHELTER = "civil_affairs.440113.shelter"
DIRECTORY = finder(
    [
        *eight_in("440113", "440100"),
        HOSPITAL,
        SHELTER,
        "community.440113102",
        "contractor.440113.xin",
        "coordinator.440100",
    ]
)

CHILD: dict[str, Any] = {
    "ref": "p1",
    "roles": ["minor"],
    "residence": {"region": "440113102005"},
    "registered": {"region": "440113"},
}
REPORT: dict[str, Any] = {
    "urgency": 2,
    "immediate_danger": True,
    "occurred_at": "2026-03-01T09:30:00+08:00",
    "place": {"region": "440113102"},
    "persons": [CHILD],
    "harm": {"types": ["H21"], "m_flags": ["M4"]},
}


def routed(sender: str, notice_type: str, case: CaseContext = NO_CASE, **data: Any) -> Routing:
    return route(notice(sender, notice_type, {**REPORT, **data}), shipped_tables(), DIRECTORY, case, MARCH_1)


def as_table(routing: Routing) -> dict[str, tuple[str, str]]:
    assert routing.problems == ()
    return {recipient.office: (recipient.role, recipient.purpose) for recipient in routing.recipients}


def case_after_report() -> CaseContext:
    first = routed(HOSPITAL, "RPT-M")
    return CaseContext(
        owner="civil_affairs.440113",  # type: ignore[arg-type]
        reporting_units=(HOSPITAL,),  # type: ignore[arg-type]
        active=first.recipients,
        prior=PriorNotice("RPT-M", HOSPITAL, first.recipients, False, ("H21",)),  # type: ignore[arg-type]
    )


def test_the_mandatory_report_reaches_police_stand_by_bureau_and_procuratorate() -> None:
    routing = routed(HOSPITAL, "RPT-M")
    assert as_table(routing) == {
        "police.440113": ("competent", "P02"),
        "civil_affairs.440113": ("copy", "P03"),
        "health.440113": ("copy", "P04"),
        "procuratorate.440113": ("copy", "P09"),
    }
    assert routing.held == () and routing.flags == ()
    assert routing.recipients[0].fallback_level == 0
    assert "place:incident=440113102" in routing.recipients[0].trace


def test_without_danger_civil_affairs_does_not_stand_by() -> None:
    routing = routed(HOSPITAL, "RPT-M", urgency=1, immediate_danger=False)
    assert "civil_affairs.440113" not in as_table(routing)


def test_a_bureau_that_reports_itself_files_no_copy_with_itself() -> None:
    assert set(as_table(routed("health.440113", "RPT-M"))) == {
        "police.440113",
        "civil_affairs.440113",
        "procuratorate.440113",
    }


def test_acceptance_and_status_go_back_to_the_hospital() -> None:
    case = case_after_report()
    assert as_table(routed("police.440113", "ACC", case)) == {
        HOSPITAL: ("copy", "P04"),
        "civil_affairs.440113": ("copy", "P03"),
    }
    assert as_table(routed("police.440113", "PFB", case)) == {
        HOSPITAL: ("copy", "P04"),
        "procuratorate.440113": ("copy", "P09"),
        "civil_affairs.440113": ("copy", "P03"),
    }


def test_temporary_guardianship_is_told_to_police_school_health_and_procuratorate() -> None:
    assert as_table(routed("civil_affairs.440113", "GRD-T")) == {
        "police.440113": ("copy", "P03"),
        "education.440113": ("copy", "P05"),
        "health.440113": ("copy", "P04"),
        "procuratorate.440113": ("copy", "P09"),
    }


def test_the_shelters_application_goes_to_the_court_alone() -> None:
    assert as_table(routed(SHELTER, "GRD-PA")) == {"courts.440113": ("competent", "P10")}


def test_the_order_is_served_and_education_hears_only_when_a_term_names_the_school() -> None:
    case = CaseContext(applicants=(SHELTER,))  # type: ignore[arg-type]
    served = as_table(routed("courts.440113", "GRD-P", case, order={"terms": [{"item": "29-2"}]}))
    assert served == {
        "police.440113": ("competent", "P03"),
        SHELTER: ("applicant", "P03"),
        "community.440113102": ("executor", "P07"),
        "civil_affairs.440113": ("copy", "P03"),
    }
    zone = {"terms": [{"item": "29-4", "detail": "学校周边"}]}
    assert as_table(routed("courts.440113", "GRD-P", case, order=zone))["education.440113"] == ("copy", "P05")


def test_each_referral_reaches_the_executor_of_its_measure() -> None:
    measures = [{"code": "A06"}, {"code": "A04"}, {"code": "A07"}]
    routing = routed("civil_affairs.440113", "REF", measures=measures, requested_recipients=["contractor.440113.xin"])
    assert as_table(routing) == {
        "contractor.440113.xin": ("executor", "P08"),
        "judiciary.440113": ("executor", "P06"),
        "education.440113": ("executor", "P05"),
    }


def test_revocation_goes_to_court_and_its_judgment_comes_back() -> None:
    assert as_table(routed("civil_affairs.440113", "GRD-RA")) == {
        "courts.440113": ("competent", "P10"),
        "procuratorate.440113": ("copy", "P09"),
    }
    case = CaseContext(applicants=("civil_affairs.440113",))  # type: ignore[arg-type]
    assert set(as_table(routed("courts.440113", "GRD-R", case))) == {
        "civil_affairs.440113",
        "police.440113",
        "procuratorate.440113",
        "education.440113",
        "health.440113",
    }


def test_family_guidance_brings_in_the_womens_federation() -> None:
    assert as_table(routed("police.440113", "GRD-O"))["womens_federation.440113"] == ("executor", "P08")


def test_closure_goes_to_everyone_active_under_their_old_purpose() -> None:
    case = case_after_report()
    assert as_table(routed("civil_affairs.440113", "CLS", case)) == {
        "police.440113": ("copy", "P02"),
        "health.440113": ("copy", "P04"),
        "procuratorate.440113": ("copy", "P09"),
    }


def test_every_recipient_carries_the_rule_and_basis_that_sent_it() -> None:
    rules = {rule.id: rule for table in shipped_tables().by_type.values() for rule in table.rules}
    recipients: tuple[Recipient, ...] = routed(HOSPITAL, "RPT-M").recipients
    for recipient in recipients:
        assert recipient.legal_basis == rules[recipient.rule].legal_basis
        assert rules[recipient.rule].citation

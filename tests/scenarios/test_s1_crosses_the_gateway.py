"""Scenario S1, as its user runs it: the installed command, in a process of its own, over real HTTP."""

import json
import subprocess
import sys

import pytest

EIGHT = {
    "civil_affairs",
    "police",
    "education",
    "health",
    "judiciary",
    "courts",
    "procuratorate",
    "womens_federation",
}


@pytest.fixture(scope="module")
def shown():
    ran = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--once", "--json"], capture_output=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout)


def test_every_promise_of_the_story_holds(shown):
    assert shown["failures"] == []
    assert shown["log"]["verified"] is True
    assert shown["log"]["size"] > 50


def test_all_eight_agencies_send_and_receive(shown):
    assert shown["agencies"].keys() == EIGHT
    for agency in shown["agencies"].values():
        assert agency["sent"]
        assert agency["received"]


def test_each_disclosure_names_forms_and_rules(shown):
    for name, agency in shown["agencies"].items():
        for disclosed in agency["disclosed"]:
            assert disclosed["rules"], name
            assert all(form in {"clear", "mask", "generalise", "pseudonym", "presence", "relay", "summary"} or "+" in form
                       for form in disclosed["fields"].values())  # fmt: skip


def test_every_agency_gets_its_own_format(shown):
    formats = {
        name: {item["content_type"] for item in agency["received"]} for name, agency in shown["agencies"].items()
    }
    assert formats == {
        "health": {"application/hl7-v2"},
        "police": {"application/vnd.hutong.police+xml"},
        "civil_affairs": {"application/vnd.hutong.civil-affairs+json"},
        "education": {"text/csv; charset=utf-8"},
        "courts": {"application/vnd.hutong.courts+xml"},
        "procuratorate": {"application/vnd.hutong.procuratorate+xml"},
        "judiciary": {"application/vnd.hutong.judiciary+jsonl"},
        "womens_federation": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    }


def disclosed(shown, agency, notice_type):
    return {
        name: form
        for one in shown["agencies"][agency]["disclosed"]
        if one["type"] == notice_type
        for name, form in one["fields"].items()
    }


def test_the_police_get_the_report_in_full_and_the_school_side_never_gets_it(shown):
    report = disclosed(shown, "police", "RPT-M")
    assert report["minor.id_no"] == report["harm.narrative"] == report["place.detail"] == "clear"
    assert disclosed(shown, "education", "RPT-M") == {}


def test_the_school_side_sees_neither_harm_nor_suspect(shown):
    seen = {name for one in shown["agencies"]["education"]["disclosed"] for name in one["fields"]}
    assert not {name for name in seen if name.startswith(("harm.", "infringer."))}

"""Cutting the vaulted reporter's identifiers from free text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.privacy.scrub import CUT, identifiers_of, scrub
from tests.unit.privacy.building import SPECS

REPORTER = {
    "name": "王测试",
    "phone": "138 0013 8000",
    "id_no": "999999198001010019",
    "unit": "某县人民医院",
    "relation": "teacher",
}


def scrubbed(data: dict[str, Any], *, reporter_is_child: bool = False) -> dict[str, Any]:
    return scrub(data, REPORTER, SPECS.values(), reporter_is_child=reporter_is_child)


def test_every_exact_occurrence_is_cut_from_free_text():
    text = "王测试报告：请联系王测试，13800138000 或 138-0013-8000，证件999999198001010019。"
    assert (
        scrubbed({"harm": {"narrative": text}})["harm"]["narrative"]
        == f"{CUT}报告：请联系{CUT}，{CUT} 或 {CUT}，证件{CUT}。"
    )


def test_nothing_is_cut_when_the_reporter_is_the_child():
    data = {"harm": {"narrative": "王测试说"}}
    assert scrubbed(data, reporter_is_child=True) == data


def test_the_same_person_is_still_named_in_another_role():
    data = {"persons": [{"ref": "p1", "roles": ["guardian"], "name": "王测试", "phone": "13800138000"}]}
    assert scrubbed(data) == data


def test_unit_and_relation_are_not_cut():
    data = {"harm": {"narrative": "某县人民医院 teacher"}, "place": {"detail": "某县人民医院"}}
    assert scrubbed(data) == data


def test_values_the_schema_does_not_know_are_scrubbed_too():
    assert scrubbed({"note": ["王测试", {"deep": "见王测试"}]}) == {"note": [CUT, {"deep": f"见{CUT}"}]}


def test_a_number_inside_a_longer_number_is_no_occurrence():
    data = {"harm": {"narrative": "工单2138001380009"}}
    assert scrubbed(data) == data


def test_identifiers_too_short_to_mean_anybody_are_not_looked_for():
    assert identifiers_of({"name": "王", "phone": "", "id_no": None, "email": ["a@b.c", 3]}) == ("a@b.c",)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["王测试", "。", "x", "13800138000", "1", "王", "测试"]), max_size=12))
def test_no_identifier_is_left_in_any_narrative(parts: list[str]):
    left = json.dumps(scrubbed({"harm": {"narrative": "".join(parts)}}), ensure_ascii=False)
    assert "王测试" not in left

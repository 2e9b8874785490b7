"""Splitting, joining and setting apart."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.canonical import canonical_json
from gateway.model.fields import ContentRule, FieldSpec, SensitivityClass
from gateway.model.identifiers import FieldId
from gateway.privacy.segments import UNKNOWN, Layout, Segment, join
from tests.unit.privacy.bodies import bodies, json_values
from tests.unit.privacy.building import SPECS

HARM = FieldSpec(
    FieldId("harm.types"), "harm.types", "codes", SensitivityClass.S4, "侵害类型",
    content=(ContentRule(("H1",), SensitivityClass.S5, "SEXUAL"),),
)  # fmt: skip
LAYOUT = Layout([*SPECS.values(), HARM], {"measures": "about"})
PHOTO = {"ref": "p2", "roles": ["guardian"], "name": "张测"}


def held(segments: tuple[Segment, ...], person: str | None, compartment: str) -> str:
    return "".join(
        json.dumps(one.data, ensure_ascii=False)
        for one in segments
        if (one.person, one.compartment) == (person, compartment)
    )


@settings(max_examples=60, deadline=None)
@given(bodies())
def test_joining_gives_back_what_was_split(data: dict[str, Any]):
    assert join(LAYOUT.split(data)) == data


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["persons", "harm", "measures", "urgency", "x", "order"]), json_values()))
def test_joining_gives_back_any_json_object(data: dict[str, Any]):
    assert canonical_json(join(LAYOUT.split(data))) == canonical_json(data)


@settings(max_examples=60, deadline=None)
@given(bodies())
def test_a_segment_survives_being_stored(data: dict[str, Any]):
    stored = [
        Segment(one.person, one.compartment, orjson.loads(canonical_json(one.data))) for one in LAYOUT.split(data)
    ]
    assert join(reversed(stored)) == data


@settings(max_examples=60, deadline=None)
@given(bodies())
def test_no_segment_but_a_persons_own_holds_their_values(data: dict[str, Any]):
    marked = orjson.loads(orjson.dumps(data))
    refs = set()
    for index, person in enumerate(marked.get("persons", [])):
        person["ref"] = f"p{index}"
        person["name"] = f"NAME-{index}!"
        refs.add(person["ref"])
    for segment in LAYOUT.split(marked):
        text = json.dumps(segment.data)
        named = {ref for ref in refs if f"NAME-{ref[1:]}!" in text}
        assert named <= {segment.person}


def test_compartments_have_segments_of_their_own():
    data = {
        "harm": {"types": ["H11"], "narrative": "n"},
        "persons": [{"ref": "p1", "roles": ["minor"], "mental_health": ["F43"]}],
    }
    segments = LAYOUT.split(data)
    assert "H11" in held(segments, None, "SEXUAL")
    assert "F43" in held(segments, "p1", "MENTAL")
    assert "H11" not in held(segments, None, "GENERAL")
    assert "H21" in held(LAYOUT.split({"harm": {"types": ["H21"]}}), None, "GENERAL")


def test_what_the_schema_does_not_know_has_a_segment_of_its_own():
    segments = LAYOUT.split({"x": 1, "harm": "text", "persons": [{"ref": "p1", "roles": ["minor"], "y": 2}, "z"]})
    assert '"x": 1' in held(segments, None, UNKNOWN)
    assert '"harm": "text"' in held(segments, None, UNKNOWN)
    assert '"y": 2' in held(segments, "p1", UNKNOWN)
    assert '"z"' in held(segments, None, UNKNOWN)


def test_what_speaks_about_a_person_goes_to_that_person():
    segments = LAYOUT.split({"measures": [{"code": "A06", "about": "p2"}, {"code": "A10"}], "persons": [PHOTO]})
    assert "A06" in held(segments, "p2", "GENERAL")
    assert "A10" in held(segments, None, "GENERAL")


def test_an_erased_person_leaves_a_body_without_them():
    data = {"urgency": 1, "persons": [{"ref": "p1", "roles": ["minor"], "name": "李小测"}, PHOTO]}
    assert join(one for one in LAYOUT.split(data) if one.person != "p1") == {"urgency": 1, "persons": [PHOTO]}


def test_segments_of_two_bodies_do_not_join():
    one, other = LAYOUT.split({"urgency": 1}), LAYOUT.split({"urgency": 2})
    with pytest.raises(ValueError, match="same place"):
        join([*one, *other])


def test_setting_apart_leaves_a_body_that_never_had_a_reporter():
    reporter = {"ref": "p9", "roles": ["reporter"], "name": "王测", "odd": 1}
    data = {"urgency": 1, "persons": [reporter, PHOTO], "report": {"reporter_handle": "rh-1"}}
    parted = LAYOUT.set_apart(data)
    assert parted.data == {"urgency": 1, "persons": [PHOTO], "report": {"reporter_handle": "rh-1"}}
    assert {one.compartment for one in parted.apart} == {"REPORTER"}
    assert "王测" in json.dumps([one.data for one in parted.apart], ensure_ascii=False)


def test_a_guardian_who_reported_is_left_as_a_guardian():
    both = {**PHOTO, "roles": ["guardian", "reporter"]}
    assert LAYOUT.set_apart({"persons": [both]}).data == {"persons": [PHOTO]}


def test_a_kept_compartment_is_not_set_apart():
    data = {"persons": [{"ref": "p9", "roles": ["reporter"], "name": "王测"}]}
    assert LAYOUT.set_apart(data, frozenset({"REPORTER"})).data == data


def test_sealed_fields_are_set_apart():
    sealed = FieldSpec(FieldId("record.kind"), "record.kind", "code", SensitivityClass.S5, "封存", compartment="SEALED")
    layout = Layout([*SPECS.values(), sealed])
    assert layout.set_apart({"urgency": 1, "record": {"kind": "x"}}).data == {"urgency": 1}
    assert layout.set_apart({"urgency": 1}).apart == ()

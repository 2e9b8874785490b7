"""What a projection keeps, leaves out, reorders and renames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from gateway.model.access import PRESETS, Facet, FieldDecision, Obligation
from gateway.model.canonical import canonical_json
from gateway.model.identifiers import FieldId
from gateway.privacy.release import ReleaseNotes, release
from tests.unit.privacy.building import PROJECTOR, context, decision

CLEAR = decision({}, otherwise="clear")


def project(data: dict[str, Any], *arguments: Any, **changed: Any) -> dict[str, Any]:
    """The released `data` without the disclosure map, as a recipient parses it."""
    made = arguments[0] if arguments else CLEAR
    released = release(data, made, context(**changed), PROJECTOR)
    body = orjson.loads(released.canonical)["data"]
    assert body == orjson.loads(canonical_json(released.data))
    body.pop("_disclosure")
    return body


def minor(**members: Any) -> dict[str, Any]:
    return {"ref": "p1", "roles": ["minor"], **members}


def test_what_no_rule_shows_is_not_there():
    data = {"urgency": 2, "harm": {"narrative": "x", "types": ["H21"]}, "persons": [minor(name="李小测")]}
    assert project(data, decision({})) == {}


def test_members_the_schema_does_not_know_never_leave():
    data = {
        "urgency": 1,
        "secret": "x",
        "harm": {"narrative": "n", "extra": {"a": 1}},
        "persons": [minor(name="李小测", q=1)],
    }
    assert project(data) == {
        "urgency": 1,
        "harm": {"narrative": "n"},
        "persons": [{"ref": "p1", "roles": ["minor"], "name": "李小测"}],
    }


def test_a_value_of_the_wrong_type_is_withheld_and_flagged_without_the_value():
    data = {
        "harm": {"narrative": {"deep": "内容"}},
        "persons": [minor(name=7, birth_date="not a date", phone="13800138000")],
    }
    notes = ReleaseNotes()
    made = decision({"harm.narrative": "clear", "minor.name": "mask", "minor.birth_date": "generalise"})
    released = release(data, made, context(), PROJECTOR, notes)
    assert "persons" not in released.data
    assert "harm" not in released.data
    assert {(flag.path, flag.kind) for flag in notes.flags} == {
        ("harm.narrative", "text"),
        ("persons[].name", "name"),
        ("persons[].birth_date", "date"),
    }
    assert "内容" not in repr(notes)


def test_weaker_forms_stand_where_none_passes_for_the_value():
    data = {
        "occurred_at": "2026-03-01T08:00:00+08:00",
        "place": {"region": "440113001001", "detail": "测试路1号"},
        "harm": {"types": ["H22", "H21", "H41"], "narrative": "全文", "summary": "摘要"},
        "persons": [
            minor(name="欧阳小测", birth_date="2015-03-01", phone="13800138000", id_no="999999201503010016", key="k1")
        ],
    }
    made = decision({
        "notice.occurred_at": "generalise", "place.region": "generalise", "place.detail": "presence",
        "harm.types": "generalise", "harm.narrative": "summary", "minor.name": "mask", "minor.birth_date": "generalise",
        "minor.phone": "mask", "minor.id_no": "pseudonym", "minor.student_no": "pseudonym", "minor.key": "pseudonym",
    })  # fmt: skip
    body = project(data, made)
    person = body["persons"][0]
    assert body["occurred_at"] == "2026-03"
    assert body["place"] == {"region": "440113", "_exists": ["detail"]}
    assert body["harm"] == {"types": ["H2", "H4"], "summary": "摘要"}
    assert (person["name"], person["age_band"], person["phone"]) == ("欧阳某", "8-11", "138******00")
    assert "id_no" not in person
    assert person["_linkable"]["id_no"].startswith("ps-")
    assert person["key"].startswith("ps-")


def test_a_township_is_what_masking_a_region_leaves():
    assert project({"place": {"region": "440113001001"}}, decision({"place.region": "mask"})) == {
        "place": {"region": "440113001"}
    }


def test_asking_for_a_form_a_kind_lacks_gives_existence():
    made = decision({"minor.sex": "mask", "harm.narrative": "generalise", "minor.unidentified": "generalise"})
    body = project({"harm": {"narrative": "n"}, "persons": [minor(sex="1", unidentified=False)]}, made)
    assert body == {
        "harm": {"_exists": ["narrative"]},
        "persons": [{"ref": "p1", "roles": ["minor"], "_exists": ["sex", "unidentified"]}],
    }


def test_a_value_without_the_form_shows_only_that_it_exists():
    made = decision({"minor.name": "mask", "minor.phone": "mask", "sender.unit": "generalise"})
    body = project({"sender": {"unit": "番禺区某医院"}, "persons": [minor(name="阿依古丽", phone="110")]}, made)
    assert body["persons"][0]["_exists"] == ["name", "phone"]
    assert body["sender"] == {"_exists": ["unit"]}


def test_two_roles_show_the_meet_and_no_less_than_a_floor():
    person = {"ref": "p1", "roles": ["guardian", "infringer"], "name": "张测", "phone": "13800138000", "relation": "51"}
    presets = {
        "guardian.name": "clear",
        "infringer.name": "mask",
        "guardian.phone": "clear",
        "guardian.relation": "clear",
    }
    body = project({"persons": [person]}, decision(presets))
    assert body["persons"] == [{"ref": "p1", "roles": ["guardian", "infringer"], "name": "张某"}]
    floored = project({"persons": [person]}, decision(presets, floors={"guardian.phone": PRESETS["clear"]}))
    assert floored["persons"][0]["phone"] == "13800138000"
    assert "relation" not in floored["persons"][0]


def test_a_guardian_who_reported_keeps_the_guardians_floor_and_is_not_told_to_be_the_reporter():
    plain = {"ref": "p1", "roles": ["guardian"], "name": "张测", "phone": "13800138000"}
    reported = {**plain, "roles": ["guardian", "reporter"]}
    made = decision({}, floors={"guardian.name": PRESETS["clear"], "guardian.phone": PRESETS["clear"]})
    assert project({"persons": [reported]}, made) == project({"persons": [plain]}, made)
    assert project({"persons": [plain]}, made)["persons"][0]["roles"] == ["guardian"]


def elements(made: Any, own: dict[str, dict[str, str]], between: str = ":") -> Any:
    """The decision with fields decided of single persons, by ref, as the engine names the outcome."""
    decided = {
        ref: {FieldId(name): FieldDecision(PRESETS[preset]) for name, preset in fields.items()}
        for ref, fields in own.items()
    }
    shapes = "".join(
        "." + ",".join(f"{name}={preset}" for name, preset in sorted(fields.items())) for fields in own.values()
    )
    return replace(
        made,
        outcome=made.outcome.replace(".", ":") + shapes.replace("guardian.", "guardian" + between),
        elements=decided,
    )


@pytest.mark.parametrize("between", [":", "."], ids=["outcomes joined by dots", "any other outcome"])
def test_a_person_is_decided_by_what_is_said_of_that_person(between: str):
    mother = {"ref": "a", "roles": ["guardian"], "name": "王测", "phone": "13800138000"}
    father = {"ref": "b", "roles": ["guardian"], "name": "张测", "phone": "13900139000"}
    made = decision({"guardian.name": "mask"})
    own = elements(
        made, {"a": {"guardian.name": "clear", "guardian.phone": "clear"}, "b": {"guardian.name": "withhold"}}, between
    )
    body = project({"persons": [father, mother]}, own)
    assert body["persons"] == [
        {"_disclosure": {}, "ref": "p1", "roles": ["guardian"], "name": "王测", "phone": "13800138000"}
    ]
    swapped = elements(
        made, {"b": {"guardian.name": "clear", "guardian.phone": "clear"}, "a": {"guardian.name": "withhold"}}, between
    )
    assert project({"persons": [father, mother]}, swapped)["persons"][0]["name"] == "张测"


def test_a_ref_borne_twice_is_decided_as_an_unknown_person():
    twice = [{"ref": "a", "roles": ["guardian"], "name": name} for name in ("王测", "张测")]
    own = elements(decision({"guardian.name": "mask"}), {"a": {"guardian.name": "clear"}})
    assert [one["name"] for one in project({"persons": twice}, own)["persons"]] == ["张某", "王某"]
    assert (
        project({"persons": [{"ref": ["a"], "roles": ["guardian"], "name": "王测"}]}, own)["persons"][0]["name"]
        == "王某"
    )


def test_a_person_with_two_roles_carries_their_own_forms():
    person = {"ref": "p1", "roles": ["guardian", "infringer"], "name": "张测", "sex": "1"}
    made = decision(
        {"guardian.name": "clear", "guardian.sex": "clear", "infringer.name": "mask", "infringer.sex": "clear"}
    )
    assert "_disclosure" not in project({"persons": [person]}, made)["persons"][0]
    apart = decision(
        {"guardian.name": "pseudonym", "infringer.name": "mask", "guardian.sex": "clear", "infringer.sex": "clear"}
    )
    assert project({"persons": [person]}, apart)["persons"][0]["_disclosure"] == {"name": "exists"}


def test_the_student_number_and_the_identity_number_show_their_meet():
    person = minor(id_no="999999201503010016", student_no="G999999201503010016")
    for shown in (
        {"minor.id_no": "clear", "minor.student_no": "mask"},
        {"minor.id_no": "mask", "minor.student_no": "clear"},
    ):
        body = project({"persons": [person]}, decision(shown))
        assert body["persons"][0]["id_no"] == "99" + "*" * 16
        assert body["persons"][0]["student_no"] == "*99" + "*" * 16
    assert project({"persons": [person]}, decision({"minor.id_no": "clear"})) == {}


def test_hidden_persons_leave_no_trace_in_numbers_order_or_references():
    guardian = {"ref": "p9", "roles": ["guardian"], "name": "张测", "of": "p5"}
    child = {"ref": "p5", "roles": ["minor"], "name": "李小测", "lives_with": ["p9", "p7", "p5"]}
    hidden = {"ref": "p7", "roles": ["infringer"], "name": "王测", "lives_with": ["p5"]}
    made = decision({}, otherwise="clear")
    shown = dict.fromkeys(
        ("minor.name", "minor.lives_with", "guardian.name", "guardian.of", "order.respondent"), "clear"
    )
    made = decision(shown)
    with_hidden = {"persons": [hidden, guardian, child], "order": {"respondent": "p7"}}
    without = {"persons": [{**child, "lives_with": ["p9"]}, guardian]}
    assert project(with_hidden, made) == project(without, made)
    assert project(with_hidden, made)["persons"] == [
        {"ref": "p1", "roles": ["minor"], "name": "李小测", "lives_with": ["p2"]},
        {"ref": "p2", "roles": ["guardian"], "name": "张测", "of": "p1"},
    ]


def test_persons_that_look_alike_are_not_counted_unless_the_count_is_shown():
    children = [
        {"ref": f"p{n}", "roles": ["sibling"], "name": name} for n, name in enumerate(["李一测", "李二测", "李三测"])
    ]
    masked = decision({"sibling.name": "mask"})
    assert len(project({"persons": children}, masked)["persons"]) == 1
    counted = decision({"sibling.name": "mask", "sibling.count": "presence"})
    assert [one["ref"] for one in project({"persons": children}, counted)["persons"]] == ["p1", "p2", "p3"]


def test_whoever_may_know_each_by_name_may_know_how_many():
    foundlings = [{"ref": ref, "roles": ["minor"], "unidentified": True} for ref in ("p1", "p2")]
    assert len(project({"persons": foundlings})["persons"]) == 2


def test_elements_stand_in_the_order_of_what_they_show():
    measures = [
        {"code": "A10", "from": "2026-03-02"},
        {"code": "A06", "from": "2026-03-09"},
        {"code": "A10", "from": "2026-03-01"},
    ]
    made = decision({"measures.code": "clear"})
    assert project({"measures": measures}, made)["measures"] == [{"code": "A06"}, {"code": "A10"}]
    assert project({"measures": measures[::-1]}, made) == project({"measures": measures}, made)


def test_a_reference_survives_for_alike_persons_whatever_their_order():
    twins = [{"ref": ref, "roles": ["infringer"], "name": "张测"} for ref in ("a", "b")]
    made = decision({"infringer.name": "clear", "infringer.count": "presence", "order.respondent": "clear"})
    first = project({"persons": twins, "order": {"respondent": "a"}}, made)
    second = project({"persons": twins, "order": {"respondent": "b"}}, made)
    assert first == second
    assert "respondent" in first["order"]


def test_a_reference_to_another_notice_is_what_this_recipient_knows_it_as():
    made = decision({"notice.in_reply_to": "relay"})
    assert project({"in_reply_to": "n-1"}, made, references={"n-1": "msg-x"}) == {"in_reply_to": "msg-x"}
    assert project({"in_reply_to": "n-2"}, made, references={"n-1": "msg-x"}) == {}


def test_persons_without_a_known_role_are_withheld_and_flagged():
    for roles in (None, [], "minor", ["stranger"], ["minor", "stranger"], [1], [["minor"]]):
        notes = ReleaseNotes()
        released = release(
            {"persons": [{"ref": "p1", "roles": roles, "name": "李小测"}]}, CLEAR, context(), PROJECTOR, notes
        )
        assert "persons" not in released.data
        assert [flag.path for flag in notes.flags] == ["persons[].roles"]


def test_the_disclosure_map_depends_on_the_outcome_alone_and_always_says_partial():
    made = decision({"minor.name": "mask", "harm.types": "clear"})
    maps = [
        release(data, made, context(), PROJECTOR).data["_disclosure"]
        for data in ({}, {"persons": [minor(name="李小测")]}, {"harm": {"types": ["H21"]}})
    ]
    assert maps[0] == maps[1] == maps[2]
    assert maps[0]["forms"] == {"minor.name": "partial"}
    assert "部分披露" in maps[0]["note"]
    assert "partial under policy" in maps[0]["note_en"]
    assert release({}, CLEAR, context(), PROJECTOR).data["_disclosure"]["note"] == maps[0]["note"]


def test_obligations_travel_with_the_release():
    made = decision({}, obligations=(Obligation("no_onward"), Obligation("retention_days", 180)))
    assert project({}, made) == {"_obligations": [{"name": "no_onward"}, {"name": "retention_days", "value": 180}]}


def test_hostile_bodies_do_not_raise():
    hostile: list[Any] = [
        {"persons": "x"}, {"persons": [1, None, [], {}]}, {"harm": []}, {"harm": {"types": [None, 1]}}, {"measures": {"a": 1}},
        {"measures": ["x", {"code": 1}]}, {"urgency": 2**80}, {"harm": {"narrative": "\ud800"}}, {"\udfff": 1, "urgency": 1},
        {"persons": [{"ref": 1, "roles": ["minor"], "name": "李小测", "of": 3, "lives_with": "p1"}]},
        {"persons": [{"ref": "p1", "roles": ["minor"], "name": "李小测"}] * 2, "order": {"respondent": ["p1"]}},
        {"persons": [{"ref": "a", "roles": ["minor"], "age": {"years": 5, "x": "内容"}}]},
    ]  # fmt: skip
    for made in (
        CLEAR,
        decision({}, otherwise="generalise"),
        decision({}, otherwise="mask"),
        decision({}, otherwise="presence"),
    ):
        for data in hostile:
            released = release(data, made, context(), PROJECTOR)
            assert b"\xe5\x86\x85\xe5\xae\xb9" not in released.canonical


def test_shown_facets_never_exceed_what_the_outcome_says():
    body = project(
        {"persons": [minor(name="李小测", birth_date="2015-03-01")]}, decision({"minor.birth_date": Facet.FULL})
    )
    assert body == {}

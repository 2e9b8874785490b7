"""The catalogue reads the schemas strictly and finds every value of a notice."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gateway.engines.files.documents import default_catalogue, schema_documents
from gateway.model.errors import InvalidDocument
from gateway.model.fields import SensitivityClass
from gateway.model.identifiers import FieldId, NoticeType
from gateway.validation.catalogue import Catalogue, Leaf, UnknownLeaf

CATALOGUE = default_catalogue()


def spec(name: str):
    return CATALOGUE.fields[FieldId(name)]


def test_there_is_one_schema_for_every_notice_type():
    expected = (
        "RPT RPT-M ACC TRN PFB ASM REF REF-R AID GRD-W GRD-O GRD-PA GRD-P GRD-T GRD-H GRD-RA GRD-R GRD-S GRD-L "
        "GRD-E GRD-D LED VIS CLS ESC WDR COR CON BGN QRY ANS STATS"
    )
    assert set(CATALOGUE.notice_types) == set(expected.split())


def test_a_field_has_one_meaning_per_role():
    assert spec("minor.name").number == 14
    assert spec("guardian.name").number == 43
    assert spec("minor.name").path == spec("guardian.name").path == "persons[].name"
    assert spec("infringer.name").sensitivity is SensitivityClass.S4
    assert spec("reporter.name").compartment == "REPORTER"
    assert FieldId("guardian.school.name") not in CATALOGUE.fields


def test_an_id_number_tells_what_is_coded_in_it():
    told = spec("minor.id_no").implies
    assert {"minor.birth_date", "minor.sex", "minor.student_no", "minor.registered.region"} <= told
    assert "minor.id_no" in spec("minor.student_no").implies


def test_sensitivity_rises_with_youth_and_content_and_never_falls():
    name = spec("minor.name")
    assert CATALOGUE.sensitivity(name, "14-15", "某")[0] is SensitivityClass.S3
    assert CATALOGUE.sensitivity(name, "12-13", "某")[0] is SensitivityClass.S4
    assert CATALOGUE.sensitivity(name, None, "某")[0] is SensitivityClass.S4
    assert CATALOGUE.sensitivity(spec("guardian.name"), None, "某")[0] is SensitivityClass.S3
    harm = spec("harm.types")
    assert CATALOGUE.sensitivity(harm, "16-17", ["H21"]) == (SensitivityClass.S4, "GENERAL")
    assert CATALOGUE.sensitivity(harm, "16-17", ["H21", "H12"]) == (SensitivityClass.S5, "SEXUAL")
    assert CATALOGUE.sensitivity(spec("harm.m_flags"), "16-17", ["M4"])[1] == "GENERAL"
    assert CATALOGUE.sensitivity(spec("harm.m_flags"), "16-17", ["M2"])[1] == "SEXUAL"


def test_statistics_have_no_field_of_a_person():
    assert all(field.role is None for field in CATALOGUE.fields_of(NoticeType("STATS")).values())


def test_walk_finds_known_values_and_reports_the_rest():
    data = {
        "urgency": 2,
        "persons": [
            {"ref": "p1", "roles": ["minor"], "name": "某", "age": {"years": 8, "mood": "?"}, "occupation_code": "1"},
            {"ref": "p2", "roles": ["guardian", "infringer"], "name": "某", "school": {"name": "某"}},
            {"roles": ["wizard"], "name": "某"},
            "nobody",
        ],
        "harm": {"types": ["H21"], "colour": "red"},
        "mood": {"a/b": 1},
        "place": [],
    }
    known = {item.pointer: item for item in CATALOGUE.walk(data) if isinstance(item, Leaf)}
    unknown = {item.pointer for item in CATALOGUE.walk(data) if isinstance(item, UnknownLeaf)}
    assert known["/urgency"].specs[0].id == "notice.urgency"
    assert known["/persons/0/age"].value == {"years": 8}
    assert [s.id for s in known["/persons/1/name"].specs] == ["guardian.name", "infringer.name"]
    assert known["/harm/types"].path == "harm.types"
    assert unknown == {
        "/persons/0/age/mood", "/persons/0/occupation_code", "/persons/1/school/name", "/persons/2/roles",
        "/persons/2/name", "/persons/3", "/harm/colour", "/mood", "/place",
    }  # fmt: skip


def test_walk_knows_only_the_fields_of_the_type():
    data = {"persons": [{"ref": "p1", "roles": ["minor"], "name": "某"}]}
    assert all(isinstance(item, UnknownLeaf) for item in CATALOGUE.walk(data, NoticeType("STATS")))


def _without(document: str, *steps: str | int) -> dict[str, Any]:
    documents = copy.deepcopy(schema_documents())
    node = documents[document]
    for step in steps[:-1]:
        node = node[step]
    del node[steps[-1]]
    return documents


@pytest.mark.parametrize("annotation", ["x-class", "x-kind", "x-zh", "x-compartment", "x-implies"])
def test_a_field_without_annotation_does_not_load(annotation: str):
    documents = _without("parts/harm.json", "properties", "narrative", annotation)
    with pytest.raises(InvalidDocument) as refused:
        Catalogue(documents)
    assert {problem.code for problem in refused.value.problems} == {"not-annotated"}


def test_a_field_of_a_person_without_roles_does_not_load():
    with pytest.raises(InvalidDocument):
        Catalogue(_without("parts/person.json", "properties", "grade", "x-roles"))


def test_an_open_object_does_not_load():
    with pytest.raises(InvalidDocument) as refused:
        Catalogue(_without("parts/harm.json", "additionalProperties"))
    assert "open-object" in {problem.code for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("key", "value"), [("x-class", "S9"), ("x-kind", "poem"), ("x-compartment", "ATTIC"), ("x-implies", ["no.such"])]
)
def test_an_unknown_annotation_does_not_load(key: str, value: Any):
    documents = copy.deepcopy(schema_documents())
    documents["parts/harm.json"]["properties"]["narrative"][key] = value
    with pytest.raises(InvalidDocument):
        Catalogue(documents)

"""Code tables: every spelling stands for one code, every table a schema names exists."""

from __future__ import annotations

import copy
import csv
from typing import Any

import pytest

from gateway.engines.files.documents import code_documents, default_catalogue, default_codes
from gateway.model.errors import InvalidDocument
from gateway.validation.codes import CodeTables
from tests.support.samples import ROOT, needs_samples

CODES = default_codes()


@pytest.mark.parametrize("spelling", ["01", "1", "１", "HA", "ha", "汉", "汉族", " 汉族 "])
def test_an_ethnicity_is_known_by_code_letters_and_label(spelling: str):
    assert CODES.lookup("ethnicity", spelling) == "01"


@pytest.mark.samples
@needs_samples
def test_ethnicity_agrees_with_a_foreign_copy_of_the_standard():
    with (ROOT / "code-tables/gbt3304_ethnic_groups.csv").open(encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    compared = 0
    for row in rows:
        codes = {CODES.lookup("ethnicity", cell) for cell in row} - {None}
        if codes:
            assert len(codes) == 1, row
            compared += 1
    assert compared >= 56


def test_one_number_means_different_things_to_different_systems():
    assert CODES.lookup("id_type", "111", system="police") == "ID"
    assert CODES.lookup("id_type", "111", system="health") == "BIRTH"
    assert CODES.lookup("id_type", "111") is None
    assert CODES.lookup("id_type", "7", system="education") == "HKM"
    assert CODES.encode("id_type", "NONE", system="police") == "990"
    assert CODES.lookup("id_type", "990", system="police") == "OTH"


def test_unknown_and_not_stated_sex_stay_what_they_are():
    assert [CODES.lookup("sex", letter, system="hl7v2") for letter in "MFUO"] == ["1", "2", "0", "9"]


def test_parents_and_labels():
    assert CODES.parent("harm_type", "H21") == "H2"
    assert CODES.parent("harm_type", "H2") is None
    assert CODES.label("relation", "51") == "父亲"
    assert CODES.label("relation", "51", "en") == "father"
    assert CODES.label("relation", "no such code") is None
    assert CODES.lookup("relation", "5") == "50"


def test_every_table_a_field_names_exists_and_no_table_is_idle():
    named = {spec.code_table for spec in default_catalogue().fields.values() if spec.code_table}
    assert named <= set(CODES.tables)
    # Read by adapters alone: no canonical field carries them.
    assert set(CODES.tables) - named == {"marital", "education_level"}


def test_every_known_spelling_leads_back_to_its_own_code():
    for name, table in CODES.tables.items():
        for entry in table.entries.values():
            for spelling in (entry.code, entry.zh, entry.en, *entry.aliases):
                assert CODES.lookup(name, spelling) == entry.code


def _broken(change: str) -> dict[str, Any]:
    documents = copy.deepcopy(code_documents())
    sex = documents["codes/sex.yaml"]
    match change:
        case "ambiguous":
            sex["entries"][0]["aliases"].append("男")
        case "duplicate":
            sex["entries"].append(dict(sex["entries"][0]))
        case "parent":
            sex["entries"][0]["parent"] = "8"
        case "pair":
            sex["systems"]["hl7v2"]["decode"]["X"] = "8"
        case "one-way":
            sex["systems"]["hl7v2"]["encode"]["1"] = "Q"
        case "key":
            sex["colour"] = "red"
        case "entry":
            sex["entries"][0]["code"] = 1
        case "twice":
            documents["codes/sex2.yaml"] = sex
        case "empty":
            sex["entries"] = []
    return documents


@pytest.mark.parametrize(
    "change", ["ambiguous", "duplicate", "parent", "pair", "one-way", "key", "entry", "twice", "empty"]
)
def test_a_table_that_leaves_doubt_does_not_load(change: str):
    with pytest.raises(InvalidDocument):
        CodeTables(_broken(change))

"""The crosswalk of the domain's 75 fields and the annotations in the schemas say the same."""

from __future__ import annotations

from pathlib import Path

import yaml

from gateway.engines.files.documents import default_catalogue, schema_documents

CROSSWALK = yaml.safe_load((Path(__file__).resolve().parents[3] / "schemas/crosswalk.yaml").read_text(encoding="utf-8"))
FIELDS = {entry["number"]: entry for entry in CROSSWALK["fields"]}


def test_all_75_fields_are_there_once():
    assert len(CROSSWALK["fields"]) == 75
    assert set(FIELDS) == set(range(1, 76))


def test_the_crosswalk_and_the_annotations_name_the_same_places():
    annotated: dict[int, dict[str, str]] = {}
    for spec in default_catalogue().fields.values():
        if spec.number is not None:
            annotated.setdefault(spec.number, {})[spec.id] = spec.path
    assert {number: entry["paths"] for number, entry in FIELDS.items() if "paths" in entry} == annotated


def test_a_field_outside_the_body_says_where_it_lives():
    envelope = schema_documents()["envelope.json"]["properties"]
    for number, entry in FIELDS.items():
        if entry["carried_in"] == "data":
            assert entry["paths"]
        elif entry["carried_in"] == "envelope":
            assert envelope[entry["member"]]["x-number"] == number
        else:
            assert (number, entry["member"]) in {(57, "reporter"), (68, "sealed")}


def test_the_sealed_marker_is_no_field_and_reporters_are_in_their_compartment():
    catalogue = default_catalogue()
    assert "paths" not in FIELDS[68]
    assert all(catalogue.fields[name].compartment == "REPORTER" for name in FIELDS[57]["paths"])
    assert catalogue.fields["report.reporter_handle"].compartment == "REPORTER"
    assert catalogue.sensitivity(catalogue.fields["minor.roles"], "16-17", ["minor", "reporter"])[1] == "REPORTER"

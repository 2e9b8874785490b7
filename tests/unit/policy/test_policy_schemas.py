"""The published JSON Schemas accept the pack and refuse what the loader refuses."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ops.write_policy_schemas import schemas
from tests.unit.policy.default_pack import ROOT

KINDS = (
    "vocabulary", "purposes", "fieldgroups", "disclosure", "consent", "agreements", "clocks", "routing", "cases", "law",
    "safeguards",
)  # fmt: skip


class _AsWritten(yaml.SafeLoader):
    """Scalars stay text, but for whole numbers: an editor's view without YAML's yes, no and dates."""


_AsWritten.yaml_implicit_resolvers = {}
_AsWritten.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^(?:0|[1-9][0-9]*)$"), list("0123456789"))


def read(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=_AsWritten)


@functools.cache
def pack_documents() -> dict[str, Any]:
    return {str(path): read(path) for path in (ROOT / "policies").rglob("*.yaml")}


def schema(kind: str) -> Any:
    return json.loads((ROOT / f"policies/schemas/{kind}.schema.json").read_text())


def test_every_policy_file_names_its_schema_to_editors_and_the_schemas_know_the_words_of_the_pack() -> None:
    for path in (ROOT / "policies").rglob("*.yaml"):
        first = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        kind = str(read(path)["kind"]).replace("routing_settings", "routing")
        assert (path.parent / first).resolve() == ROOT / f"policies/schemas/{kind}.schema.json", path
    made = schemas()
    assert {path: path.read_text(encoding="utf-8") for path in made} == made, (
        "run `python -m ops.write_policy_schemas` after changing the vocabulary or the fields"
    )
    facts = schema("disclosure")["$defs"]["condition"]["properties"]
    assert facts["urgency"]["anyOf"][0]["anyOf"][0]["enum"] == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_schema_is_a_schema_and_the_pack_fits_it(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))
    documents = {name: found for name, found in pack_documents().items() if found["kind"].startswith(kind)}
    assert documents
    validator = Draft202012Validator(schema(kind))
    for name, found in documents.items():
        errors = [error.message for error in validator.iter_errors(found)]
        assert not errors, (name, errors[:3])


@pytest.mark.parametrize(
    "rule",
    [
        {"show": "naked"},
        {"citation": []},
        {"where": {}},
        {"priority": 1},
        {"fields": []},
        {"valid_from": "2026"},
        {"obligations": [{"a": 1, "b": 2}]},
    ],
)
def test_an_editor_sees_the_same_faults_as_the_loader(rule: dict[str, Any]) -> None:
    good = {
        "id": "x",
        "title": {"zh": "甲", "en": "x"},
        "citation": ["t"],
        "where": "any",
        "fields": ["minor.name"],
        "show": "clear",
    }
    document = {"kind": "disclosure", "title": {"zh": "甲", "en": "x"}, "valid_from": "2026-01-01", "permits": [good]}
    validator = Draft202012Validator(schema("disclosure"))
    assert validator.is_valid(document)
    assert not validator.is_valid({**document, "permits": [{**good, **rule}]})

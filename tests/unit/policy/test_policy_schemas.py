"""The published JSON Schemas accept the pack and refuse what the loader refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.unit.policy.default_pack import ROOT

KINDS = ("vocabulary", "fieldgroups", "disclosure", "cases", "law", "safeguards")


class _AsWritten(yaml.SafeLoader):
    """Scalars stay text, but for whole numbers: an editor's view without YAML's yes, no and dates."""


_AsWritten.yaml_implicit_resolvers = {}
_AsWritten.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^(?:0|[1-9][0-9]*)$"), list("0123456789"))


def read(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=_AsWritten)


def schema(kind: str) -> Any:
    return json.loads((ROOT / f"policies/schemas/{kind}.schema.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_schema_is_a_schema_and_the_pack_fits_it(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))
    paths = [path for path in (ROOT / "policies").rglob("*.yaml") if (read(path) or {}).get("kind") == kind]
    assert paths
    for path in paths:
        errors = [error.message for error in Draft202012Validator(schema(kind)).iter_errors(read(path))]
        assert not errors, (path.name, errors[:3])


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
    document = {"kind": "disclosure", "title": {"zh": "甲", "en": "x"}, "permits": [good]}
    validator = Draft202012Validator(schema("disclosure"))
    assert validator.is_valid(document)
    assert not validator.is_valid({**document, "permits": [{**good, **rule}]})

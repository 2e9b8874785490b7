"""Package data is read strictly: a key given twice is a mistake, not a choice."""

from __future__ import annotations

import json

import pytest
import yaml

from gateway.engines.files.documents import _object_once, _StrictLoader, code_documents, schema_documents


def test_a_key_given_twice_is_refused_in_yaml_and_json():
    with pytest.raises(yaml.YAMLError):
        yaml.load('a: "1"\nb: {c: "1", c: "2"}\n', Loader=_StrictLoader)
    with pytest.raises(ValueError, match="twice"):
        json.loads('{"a": {"b": 1, "b": 2}}', object_pairs_hook=_object_once)


def test_every_document_is_found_under_the_name_its_id_says():
    for name, document in schema_documents().items():
        kind, _, rest = name.removesuffix(".json").partition("/")
        rest = rest.removesuffix(".v1")
        expected = {"parts": f"part:{rest}:1", "notices": f"notice:{rest}:1"}.get(kind, "envelope:1")
        assert document["$id"] == f"urn:hutong:schema:{expected}"
    for name, table in code_documents().items():
        assert name == f"codes/{table['table']}.yaml"

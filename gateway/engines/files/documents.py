"""Where do the schemas and code tables come from?

They are package data of the top-level package `schemas`. This module reads and
parses them; the pure rooms get the parsed documents and never see a file.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from gateway.validation.catalogue import Catalogue
from gateway.validation.codes import CodeTables
from gateway.validation.validate import Rules


def schema_documents() -> dict[str, Any]:
    """All JSON Schema documents by name (`envelope.json`, `parts/person.json`, `notices/RPT.v1.json`); examples are not among them."""
    root = files("schemas")
    found = {"envelope.json": _json(root / "envelope.json")}
    for folder in ("parts", "notices"):
        for entry in sorted((root / folder).iterdir(), key=lambda item: item.name):
            if entry.name.endswith(".json"):
                found[f"{folder}/{entry.name}"] = _json(entry)
    return found


def code_documents() -> dict[str, Any]:
    """All code tables by file name (`codes/sex.yaml`)."""
    root = files("schemas") / "codes"
    return {
        f"codes/{entry.name}": yaml.load(entry.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506
        for entry in sorted(root.iterdir(), key=lambda item: item.name)
        if entry.name.endswith(".yaml")
    }


@lru_cache(maxsize=1)
def default_catalogue() -> Catalogue:
    """The catalogue of the schemas this build carries."""
    return Catalogue(schema_documents())


@lru_cache(maxsize=1)
def default_codes() -> CodeTables:
    """The code tables this build carries."""
    return CodeTables(code_documents())


@lru_cache(maxsize=1)
def default_rules() -> Rules:
    """The compiled schemas this build carries."""
    return Rules(default_catalogue(), default_codes())


class _StrictLoader(yaml.CSafeLoader):
    """Safe YAML that refuses a key given twice."""


def _mapping_once(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise yaml.constructor.ConstructorError(None, None, "a key is given twice", key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_once)


def _json(entry: Traversable) -> Any:
    return json.loads(entry.read_text(encoding="utf-8"), object_pairs_hook=_object_once)


def _object_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a schema document gives a key twice")
    return found

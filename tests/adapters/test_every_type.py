"""Does every notice type travel in every format that says it conveys it?

The examples of `schemas/examples` go out as releases and come back the same,
whatever the format: nothing is lost, nothing is added.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import schemas
from adapters.kit.extension import lexicon
from adapters.registry import load_adapters
from tests.adapters.builders import by_ref, office, release

FOLDER = Path(str(schemas.__file__)).parent
EXAMPLES = sorted((FOLDER / "examples").glob("*/pass*.json"))
ADAPTERS = {name: adapter for name, adapter in load_adapters().items() if name != "canonical"}


def body(path: Path) -> dict:
    document = json.loads(path.read_text("utf-8"))
    return document.get("data", document)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_example_comes_back_as_it_went(name):
    adapter = ADAPTERS[name]
    agency = str(adapter.agency or name)
    carried = 0
    for path in EXAMPLES:
        kind = path.parent.name
        if kind not in adapter.conveys:
            continue
        carried += 1
        data = body(path)
        for media_type in adapter.media_types:
            encoded = adapter.encode(release(data, kind, agency), office(agency), media_type)
            decoded = adapter.decode(encoded.body, encoded.media_type, office(agency), encoded.headers)
            (back,) = decoded.items
            assert by_ref(back.data) == by_ref(data), (path, media_type)
            assert (back.type, back.gaps, back.subject) == (kind, (), "case-77"), (path, media_type)
    assert carried >= 20


@pytest.mark.parametrize("name", ADAPTERS)
def test_equal_releases_give_equal_bytes(name):
    adapter = ADAPTERS[name]
    data = body(EXAMPLES[0])
    kind = EXAMPLES[0].parent.name
    pair = {
        adapter.encode(
            release(json.loads(json.dumps(data)), kind, "police"), office("police"), adapter.media_types[0]
        ).body
        for _ in range(2)
    }
    assert len(pair) == 1


def test_the_lexicon_has_a_word_for_every_name_of_the_schemas():
    names: set[str] = set()

    def walk(schema: object) -> None:
        if isinstance(schema, dict):
            for name, below in schema.get("properties", {}).items():
                names.add(name)
                walk(below)
            for below in (*schema.get("$defs", {}).values(), *schema.get("allOf", ())):
                walk(below)
            if "items" in schema:
                walk(schema["items"])

    for folder in ("notices", "parts"):
        for path in (FOLDER / folder).glob("*.json"):
            walk(json.loads(path.read_text("utf-8")))
    envelope = {"specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype", "data"}
    for style in ("lower", "upper", "label"):
        words = lexicon(style)
        assert names - envelope <= set(words.names)
        assert len(words.back) == len(words.names)
        assert len(words.types_back) == len(words.types)

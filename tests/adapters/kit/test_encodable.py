"""Half a character, which UTF-8 cannot carry, costs nobody a notice."""

from __future__ import annotations

import json

import orjson
import pytest

from adapters.kit.encodable import make_encodable
from adapters.kit.native import NativeItem


@pytest.mark.parametrize("text", ["\ud83d甲", "甲\udc00", "\udc00\ud83d"])
def test_half_a_character_becomes_the_replacement_character_in_values_and_names(text):
    item = NativeItem({"a": [{text: text}], "b": {"#": "whole", "n": 1}}, "row 3")
    make_encodable(item)
    orjson.dumps(item.tree)
    mended = "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text)
    assert item.tree == {"a": [{mended: mended}], "b": {"#": "whole", "n": 1}}
    assert [(gap.code, gap.position) for gap in item.gaps] == [("half-character", "row 3")]


def test_whole_text_is_left_as_it_is():
    tree = {"a": ["甲\U0001f600"], 1: "x"}
    item = NativeItem(tree)
    make_encodable(item)
    assert item.tree is tree
    assert item.gaps == []


def test_a_whole_pair_in_json_is_one_character():
    item = NativeItem(json.loads('{"a": "\\ud83d\\ude00"}'))
    make_encodable(item)
    assert item.tree == {"a": "\U0001f600"}

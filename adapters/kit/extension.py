"""Where does a format carry what its own elements have no place for?

In an *extension block* (扩展块). Its member names are the canonical names put
into the format's own words by `lexicon.yaml` (pinyin initials, or Chinese
labels in tables); its codes are the canonical codes, said once by the member
`dmb` (code table). So every notice type travels in every format, and nothing
that a release shows is lost or pressed into a field that would misread it.

Three spellings: nested (JSON), typed (XML: attribute LX says integer, boolean
or escaped text, SZ marks list items), flat (HL7, CSV, XLSX: dotted names with
list positions counted from 1, `:i`, `:b` and `:j` after a name for types).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import yaml

from adapters.kit.native import Tree
from adapters.kit.text_values import is_awkward

TABLE = "hutong-2026.1"
_UNKNOWN = "x:"
_XML_NAME = re.compile(r"[A-Z][A-Z0-9]*")
_ANY_NAME = "X"
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_DEPTH = 24


@dataclass(frozen=True)
class Lexicon:
    """One column of the lexicon: canonical name <-> native name, canonical type <-> native kind."""

    names: Mapping[str, str]
    back: Mapping[str, str]
    types: Mapping[str, str]
    types_back: Mapping[str, str]

    def out(self, value: Any) -> Any:
        names, out = self.names, self.out
        if isinstance(value, dict):
            return {
                names.get(key) or _UNKNOWN + key: below if below.__class__ is str else out(below)
                for key, below in value.items()
            }
        if isinstance(value, list):
            return [below if below.__class__ is str else out(below) for below in value]
        return value

    def home(self, value: Any, depth: int = 0) -> Any:
        """The inverse of `out`. Raises ValueError for nesting deeper than any notice."""
        if value.__class__ is str:
            return value
        if depth > MAX_DEPTH:
            raise ValueError("the extension block is nested too deeply")
        if isinstance(value, dict):
            return {
                self.back.get(key) or key.removeprefix(_UNKNOWN): self.home(below, depth + 1)
                for key, below in value.items()
            }
        if isinstance(value, list):
            return [self.home(below, depth + 1) for below in value]
        return value


@cache
def lexicon(style: str) -> Lexicon:
    """`lower` and `upper` pinyin initials, or `label` for Chinese headers."""
    document = yaml.load(
        resources.files("adapters.kit").joinpath("lexicon.yaml").read_text("utf-8"),
        Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),  # noqa: S506 - a safe loader
    )
    column = 1 if style == "label" else 0
    fold = str.upper if style == "upper" else str
    names = {canonical: fold(natives[column]) for canonical, natives in document["names"].items()}
    types = {kind: natives[column] for kind, natives in document["types"].items()}
    return Lexicon(names, {v: k for k, v in names.items()}, types, {v: k for k, v in types.items()})


def typed(value: Any) -> Any:
    """Mark types for a format whose leaves are all text (XML)."""
    if value.__class__ is str:
        if value.isalnum() or (value and value == value.strip() and _NOT_XML.search(value) is None):
            return value
        return {"@LX": "j", "#": json.dumps(value)}
    if isinstance(value, bool):
        return {"@LX": "b", "#": "1" if value else "0"}
    if isinstance(value, int):
        return {"@LX": "i", "#": str(value)}
    if isinstance(value, dict):
        if not value:
            return {"@LX": "o"}
        out: Tree = {}
        for key, below in value.items():
            name = _xml_name(key)
            items = _typed_items(below) if below.__class__ is list else [typed(below)]
            if name == _ANY_NAME:
                items = [{"@N": key, **_node(item)} for item in items]
            there = out.get(name)
            if there is None:
                out[name] = items[0] if len(items) == 1 else items
            elif isinstance(there, list):
                there.extend(items)
            else:
                out[name] = [there, *items]
        return out
    raise TypeError("an extension block carries plain JSON values")


@lru_cache(maxsize=4096)
def _xml_name(name: str) -> str:
    """The element of a member: its own name, else the one that says its name by `@N`."""
    return name if _XML_NAME.fullmatch(name) else _ANY_NAME


def _typed_items(values: list[Any]) -> list[Any]:
    return [{"@SZ": "1", **_node(typed(below))} for below in values] or [{"@LX": "l"}]


def _node(item: Any) -> Tree:
    return item if isinstance(item, dict) else {"#": item}


def untyped(node: Any, depth: int = 0) -> Any:
    """The inverse of `typed`. Raises ValueError for what `typed` never writes."""
    if depth > MAX_DEPTH:
        raise ValueError("the extension block is nested too deeply")
    if not isinstance(node, dict):
        return node
    kind = node.get("@LX")
    text = node.get("#", "")
    if kind == "b":
        return text.strip() == "1"
    if kind == "i":
        return int(text)
    if kind == "j":
        value = json.loads(text)
        if not isinstance(value, str):
            raise ValueError("escaped text is not text")
        return value
    if kind == "l":
        return []
    members = {key: below for key, below in node.items() if not key.startswith("@") and key != "#"}
    if not members and kind != "o" and "#" in node:
        return text
    out: Tree = {}
    for name, below in members.items():
        for item in below if isinstance(below, list) else [below]:
            key = item["@N"] if isinstance(item, dict) and name == _ANY_NAME and "@N" in item else name
            value = untyped(item, depth + 1)
            if isinstance(item, dict) and item.get("@SZ") == "1":
                there = out.setdefault(key, [])
                if not isinstance(there, list):
                    raise ValueError("a name is both a list and a single value")
                there.append(value)
            elif key in out:
                raise ValueError("a name is given twice")
            else:
                out[key] = value
    return out


@lru_cache(maxsize=4096)
def _flat_name(name: str) -> str:
    """A name as one step of a dotted one. Names are those of schemas and fields, never of an input."""
    return name.replace("%", "%25").replace(".", "%2E").replace(":", "%3A")


def flat(block: Mapping[str, Any]) -> dict[str, str]:
    """Dotted rows for a format without nesting."""
    rows: dict[str, str] = {}
    for name, below in block.items():
        _flatten(below, _flat_name(name), rows)
    return rows


def _flatten(value: Any, at: str, rows: dict[str, str]) -> None:
    if value.__class__ is str:
        if value.isalnum() or (value and value == value.strip() and not is_awkward(value)):
            rows[at] = value
        else:
            rows[at + ":j"] = json.dumps(value).replace("_x", "\\u005fx")
    elif isinstance(value, dict) and value:
        for name, below in value.items():
            _flatten(below, f"{at}.{_flat_name(name)}", rows)
    elif isinstance(value, list) and value:
        for index, below in enumerate(value, 1):
            _flatten(below, f"{at}.{index}", rows)
    elif isinstance(value, bool):
        rows[at + ":b"] = "1" if value else "0"
    elif isinstance(value, int):
        rows[at + ":i"] = str(value)
    elif isinstance(value, list | dict):
        rows[at + (":l" if isinstance(value, list) else ":o")] = "1"
    else:
        raise TypeError("an extension block carries plain JSON values")


def unflat(rows: Mapping[str, str]) -> Tree:
    """The inverse of `flat`. Raises ValueError for rows that contradict each other."""
    root: dict[str, Any] = {}
    for name, text in rows.items():
        path, _, kind = name.partition(":")
        value: Any = text
        if not kind:
            pass
        elif kind == "b":
            value = text.strip() == "1"
        elif kind == "i":
            value = int(text)
        elif kind == "j":
            value = json.loads(text)
            if not isinstance(value, str):
                raise ValueError("escaped text is not text")
        elif kind == "l":
            value = []
        elif kind == "o":
            value = {}
        parts = path.split(".")
        if "%" in path:
            parts = [part.replace("%3A", ":").replace("%2E", ".").replace("%25", "%") for part in parts]
        if len(parts) > MAX_DEPTH:
            raise ValueError("the extension block is nested too deeply")
        there = root
        for part in parts[:-1]:
            below = there.setdefault(part, {})
            if not isinstance(below, dict):
                raise ValueError("a name is both a group and a value")
            there = below
        if parts[-1] in there:
            raise ValueError("a name is given twice")
        there[parts[-1]] = value
    listed = _listed(root)
    return listed if isinstance(listed, dict) else {}


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(map(str.isdigit, node)):
        return [_listed(node[key]) for key in sorted(node, key=int)]
    return {key: _listed(below) if below.__class__ is dict else below for key, below in node.items()}

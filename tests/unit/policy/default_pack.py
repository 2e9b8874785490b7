"""The policy pack of this repository, read once for the tests."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from gateway.model.fields import FieldSpec
from gateway.model.identifiers import FieldId
from gateway.policy.compiled import Policy
from gateway.policy.load import load_policy
from gateway.validation.catalogue import Catalogue

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 6, 1)


@functools.cache
def catalogue() -> Mapping[FieldId, FieldSpec]:
    parts = [
        ROOT / "schemas/envelope.json",
        *(ROOT / "schemas/parts").glob("*.json"),
        *(ROOT / "schemas/notices").glob("*.json"),
    ]
    return Catalogue({str(path.relative_to(ROOT / "schemas")): json.loads(path.read_text()) for path in parts}).fields


def files() -> dict[str, str]:
    folder = ROOT / "policies"
    words = ["vocabulary", "fieldgroups", "purposes", "consent", "agreements", "clocks", "safeguards"]
    names = [*(folder / f"{word}.yaml" for word in words), *(folder / "disclosure").glob("*.yaml")]
    names += (folder / "routing").glob("*.yaml")
    return {str(path.relative_to(ROOT)): path.read_text() for path in names}


@functools.cache
def pack() -> Policy:
    return load_policy(files(), catalogue(), TODAY)


def changed(name: str, old: str, new: str) -> dict[str, str]:
    """The pack's files with one text replaced; the text must be there once."""
    texts = files()
    assert texts[name].count(old) == 1, f"{old!r} occurs {texts[name].count(old)} times"
    texts[name] = texts[name].replace(old, new)
    return texts


def line_of(name: str, text: str, sources: Mapping[str, str] | None = None) -> str:
    """`file:line` of the one line that holds `text`."""
    lines = (sources or files())[name].splitlines()
    found = [i for i, line in enumerate(lines, 1) if text in line]
    assert len(found) == 1, found
    return f"{name}:{found[0]}"

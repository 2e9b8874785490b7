"""Write into policies/schemas/ the words of the shipped pack, so that editors complete fields, facts and their values.

Run from the repository root: `python -m ops.write_policy_schemas`. The shapes in the schemas are written by hand; only what is
under `$defs` as `field`, `condition`, `facts`, `obligation`, `agency`, `purpose` and `notice_type` is made here. A word that is
not in the shipped pack is no fault: an operator's own vocabulary may have more. tests/unit/policy compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.engines.files.documents import default_catalogue
from gateway.engines.files.packs import pack_files
from gateway.policy.document import load_document

FOLDER = Path(__file__).resolve().parents[1] / "policies" / "schemas"
MADE = ("field", "fields", "condition", "facts", "obligation", "agency", "purpose", "notice_type")


def words() -> dict[str, Any]:
    """The definitions, by name."""
    document = load_document(pack_files(), default_catalogue().fields)
    vocabulary = document.vocabulary
    fields = [*sorted(document.groups), *sorted(document.catalogue)]
    facts = {
        name: {"description": str(spec.title), **_one_or_more([_plain(value) for value in spec.values])}
        for name, spec in vocabulary.facts.items()
    }
    return {
        "field": _suggested(fields),
        "fields": {
            "description": "字段编号或字段组；限制与豁免可写 all 或 guardian.* · field ids or groups; limits and waivers may say all or guardian.*",
            **_one_or_more([*fields, "all"]),
        },
        "condition": {
            "description": "事实名到取值；未提到的事实不限 · fact to allowed values; a fact not named is free",
            "type": "object",
            "minProperties": 1,
            "properties": facts,
            "additionalProperties": _one_or_more([]),
        },
        "facts": {
            "description": "事实名到取值；未提到的事实为未知 · fact to value; a fact not named is unknown",
            "type": "object",
            "minProperties": 1,
            "properties": facts,
            "additionalProperties": _one_or_more([]),
        },
        "obligation": _suggested(list(vocabulary.obligations)),
        "agency": _suggested(list(vocabulary.agencies)),
        "purpose": _suggested(list(vocabulary.purposes)),
        "notice_type": _suggested(list(vocabulary.facts["notice_type"].values)),
    }


def _suggested(values: list[Any]) -> dict[str, Any]:
    anything = {
        "type": ["string", "integer", "boolean"],
        "pattern": r"\S",
    }  # a blank says nothing; the pattern is for text alone
    return {"anyOf": [{"enum": values}, anything]} if values else anything


def _one_or_more(values: list[Any]) -> dict[str, Any]:
    one = _suggested(values)
    return {"anyOf": [one, {"type": "array", "minItems": 1, "uniqueItems": True, "items": one}]}


def _plain(value: str) -> str | int:
    """A value as YAML reads it where it stands without quotes."""
    return int(value) if value.isdecimal() else value


def schemas() -> dict[Path, str]:
    """Each schema that uses these words, as it should stand."""
    made, found = words(), {}
    for path in sorted(FOLDER.glob("*.schema.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        defs = document.get("$defs", {})
        used = {name for name in MADE if f'"#/$defs/{name}"' in json.dumps(document)}
        if used:
            document["$defs"] = {**defs, **{name: made[name] for name in MADE if name in used}}
            found[path] = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    return found


if __name__ == "__main__":
    for path, text in schemas().items():
        path.write_text(text, encoding="utf-8")

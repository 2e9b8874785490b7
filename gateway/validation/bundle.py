"""What does the schema of one notice type say in a single document?

The published schemas are composed from parts. For checking they are put
together: references resolved, the header's members laid flat among the type's
own, codes of closed tables spelled out as `enum`. The verdict is the same as
that of the composed schema plus code tables (a test keeps it so); flat, a wrong
value cannot make its neighbours look unknown, and errors name the place exactly.

Annotations (`x-...`) are kept: `x-remedy` is read back when explaining.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.model.identifiers import NoticeType
from gateway.validation.catalogue import Catalogue
from gateway.validation.codes import CodeTables


def bundle(catalogue: Catalogue, codes: CodeTables | None, notice_type: NoticeType) -> dict[str, Any]:
    """A self-contained JSON Schema 2020-12 document. Without `codes` any well-formed code passes.

    Raises KeyError for an unknown type or an unknown code table.
    """
    by_uri = {doc["$id"]: doc for doc in catalogue.documents.values() if "$id" in doc}
    document = by_uri[catalogue.schema_uri(notice_type)]
    flat: dict[str, Any] = _inline(document, by_uri, codes)
    conditions: list[Any] = []
    members: dict[str, Any] = {}
    for part in flat.pop("allOf", ()):
        # A part that only names members (the header) is laid flat; a condition stays a condition.
        if "properties" in part and "x-remedy" not in part and "if" not in part:
            members.update(part["properties"])
        else:
            conditions.append(part)
    flat["properties"] = {**members, **flat["properties"]}
    if conditions:
        flat["allOf"] = conditions
    if flat.pop("unevaluatedProperties") is False:
        flat["additionalProperties"] = False
    return flat


def _inline(schema: Any, by_uri: Mapping[str, Any], codes: CodeTables | None) -> Any:
    if isinstance(schema, list):
        return [_inline(item, by_uri, codes) for item in schema]
    if not isinstance(schema, dict):
        return schema
    beside = {name: _inline(value, by_uri, codes) for name, value in schema.items() if name != "$ref"}
    if "$ref" in schema:
        uri, _, fragment = schema["$ref"].partition("#")
        target = by_uri[uri]
        for token in fragment.split("/")[1:]:
            target = target[token]
        shape = _inline(target, by_uri, codes)
        shape.pop("$id", None)
        shape.pop("$schema", None)
        clash = {name for name in shape.keys() & beside.keys() if name in _CONSTRAINTS}
        further = {name: beside.pop(name) for name in clash}
        beside = {**shape, **beside}
        if further:
            beside["allOf"] = [*beside.get("allOf", ()), further]
    if codes is not None and "x-code-table" in beside and not beside.get("x-code-open"):
        place = beside["items"] if beside.get("type") == "array" else beside
        place["enum"] = list(codes.codes(beside["x-code-table"]))
        for looser in ("pattern", "minLength", "maxLength"):  # said once: the list of codes is the whole rule
            place.pop(looser, None)
    return beside


_CONSTRAINTS = {
    "type", "properties", "items", "required", "contains", "anyOf", "allOf", "enum", "pattern", "minItems", "maxItems",
    "minimum", "maximum", "minLength", "maxLength", "additionalProperties", "uniqueItems",
}  # fmt: skip

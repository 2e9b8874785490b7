"""What of a body has the outline the schema draws, before anybody looks at single values?

A hostile or broken body can hold a hundred thousand members nobody knows, or a
list without end. Trimming goes through it once, along the schema and never
deeper, so what is checked value by value afterwards is bounded by the schema
and not by the sender. It takes out members without a field, the tail of lists
that are too long, and objects, arrays and plain values standing in each
other's places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.validation.explain import Fault, Place, pointer_of


def trim(data: Any, schema: Mapping[str, Any]) -> tuple[Any, dict[str, Any], list[Fault]]:
    """The body within the outline of a bundled schema, what was taken out, and why.

    Linear in the size of the body; total, also for bodies that contain
    themselves. What was taken out is keyed by exact JSON pointer; the tail of
    a list by `<pointer of the list>/-`. The root is `{}` where it was no object.
    """
    taken: dict[str, Any] = {}
    faults: list[Fault] = []
    kept = _trim(data, schema, (), taken, faults)
    return ({} if kept is _GONE else kept), taken, faults


_GONE: Any = object()
# Everything unknown is taken out; beyond this many it is no longer said one by one.
_MAX_TOLD = 500


def _trim(value: Any, schema: Mapping[str, Any], place: Place, taken: dict[str, Any], faults: list[Fault]) -> Any:
    kind = schema.get("type")
    if kind == "object" and isinstance(value, dict):
        return _object(value, schema, place, taken, faults)
    if kind == "array" and isinstance(value, list):
        return _list(value, schema, place, taken, faults)
    if kind in ("object", "array") or isinstance(value, (dict, list)):
        taken[pointer_of(place)] = value
        faults.append(Fault("wrong-type", place, (place,), remedy=str(schema.get("x-remedy", ""))))
        return _GONE
    return value


def _object(
    value: dict[Any, Any], schema: Mapping[str, Any], place: Place, taken: dict[str, Any], faults: list[Fault]
) -> dict[str, Any]:
    members = schema["properties"]
    above: str | None = None
    kept: dict[str, Any] = {}
    for name, member in value.items():
        below = members.get(name) if isinstance(name, str) else None
        if below is None:
            if above is None:
                above = pointer_of(place)
            taken[f"{above}/{str(name).replace('~', '~0').replace('/', '~1')}"] = member
            if len(faults) < _MAX_TOLD:
                faults.append(Fault("unknown-field", (*place, str(name)), ((*place, name),), siblings=members.keys()))
            continue
        inner = _trim(member, below, (*place, name), taken, faults)
        if inner is not _GONE:
            kept[name] = inner
    return kept


def _list(
    value: list[Any], schema: Mapping[str, Any], place: Place, taken: dict[str, Any], faults: list[Fault]
) -> list[Any]:
    limit, item = schema["maxItems"], schema["items"]
    if len(value) > limit:
        taken[pointer_of((*place, "-"))] = value[limit:]
        faults.append(Fault("too-many", place, ((*place, "-"),), detail=f"at most {limit}"))
    kept = []
    for index, element in enumerate(value[:limit]):
        inner = _trim(element, item, (*place, index), taken, faults)
        if inner is not _GONE:
            kept.append(inner)
        elif item.get("type") == "object":
            kept.append({})  # the others keep their places
    return kept

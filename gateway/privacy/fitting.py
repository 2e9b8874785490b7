"""Does a body hold nothing but members that the schema knows, each of the JSON type its kind has?

Most bodies do, and one look in compiled code says so for all members together, where looking at each costs more than
all the rest of a projection. What such a body shows in full can then be kept as it stands (`objects`). A body that
does not fit, for whatever reason, is walked member by member. This says nothing about what may be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema_rs

from gateway.model.fields import FieldSpec
from gateway.privacy.forms import is_text_or_texts, kind_of

_ANYTHING: Mapping[str, Any] = {}
_TEXT_OR_TEXTS: Mapping[str, Any] = {"type": ["string", "array"], "items": {"type": "string"}}
_BY_TYPE: Mapping[type[Any], Mapping[str, Any]] = {str: {"type": "string"}, bool: {"type": "boolean"}}


class Fitting:
    """The look at the bodies of one notice type.

    `names` are the members that a fitting body may have at each path (`persons[].school`), `typed` the paths of
    fields whose value is known to fit its kind wherever the body fits.
    """

    def __init__(self, specs: Iterable[FieldSpec]) -> None:
        leaves: dict[str, list[Mapping[str, Any]]] = {}
        for spec in specs:
            leaves.setdefault(spec.path, []).append(_guaranteed(spec))
        self.names: dict[str, set[str]] = {"": set()}
        self.typed: set[str] = set()
        self._is_clear = True  # no name is a value here and an object there
        objects: dict[str, dict[str, Any]] = {"": {}}
        for path in sorted(leaves):
            guarantee = leaves[path][0] if all(one == leaves[path][0] for one in leaves[path]) else _ANYTHING
            *above, last = path.split(".")
            here = ""
            for part in above:
                below = f"{here}.{part}" if here else part
                if below not in objects:
                    objects[below] = {}
                    self.names[below] = set()
                    name = part.removesuffix("[]")
                    self._is_clear &= name not in objects[here]
                    element = {"type": "object", "minProperties": 1, **_closed(objects[below])}
                    is_array = part.endswith("[]")
                    objects[here][name] = {"type": "array", "minItems": 1, "items": element} if is_array else element
                    self.names[here].add(name)
                here = below
            name = last.removesuffix("[]")
            self.names[here].add(name)
            self._is_clear &= name not in objects[here]
            objects[here][name] = guarantee
            if guarantee and name == last:
                self.typed.add(path)
        self._validator = jsonschema_rs.Draft202012Validator({"type": "object", **_closed(objects[""])})

    def __call__(self, body: Any) -> bool:
        """False for whatever the check cannot read, and for all bodies of a type whose fields are not told apart by name."""
        try:
            return self._is_clear and self._validator.is_valid(body)
        except (ValueError, TypeError, RecursionError):
            return False


def _guaranteed(spec: FieldSpec) -> Mapping[str, Any]:
    kind = kind_of(spec, has_table=False)
    if kind.only_type is not None:
        return _BY_TYPE[kind.only_type]
    return _TEXT_OR_TEXTS if kind.fits is is_text_or_texts else _ANYTHING


def _closed(members: Mapping[str, Any]) -> dict[str, Any]:
    return {"properties": members, "additionalProperties": False}

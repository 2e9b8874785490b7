"""Where in a JSON document stands what two readers would read differently?

The parser finds such a fault while it is inside the document and cannot say where it is. So a refused document is read once
more with every fault marked, and the first of them is looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapters.kit.native import Position, Unreadable, pointer_position

MAX_DIGITS = 19  # more than any reader keeps
_SAID = {
    "duplicate-name": ("a member name is given twice in one object", "send each name once"),
    "not-json": ("NaN and infinities are not JSON", "leave out what is not known"),
    "number-too-long": ("a number has more digits than any reader keeps", "send it as text, in quotation marks"),
}


class Strict(ValueError):
    """A document that two readers would read differently. `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Fault:
    code: str


class _Object(list[tuple[str, Any]]):
    """The members of an object in their order, names that are given twice among them."""


def _whole(text: str) -> Any:
    return _Fault("number-too-long") if len(text) > MAX_DIGITS else 0


_MARKING = json.JSONDecoder(
    object_pairs_hook=_Object, parse_constant=lambda _: _Fault("not-json"), parse_float=str, parse_int=_whole
)


def located(text: str, found: Strict) -> Unreadable:
    """The refusal of a document that the strict reader refused for `found`: at its first fault."""
    try:
        position, code = next(_faults(_MARKING.decode(text), ()), ((), found.code))
    except json.JSONDecodeError as error:
        return ill_formed(error)
    return Unreadable(code, pointer_position(position), *_SAID[code])


def ill_formed(error: json.JSONDecodeError) -> Unreadable:
    where = f"line {error.lineno}, column {error.colno}"
    return Unreadable(
        "not-json", where, f"not well-formed JSON: {error.msg.lower()}", "send well-formed JSON (RFC 8259)"
    )


def _faults(value: Any, at: Position) -> Iterator[tuple[Position, str]]:
    if isinstance(value, _Fault):
        yield at, value.code
    elif isinstance(value, _Object):
        seen: set[str] = set()
        for name, below in value:
            if name in seen:
                yield (*at, name), "duplicate-name"
            seen.add(name)
            yield from _faults(below, (*at, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _faults(below, (*at, index))

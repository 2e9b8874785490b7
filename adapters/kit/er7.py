"""How is a field of ER7 spelled, with its repetitions, components, subcomponents and escapes, and how is it written?

A field is text, a dict of numbered components, or a list of repetitions; the HL7 null `""` counts as nothing. Reading takes
the delimiters of the message; what is written has the standard ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from adapters.kit.native import Tree
from adapters.kit.reading import scalar, text_of

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Delimiters:
    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str


def unescape(text: str, marks: Delimiters, charset: str = "utf-8") -> str:
    """Undo escape sequences; an unknown or broken one stays as it is."""
    escape = marks.escape
    if escape not in text:
        return text
    known = {
        "F": marks.field, "S": marks.component, "R": marks.repetition, "E": escape, "T": marks.subcomponent,
        ".br": "\n", ".BR": "\n", ".sp": "\n", "H": "", "N": "",
    }  # fmt: skip
    out: list[str] = []
    at = 0
    while True:
        start = text.find(escape, at)
        end = text.find(escape, start + 1) if start >= 0 else -1
        if end < 0:
            out.append(text[at:])
            return "".join(out)
        out.append(text[at:start])
        code = text[start + 1 : end]
        if code in known:
            out.append(known[code])
            at = end + 1
        elif code[:1] == "X" and _HEX.fullmatch(code[1:]):
            raw = bytes.fromhex(code[1:])
            try:
                out.append(raw.decode(charset))
            except UnicodeDecodeError:
                out.append(raw.decode("latin-1"))
            at = end + 1
        else:
            out.append(text[start:end])
            at = end
    # not reached


_ESCAPES = str.maketrans(
    {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "\\": "\\E\\", "&": "\\T\\", "\n": "\\.br\\", "\r": "\\X0D\\"}
    | {chr(code): f"\\X{code:02X}\\" for code in range(32) if code not in (10, 13)}
)
_NEEDS_ESCAPE = re.compile(r"[|^~\\&\x00-\x1f]")


def escape(text: str) -> str:
    """Text as a leaf under the standard delimiters."""
    if text.isalnum() or _NEEDS_ESCAPE.search(text) is None:
        return text
    return text.translate(_ESCAPES)


# Names of the extension block are those of schemas and fields, never of an input.
escaped_name = lru_cache(maxsize=4096)(escape)


def read_fields(line: str, fields: Sequence[str], marks: Delimiters, charset: str) -> Tree:
    """The fields of a line that say something. Most lines have components at most, so each field is not asked for more."""
    if marks.repetition in line or marks.escape in line or marks.subcomponent in line:
        return {number: _field(text, marks, charset) for number, text in _counted(fields) if text and text != '""'}
    component = marks.component
    return {
        number: {n: part for n, part in _counted(text.split(component)) if part and part != '""'}
        if component in text
        else text
        for number, text in _counted(fields)
        if text and text != '""'
    }


def _field(text: str, marks: Delimiters, charset: str) -> Any:
    """One field as a tree value; empty pieces are left out."""
    if marks.repetition in text:
        items = [_components(part, marks, charset) for part in text.split(marks.repetition)]
        return items if len(items) > 1 else items[0]
    return _components(text, marks, charset)


def _components(text: str, marks: Delimiters, charset: str) -> Any:
    if marks.component not in text:
        return _subcomponents(text, marks, charset)
    is_plain = marks.escape not in text and marks.subcomponent not in text
    return {
        number: part if is_plain else _subcomponents(part, marks, charset)
        for number, part in _counted(text.split(marks.component))
        if part and part != '""'
    }


def _subcomponents(text: str, marks: Delimiters, charset: str) -> Any:
    if text == '""':
        return ""
    if marks.subcomponent in text:
        return {
            number: unescape(part, marks, charset) for number, part in _counted(text.split(marks.subcomponent)) if part
        }
    return unescape(text, marks, charset) if marks.escape in text else text


def component(value: Any, number: str) -> str | None:
    """One component of a value as text; the first component of a plain text is the text."""
    if value.__class__ is str:
        return value if number == "1" and value.strip() else None
    if value.__class__ is dict:
        found = value.get(number)
        if found.__class__ is str:
            return found if found.strip() else None
        return text_of(scalar(found, "1"))
    if number == "1":
        return text_of(scalar(value, "1"))
    return None


_NUMBERS = tuple(map(str, range(1, 101)))


def _counted(pieces: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Pieces with their numbers from 1, which are names in a tree."""
    return zip(_NUMBERS if len(pieces) <= len(_NUMBERS) else map(str, range(1, len(pieces) + 1)), pieces, strict=False)


def write_fields(segment: Tree) -> list[str]:
    """The fields of a segment as ER7 text under the standard delimiters, from the first to the last that is there."""
    return _numbered(segment, _field_text)


def _field_text(value: Any) -> str:
    if value.__class__ is str:
        return escape(value)
    if isinstance(value, list):
        return "~".join(_component_text(item) for item in value)
    return _component_text(value)


def _component_text(value: Any) -> str:
    if not isinstance(value, dict):
        return escape(str(value))
    return "^".join(_numbered(value, _subcomponent_text))


def _subcomponent_text(value: Any) -> str:
    if not isinstance(value, dict):
        return escape(str(value))
    return "&".join(_numbered(value, lambda part: escape(str(part))))


def _numbered(pieces: Tree, text: Callable[[Any], str]) -> list[str]:
    """The texts of numbered pieces, in their places from 1; what is absent is empty."""
    out: list[str] = []
    for number, piece in pieces.items():
        place = int(number)
        if place > len(out):
            out.extend([""] * (place - len(out)))
        out[place - 1] = escape(piece) if piece.__class__ is str else text(piece)
    return out

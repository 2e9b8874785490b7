"""Are these bytes one JSON text with one meaning?

`orjson` keeps the last of two members with one name, other readers the first,
and a signature covers both, so a name given twice is refused. Finding that on
every intake has to be cheap: a value that is written back as the very bytes it
came from has lost nothing. Where blanks or spelling differ, it has exactly one
colon per member and one per colon inside a text, and so had the source, unless
a member was dropped or a colon was written as an escape. Equal counts with no
escaped colon mean nothing was dropped; otherwise the slow reader looks for the
place. Depth is measured only when there are brackets enough to exceed it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import orjson

from gateway.model.errors import Problem
from gateway.validation.explain import Place, position_of

_ESCAPED_COLON = b"\\u003"
_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


class Malformed(ValueError):
    """Bytes that are not one clear JSON text. `problem` says where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse_json(raw: bytes, max_depth: int = 64, names: Collection[str] = ()) -> Any:
    """The value of a JSON text in UTF-8 (RFC 8259, no byte-order mark), no name twice, no deeper than `max_depth`.

    `names` are member names that may be shown in a position; others read `*`.

    Raises `Malformed`, which never holds what was read. Linear in the size.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Malformed(
            Problem("not-json", where, "this is no JSON in UTF-8", "发送 UTF-8 编码的 JSON / send JSON in UTF-8")
        ) from None
    except RecursionError:
        raise _too_deep(max_depth) from None
    if len(raw) - len(raw.translate(None, b"{[")) > max_depth and _deeper_than(value, max_depth):
        raise _too_deep(max_depth)
    written = orjson.dumps(value)
    if written != raw and (_ESCAPED_COLON in raw or raw.count(b":") != written.count(b":")):
        place = _repeated_member(raw)
        if place is not None:
            raise Malformed(
                Problem(
                    "duplicate-member", position_of(place, names), "an object names a member twice",
                    "每个成员只写一次 / name each member once",
                )
            )  # fmt: skip
    return value


def element_spans(raw: bytes) -> list[tuple[int, int]]:
    """Start and end of each element's exact bytes in a JSON array already known to be well-formed, blanks around cut off."""
    spans: list[tuple[int, int]] = []
    depth, start = 0, 0
    for token in _TOKENS.finditer(raw):
        mark = token.group()
        if mark in (b"[", b"{"):
            depth += 1
            if depth == 1:
                start = token.end()
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                spans.append((start, token.start()))
        elif mark == b"," and depth == 1:
            spans.append((start, token.start()))
            start = token.end()
    trimmed = []
    for begin, end in spans:
        body = raw[begin:end]
        lead = len(body) - len(body.lstrip(b" \t\r\n"))
        trimmed.append((begin + lead, begin + len(body.rstrip(b" \t\r\n"))))
    return [span for span in trimmed if span[0] < span[1]]


def _too_deep(limit: int) -> Malformed:
    return Malformed(Problem("too-deep", "", f"the JSON is nested deeper than {limit}", "减少嵌套层数 / nest less"))


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


class _Members(list[tuple[str, Any]]):
    """An object as the pairs it was written with."""


def _repeated_member(raw: bytes) -> Place | None:
    """Where the first repeated name is; the text is known to be well-formed and not too deep."""
    waiting: list[tuple[Place, Any]] = [((), json.loads(raw, object_pairs_hook=_Members))]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, _Members):
            seen: set[str] = set()
            for name, member in value:
                if name in seen:
                    return (*place, name)
                seen.add(name)
                waiting.append(((*place, name), member))
        elif isinstance(value, list):
            waiting.extend(((*place, index), item) for index, item in enumerate(value))
    return None

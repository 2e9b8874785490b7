"""How is JSON read so that two readers cannot disagree about it?

Duplicate member names, NaN and infinities, numbers that are not whole, and
nesting beyond any notice are refused (RFC 8259 leaves them to the reader, so
two systems would see different notices). JSON Lines is one notice per line.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.kit.native import DEFAULT_LIMITS, Limits, NativeItem, Position, Tree, Unreadable, pointer_position
from adapters.kit.text import UndecodableText, decode_text, may_hold_private_use
from gateway.model.notice import Gap


class _Strict(ValueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise _Strict("duplicate-name", "a member name is given twice in one object")
    return out


def _constant(_: str) -> Any:
    raise _Strict("not-json", "NaN and infinities are not JSON")


def _whole(text: str) -> int:
    if len(text) > 19:
        raise _Strict("number-too-long", "a number has more digits than any reader keeps; send it as text")
    return int(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=str, parse_int=_whole)


_HEAD = 4096
_UNREAD_LINES = 100
_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")


def is_deeper(text: str, depth: int) -> bool:
    """Whether brackets outside strings nest deeper: each round takes away the innermost pairs, all at C speed."""
    brackets = _NOT_BRACKETS.sub("", _STRINGS.sub("", text))
    for _ in range(depth):
        if not brackets:
            return False
        shorter = brackets.replace("[]", "").replace("{}", "")
        if shorter == brackets:
            return False  # not balanced: the parser says where
        brackets = shorter
    return "[]" in brackets or "{}" in brackets


def parse_strict(text: str, limits: Limits = DEFAULT_LIMITS) -> Any:
    """One JSON value; fractions stay text. Raises Unreadable with line and column."""
    opened = text.count("[") + text.count("{")
    if opened > limits.max_nodes or text.count(",") > 2 * limits.max_nodes:
        raise Unreadable("too-large", "/", f"more than {limits.max_nodes} groups and members", "send smaller pieces")
    if opened > limits.max_depth and is_deeper(text, limits.max_depth):
        raise Unreadable("too-deep", "/", f"nested deeper than {limits.max_depth}", "send a flatter document")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise Unreadable("too-deep", "/", f"nested deeper than {limits.max_depth}", "send a flatter document") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Unreadable("not-json", where, error.msg.lower(), "send well-formed JSON (RFC 8259)") from None
    except _Strict as error:
        raise Unreadable(error.code, "/", str(error), "send each name once, and numbers as JSON has them") from None


def text_of_bytes(raw: bytes, limits: Limits, declared: str | None = None) -> tuple[str, list[Gap]]:
    """The text of an input within its limit; charset trouble that was got over is a gap. Raises Unreadable."""
    if len(raw) > limits.max_bytes:
        raise Unreadable(
            "too-large", f"byte {limits.max_bytes}", f"more than {limits.max_bytes} bytes", "send smaller pieces"
        )
    try:
        text = decode_text(raw, declared)
    except UndecodableText as error:
        raise Unreadable(
            "charset",
            f"byte {error.offset}",
            "the bytes fit neither the declared charset, GB18030 nor UTF-8",
            "send UTF-8",
        ) from None
    gaps = []
    if text.mismatch:
        gaps.append(Gap("charset", "byte 0", f"the charset is not said, or not the one said; read as {text.charset}"))
    return text.value, gaps


def charset_parameter(media_type: str) -> str | None:
    for part in media_type.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return None


@dataclass(frozen=True)
class JsonCodec:
    """One object per notice; with `lines` one object per line. A top-level array is a batch."""

    lines: bool = False
    limits: Limits = DEFAULT_LIMITS
    scalar_key: str = "#"
    extension_style: str = "nested"

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        text, gaps = text_of_bytes(raw, self.limits, charset_parameter(media_type))
        return list(self._lines(text, gaps, self.limits)) if self.lines else self._document(text, gaps, self.limits)

    def rows(self, raw: bytes, media_type: str, limits: Limits) -> Iterator[NativeItem | Unreadable]:
        text, gaps = text_of_bytes(raw, limits, charset_parameter(media_type))
        yield from self._lines(text, gaps, limits)

    def _document(self, text: str, gaps: list[Gap], limits: Limits) -> list[NativeItem | Unreadable]:
        value, is_careful = parse_strict(text, limits), may_hold_private_use(text, "\\")
        if not isinstance(value, list):
            return [self._item(value, "", gaps, is_careful)]
        if len(value) > limits.max_items:
            raise Unreadable("too-many", "/", f"more than {limits.max_items} notices", "send smaller batches")
        return [self._item(entry, f"/{index}", gaps, is_careful) for index, entry in enumerate(value)]

    def _lines(self, text: str, gaps: list[Gap], limits: Limits) -> Iterator[NativeItem | Unreadable]:
        """One notice a line. A document spread over lines, as a person's editor writes it, is taken as what it is; a file
        whose first lines are all no JSON is refused as a whole, not once for each of its lines."""
        head = text[:_HEAD].lstrip("\ufeff \t\r\n").split("\n", 1)
        if len(head) == 2 and not head[0].rstrip().endswith("}"):
            try:
                yield from self._document(text, gaps, limits)
                return
            except Unreadable as error:
                if error.problem.code != "not-json":
                    raise
        unread = count = 0
        for number, line in enumerate(io.StringIO(text, newline="\n"), 1):
            if not line.strip():
                continue
            count += 1
            if count > limits.max_items:
                raise Unreadable(
                    "too-many", f"line {number}", f"more than {limits.max_items} lines", "send smaller files"
                )
            try:
                value = parse_strict(line, limits)
                yield self._item(value, f"line {number}", gaps, may_hold_private_use(line, "\\"))
            except Unreadable as error:
                problem = error.problem
                where = f"line {number}" + (f", {problem.position}" if problem.position else "")
                unread += 1
                if unread == count == _UNREAD_LINES:
                    raise Unreadable(
                        "not-json", where, "no line so far is JSON", "send one JSON object a line"
                    ) from None
                yield Unreadable(problem.code, where, problem.message, problem.remedy)

    def _item(self, value: Any, position: str, gaps: list[Gap], is_careful: bool) -> NativeItem | Unreadable:
        if not isinstance(value, dict):
            return Unreadable("not-an-object", position or "/", "a notice is a JSON object", "send an object")
        if not position:
            return NativeItem(value, "", list(gaps), is_careful=is_careful)
        prefix = position if position.startswith("/") else position + " "

        def locate(path: Position) -> str:
            return prefix + pointer_position(path)

        return NativeItem(value, position, list(gaps), locate, is_careful)

    def write(self, tree: Tree) -> bytes:
        return orjson.dumps(tree) + (b"\n" if self.lines else b"")

    def position(self, path: Position) -> str:
        return pointer_position(path)

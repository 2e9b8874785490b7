"""How is JSON read so that two readers cannot disagree about it?

Duplicate member names, NaN and infinities, numbers that are not whole, and
nesting beyond any notice are refused (RFC 8259 leaves them to the reader, so
two systems would see different notices). JSON Lines is one notice per line.
Messages may come as interfaces answer them, `{"code": 0, "msg": "", "data": ...}`
around one or a list of them, or as a text inside of JSON.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from adapters.kit.json_faults import MAX_DIGITS, Strict, ill_formed, located
from adapters.kit.native import DEFAULT_LIMITS, Limits, NativeItem, Position, Tree, Unreadable, pointer_position
from adapters.kit.text import UndecodableText, decode_text, needs_care
from gateway.model.notice import Gap


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise Strict("duplicate-name")
    return out


def _constant(_: str) -> Any:
    raise Strict("not-json")


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Strict("number-too-long")
    return int(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=str, parse_int=_whole)


_HEAD = 4096
_WRAPPERS = 4  # one round another, and a list of them
_TEXTS = 64  # of a document that are tried as JSON
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
        raise ill_formed(error) from None
    except Strict as error:
        raise located(text, error) from None


def text_of_bytes(raw: bytes, limits: Limits, declared: str | None = None) -> tuple[str, list[Gap]]:
    """The text of an input within its limit; charset trouble that was got over is a gap. Raises Unreadable."""
    if len(raw) > limits.max_bytes:
        raise Unreadable(
            "too-large", f"byte {limits.max_bytes}", f"more than {limits.max_bytes} bytes", "send smaller pieces"
        )
    try:
        text = decode_text(raw, declared)
    except UndecodableText as error:
        line = raw.count(b"\n", 0, error.offset) + 1
        what = f"the bytes of line {line} fit neither the declared charset, GB18030 nor UTF-8"
        raise Unreadable(
            "charset", f"byte {error.offset}", what, "write the whole file in one charset, best UTF-8"
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


def _unescaped(text: str, limits: Limits) -> Any:
    """The JSON that a text holds, None for any other text."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return parse_strict(text, limits)
    except Unreadable:
        return None


@dataclass(frozen=True)
class JsonCodec:
    """One object per notice; with `lines` one object per line. A top-level array is a batch.

    `begins`: a member that every message has. Around an object without it messages are looked for inside.
    """

    lines: bool = False
    begins: str = ""
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
        return self._messages(parse_strict(text, limits), "", gaps, needs_care(text, "\\"), limits)

    def _messages(
        self, value: Any, where: str, gaps: list[Gap], is_careful: bool, limits: Limits
    ) -> list[NativeItem | Unreadable]:
        found = list(islice(self._opened(value, (), limits, _WRAPPERS, iter(range(_TEXTS))), limits.max_items + 1))
        if len(found) > limits.max_items:
            raise Unreadable("too-many", "/", f"more than {limits.max_items} notices", "send smaller batches")
        if not found and not isinstance(value, list):
            found = [((), value)]
        return [self._item(one, where, at, gaps, is_careful) for at, one in found]

    def _opened(
        self, value: Any, at: Position, limits: Limits, levels: int, texts: Iterator[int]
    ) -> Iterator[tuple[Position, Any]]:
        """The messages in a value: itself, the entries of a list, or what stands inside an object that is none.

        `texts`: one for each text that may yet be read as JSON.
        """
        if isinstance(value, list):
            for index, entry in enumerate(value):
                inside = (
                    self._opened(entry, (*at, index), limits, levels - 1, texts)
                    if levels and self._is_wrapper(entry)
                    else ()
                )
                yield from list(inside) or [((*at, index), entry)]
        elif not self._is_wrapper(value):
            yield at, value
        elif levels:
            for name, below in value.items():
                if isinstance(below, str):
                    is_tried = self.begins in below and next(texts, None) is not None
                    inner = _unescaped(below, limits) if is_tried else None
                else:
                    inner = below
                if isinstance(inner, dict | list):
                    found = list(self._opened(inner, (*at, name), limits, levels - 1, texts))
                    if any(isinstance(one, dict) and self.begins in one for _, one in found):
                        yield from found

    def _is_wrapper(self, value: Any) -> bool:
        return bool(self.begins) and isinstance(value, dict) and self.begins not in value

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
                yield from self._messages(value, f"line {number}", gaps, needs_care(line, "\\"), limits)
            except Unreadable as error:
                problem = error.problem
                where = f"line {number}" + (f", {problem.position}" if problem.position else "")
                unread += 1
                if unread == count == _UNREAD_LINES:
                    raise Unreadable(
                        "not-json", where, "no line so far is JSON", "send one JSON object a line"
                    ) from None
                yield Unreadable(problem.code, where, problem.message, problem.remedy)

    def _item(self, value: Any, where: str, at: Position, gaps: list[Gap], is_careful: bool) -> NativeItem | Unreadable:
        position = f"{where} {pointer_position(at)}".strip() if at else where
        if not isinstance(value, dict):
            return Unreadable("not-an-object", position or "/", "a notice is a JSON object", "send an object")
        if not position:
            return NativeItem(value, "", list(gaps), is_careful=is_careful)
        prefix = where + " " if where else ""

        def locate(path: Position) -> str:
            return prefix + pointer_position((*at, *path))

        return NativeItem(value, position, list(gaps), locate, is_careful)

    def write(self, tree: Tree) -> bytes:
        return orjson.dumps(tree) + (b"\n" if self.lines else b"")

    position = staticmethod(pointer_position)

"""How is HL7 v2 (ER7, versions 2.3 to 2.8) read as hospitals really send it, and written as they accept it?

Delimiters come from MSH. Segment ends may be CR, LF or CRLF; leading blank
lines, byte-order marks and MLLP framing are taken off; a line that does not
begin like a segment continues the one before, noted. The charset is looked for
in MSH-17 to MSH-19, since senders leave out a field and shift the rest.

Trees: segment id -> dict of field number -> text, dict of components, or a
list of repetitions. A segment that repeats is a list of dicts. The HL7 null
`""` counts as nothing. The segment named by `pairs` (number, name, value)
becomes a dict of name -> value: the extension block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from adapters.kit.native import DEFAULT_LIMITS, Limits, NativeItem, Position, Tree, Unreadable
from adapters.kit.reading import scalar, text_of
from adapters.kit.text import UndecodableText, decode_text, has_private_use, known_charset, wide_charset
from gateway.model.notice import Gap

_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEADER = re.compile(rb"MSH([^A-Za-z0-9\r\n\s])")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_ENVELOPES = frozenset({"FHS", "BHS", "BTS", "FTS"})


@dataclass(frozen=True, slots=True)
class Delimiters:
    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


STANDARD = Delimiters()


def unescape(text: str, marks: Delimiters, charset: str = "utf-8") -> str:
    """Undo escape sequences; an unknown or broken one stays as it is."""
    escape = marks.escape
    if not escape or escape not in text:
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


def parse_field(text: str, marks: Delimiters, charset: str) -> Any:
    """One field as a tree value; empty pieces are left out."""
    if marks.repetition in text:
        items = [_components(part, marks, charset) for part in text.split(marks.repetition)]
        return items if len(items) > 1 else items[0]
    return _components(text, marks, charset)


def _components(text: str, marks: Delimiters, charset: str) -> Any:
    if marks.component in text:
        out: Tree = {}
        for number, part in enumerate(text.split(marks.component), 1):
            if part and part != '""':
                out[str(number)] = _subcomponents(part, marks, charset)
        return out
    return _subcomponents(text, marks, charset)


def _subcomponents(text: str, marks: Delimiters, charset: str) -> Any:
    if text == '""':
        return ""
    if marks.subcomponent and marks.subcomponent in text:
        return {
            str(number): unescape(part, marks, charset)
            for number, part in enumerate(text.split(marks.subcomponent), 1)
            if part
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


def field_text(value: Any) -> str:
    """A tree value as ER7 text under the standard delimiters."""
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
    out = [""] * max(map(int, pieces), default=0)
    for number, piece in pieces.items():
        out[int(number) - 1] = escape(piece) if piece.__class__ is str else text(piece)
    return out


def declared_charset(header: bytes) -> str | None:
    """What MSH-17, 18 or 19 says, whichever names a charset we know."""
    separator = header[3:4]
    fields = header.split(separator)
    for number in (17, 16, 18):  # MSH-18 sits at index 17, since MSH-1 is the separator itself
        if number < len(fields):
            for part in fields[number].split(b"~"):
                name = part.decode("ascii", "ignore").strip()
                if name and known_charset(name) is not None:
                    return name
    return None


def _narrowed(raw: bytes) -> bytes:
    """UTF-16 as UTF-8: the header is looked for among bytes, and its delimiters are single ones."""
    try:
        return decode_text(raw).value.encode("utf-8", "replace")
    except UndecodableText as error:
        raise Unreadable("charset", f"byte {error.offset}", "the bytes fit no charset we read", "send UTF-8") from None


@dataclass(frozen=True)
class Hl7v2Codec:
    """`order`: segment order when writing; segments that are not listed follow in the tree's order."""

    pairs: str = "ZKZ"
    order: tuple[str, ...] = ("MSH", "PID", "NK1", "PV1", "ORC", "OBR", "OBX", "ZMR", "ZTB")
    limits: Limits = DEFAULT_LIMITS
    scalar_key: str = "1"
    extension_style: str = "flat"

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        if len(raw) > self.limits.max_bytes:
            raise Unreadable("too-large", "/", f"more than {self.limits.max_bytes} bytes", "send smaller pieces")
        if (b"\0" in raw[:64] or raw[:1] in (b"\xfe", b"\xff")) and wide_charset(raw) is not None:
            raw = _narrowed(raw)
        found = _HEADER.search(raw[:4096])
        if found is None:
            raise Unreadable(
                "not-hl7", "line 1", "no MSH segment at the beginning", "send HL7 v2 ER7, beginning with MSH"
            )
        header = re.split(rb"[\r\n]", raw[found.start() : found.start() + 2048], maxsplit=1)[0]
        try:
            text = decode_text(raw, declared_charset(header))
        except UndecodableText as error:
            raise Unreadable(
                "charset", f"byte {error.offset}", "the bytes fit no charset we read", "send UTF-8"
            ) from None
        if len(raw) > self.limits.max_nodes:
            marks = set(header[3:8].decode("ascii", "ignore"))
            if sum(map(text.value.count, marks)) > self.limits.max_nodes:
                much = f"more than {self.limits.max_nodes} fields, repetitions and components"
                raise Unreadable("too-large", "line 1", much, "send smaller pieces")
        gaps = [Gap("charset", "MSH-18", f"the charset is not said, or not the one said; read as {text.charset}")]
        lines = text.value.strip("\ufeff\x0b\x1c\r\n\t ").replace("\r\n", "\r").replace("\n", "\r").split("\r")
        messages: list[list[tuple[str, int]]] = []
        broken: list[list[Gap]] = []
        for number, line in enumerate(lines, 1):
            line = line.strip("\x0b\x1c")
            if line.startswith("\ufeff"):
                line = line[1:]
            if line.lstrip()[:3] == "MSH":
                messages.append([(line.lstrip(), number)])
                broken.append([])
                continue
            if not line.strip() or not messages:
                continue
            separator = messages[-1][0][0][3:4]
            if _SEGMENT.match(line) and (len(line) == 3 or line[3] == separator):
                if line[:3] not in _ENVELOPES:
                    messages[-1].append((line, number))
            else:
                above, above_number = messages[-1][-1]
                messages[-1][-1] = (f"{above}\n{line}", above_number)
                broken[-1].append(Gap("line-break", f"line {number}", "a line break inside a segment; taken as text"))
        if len(messages) > self.limits.max_items:
            raise Unreadable("too-many", "line 1", f"more than {self.limits.max_items} messages", "send smaller files")
        out: list[NativeItem | Unreadable] = []
        for number, (message, notes) in enumerate(zip(messages, broken, strict=True), 1):
            where = f"message {number}" if len(messages) > 1 else ""
            out.append(self._message(message, text.charset, where, [*(gaps if text.mismatch else []), *notes]))
        return out

    def _message(
        self, lines: list[tuple[str, int]], charset: str, where: str, gaps: list[Gap]
    ) -> NativeItem | Unreadable:
        head = lines[0][0]
        field = head[3:4]
        encoding = head[4:].split(field, 1)[0] if field else ""
        if not field or not 1 <= len(encoding) <= 5 or any(char.isalnum() for char in encoding):
            return Unreadable(
                "not-hl7", where or "MSH-2", "MSH-2 does not name the delimiters", r"send MSH|^~\& or the like"
            )
        given = (*encoding, *"^~\\&"[len(encoding) :])
        marks = Delimiters(field, *given[:4])
        component, repetition, escaping, below = marks.component, marks.repetition, marks.escape, marks.subcomponent
        tree: Tree = {}
        pairs: dict[str, str] = {}
        for line, line_number in lines:
            name = line[:3]
            parts = line.split(field)
            if name == self.pairs:
                if len(parts) > 2:
                    key = unescape(parts[2], marks, charset)
                    if key in pairs:
                        gaps.append(
                            Gap("repeated", f"line {line_number}", "a name of the extension block is given twice")
                        )
                    pairs.setdefault(key, unescape(parts[3], marks, charset) if len(parts) > 3 else "")
                continue
            segment: Tree = {}
            # MSH-1 is the separator itself, and MSH-2 the delimiters
            for number, part in enumerate(parts[2:], 3) if name == "MSH" else enumerate(parts[1:], 1):
                if part and part != '""':
                    is_plain = component not in part and repetition not in part and escaping not in part
                    segment[str(number)] = part if is_plain and below not in part else parse_field(part, marks, charset)
            there = tree.get(name)
            if there is None:
                tree[name] = segment
            elif isinstance(there, list):
                there.append(segment)
            else:
                tree[name] = [there, segment]
        if pairs:
            tree[self.pairs] = pairs
        prefix = f"{where}, " if where else ""

        def locate(path: Position) -> str:
            return prefix + hl7_position(path)

        # the header holds the escape character once, to name it
        escapes = sum(line.count(escaping) for line, _ in lines) > 1
        return NativeItem(tree, where, gaps, locate, escapes or any(has_private_use(line) for line, _ in lines))

    def write(self, tree: Tree) -> bytes:
        lines: list[str] = []
        names = [name for name in self.order if name in tree] + [name for name in tree if name not in self.order]
        for name in names:
            body = tree[name]
            if name == self.pairs:
                lines.extend(
                    f"{name}|{n}|{escape(key)}|{escape(value)}" for n, (key, value) in enumerate(body.items(), 1)
                )
                continue
            for number, segment in enumerate(body if isinstance(body, list) else [body], 1):
                if name == "MSH":
                    lines.append("|".join(["MSH", "^~\\&", *_numbered(segment, field_text)[2:]]))
                    continue
                fields = dict(segment)
                if name in ("PID", "NK1", "OBR", "OBX", "PV1"):
                    fields.setdefault("1", str(number))
                lines.append("|".join([name, *_numbered(fields, field_text)]))
        return ("\r".join(lines) + "\r").encode("utf-8", "replace")

    def position(self, path: Position) -> str:
        return hl7_position(path)


@lru_cache(maxsize=8192)
def hl7_position(path: Position) -> str:
    """`PID-3[2].1`, `NK1[2]-5`: repetitions count from 1."""
    out: list[str] = []
    numbers = 0
    for part in path:
        if isinstance(part, int):
            out.append(f"[{part + 1}]")
        elif not out:
            out.append(part)
        else:
            out.append(("-" if numbers == 0 else ".") + part)
            numbers += 1
    return "".join(out)

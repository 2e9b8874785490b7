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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from adapters.kit.er7 import Delimiters, escape, escaped_name, read_fields, unescape, write_fields
from adapters.kit.native import DEFAULT_LIMITS, Limits, NativeItem, Position, Tree, Unreadable
from adapters.kit.text import UndecodableText, decode_text, known_charset, needs_care, wide_charset
from gateway.model.notice import Gap

_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEADER = re.compile(rb"MSH([^A-Za-z0-9\r\n\s])")
_ENVELOPES = frozenset({"FHS", "BHS", "BTS", "FTS"})


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


class _Message(NamedTuple):
    """The segments of one message, each with its line, and what had to be got over to tell them apart."""

    lines: list[tuple[str, int]]
    gaps: list[Gap]


def _messages(text: str) -> list[_Message]:
    """The messages of a text. Lines that begin no segment belong to the one above: a document in OBX-5 may have many."""
    out: list[_Message] = []
    separator = ""
    broken: list[str] = []
    before = 0
    whole = text.strip("\ufeff\x0b\x1c\r\n\t ").replace("\r\n", "\r").replace("\n", "\r")
    for number, line in enumerate(whole.split("\r"), 1):
        line = line.strip("\x0b\x1c").removeprefix("\ufeff")
        inner = line.lstrip()
        is_header = inner[:3] == "MSH"
        if not inner:
            continue
        if not out and not is_header:
            before = before or (number if inner[:3] not in _ENVELOPES else 0)
            continue
        if is_header or (_SEGMENT.match(inner) and (len(inner) == 3 or inner[3] == separator)):
            _mend(out, broken)
            line = inner  # indented by somebody who printed it
            if is_header:
                separator = line[3:4]
                out.append(_Message([(line, number)], []))
            elif line[:3] not in _ENVELOPES:
                out[-1].lines.append((line, number))
            continue
        if not broken:
            out[-1].gaps.append(Gap("line-break", f"line {number}", "line breaks inside a segment; taken as text"))
        broken.append(line)
    _mend(out, broken)
    if out and before:
        out[0].gaps.insert(0, Gap("before-header", f"line {before}", "what stands before the first MSH was not read"))
    return out


def _mend(messages: list[_Message], broken: list[str]) -> None:
    """Put the lines that a segment was broken into behind its first."""
    if broken:
        above, number = messages[-1].lines[-1]
        messages[-1].lines[-1] = ("\n".join((above, *broken)), number)
        broken.clear()


@dataclass(frozen=True)
class Hl7v2Codec:
    """`order`: segment order when writing; segments that are not listed follow in the tree's order.

    A message with several `patient` segments is an item for each, unless it has one of `together`, segments of the
    exchange's own, or one of the events `linking`, which say that the patients belong to each other.
    """

    pairs: str = "ZKZ"
    order: tuple[str, ...] = ("MSH", "PID", "NK1", "PV1", "ORC", "OBR", "OBX", "ZMR", "ZTB")
    limits: Limits = DEFAULT_LIMITS
    scalar_key: str = "1"
    extension_style: str = "flat"
    patient: str = "PID"
    together: frozenset[str] = frozenset({"ZMR", "ZTB", "ZKZ"})
    linking: tuple[str, ...] = ("A24",)

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
        header = raw[found.start() : found.start() + 2048].split(b"\r", 1)[0].split(b"\n", 1)[0]
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
        messages = _messages(text.value)
        notes: list[Gap] = []
        if text.mismatch:
            notes = [Gap("charset", "MSH-18", f"the charset is not said, or not the one said; read as {text.charset}")]
        is_careful = needs_care(text.value)
        out: list[NativeItem | Unreadable] = []
        for number, message in enumerate(messages, 1):
            message.gaps[:0] = notes
            where = f"message {number}" if len(messages) > 1 else ""
            parts = self._by_patient(message)
            if len(out) + len(parts) > self.limits.max_items:
                much = f"more than {self.limits.max_items} messages"
                raise Unreadable("too-many", "line 1", much, "send smaller files")
            if len(parts) == 1:
                out.append(self._message(message, text.charset, where, is_careful))
                continue
            for patient, part in enumerate(parts, 1):
                place = f"{where}, patient {patient}" if where else f"patient {patient}"
                out.append(self._message(part, text.charset, place, is_careful))
        return out

    def _by_patient(self, message: _Message) -> list[_Message]:
        """Answers to queries, merges and results name patients who have nothing to do with each other: each begins a part.

        What stands before the first patient is read with it; the others have the header alone.
        """
        lines = message.lines
        starts = [number for number, (line, _) in enumerate(lines) if line[:3] == self.patient]
        if len(starts) < 2 or any(line[:3] in self.together for line, _ in lines):
            return [message]
        header = lines[0][0]
        event = "".join(header.split(header[3:4] or "|")[8:9])
        if any(word in event for word in self.linking):
            return [message]
        parts = [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
        parts[0] = lines[1 : starts[0]] + parts[0]
        return [
            _Message(lines[:1] + part, list(message.gaps) if number == 0 else []) for number, part in enumerate(parts)
        ]

    def _message(self, message: _Message, charset: str, where: str, is_careful: bool) -> NativeItem | Unreadable:
        head, gaps = message.lines[0][0], message.gaps
        field = head[3:4]
        encoding = head[4:].split(field, 1)[0] if field else ""
        if not field or not 1 <= len(encoding) <= 5 or any(char.isalnum() for char in encoding):
            return Unreadable(
                "not-hl7", where or "MSH-2", "MSH-2 does not name the delimiters", r"send MSH|^~\& or the like"
            )
        given = (*encoding, *"^~\\&"[len(encoding) :])
        marks = Delimiters(field, *given[:4])
        tree: Tree = {}
        pairs: dict[str, str] = {}
        escapes = -encoding.count(marks.escape)  # where the header names the character
        for line, line_number in message.lines:
            escapes += line.count(marks.escape)
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
            # MSH-1 is the separator itself, and MSH-2 the delimiters
            parts[:2] = ("", "") if name == "MSH" else parts[1:2]
            segment = read_fields(line, parts, marks, charset)
            there = tree.get(name)
            if there is None:
                tree[name] = segment
            elif isinstance(there, list):
                there.append(segment)
            else:
                tree[name] = [there, segment]
        if pairs:
            tree[self.pairs] = pairs

        def locate(path: Position) -> str:
            return f"{where}, {hl7_position(path)}"

        return NativeItem(tree, where, gaps, locate if where else hl7_position, is_careful or escapes > 0)

    def write(self, tree: Tree) -> bytes:
        lines: list[str] = []
        names = [name for name in self.order if name in tree] + [name for name in tree if name not in self.order]
        for name in names:
            body = tree[name]
            if name == self.pairs:
                lines += [
                    f"{name}|{n}|{escaped_name(key)}|{escape(value)}" for n, (key, value) in enumerate(body.items(), 1)
                ]
                continue
            for number, segment in enumerate(body if isinstance(body, list) else [body], 1):
                if name == "MSH":
                    lines.append("|".join(["MSH", "^~\\&", *write_fields(segment)[2:]]))
                    continue
                fields = dict(segment)
                if name in ("PID", "NK1", "OBR", "OBX", "PV1"):
                    fields.setdefault("1", str(number))
                lines.append("|".join([name, *write_fields(fields)]))
        return ("\r".join(lines) + "\r").encode("utf-8", "replace")

    position = staticmethod(hl7_position)

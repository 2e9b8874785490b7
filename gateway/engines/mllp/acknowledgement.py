"""What does a hospital's engine get back, and what may it do next?

HL7 v2 chapter 2, original mode, in the sender's own delimiters and version:

- `AA`: the gateway holds the notice; its signed receipt was verified and kept. ERR of severity W says what of the
  message it did not take over.
- `AE`: the message is wrong; sending it again changes nothing. ERR says where.
- `AR`: nothing is wrong with the message; send the same bytes again.

Answers hold positions, codes and the notice's id, never a value of the message
besides its own control id and addresses, which the sender needs to match it.
What is wrong is said in Chinese with English beside where MSH-18 names a charset
that has Chinese, in English alone where an engine may expect ASCII.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from gateway.model.errors import Problem
from gateway.ports.submission import Pushed
from gateway.privacy.times import BEIJING

_UNSAFE = bytes(range(32)) + b"\x7f"
# GB2312's bytes are those of GBK and GB 18030, and none of them looks like a delimiter
_CHARSETS = {b"UNICODE UTF-8": "utf-8", b"UTF-8": "utf-8", b"UNICODE": "utf-8", b"GB 18030-2000": "gb2312",
             b"GB18030": "gb2312", b"GBK": "gb2312", b"GB2312": "gb2312"}  # fmt: skip
MAX_ECHO_BYTES = 200
MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Heading:
    """What an answer needs of a message's MSH segment, in the sender's own bytes."""

    separator: bytes = b"|"
    encoding: bytes = b"^~\\&"
    addresses: tuple[bytes, bytes, bytes, bytes] = (b"", b"", b"", b"")
    trigger: bytes = b""
    control: bytes = b""
    processing: bytes = b"P"
    version: bytes = b"2.4"
    charset: bytes = b""


def heading(message: bytes) -> Heading | None:
    """Read the MSH segment; None when there is none, so nothing can be answered to."""
    start = message[:64].find(b"MSH")
    if start < 0 or len(message) < start + 8:
        return None
    line = message[start : start + 4096].replace(b"\n", b"\r").split(b"\r", 1)[0]
    separator = line[3:4]
    if separator.isalnum() or separator in _UNSAFE:
        return None
    fields = [part[:MAX_ECHO_BYTES].translate(None, _UNSAFE) for part in line.split(separator)]
    fields += [b""] * (19 - len(fields))
    component = fields[1][:1] or b"^"
    trigger = fields[8].split(component)
    return Heading(
        separator, fields[1] or b"^~\\&", (fields[2], fields[3], fields[4], fields[5]),
        trigger[1] if len(trigger) > 1 else b"", fields[9], fields[10] or b"P", fields[11] or b"2.4", fields[17],
    )  # fmt: skip


def accepted(head: Heading, at: datetime, pushed: Pushed) -> bytes:
    shown = " ".join(pushed.notices[:2]) + (f" +{len(pushed.notices) - 2}" if len(pushed.notices) > 2 else "")
    return _answer(head, at, b"AA", shown[:80], pushed.gaps[:MAX_ERRORS], b"W")


def refused(head: Heading, at: datetime, problems: tuple[Problem, ...]) -> bytes:
    first = problems[0]
    return _answer(head, at, b"AE", f"{first.code} {_place(first)}".strip(), problems[:MAX_ERRORS])


def rejected(head: Heading, at: datetime, why: str) -> bytes:
    return _answer(head, at, b"AR", why, ())


def _answer(
    head: Heading, at: datetime, code: bytes, text: str, problems: tuple[Problem, ...], severity: bytes = b"E"
) -> bytes:
    separator = head.separator
    number = hashlib.sha256(head.control + code + at.isoformat().encode()).hexdigest()[:20].encode()
    component = head.encoding[:1]
    sender_app, sender_unit, receiver_app, receiver_unit = head.addresses
    kind = component.join([b"ACK", head.trigger]) if head.trigger else b"ACK"
    msh = [
        b"MSH", head.encoding, receiver_app or b"HUTONG", receiver_unit, sender_app, sender_unit,
        at.astimezone(BEIJING).strftime("%Y%m%d%H%M%S%z").encode(), b"", kind, number, head.processing, head.version,
    ]  # fmt: skip
    if head.charset:
        msh += [b""] * 5 + [head.charset]
    segments = [msh, [b"MSA", code, head.control, _escaped(text, head)]]
    segments += [
        [b"ERR", b"", _escaped(_place(problem), head), _escaped(problem.code, head), severity, b"", b"",
         _escaped(problem.message, head), _escaped(problem.remedy, head)]
        for problem in problems
    ]  # fmt: skip
    return b"\r".join(separator.join(segment) for segment in segments) + b"\r"


def _place(problem: Problem) -> str:
    """In the sender's own segments and fields, as far as that is known."""
    return problem.native or problem.position


def _escaped(text: str, head: Heading) -> bytes:
    """Text in the sender's charset, without its delimiters; in ASCII, which every charset has, where that holds no Chinese."""
    for mark in (head.separator + head.encoding).decode("latin-1"):
        text = text.replace(mark, " ")
    try:
        return text.encode(_CHARSETS.get(head.charset.strip().upper(), "ascii")).translate(None, _UNSAFE)
    except UnicodeEncodeError:  # of a text in two languages, the one that every engine can show
        text = " / ".join(part for part in text.split(" / ") if part.isascii()) or text
        return text.encode("ascii", "replace").translate(None, _UNSAFE)

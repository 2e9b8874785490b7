"""What can a check find, and how are numbers and base64 read without kindness?

Three findings, never mixed up: what was read is *wrong* (proved by hashes or
signatures), it is *unreadable* (nothing was proved), or it is right but *not
enough* (too old, too few witnesses).

Python reads generously: `int` takes `1_000`, blanks and other scripts' digits,
`b64decode` skips junk and ignores spare bits, `$` matches before a final
newline. Here bytes match in full or are refused.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode

MAX_SIZE = 2**63 - 1  # leaves of a log, and POSIX times
_DECIMAL = re.compile(rb"0|[1-9][0-9]{0,18}")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class Wrong(ValueError):
    """Proved wrong. `index` is the first bad leaf, where one can be named."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


class Unreadable(ValueError):
    """Not in the form it claims to have; nothing was proved about its content."""


class NotEnough(ValueError):
    """Nothing is wrong, but it is too old, or too few witnesses cosigned."""


def decimal(text: bytes) -> int:
    """An ASCII decimal without leading zeroes, at most 2**63 - 1."""
    if _DECIMAL.fullmatch(text) is None or (number := int(text)) > MAX_SIZE:
        raise Unreadable("not a decimal number")
    return number


def decode_base64(text: bytes, size: int | None = None) -> bytes:
    """Standard base64 with padding and no spare bits; `size` is the number of bytes asked for."""
    if _BASE64.fullmatch(text) is None:
        raise Unreadable("not base64")
    data = binascii.a2b_base64(text)
    if b64encode(data) != text:
        raise Unreadable("base64 with spare bits")
    if size is not None and len(data) != size:
        raise Unreadable(f"base64 of {len(data)} bytes where {size} are due")
    return data

"""Do a great many stored records still open? The same verdicts as `opening.check_envelope`, in a third of its time.

`check_envelope` says what is wrong with one record; this says which of many is the
first that does not hold. A differential test keeps the two of one mind.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from hashlib import sha256, shake_256
from typing import Any

import orjson

from gateway.audit.commitment import ABSENT, SALT_BYTES, SALT_TAG, TAG, framed
from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import row_root
from gateway.audit.record import NAMES
from gateway.model.audit import HEADER, OFFICER, PERSON, ROOT_BYTES

_SORTED = orjson.OPT_SORT_KEYS
_KINDS = frozenset({OFFICER, PERSON})

# By event and version: name, what a commitment has between salt and value, and after the salt where it is absent.
_Rows = tuple[tuple[str, bytes, bytes], ...]
_ROWS: Mapping[tuple[str, int], _Rows] = {
    (str(name), version): tuple((one, framed(one) + b"\x01", framed(one) + ABSENT) for one in names["envelope"])
    for (name, version), names in NAMES.items()
}


def first_unopened(pairs: Sequence[tuple[bytes, bytes]]) -> int | None:
    """The number of the first (entry, opening) that does not hold, or None."""
    for number, (entry, opening) in enumerate(pairs):
        try:
            holds = _holds(entry, opening)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            holds = False
        if not holds:
            return number
    return None


def _holds(entry: bytes, opening: bytes) -> bool:
    data = orjson.loads(opening)
    if orjson.dumps(data, option=_SORTED) != opening:
        return False
    envelope, slots = data["envelope"], data["slots"]
    header: dict[str, Any] = envelope["header"]
    fields: dict[str, Any] = envelope["fields"]
    rows = _ROWS[header["event"], header["v"]]
    if header["slots"] != [slot["kind"] for slot in slots] or HEADER in fields:
        return False
    secret = _strict(data["secret"])
    stream = shake_256(SALT_TAG + bytes((0, len(secret))) + secret + header["id"].encode())
    salt = stream.digest(SALT_BYTES * len(rows))
    new, dumps, found, at = sha256, orjson.dumps, 0, 0
    leaves: list[bytes] = []
    for name, present, absent in rows:
        end = at + SALT_BYTES
        if name in fields:
            found += 1
            leaves.append(new(TAG + salt[at:end] + present + dumps(fields[name], option=_SORTED)).digest())
        elif at == 0:
            leaves.append(new(TAG + salt[:end] + present + dumps(header, option=_SORTED)).digest())
        else:
            leaves.append(new(TAG + salt[at:end] + absent).digest())
        at = end
    if found != len(fields):
        return False
    roots = [row_root(leaves)]
    for slot in slots:
        root = _strict(slot["root"])
        if len(root) != ROOT_BYTES or slot["kind"] not in _KINDS:
            return False
        _strict(slot["sealed"])
        roots.append(root)
    return entry == entry_bytes(row_root(roots))


def _strict(text: str) -> bytes:
    """Base64 in its one spelling. ValueError otherwise."""
    raw = a2b_base64(text, strict_mode=True)
    if text and (spare := len(raw) % 3) and raw:
        # the spare bits of the last digit before the padding are zero in the one spelling
        last = _DIGITS[text.rstrip("=")[-1]]
        if last & (0x0F if spare == 1 else 0x03):
            raise ValueError("base64 with bits that mean nothing")
    return raw


_DIGITS = {digit: n for n, digit in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}

"""Does this value have the form its field allows, and which bytes stand for it?

Every form is a pattern without room for free text, so that a name, an address
or an identity number cannot be committed to by mistake. The bytes are canonical
JSON (RFC 8785 for text, whole numbers, booleans, arrays and objects of text),
all ASCII, so an offline verifier can make them with the standard library.

Errors name the field and the form, never the value.
"""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from gateway.model.audit import FACET_SETS, ROOT_BYTES, Form, LogField

Encode = Callable[[Any], bytes]

# An id never looks like an identity number (15 or 18 digits), a student number (a letter and 18) or a phone number.
_NOT_A_NUMBER = r"(?![A-Za-z]?[0-9]{6,19}[Xx]?\Z)"
_ID = rf"{_NOT_A_NUMBER}[0-9A-Za-z][0-9A-Za-z_-]{{15,63}}"
_CODE = rf"{_NOT_A_NUMBER}[a-z][a-z0-9]*(?:[-_./:+][a-z0-9]+){{0,11}}"
_OFFICE = r"(?:[a-z][a-z_]{1,31}\.(?:[0-9]{12}|[0-9]{9}|[0-9]{6})(?:\.[a-z0-9][a-z0-9-]{0,31})?|gateway|staff|witness)"
_FACT = rf"{_NOT_A_NUMBER}[a-z][a-z0-9_]{{0,31}}(?:\.[a-z][a-z0-9_]{{0,31}})?"
_FACT_VALUE = rf"{_NOT_A_NUMBER}[A-Za-z0-9][A-Za-z0-9_+-]{{0,31}}"
_FIELD = r"[a-z][a-z_]{0,31}(?:\.[a-z][a-z0-9_]{0,47}){1,5}"

PATTERNS: Mapping[Form, str] = {
    Form.ID: _ID,
    Form.HANDLE: _ID,
    Form.DIGEST: r"(?:sha256|sm3):[0-9a-f]{64}",
    Form.OFFICE: _OFFICE,
    Form.CODE: rf"(?=.{{1,80}}\Z){_CODE}",
    Form.CODES: rf"(?=.{{1,80}}\Z)(?:{_CODE}|{_OFFICE}|[A-Z][0-9]{{1,3}}[a-z]?)",
    Form.FLAGS: rf"(?=.{{1,160}}\Z){_CODE}(?::(?:/[A-Za-z0-9_-]{{1,40}})*)?",
    Form.PURPOSE: r"P[0-9]{2}",
    Form.BASIS: r"L[0-9]{2,3}[a-z]?",
    Form.NOTICE_TYPE: r"[A-Z]{2,5}(?:-[A-Z]{1,2})?",
    Form.REGION: r"[0-9]{6}(?:[0-9]{3}){0,2}",
    Form.RULES: rf"{_NOT_A_NUMBER}(?=.{{1,96}}\Z)[A-Za-z][A-Za-z0-9]*(?:[-_./:][A-Za-z0-9]+){{0,11}}",
    Form.FIELDS: _FIELD,
    Form.HASH: r"(?:[a-z0-9]{2,8}[:-])?[0-9a-f]{32,128}",
    Form.KEY: rf"{_NOT_A_NUMBER}[A-Za-z0-9](?:[A-Za-z0-9._+-]{{1,79}})",
    Form.VERSION: rf"{_NOT_A_NUMBER}[0-9A-Za-z][0-9A-Za-z._+-]{{0,31}}",
}

# Forms whose value is several words, and how many a record takes at most.
_LISTS: Mapping[Form, int] = {Form.CODES: 256, Form.FLAGS: 256, Form.BASIS: 32, Form.RULES: 512, Form.FIELDS: 256}
_MAX_COUNT = 2**53 - 1


def _refuse(field: LogField) -> ValueError:
    return ValueError(f"log field `{field.name}` does not hold a {field.form}")


def _word(field: LogField) -> Encode:
    match = re.compile(PATTERNS[field.form]).fullmatch
    choices = field.choices

    def encode(value: Any) -> bytes:
        if not isinstance(value, str) or (value not in choices if choices else match(value) is None):
            raise _refuse(field)
        return ('"' + value + '"').encode()

    # what repeats (codes, offices, purposes) is checked once; ids are always new
    return encode if field.form in (Form.ID, Form.HANDLE, Form.DIGEST) else lru_cache(4096)(encode)


def _words(field: LogField) -> Encode:
    match = re.compile(PATTERNS[field.form]).fullmatch
    most = _LISTS[field.form]
    choices = field.choices

    @lru_cache(4096)
    def encode(value: tuple[str, ...]) -> bytes:
        if type(value) is not tuple or len(value) > most:
            raise _refuse(field)
        if any(type(word) is not str or (word not in choices if choices else match(word) is None) for word in value):
            raise _refuse(field)
        if any(a >= b for a, b in itertools.pairwise(value)):
            raise ValueError(f"log field `{field.name}` is not sorted, or says something twice")
        return b'["' + '","'.join(value).encode() + b'"]' if value else b"[]"

    return encode


def _field_forms(field: LogField) -> Encode:
    return _pairs(field, 512, re.compile(PATTERNS[Form.FIELDS]).fullmatch, FACET_SETS.__contains__)


def _facts(field: LogField) -> Encode:
    """Values come from closed lists of the vocabulary; the pattern only keeps text and numbers of people out."""
    return _pairs(field, 64, re.compile(_FACT).fullmatch, re.compile(_FACT_VALUE).fullmatch)


def _pairs(field: LogField, most: int, is_name: Callable[[str], object], may_say: Callable[[str], object]) -> Encode:
    """Names with what is said of each, sorted by name."""

    @lru_cache(4096)
    def encode(value: tuple[tuple[str, str], ...]) -> bytes:
        if type(value) is not tuple or len(value) > most:
            raise _refuse(field)
        if any(len(pair) != 2 or not is_name(pair[0]) or not may_say(pair[1]) for pair in value):
            raise _refuse(field)
        if any(a[0] >= b[0] for a, b in itertools.pairwise(value)):
            raise ValueError(f"log field `{field.name}` is not sorted, or says something twice")
        return b"{" + ",".join(f'"{name}":"{said}"' for name, said in value).encode() + b"}"

    return encode


def _reference(field: LogField) -> Encode:
    match = re.compile(_ID).fullmatch
    root = re.compile(r"[A-Za-z0-9+/]{43}=").fullmatch

    def encode(value: Any) -> bytes:
        if type(value) is not tuple or not 1 <= len(value) <= 2 or any(type(part) is not str for part in value):
            raise _refuse(field)
        if match(value[0]) is None or (len(value) == 2 and root(value[1]) is None):
            raise _refuse(field)
        return ('["' + '","'.join(value) + '"]').encode()

    return encode


def _count(field: LogField) -> Encode:
    def encode(value: Any) -> bytes:
        if type(value) is not int or not 0 <= value <= _MAX_COUNT:
            raise _refuse(field)
        return b"%d" % value

    return encode


def _flag(field: LogField) -> Encode:
    def encode(value: Any) -> bytes:
        if type(value) is not bool:
            raise _refuse(field)
        return b"true" if value else b"false"

    return encode


def instant_text(at: datetime) -> str:
    """`2026-03-01T09:30:00.000Z`; ValueError for an instant without offset."""
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise ValueError("an instant of the log needs an offset")
        at = at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


def _instant(field: LogField) -> Encode:
    def encode(value: Any) -> bytes:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise _refuse(field)
        return f'"{instant_text(value)}"'.encode()

    return encode


def encoder(field: LogField) -> Encode:
    """The check and the bytes for one field; made once per field, when the schemas are compiled."""
    match field.form:
        case Form.FIELD_FORMS:
            return _field_forms(field)
        case Form.FACTS:
            return _facts(field)
        case Form.REFERENCE:
            return _reference(field)
        case Form.COUNT:
            return _count(field)
        case Form.FLAG:
            return _flag(field)
        case Form.INSTANT:
            return _instant(field)
        case _ if field.form in _LISTS:
            return _words(field)
        case _:
            return _word(field)


def reference(event_id: str, root: bytes = b"") -> tuple[str, ...]:
    """The value of a REFERENCE field: an event, and its record root where the writer knows it."""
    if root and len(root) != ROOT_BYTES:
        raise ValueError("a record root has 32 bytes")
    return (event_id, b64encode(root).decode()) if root else (event_id,)


def is_id(text: str) -> bool:
    return _ID_MATCH(text) is not None


_ID_MATCH = re.compile(_ID).fullmatch

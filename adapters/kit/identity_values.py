"""How do numbers that name a person, a school or a telephone come in, and what did a spreadsheet do to them?

A ruined number is detected and named, never repaired.
"""

from __future__ import annotations

import re
from operator import mul
from typing import Any

from adapters.kit.conversion import Noted, Unmappable, Unwritable
from adapters.kit.text_values import NOTHING, half_width, read_text, write_text

_INVISIBLE = re.compile(
    "[\xad\u200b-\u200f\u202a-\u202e\u2060\ufeff]"
)  # as chat programs and web pages put round numbers
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,3}")
CITIZEN_ID = re.compile(r"[0-9]{17}[0-9X]")
_CITIZEN_ID_15 = re.compile(r"[0-9]{15}")
_MASKED = re.compile(r"[*＊●•]|[xX]{2}")
_FLOATING = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,3}|[0-9]+\.[0-9]*")
_DOTTED = re.compile(r"(?:[0-9]{1,4}\.){1,3}[0-9]{3,8}(?![0-9.])")
_DIALLED_ON = re.compile(r"\s*(?:x|ext\.?|extension)\s*([0-9]{1,8})\s*$", re.IGNORECASE)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_OF_ZEROS = sum(_ID_WEIGHTS) * ord("0")  # the bytes of the digits are summed, not their values


def check_digit_holds(citizen_id: str) -> bool:
    """GB 11643: ISO 7064 MOD 11-2 over the first 17 digits."""
    total = sum(map(mul, _ID_WEIGHTS, citizen_id[:17].encode())) - _OF_ZEROS
    return _CHECK_DIGITS[total % 11] == citizen_id[17]


def ruined_number(text: str, expected_length: int = 18) -> str | None:
    """What a spreadsheet did to an identity number, or None. Detected and said, never repaired."""
    plain = half_width(text).strip()
    if _SCIENTIFIC.fullmatch(plain):
        return "scientific-notation"
    if re.fullmatch(r"[0-9]+\.0+", plain):
        return "decimal-point"
    if plain.isdigit() and len(plain) == expected_length and plain.endswith("000"):
        return "fifteen-digits" if not check_digit_holds(plain) else None
    if plain.isdigit() and 0 < expected_length - len(plain) <= 2:
        return "lost-leading-zeros"
    return None


def read_citizen_id(text: str) -> Any:
    """18 characters with a capital X. A wrong check digit is kept and noted; a ruined number is not taken."""
    plain = text
    is_whole = CITIZEN_ID.fullmatch(plain) is not None
    if not is_whole:
        plain = half_width(text).strip().upper().replace(" ", "")
        is_whole = CITIZEN_ID.fullmatch(plain) is not None
    if is_whole:
        if check_digit_holds(plain):
            return plain
        if ruined_number(plain):
            raise Unmappable("ruined-number", "an identity number was cut to 15 significant digits by a spreadsheet")
        return Noted(plain, "check-digit", "the check digit of an identity number does not hold")
    if plain in NOTHING:
        raise Unmappable("placeholder", "says that there is no number")
    if not is_whole and _INVISIBLE.search(plain):
        bare = _INVISIBLE.sub("", plain)
        if CITIZEN_ID.fullmatch(bare) and check_digit_holds(bare):
            return Noted(bare, "invisible-characters", "characters that nobody sees stood in an identity number")
    if _CITIZEN_ID_15.fullmatch(plain) and not ("01" <= plain[8:10] <= "12" and "01" <= plain[10:12] <= "31"):
        raise Unmappable("ruined-number", "an identity number of 15 digits without a day of birth, most likely cut off")
    if _CITIZEN_ID_15.fullmatch(plain):
        return Noted(plain, "fifteen-digit-id", "an identity number of the old 15-digit form")
    if _SCIENTIFIC.fullmatch(plain) or re.fullmatch(r"[0-9]+\.0*", plain):
        raise Unmappable("ruined-number", "a spreadsheet turned an identity number into a floating-point number")
    if _MASKED.search(plain):
        raise Unmappable("masked-value", "the sender masked this value")
    if plain.isdigit() and 15 < len(plain) < 18:
        raise Unmappable("ruined-number", "an identity number lost digits, most likely leading zeros")
    return Noted(plain, "id-form", "not a resident identity number; kept as sent")


def write_citizen_id(value: Any) -> str:
    """Only what reading takes as a resident identity: masked and foreign numbers travel in the extension block."""
    if not isinstance(value, str) or not (CITIZEN_ID.fullmatch(value) or _CITIZEN_ID_15.fullmatch(value)):
        raise Unwritable
    if CITIZEN_ID.fullmatch(value) and not check_digit_holds(value) and ruined_number(value):
        raise Unwritable
    return value


_LOCAL_NO = 14  # a school's own number of a pupil has fewer digits than a national one that lost its letter
_STUDENT_NO = re.compile(r"[GJL][0-9]{17}[0-9X]")


def read_student_no(text: str) -> Any:
    """全国学籍号: a letter and 18 characters. Ruined ones are named, not taken."""
    plain = half_width(text).strip().upper()
    if _STUDENT_NO.fullmatch(plain) is None:
        if _SCIENTIFIC.fullmatch(plain) or (plain.isdigit() and len(plain) > _LOCAL_NO):
            raise Unmappable("ruined-number", "a national student number without its letter, most likely ruined")
        raise Unmappable("student-no-form", "a national student number is G, J or L and 18 characters")
    return plain


def write_student_no(value: Any) -> str:
    if not isinstance(value, str) or _STUDENT_NO.fullmatch(value) is None:
        raise Unwritable
    return value


def read_school_code(text: str) -> Any:
    """学校标识码, 10 digits; a spreadsheet takes leading zeros away."""
    plain = half_width(text).strip()
    if not plain.isdigit() and _is_floating(plain):
        raise Unmappable("ruined-number", "a spreadsheet turned a school code into a floating-point number")
    if plain.isdigit() and len(plain) < 10:
        return Noted(plain, "lost-leading-zeros", "a school code has 10 digits; most likely it lost leading zeros")
    return plain


def write_school_code(value: Any) -> str:
    """Raises Unwritable for what would not read back as itself."""
    if not isinstance(value, str) or not value or value != half_width(value).strip():
        raise Unwritable
    if _is_floating(value) or (value.isdigit() and len(value) < 10):
        raise Unwritable
    return value


def _is_floating(text: str) -> bool:
    return _FLOATING.fullmatch(text) is not None


def read_phone(text: str) -> Any:
    plain = half_width(text).strip()
    if plain.isdigit():
        return plain
    if plain in NOTHING:
        raise Unmappable("placeholder", "says that there is no number")
    if _is_floating(plain):
        raise Unmappable("ruined-number", "a spreadsheet turned a telephone number into a floating-point number")
    if _MASKED.search(plain):
        raise Unmappable("masked-value", "the sender masked this value")
    if not plain.isascii():
        return read_text(plain)
    if _DOTTED.match(plain):
        plain = plain.replace(".", "-")
    return read_text(_DIALLED_ON.sub(r"转\1", plain))


def write_phone(value: Any) -> str:
    text = write_text(value)
    if (
        half_width(text) != text
        or text in NOTHING
        or _MASKED.search(text)
        or (not text.isdigit() and _is_floating(text))
    ):
        raise Unwritable
    return text

"""How do the numbers that name somebody look when masked?

Every mask has one fixed length and holds `*`, which no schema allows in these fields, so that none can be taken for
a number. Too short a value has no mask: at least half of it must stay hidden.
"""

from __future__ import annotations

import re

ID_MASK_LENGTH = 18
STUDENT_MASK_LENGTH = 19
PHONE_MASK_LENGTH = 11
ACCOUNT_MASK_LENGTH = 16

_RESIDENT_ID = re.compile(r"[0-9]{17}[0-9Xx]")
_STUDENT_NO = re.compile(r"[GJLgjl][0-9]{17}[0-9Xx]")
_PHONE_PUNCTUATION = str.maketrans("", "", " -()（）\u00a0")
_ACCOUNT_PUNCTUATION = str.maketrans("", "", " -")


def mask_id_no(value: str) -> str | None:
    """The first two digits (province) of a resident identity number (GB 11643); other documents have no mask."""
    if _RESIDENT_ID.fullmatch(value) is None or not value.isascii():
        return None
    return value[:2] + "*" * (ID_MASK_LENGTH - 2)


def mask_student_no(value: str) -> str | None:
    """A student number (G, J or L and the identity number) shows exactly what the identity number's mask shows."""
    if _STUDENT_NO.fullmatch(value) is None or not value.isascii():
        return None
    return "*" + value[1:3] + "*" * (STUDENT_MASK_LENGTH - 3)


def mask_phone(value: str) -> str | None:
    """First three and last two digits of a number with 10 to 13 digits, the country code 86 left out."""
    digits = value.translate(_PHONE_PUNCTUATION).removeprefix("+86")
    if not (digits.isascii() and digits.isdigit() and 10 <= len(digits) <= 13):
        return None
    return digits[:3] + "*" * (PHONE_MASK_LENGTH - 5) + digits[-2:]


def mask_account(value: str) -> str | None:
    """The last four characters, where at least eight more stay hidden."""
    plain = value.translate(_ACCOUNT_PUNCTUATION)
    if not (plain.isascii() and plain.isalnum() and len(plain) >= 12):
        return None
    return "*" * (ACCOUNT_MASK_LENGTH - 4) + plain[-4:]

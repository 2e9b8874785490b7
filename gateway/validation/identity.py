"""What does a resident identity number say about itself? (GB 11643-1999, check digit by ISO 7064 MOD 11-2.)

Never used for routing: the first six digits are where it was first issued.
"""

from __future__ import annotations

from datetime import date
from operator import mul

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_OFFSET = 48 * sum(_WEIGHTS)
_CHECK = "10X98765432"


def check_digit(first17: str) -> str:
    """The 18th character for 17 ASCII digits."""
    # A digit's code is 48 above its value; `_OFFSET` takes that out of the weighted sum.
    return _CHECK[(sum(map(mul, _WEIGHTS, first17.encode("ascii"))) - _OFFSET) % 11]


def has_resident_form(number: str) -> bool:
    """17 digits and a digit or X; says nothing about the check digit."""
    return (
        len(number) == 18 and number.isascii() and number[:17].isdigit() and (number[17].isdigit() or number[17] == "X")
    )


def check_digit_holds(number: str) -> bool:
    """Has the number resident form and the right check digit?"""
    return has_resident_form(number) and check_digit(number[:17]) == number[17]


def born_of(number: str) -> date | None:
    """The birth date inside a number of resident form; None when that is no date."""
    if not has_resident_form(number):
        return None
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None


def sex_of(number: str) -> str | None:
    """`1` or `2` (GB/T 2261.1) inside a number of resident form."""
    if not has_resident_form(number):
        return None
    return "1" if int(number[16]) % 2 else "2"

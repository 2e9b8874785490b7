"""When do two descriptions look like the same person, though no identifier says so? (DOMAIN 3.5, S2, S11)

By the whole name with the whole birth date, or with the whole telephone number, which is what most agencies write of a
parent (DOMAIN K5); as they are written alike: full-width letters, blanks, the many dots inside
names of minorities, compatibility forms and variation selectors make no difference (NFKC). A name with characters that
not every agency's system can write is compared twice: as it stands, and with each of those characters, or whatever a
system put in its place (`?`, a box, a private code), as one mark. A birth date that is not told is taken from a
citizen's number whose check digit holds; one that is told otherwise than in the number counts both ways.

A likeness proves nothing and joins nobody: it is what people are asked about. Nothing is told of a masked or partial
name, an alias, a partial date, or of somebody unidentified. Simplified and traditional characters are different ones.

>>> texts({"name": "买买提・吐尔逊", "birth_date": "2015-03-01"}) == texts({"name": "买买提 · 吐尔逊", "birth_date": "2015-03-01"})
True
>>> texts({"name": "李䶮", "birth_date": "2015-03-01"})
('李䶮|2015-03-01', '李〓|2015-03-01')
>>> texts({"name": "王乙", "phone": "+86 138-0000-0000"})
('王乙|tel 13800000000',)
>>> texts({"name": "李某", "birth_date": "2015-03-01"})
()
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from gateway.validation.identity import born_of, check_digit_holds

RARE = "〓"  # GETA MARK: what printers put for a character they lack
_IN_PLACE = frozenset("?□■○◯〇〓�")
_MASKS = frozenset("某*×")
_DOTS = frozenset("·•‧∙・⋅᛫.。")
_COMMON = re.compile("[\u4e00-\u9fa5]{2,}")  # all of it in GBK, none of it changed by NFKC
_MARKS = str.maketrans("", "", " -()")
_TELEPHONE = 7
_LEAST = 2  # one character alone is no whole name


def texts(person: Mapping[str, Any]) -> tuple[str, ...]:
    """What is compared of a person of a notice; empty where too little is told. Total for plain JSON."""
    if person.get("unidentified") is True or person.get("unborn") is True:
        return ()
    name = person.get("name")
    if not isinstance(name, str):
        return ()
    if _COMMON.fullmatch(name):  # nearly all: one spelling, and nothing to replace
        spellings: Iterable[str] = () if "某" in name else (name,)
    else:
        spelt = _spelt(name)
        spellings = dict.fromkeys((spelt, _blurred(spelt)))
    # a name of nothing but replaced characters says nothing
    besides = [*_birth_dates(person), *_telephone(person)]
    return tuple([f"{one}|{told}" for one in spellings if one.strip(RARE) for told in besides])


def _spelt(text: str) -> str:
    """One spelling of a whole name; empty for what is none."""
    plain = "".join(
        RARE if one in _IN_PLACE else one
        for one in unicodedata.normalize("NFKC", text)
        if one not in _DOTS and not _says_nothing(one)
    ).casefold()
    return "" if len(plain) < _LEAST or not _MASKS.isdisjoint(plain) else plain


def _says_nothing(character: str) -> bool:
    """A blank, a control, or a variation selector, which asks for a shape of the character before it."""
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return is_selector or character.isspace() or unicodedata.category(character) in ("Cf", "Cc")


def _blurred(name: str) -> str:
    return "".join(one if _is_common(one) else RARE for one in name)


def _is_common(character: str) -> bool:
    """Whether every agency's system can write it: GBK, without its user-defined part."""
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return False
    return unicodedata.category(character) != "Co"


def _telephone(person: Mapping[str, Any]) -> list[str]:
    """The number without country code and marks of writing; nothing for one that is masked or too short to be anybody's."""
    told = person.get("phone")
    if not isinstance(told, str):
        return []
    digits = unicodedata.normalize("NFKC", told).translate(_MARKS).removeprefix("+86")
    is_whole = digits.isascii() and digits.isdigit() and len(digits) >= _TELEPHONE
    return [f"tel {digits}"] if is_whole else []


def _birth_dates(person: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    told = person.get("birth_date")
    if isinstance(told, str) and len(told) == 10:
        with suppress(ValueError):  # nothing is compared by what is no date
            found.append(date.fromisoformat(told).isoformat())
    number = person.get("id_no")
    if isinstance(number, str) and not (found and number[6:14] == found[0].replace("-", "")):
        inside = born_of(number.upper()) if check_digit_holds(number.upper()) else None
        if inside is not None:
            found.append(inside.isoformat())
    return found

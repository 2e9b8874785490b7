"""How do whole numbers, yes and no, division codes, ages and urgencies come in and go out?"""

from __future__ import annotations

import re
from typing import Any

from adapters.kit.conversion import Converter, Noted, Unmappable, Unwritable, remembered
from adapters.kit.text_values import arabic, half_width

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_DIVISION = re.compile(r"[0-9]{6}|[0-9]{9}|[0-9]{12}")


def read_integer(text: str) -> Any:
    plain = half_width(str(text)).strip()
    if _INTEGER.fullmatch(plain) is None:
        raise Unmappable("number-form", "not a whole number")
    return int(plain)


def write_integer(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unwritable
    return str(value)


def _boolean(true: str, false: str, also_true: frozenset[str], also_false: frozenset[str]) -> Converter:
    usual = dict.fromkeys(also_true, True) | dict.fromkeys(also_false, False)

    def read(text: str) -> Any:
        known = usual.get(text)
        if known is not None:
            return known
        plain = half_width(text).strip().lower()
        if plain in also_true:
            return True
        if plain in also_false:
            return False
        raise Unmappable("boolean-form", "neither yes nor no")

    def write(value: Any) -> str:
        if value is True:
            return true
        if value is False:
            return false
        raise Unwritable

    return Converter(read, write)


_YES = frozenset({"1", "是", "y", "yes", "true", "有", "同意"})
_NO = frozenset({"0", "否", "n", "no", "false", "无", "不同意"})
FLAG = _boolean("1", "0", _YES, _NO)
YES_NO = _boolean("是", "否", _YES, _NO)
AGREE = _boolean("同意", "不同意", _YES, _NO)


def read_division(text: str) -> Any:
    """6, 9 or 12 digits; trailing zero pairs of a 12-digit code are kept as sent."""
    plain = half_width(text).strip()
    if _DIVISION.fullmatch(plain) is None:
        raise Unmappable("division-form", "a division code has 6, 9 or 12 digits")
    return plain


def write_division(value: Any) -> str:
    if not isinstance(value, str) or _DIVISION.fullmatch(value) is None:
        raise Unwritable
    return value


_AGE = re.compile(
    r"(?P<about>约|大约|大概|近)?\s*(?:(?P<bare>[0-9]{1,3})|(?:(?P<y>[0-9]{1,3})\s*(?:周?岁|Y|y|a))?(?P<half>半)?\s*"
    r"(?:(?P<m>[0-9]{1,3})\s*(?:个?月|M|mo))?\s*(?:(?P<d>[0-9]{1,3})\s*(?:天|日|D|d))?)\s*(?P<more>左右|多|余)?"
)


def read_age(text: str) -> Any:
    """`13`, `13岁`, `8岁半`, `约10`, `3个月`, `20天` -> {years, months?, approximate?}. Days count as months 0, noted."""
    if text[-1:] == "岁" and text[:-1].isascii() and text[:-1].isdigit() and len(text) <= 3:
        return {"years": int(text[:-1])}
    said = _age_said(text)
    return Noted(dict(said.value), said.code, said.message) if isinstance(said, Noted) else dict(said)


@remembered
def _age_said(text: str) -> dict[str, Any] | Noted:
    plain = arabic(half_width(text).strip())
    found = _AGE.fullmatch(plain)
    if found is None or not any(found[name] for name in ("bare", "y", "m", "d")):
        raise Unmappable("age-form", "not an age")
    years = int(found["y"] or found["bare"] or 0)
    months = int(found["m"]) if found["m"] else (6 if found["half"] else None)
    if found["d"]:
        months = (months or 0) + int(found["d"]) // 30
    if months is not None and months >= 12:
        years, months = years + months // 12, months % 12
    if years > 150:
        raise Unmappable("age-form", "not an age")
    age: dict[str, Any] = {"years": years}
    if found["about"] or found["more"] or found["half"]:
        age["approximate"] = True
    if months is not None:
        age["months"] = months
    if found["d"]:
        return Noted(age, "age-in-days", "an age in days is kept in whole months")
    return age


def write_age(value: Any) -> str:
    if not isinstance(value, dict) or not set(value) <= {"years", "months", "approximate"}:
        raise Unwritable
    years, months, about = value.get("years"), value.get("months"), value.get("approximate")
    if not isinstance(years, int) or isinstance(years, bool) or about not in (None, True):
        raise Unwritable  # a plain age says nothing about how exact it is
    if months is None:
        return f"约{years}岁" if about else f"{years}岁"
    if not isinstance(months, int) or not 0 <= months < 12:
        raise Unwritable
    return f"{'约' if about else ''}{years}岁{months}个月"


_URGENCIES = {"一般": 0, "紧急": 1, "特急": 2}


def read_urgency(text: str) -> Any:
    plain = half_width(text).strip()
    if plain in _URGENCIES:
        return _URGENCIES[plain]
    if plain in ("0", "1", "2"):
        return int(plain)
    raise Unmappable("unmapped-code", "neither 一般, 紧急 nor 特急")


def write_urgency(value: Any) -> str:
    for label, number in _URGENCIES.items():
        if value == number and not isinstance(value, bool):
            return label
    raise Unwritable

"""How does one native value become one canonical value, and back?

A converter is a pair of pure functions. `read` takes native text and returns a
canonical value, a `Noted` value (kept, but a person should look), or raises
`Unmappable`. `write` takes a canonical value and returns native text, or raises
`Unwritable`: the value then travels in the extension block instead, so a
masked, coarsened or partial value is never pressed into a field that would
read it as something else.

Native instants are local time, +08:00 (DOMAIN 2.0.5).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from operator import mul
from typing import Any

CHINA = timezone(timedelta(hours=8))


class Unmappable(ValueError):
    """The native value has no canonical form. Message and remedy never hold the value."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unwritable(ValueError):
    """The canonical value does not fit this native field."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A value that was kept although something about it is doubtful."""

    value: Any
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Converter:
    read: Callable[[str], Any]
    write: Callable[[Any], Any]


_FULL_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94)} | {0x3000: 0x20}
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,3}")
_CITIZEN_ID = re.compile(r"[0-9]{17}[0-9X]")
_CITIZEN_ID_15 = re.compile(r"[0-9]{15}")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_DATE = re.compile(
    r"(?P<y>[0-9]{4})(?:年|[-/.])?(?:(?P<m>[0-9]{1,2})(?:月|[-/.])?(?:(?P<d>[0-9]{1,2})日?)?)?"
    r"(?:[T\s]*[0-9]{1,2}[:时]?[0-9]{2}.*|[0-9]{2,14}.*)?",
    re.DOTALL,
)
_COMPACT_DATE = re.compile(
    r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})?(?P<d>[0-9]{2})?(?:[0-9]{2,6}(?:\.[0-9]{1,4})?)?(?:[+-][0-9]{4})?"
)
_INSTANT = re.compile(
    r"(?P<Y>[0-9]{4})[-/.年]?(?P<M>[0-9]{1,2})[-/.月]?(?P<D>[0-9]{1,2})日?"
    r"(?:[T\s]*(?P<h>[0-9]{1,2})(?:[:时]?(?P<m>[0-9]{2})分?(?::?(?P<s>[0-9]{2})秒?(?:[.,](?P<f>[0-9]{1,9}))?)?)?)?"
    r"\s*(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_COMPACT_INSTANT = re.compile(
    r"(?P<Y>[0-9]{4})(?P<M>[0-9]{2})(?P<D>[0-9]{2})"
    r"(?:(?P<h>[0-9]{2})(?:(?P<m>[0-9]{2})(?:(?P<s>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?)?)?(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def half_width(text: str) -> str:
    """Full-width digits, letters and signs as their ASCII forms."""
    return text if text.isascii() else text.translate(_FULL_WIDTH)


def check_digit_holds(citizen_id: str) -> bool:
    """GB 11643: ISO 7064 MOD 11-2 over the first 17 digits."""
    total = sum(map(mul, _ID_WEIGHTS, map(int, citizen_id[:17])))
    return "10X98765432"[total % 11] == citizen_id[17]


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
    plain = text if _CITIZEN_ID.fullmatch(text) else half_width(text).strip().upper().replace(" ", "")
    if _CITIZEN_ID.fullmatch(plain):
        if check_digit_holds(plain):
            return plain
        if ruined_number(plain):
            raise Unmappable("ruined-number", "an identity number was cut to 15 significant digits by a spreadsheet")
        return Noted(plain, "check-digit", "the check digit of an identity number does not hold")
    if _CITIZEN_ID_15.fullmatch(plain):
        return Noted(plain, "fifteen-digit-id", "an identity number of the old 15-digit form")
    if _SCIENTIFIC.fullmatch(plain) or re.fullmatch(r"[0-9]+\.0*", plain):
        raise Unmappable("ruined-number", "a spreadsheet turned an identity number into a floating-point number")
    if "*" in plain:
        raise Unmappable("masked-value", "the sender masked this value")
    if plain.isdigit() and 15 < len(plain) < 18:
        raise Unmappable("ruined-number", "an identity number lost digits, most likely leading zeros")
    return Noted(plain, "id-form", "not a resident identity number; kept as sent")


def write_citizen_id(value: Any) -> str:
    """Only what reading takes as a resident identity: masked and foreign numbers travel in the extension block."""
    if not isinstance(value, str) or not (_CITIZEN_ID.fullmatch(value) or _CITIZEN_ID_15.fullmatch(value)):
        raise Unwritable
    if _CITIZEN_ID.fullmatch(value) and not check_digit_holds(value) and ruined_number(value):
        raise Unwritable
    return value


def read_date(text: str) -> Any:
    """A date, or as much of one as is known: `YYYY-MM-DD`, `YYYY-MM`, `YYYY`. Times of day are cut off."""
    plain = half_width(text).strip()
    found = _COMPACT_DATE.fullmatch(plain) or _DATE.fullmatch(plain)
    if found is None or not "1850" <= found["y"] <= "2149":
        raise Unmappable("date-form", "not a date")
    year, month, day = found["y"], found["m"], found["d"]
    if month is None or int(month) == 0:
        return year
    if not 1 <= int(month) <= 12:
        raise Unmappable("date-form", "no such month")
    if day is None or int(day) == 0:
        return f"{year}-{int(month):02d}"
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        raise Unmappable("date-form", "no such day") from None


_ISO_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


def _iso_date(value: Any) -> str:
    if not isinstance(value, str) or _ISO_DATE.fullmatch(value) is None:
        raise Unwritable
    return value


def write_compact_date(value: Any) -> str:
    return _iso_date(value).replace("-", "")


def _iso_month(value: Any) -> str:
    """A day is more than a month field may say."""
    if len(_iso_date(value)) > 7:
        raise Unwritable
    return str(value)


def read_month(text: str) -> Any:
    return read_date(text)[:7]


def read_instant(text: str) -> Any:
    """RFC 3339, +08:00 where the native form names no zone. A date alone stays an instant at midnight, noted."""
    plain = half_width(text).strip()
    found = _COMPACT_INSTANT.fullmatch(plain) or _INSTANT.fullmatch(plain)
    if found is None:
        raise Unmappable("datetime-form", "not a date and time")
    zone = CHINA
    if found["z"] == "Z":
        zone = UTC
    elif found["z"]:
        sign = -1 if found["z"][0] == "-" else 1
        digits = found["z"][1:].replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        if minutes >= 24 * 60:
            raise Unmappable("datetime-form", "no such time zone")
        zone = timezone(sign * timedelta(minutes=minutes))
    fraction = int((found["f"] or "0").ljust(6, "0")[:6])
    try:
        moment = datetime(
            int(found["Y"]), int(found["M"]), int(found["D"]), int(found["h"] or 0), int(found["m"] or 0),
            int(found["s"] or 0), fraction, tzinfo=zone,
        )  # fmt: skip
    except ValueError:
        raise Unmappable("datetime-form", "no such date or time") from None
    if zone is UTC:
        moment = moment.astimezone(CHINA)
    if found["h"] is None:
        return Noted(moment.isoformat(), "time-missing", "a date without a time of day where an instant is expected")
    return moment.isoformat()


def read_moment(text: str) -> Any:
    """An instant, or a date where the hour is unknown."""
    found = read_instant(text)
    if isinstance(found, Noted) and found.code == "time-missing":
        return read_date(text)
    return found


def write_compact_moment(value: Any) -> str:
    if isinstance(value, str) and len(value) == 10:
        return write_compact_date(value)
    return write_compact_instant(value)


def _local(value: Any) -> datetime:
    if not isinstance(value, str) or len(value) < 19:
        raise Unwritable
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Unwritable from None
    if moment.utcoffset() != timedelta(hours=8) or moment.microsecond or moment.second == 60:
        raise Unwritable  # another zone would not come back: the extension block keeps it exactly
    if moment.isoformat() != value:
        raise Unwritable
    return moment


def write_compact_instant(value: Any) -> str:
    return _local(value).strftime("%Y%m%d%H%M%S")


def write_spaced_instant(value: Any) -> str:
    return _local(value).strftime("%Y-%m-%d %H:%M:%S")


def write_local_instant(value: Any) -> str:
    return _local(value).strftime("%Y-%m-%dT%H:%M:%S")


_ZONED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?[+-][0-9]{2}:[0-9]{2}")


def write_zoned_moment(value: Any) -> str:
    """RFC 3339 or a date as it stands: formats that carry an offset keep it."""
    if not isinstance(value, str) or (_ZONED.fullmatch(value) is None and _ISO_DATE.fullmatch(value) is None):
        raise Unwritable
    try:
        if read_moment(value) != value:
            raise Unwritable
    except Unmappable:
        raise Unwritable from None
    return value


def local_instant(moment: datetime, form: str = "compact") -> str:
    """A moment in the native local form: compact, spaced, iso, or zoned (with its offset)."""
    here = moment.astimezone(CHINA)
    if form == "zoned":
        return here.isoformat()
    return here.strftime({"compact": "%Y%m%d%H%M%S", "spaced": "%Y-%m-%d %H:%M:%S", "iso": "%Y-%m-%dT%H:%M:%S"}[form])


# Characters that some format changes on its way: controls, what XML cannot carry, and spreadsheets' own escapes.
_AWKWARD = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")


def is_awkward(text: str) -> bool:
    """Such text travels escaped, in the extension block."""
    return _AWKWARD.search(text) is not None


def read_text(text: str) -> Any:
    stripped = text.strip()
    if stripped and not stripped.strip("*＊"):
        raise Unmappable("masked-value", "the sender masked this value")
    return stripped


def write_text(value: Any) -> str:
    if not isinstance(value, str) or not value or value != value.strip() or not value.strip("*＊"):
        raise Unwritable
    if _AWKWARD.search(value) is not None:
        raise Unwritable
    return value


def read_exact(text: str) -> Any:
    return text


def write_exact(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or _AWKWARD.search(value) is not None:
        raise Unwritable
    return value


def read_integer(text: str) -> Any:
    plain = half_width(str(text)).strip()
    if not re.fullmatch(r"-?[0-9]{1,15}", plain):
        raise Unmappable("number-form", "not a whole number")
    return int(plain)


def write_integer(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unwritable
    return str(value)


def _boolean(true: str, false: str, also_true: frozenset[str], also_false: frozenset[str]) -> Converter:
    def read(text: str) -> Any:
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


def read_division(text: str) -> Any:
    """6, 9 or 12 digits; trailing zero pairs of a 12-digit code are kept as sent."""
    plain = half_width(text).strip()
    if re.fullmatch(r"[0-9]{6}|[0-9]{9}|[0-9]{12}", plain) is None:
        raise Unmappable("division-form", "a division code has 6, 9 or 12 digits")
    return plain


def write_division(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"[0-9]{6}|[0-9]{9}|[0-9]{12}", value) is None:
        raise Unwritable
    return value


_AGE = re.compile(
    r"(?P<about>约|大约|大概|近)?\s*(?:(?P<bare>[0-9]{1,3})|(?:(?P<y>[0-9]{1,3})\s*(?:周?岁|Y|y|a))?(?P<half>半)?\s*"
    r"(?:(?P<m>[0-9]{1,3})\s*(?:个?月|M|mo))?\s*(?:(?P<d>[0-9]{1,3})\s*(?:天|日|D|d))?)\s*(?P<more>左右|多|余)?"
)
_HANZI_DIGITS = {
    "一": "1",
    "二": "2",
    "两": "2",
    "三": "3",
    "四": "4",
    "五": "5",
    "六": "6",
    "七": "7",
    "八": "8",
    "九": "9",
}


def _arabic(text: str) -> str:
    """Chinese numerals up to 99 as digits, enough for ages."""

    def number(found: re.Match[str]) -> str:
        tens, _, ones = found.group().partition("十")
        if "十" not in found.group():
            return "".join(_HANZI_DIGITS[char] for char in found.group())
        return str(int(_HANZI_DIGITS.get(tens, "1")) * 10 + int(_HANZI_DIGITS.get(ones, "0")))

    return re.sub(r"[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九]", number, text)


def read_age(text: str) -> Any:
    """`13`, `13岁`, `8岁半`, `约10`, `3个月`, `20天` -> {years, months?, approximate?}. Days count as months 0, noted."""
    plain = _arabic(half_width(text).strip())
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


def read_phone(text: str) -> Any:
    plain = half_width(text).strip()
    if _is_floating(plain):
        raise Unmappable("ruined-number", "a spreadsheet turned a telephone number into a floating-point number")
    return read_text(plain)


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


_STUDENT_NO = re.compile(r"[GJL][0-9]{17}[0-9X]")


def read_student_no(text: str) -> Any:
    """全国学籍号: a letter and 18 characters. Ruined ones are named, not taken."""
    plain = half_width(text).strip().upper()
    if _STUDENT_NO.fullmatch(plain) is None:
        if _SCIENTIFIC.fullmatch(plain) or plain.isdigit():
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
    if _is_floating(plain):
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
    return bool(_SCIENTIFIC.fullmatch(text) or re.fullmatch(r"[0-9]+\.[0-9]*", text))


def read_case_number(text: str) -> Any:
    """案号 with full-width brackets and plain digits, whichever the court's typist used."""
    return half_width(str(read_text(text))).replace(" ", "").replace("(", "（").replace(")", "）")


def write_case_number(value: Any) -> str:
    text = write_text(value)
    if read_case_number(text) != text:
        raise Unwritable
    return text


def read_sm3(text: str) -> Any:
    plain = text.strip().lower().removeprefix("sm3:")
    if re.fullmatch(r"[0-9a-f]{64}", plain) is None:
        raise Unmappable("digest-form", "an SM3 digest has 64 hexadecimal digits")
    return f"sm3:{plain}"


def write_sm3(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"sm3:[0-9a-f]{64}", value) is None:
        raise Unwritable
    return value.removeprefix("sm3:")


def read_iso_moment(text: str) -> Any:
    return read_moment(text)


def write_iso_moment(value: Any) -> str:
    return _iso_date(value) if len(str(value)) == 10 else write_local_instant(value)


def write_phone(value: Any) -> str:
    text = write_text(value)
    if half_width(text) != text or _SCIENTIFIC.fullmatch(text) or re.fullmatch(r"[0-9]+\.[0-9]*", text):
        raise Unwritable
    return text


TEXT = Converter(read_text, write_text)
CONVERTERS: dict[str, Converter] = {
    "text": TEXT,
    "exact": Converter(read_exact, write_exact),
    "date": Converter(read_date, write_compact_date),
    "dashed_date": Converter(read_date, _iso_date),
    "month": Converter(read_month, lambda value: _iso_month(value).replace("-", "")),
    "dashed_month": Converter(read_month, _iso_month),
    "datetime": Converter(read_instant, write_compact_instant),
    "spaced_datetime": Converter(read_instant, write_spaced_instant),
    "iso_datetime": Converter(read_instant, write_local_instant),
    "moment": Converter(read_moment, write_compact_moment),
    "zoned_moment": Converter(read_moment, write_zoned_moment),
    "spaced_moment": Converter(
        read_moment, lambda value: _iso_date(value) if len(str(value)) == 10 else write_spaced_instant(value)
    ),
    "citizen_id": Converter(read_citizen_id, write_citizen_id),
    "integer": Converter(read_integer, write_integer),
    "flag": _boolean("1", "0", _YES, _NO),
    "yes_no": _boolean("是", "否", _YES, _NO),
    "agree": _boolean("同意", "不同意", _YES, _NO),
    "division": Converter(read_division, write_division),
    "age": Converter(read_age, write_age),
    "case_number": Converter(read_case_number, write_case_number),
    "sm3": Converter(read_sm3, write_sm3),
    "iso_moment": Converter(read_iso_moment, write_iso_moment),
    "urgency": Converter(read_urgency, write_urgency),
    "student_no": Converter(read_student_no, write_student_no),
    "school_code": Converter(read_school_code, write_school_code),
    "phone": Converter(read_phone, write_phone),
}

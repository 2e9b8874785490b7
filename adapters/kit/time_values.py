"""How do dates and instants come in and go out?

Native instants are local time, +08:00 (DOMAIN 2.0.5). A date is as exact as it
was given: `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from adapters.kit.conversion import Noted, Unmappable, Unwritable, remembered
from adapters.kit.text_values import arabic, half_width

CHINA = timezone(timedelta(hours=8))
_ZONE = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"
# What is written without separators has its digits in pairs: of nine digits nobody knows which one is too many. What stands
# behind a date is a time of day and nothing else: a second date there is somebody else's.
_DATE = re.compile(
    r"(?P<y>[0-9]{4})(?:年|[-/.])(?:(?P<m>[0-9]{1,2})(?:(?:月|[-/.])(?:(?P<d>[0-9]{1,2})[日号]?)?)?)?"
    r"(?:(?:T|[ \t]+|(?<=[日号]))[0-9]{1,2}[:时]?[0-9]{2}(?:[:分]?[0-9]{2}(?:[.,][0-9]{1,9})?)?[分秒]?(?: ?[AaPp][Mm])?)?"
    rf" ?{_ZONE}?"
)
_COMPACT_DATE = re.compile(
    r"(?P<y>[0-9]{4})(?:(?P<m>[0-9]{2})(?:(?P<d>[0-9]{2})"
    r"(?:(?:T|(?P<apart>[ \t]+))?[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:(?(apart)[.,]|[.,]?)[0-9]{1,9})?)?)?)?"
    rf"{_ZONE}?)?)?"
)
_HANZI_DATE = re.compile(
    "(?P<y>[〇○零一二三四五六七八九]{4})年(?P<m>[一二三四五六七八九十]{1,2})月(?:(?P<d>[一二三四五六七八九十]{1,3})[日号])?"
)  # of the calendar in use: a day of the lunar one is 初三, or has neither 日 nor 号
_INSTANT = re.compile(
    r"(?P<Y>[0-9]{4})[-/.年](?P<M>[0-9]{1,2})[-/.月](?P<D>[0-9]{1,2})[日号]?"
    r"(?:[T\s]*(?P<h>[0-9]{1,2})(?:[:时]?(?P<m>[0-9]{2})分?(?::?(?P<s>[0-9]{2})秒?(?:[.,](?P<f>[0-9]{1,9}))?)?)?)?"
    r"\s*(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_COMPACT_INSTANT = re.compile(
    r"(?P<Y>[0-9]{4})(?P<M>[0-9]{2})(?P<D>[0-9]{2})"
    r"(?:(?:T|(?P<apart>[ \t]+))?(?P<h>[0-9]{2})"
    r"(?::?(?P<m>[0-9]{2})(?::?(?P<s>[0-9]{2})(?:(?(apart)[.,]|[.,]?)(?P<f>[0-9]{1,9}))?)?)?)?"
    r"(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})?"
)

# What programs make of a day here where they count in UTC: it was the day after.
_MIDNIGHT_HERE = re.compile(r"(?<=[T ])16:?00(?::?00(?:[.,]0+)?)?(?:Z|\+00:?00)$")
_WHOLE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}")


def read_date(text: str) -> Any:
    """A date, or as much of one as is known: `YYYY-MM-DD`, `YYYY-MM`, `YYYY`. Times of day are cut off."""
    if _is_whole_date(text) and "1850" <= text[:4] <= "2149":
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            pass  # zeros stand for an unknown month or day, or there is no such day
    return _read_any_date(text)


def _is_whole_date(text: str) -> bool:
    """Whether it has the shape of `YYYYMMDD` or `YYYY-MM-DD`, as nearly all dates have."""
    size = len(text)
    if size == 10:
        return text[4] == text[7] == "-" and text.isascii() and (text[:4] + text[5:7] + text[8:]).isdigit()
    return size == 8 and text.isascii() and text.isdigit()


@remembered
def _read_any_date(text: str) -> str:
    plain = half_width(text).strip()
    if not plain.isascii() and (said := _HANZI_DATE.fullmatch(plain)):
        plain = "-".join(arabic(part) for part in said.groups() if part)
    found = _COMPACT_DATE.fullmatch(plain) or _DATE.fullmatch(plain)
    if plain.isdigit() and "30000" <= plain <= "60000" and len(plain) == 5:
        raise Unmappable("ruined-date", "a spreadsheet made a number of days of a date: format the cells as dates")
    if found is None or not "1850" <= found["y"] <= "2149":
        raise Unmappable("date-form", "not a date")
    year, month, day = found["y"], found["m"], found["d"]
    if plain == f"{year}.1":
        raise Unmappable("ruined-date", "a spreadsheet makes 2015.1 of October as of January")
    if month is None or int(month) == 0:
        return year
    if _MIDNIGHT_HERE.search(plain):
        return str(_read_any_instant(text))[:10]
    if not 1 <= int(month) <= 12:
        raise Unmappable("date-form", "no such month")
    if day is None or int(day) == 0:
        return f"{year}-{int(month):02d}"
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        raise Unmappable("date-form", "no such day") from None


_ISO_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


def write_dashed_date(value: Any) -> str:
    if not isinstance(value, str) or _ISO_DATE.fullmatch(value) is None:
        raise Unwritable
    return value


def write_compact_date(value: Any) -> str:
    return write_dashed_date(value).replace("-", "")


def write_dashed_month(value: Any) -> str:
    """A day is more than a month field may say."""
    if len(write_dashed_date(value)) > 7:
        raise Unwritable
    return str(value)


def write_compact_month(value: Any) -> str:
    return write_dashed_month(value).replace("-", "")


def read_month(text: str) -> Any:
    return read_date(text)[:7]


def read_instant(text: str) -> Any:
    """RFC 3339, +08:00 where the native form names no zone. A date alone stays an instant at midnight, noted."""
    if _is_whole_date(text):
        return _at_midnight(text)
    local = text[:-6] if text[-6:] == "+08:00" else text[:-5] if text[-5:] == "+0800" else text
    whole = _whole_instant(local)
    if whole is None:
        return _read_any_instant(text)
    try:
        datetime.fromisoformat(whole)
    except ValueError:
        raise Unmappable("datetime-form", "no such date or time") from None
    return whole + "+08:00"


def _whole_instant(text: str) -> str | None:
    """`YYYY-MM-DDThh:mm:ss` of text that has all of that, compact or not, as nearly all instants have."""
    size = len(text)
    if size == 14 and text.isascii() and text.isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:]}"
    if size == 19 and _WHOLE.fullmatch(text) is not None:
        return f"{text[:10]}T{text[11:]}"
    return None


def _at_midnight(text: str) -> Any:
    try:
        day = date.fromisoformat(text).isoformat()
    except ValueError:
        raise Unmappable("datetime-form", "no such date or time") from None
    return Noted(f"{day}T00:00:00+08:00", "time-missing", "a date without a time of day where an instant is expected")


@remembered
def _read_any_instant(text: str) -> Any:
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
    if _is_whole_date(text):
        _at_midnight(text)  # raises what a wrong instant raises
        return read_date(text)
    found = read_instant(text)
    if isinstance(found, Noted) and found.code == "time-missing":
        return read_date(text)
    return found


def write_compact_moment(value: Any) -> str:
    if isinstance(value, str) and len(value) == 10:
        return write_compact_date(value)
    return write_compact_instant(value)


def _local(value: Any) -> str:
    """`YYYY-MM-DDThh:mm:ss` of an instant that says +08:00 and whole seconds; any other would not come back."""
    if not isinstance(value, str) or len(value) != 25 or value[19:] != "+08:00":
        raise Unwritable
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Unwritable from None
    if moment.isoformat() != value:
        raise Unwritable
    return value[:19]


def _compact(local: str) -> str:
    return f"{local[:4]}{local[5:7]}{local[8:10]}{local[11:13]}{local[14:16]}{local[17:]}"


def write_compact_instant(value: Any) -> str:
    return _compact(_local(value))


def write_spaced_instant(value: Any) -> str:
    return _local(value).replace("T", " ")


def write_local_instant(value: Any) -> str:
    return _local(value)


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
    here = moment.astimezone(CHINA).isoformat()
    if form == "zoned":
        return here
    local = here[:19]
    return _compact(local) if form == "compact" else local.replace("T", " ") if form == "spaced" else local


def write_spaced_moment(value: Any) -> str:
    return write_dashed_date(value) if len(str(value)) == 10 else write_spaced_instant(value)


def write_iso_moment(value: Any) -> str:
    return write_dashed_date(value) if len(str(value)) == 10 else write_local_instant(value)

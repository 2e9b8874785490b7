"""How do dates and instants come in and go out?

Native instants are local time, +08:00 (DOMAIN 2.0.5). A date is as exact as it
was given: `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from adapters.kit.conversion import Noted, Unmappable, Unwritable
from adapters.kit.text_values import half_width

CHINA = timezone(timedelta(hours=8))
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


def write_spaced_moment(value: Any) -> str:
    return write_dashed_date(value) if len(str(value)) == 10 else write_spaced_instant(value)


def write_iso_moment(value: Any) -> str:
    return write_dashed_date(value) if len(str(value)) == 10 else write_local_instant(value)

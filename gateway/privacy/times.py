"""What is the coarse form of a date, an instant, an age?

Bands are DOMAIN 4.2's: 0-2, 3-5, 6-7, 8-11, 12-13, 14-15, 16-17, and 18+. They are computed at the `as_of` date of
the notice version, never at today's, so that a birthday between two deliveries tells nothing (policy-anchors 4.6).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

from gateway.privacy.gaps import NoForm

AGE_BANDS: tuple[str, ...] = ("0-2", "3-5", "6-7", "8-11", "12-13", "14-15", "16-17", "18+")
_BAND_OF_YEARS: tuple[str, ...] = tuple(
    band for band, years in zip(AGE_BANDS[:-1], (3, 3, 2, 4, 2, 2, 2), strict=True) for _ in range(years)
)
OLDEST = 130
BEIJING = timezone(timedelta(hours=8))

_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?)?", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def band_of_years(years: int) -> str | None:
    """The band of a completed age in years; None outside 0 to 130."""
    if not 0 <= years <= OLDEST:
        return None
    return _BAND_OF_YEARS[years] if years < len(_BAND_OF_YEARS) else AGE_BANDS[-1]


def _years_between(born: date, then: date) -> int:
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))


def parse_span(text: str) -> tuple[date, date] | None:
    """First and last day that a full or partial date can mean; None when it is no date."""
    found = _PARTIAL_DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = found.groups()
    try:
        if day is not None:
            only = date(int(year), int(month), int(day))
            return only, only
        if month is not None:
            first = date(int(year), int(month), 1)
            after = date(first.year + first.month // 12, first.month % 12 + 1, 1) if first < date(9999, 12, 1) else None
            return first, after - timedelta(days=1) if after else date(9999, 12, 31)
        return date(int(year), 1, 1), date(int(year), 12, 31)
    except ValueError:
        return None


def age_band(birth: str, as_of: date) -> str | NoForm:
    """The band at `as_of` of somebody born on `birth`.

    `COARSER_UNKNOWN` when a partial date leaves two bands open; `WRONG` when it is no date, or a birth after
    `as_of` or over 130 years before it.
    """
    span = parse_span(birth)
    if span is None or span[0] > as_of:
        return NoForm.WRONG
    oldest = band_of_years(_years_between(span[0], as_of))
    youngest = band_of_years(max(0, _years_between(min(span[1], as_of), as_of)))
    if oldest is None or youngest is None:
        return NoForm.WRONG
    return oldest if oldest == youngest else NoForm.COARSER_UNKNOWN


def month_of_date(text: str) -> str | NoForm:
    """`YYYY-MM` of a date; `COARSER_UNKNOWN` when only the year is known; `WRONG` when it is no date."""
    if parse_span(text) is None:
        return NoForm.WRONG
    return text[:7] if len(text) >= 7 else NoForm.COARSER_UNKNOWN


def month_of_instant(text: str) -> str | NoForm:
    """`YYYY-MM` at +08:00 of an RFC 3339 instant, or of a partial date where the hour is unknown."""
    if len(text) <= 10:
        return month_of_date(text)
    if _INSTANT.fullmatch(text) is None:
        return NoForm.WRONG
    try:
        at = datetime.fromisoformat(text if len(text) <= 25 else re.sub(r"\.[0-9]+", "", text))
        return at.astimezone(BEIJING).strftime("%Y-%m") if 1 < at.year < 9999 else NoForm.WRONG
    except (ValueError, OverflowError):
        return NoForm.WRONG

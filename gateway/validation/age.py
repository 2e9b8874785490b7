"""How old is a person on a given day, as far as one can know?

Birth dates may be partial and ages bare or rough, so the answer is a set of
bands. The bands are cut at the legal thresholds 8, 14, 16 and 18 (CC 20, PIPL
28, MPL 21, CC 17). A year of age is complete on the day *after* the birthday
(法释〔2006〕1号 article 2), so a child is under 14 on the birthday itself.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from typing import Any

AGE_BANDS: tuple[tuple[str, int, int], ...] = (
    ("0-2", 0, 2), ("3-5", 3, 5), ("6-7", 6, 7), ("8-11", 8, 11),
    ("12-13", 12, 13), ("14-15", 14, 15), ("16-17", 16, 17), ("18+", 18, 200),
)  # fmt: skip
EVERY_BAND: frozenset[str] = frozenset(name for name, _, _ in AGE_BANDS)


def band_of_years(years: int) -> str | None:
    """The band of a whole number of years; None for a negative or impossible one."""
    return next((name for name, low, high in AGE_BANDS if low <= years <= high), None)


def birth_range(birth_date: Any) -> tuple[date, date] | None:
    """First and last day a partial date (`2015`, `2015-03`, `2015-03-01`) may mean; None when it is no such date."""
    if not isinstance(birth_date, str) or len(birth_date) not in (4, 7, 10):
        return None
    if len(birth_date) == 10 and birth_date[4] == "-":
        try:
            day = date.fromisoformat(birth_date)
        except ValueError:
            return None
        return day, day
    numbers = birth_date.split("-")
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return None
    try:
        match [int(number) for number in numbers]:
            case [year]:
                return date(year, 1, 1), date(year, 12, 31)
            case [year, month]:
                return date(year, month, 1), date(year, month, monthrange(year, month)[1])
    except ValueError:
        return None
    return None


def complete_years(born: date, on: date) -> int:
    """Complete years of age on a day; negative before birth."""
    return on.year - born.year - ((on.month, on.day) <= (born.month, born.day))


def age_range(born: Any, on: date, stated_on: date | None = None) -> tuple[int, int] | None:
    """Least and greatest complete years of a person on a day.

    `born` is a partial birth date, or an age as notices carry it (`years`,
    `months`, `approximate`); an age holds for `stated_on` (default: `on`) and
    grows since. An approximate age may be a year off either way. None when
    nothing is known, the form is wrong, or the person is not born yet.
    """
    if isinstance(born, Mapping):
        years = born.get("years")
        if not isinstance(years, int) or isinstance(years, bool) or not 0 <= years <= 130:
            return None
        slack = 1 if born.get("approximate") is True else 0
        since = max(0, complete_years(stated_on or on, on))
        grown = 1 if stated_on is not None and on > stated_on else 0
        return max(0, years - slack) + since, years + slack + since + grown
    days = birth_range(born)
    if days is None or on < days[0]:
        return None
    return max(0, complete_years(days[1], on)), max(0, complete_years(days[0], on))


def possible_age_bands(person: Mapping[str, Any], on: date, stated_on: date | None = None) -> frozenset[str]:
    """The bands a person of a notice may be in: by birth date, else age, else the band stated; all when nothing is known."""
    for known in (person.get("birth_date"), person.get("age")):
        years = age_range(known, on, stated_on) if known is not None else None
        if years is not None:
            return frozenset(name for name, low, high in AGE_BANDS if low <= years[1] and years[0] <= high)
    stated = person.get("age_band")
    # A band was true when it was stated; later the person may have grown out of it.
    if stated in EVERY_BAND and (stated_on is None or stated_on == on):
        return frozenset({str(stated)})
    return EVERY_BAND


def age_band(born: Any, on: date, stated_on: date | None = None) -> str | None:
    """The one band a birth date or age puts a person in on a day; None when several are possible or nothing is known.

    >>> age_band("2012-11-23", date(2026, 11, 23)), age_band("2012-11-23", date(2026, 11, 24))
    ('12-13', '14-15')
    >>> age_band("2012", date(2026, 6, 1)), age_band({"years": 10, "approximate": True}, date(2026, 6, 1))
    (None, '8-11')
    """
    years = age_range(born, on, stated_on)
    if years is None:
        return None
    youngest, oldest = band_of_years(years[0]), band_of_years(years[1])
    return youngest if youngest == oldest else None

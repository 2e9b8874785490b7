"""Age in law: complete the day after the birthday, and honest about what is not known."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.validation.age import (
    AGE_BANDS,
    EVERY_BAND,
    age_band,
    age_range,
    birth_range,
    complete_years,
    possible_age_bands,
)

DAYS = st.dates(date(1930, 1, 1), date(2060, 1, 1))


@pytest.mark.parametrize(
    ("born", "on", "band"),
    [
        ("2012-11-23", date(2026, 11, 23), "12-13"),
        ("2012-11-23", date(2026, 11, 24), "14-15"),
        ("2008-02-29", date(2026, 2, 28), "16-17"),
        ("2008-02-29", date(2026, 3, 1), "18+"),
        ("2026-11-23", date(2026, 11, 23), "0-2"),
        ("2026-11-24", date(2026, 11, 23), None),
        ("2012", date(2026, 11, 23), None),
        ("2013", date(2026, 11, 23), "12-13"),
        ("2012-11", date(2026, 11, 30), None),
        ("2012-11", date(2026, 12, 1), "14-15"),
        ("2012-13", date(2026, 12, 2), None),
        ("about 2012", date(2026, 12, 2), None),
        (20120101, date(2026, 12, 2), None),
        ({"years": 13}, date(2026, 12, 2), "12-13"),
        ({"years": 13, "approximate": True}, date(2026, 12, 2), None),
        ({"years": 10, "approximate": True}, date(2026, 12, 2), "8-11"),
        ({"years": -1}, date(2026, 12, 2), None),
        ({"years": True}, date(2026, 12, 2), None),
        ({}, date(2026, 12, 2), None),
    ],
)
def test_the_band_is_known_only_when_there_is_one(born: object, on: date, band: str | None):
    assert age_band(born, on) == band


def test_a_bare_age_grows_with_the_notice():
    stated = date(2024, 6, 1)
    assert age_range({"years": 12}, date(2024, 6, 1), stated) == (12, 12)
    assert age_range({"years": 12}, date(2024, 7, 1), stated) == (12, 13)
    assert age_range({"years": 12}, date(2026, 7, 1), stated) == (14, 15)


def test_a_person_with_nothing_known_may_be_in_any_band():
    on = date(2026, 6, 1)
    assert possible_age_bands({}, on) == EVERY_BAND
    assert possible_age_bands({"age_band": "8-11"}, on) == {"8-11"}
    assert possible_age_bands({"age_band": "8-11"}, on, stated_on=date(2020, 1, 1)) == EVERY_BAND
    assert possible_age_bands({"birth_date": "2012", "age_band": "0-2"}, on) == {"12-13", "14-15"}
    assert possible_age_bands({"birth_date": "?", "age": {"years": 7}}, on) == {"6-7"}


@given(DAYS, DAYS)
def test_years_are_complete_the_day_after_the_birthday(born: date, on: date):
    years = complete_years(born, on)
    anniversary = [(born.year + count, born.month, born.day) for count in (years, years + 1)]
    assert anniversary[0] < (on.year, on.month, on.day) <= anniversary[1]


@given(DAYS, DAYS, st.sampled_from([4, 7]))
def test_knowing_less_of_a_birth_date_never_rules_out_what_knowing_more_allows(born: date, on: date, length: int):
    assume(born <= on)
    exact = possible_age_bands({"birth_date": born.isoformat()}, on)
    rough = possible_age_bands({"birth_date": born.isoformat()[:length]}, on)
    assert exact <= rough
    days = birth_range(born.isoformat()[:length])
    assert days is not None
    assert days[0] <= born <= days[1]


def test_the_bands_cover_every_age_once():
    for years in range(201):
        assert sum(low <= years <= high for _, low, high in AGE_BANDS) == 1

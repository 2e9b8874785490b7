"""Do the short ways of the converters give what the long ways give?

Whole dates, whole instants and plain numbers take a short way past the expressions that read every other form; whatever
looks like one must come out as it would have by the long way, trouble included.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.kit import time_values
from adapters.kit.conversion import Noted, Unmappable
from adapters.kit.converters import CONVERTERS, check_digit_holds
from gateway.validation.identity import check_digit

BOUNDED = settings(max_examples=300, deadline=None)
_TWO = st.one_of(st.integers(0, 13), st.integers(0, 61)).map("{:02d}".format)
_YEAR = st.sampled_from(["2026", "2018", "1849", "1850", "2149", "2150", "0000", "0999", "9999", "２０２６", "٢٠٢٦"])


def _dates(mark: str) -> st.SearchStrategy[str]:
    return st.tuples(_YEAR, _TWO, _TWO).map(mark.join)


DATES = st.one_of(_dates(""), _dates("-"), _dates("/"), st.text("0123456789-W:T +", min_size=8, max_size=10))
TIMES = st.one_of(
    st.tuples(_TWO, _TWO, _TWO).map("".join), st.tuples(_TWO, _TWO, _TWO).map(":".join), st.just("08:00+01")
)
ZONES = st.sampled_from(["", "", "+08:00", "+0800", "Z", "-08:00", "+08:0", "+0900", "+24:00"])
INSTANTS = st.one_of(DATES, st.tuples(DATES, st.sampled_from(["", " ", "T", "t", "-"]), TIMES, ZONES).map("".join))


def outcome(read, text):
    try:
        return read(text)
    except Unmappable as error:
        return error.code, error.message


@BOUNDED
@given(DATES)
def test_a_date_reads_the_same_by_the_short_way(text):
    assert outcome(time_values.read_date, text) == outcome(time_values._read_any_date, text)


@BOUNDED
@given(INSTANTS)
def test_an_instant_reads_the_same_by_the_short_way(text):
    long = outcome(time_values._read_any_instant, text)
    assert outcome(time_values.read_instant, text) == long
    if isinstance(long, Noted) and long.code == "time-missing":
        long = outcome(time_values.read_date, text)
    assert outcome(time_values.read_moment, text) == long


@BOUNDED
@given(st.text("0123456789", min_size=11, max_size=11))
def test_a_check_digit_holds_exactly_where_the_gateway_would_have_set_it(rest):
    first17 = "999999" + rest
    assert [digit for digit in "0123456789X" if check_digit_holds(first17 + digit)] == [check_digit(first17)]


@pytest.mark.parametrize(
    ("name", "native", "canonical"),
    [
        ("datetime", "20260301093000", "2026-03-01T09:30:00+08:00"),
        ("spaced_datetime", "2026-03-01 09:30:00", "2026-03-01T09:30:00+08:00"),
        ("iso_datetime", "2026-03-01T09:30:00", "2026-03-01T09:30:00+08:00"),
        ("moment", "20260301", "2026-03-01"),
        ("date", "20260301", "2026-03-01"),
        ("month", "202603", "2026-03"),
        ("phone", "10000009128", "10000009128"),
        ("division", "440113102005", "440113102005"),
        ("age", "8岁", {"years": 8}),
        ("flag", "1", True),
        ("integer", "12", 12),
    ],
)
def test_what_is_written_reads_as_it_was(name, native, canonical):
    assert CONVERTERS[name].read(native) == canonical
    assert CONVERTERS[name].write(canonical) == native


@pytest.mark.parametrize("text", ["201503010", "2015030", "20150301102", "2015030110305", "2015-0301", "20153"])
def test_digits_that_fit_no_date_are_not_read_as_a_shorter_one(text):
    assert outcome(time_values.read_date, text) == ("date-form", "not a date")
    assert outcome(time_values.read_instant, text) == ("datetime-form", "not a date and time")


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("date", "2015.1", "ruined-date"),  # of October as of January
        ("dashed_date", "42064", "ruined-date"),
        ("citizen_id", "999999201503010", "ruined-number"),  # 15 of 18 digits: there is no 15th month
        ("citizen_id", "无", "placeholder"),
        ("phone", "/", "placeholder"),
        ("name", "无", "placeholder"),
        ("name", "NULL", "placeholder"),
    ],
)
def test_what_says_nothing_certain_is_named_and_not_taken(name, text, code):
    assert outcome(CONVERTERS[name].read, text)[0] == code


def test_a_number_with_characters_that_nobody_sees_is_taken_without_them_and_that_is_said():
    found = CONVERTERS["citizen_id"].read("\u202d999999201503010016\u202c")
    assert (found.value, found.code) == ("999999201503010016", "invisible-characters")
    assert outcome(time_values.read_date, "2015.2") == "2015-02"


@pytest.mark.parametrize(
    "text", ["2015-03-01\n2016-04-05", "20150301 20160405", "2015-03-01、2016", "2015-03-01 2016-04-05"]
)
def test_a_second_date_is_no_time_of_day(text):
    assert outcome(time_values.read_date, text) == ("date-form", "not a date")
    assert outcome(time_values.read_moment, text)[0] == "datetime-form"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("二〇一五年三月一日", "2015-03-01"),
        ("二○一五年十二月二十一号", "2015-12-21"),
        ("二零一五年十月", "2015-10"),
        ("2015年3月1号", "2015-03-01"),
        ("2015-03-01T16:00:00.000Z", "2015-03-02"),  # midnight here, as programs write it that count in UTC
        ("2015-03-01T00:00:00Z", "2015-03-01"),
    ],
)
def test_a_date_as_people_and_programs_write_it(text, day):
    assert outcome(time_values.read_date, text) == day


@pytest.mark.parametrize(
    "text", ["农历二〇一五年三月一日", "二〇一五年三月初一", "二〇一五年三月十五", "二〇一五年腊月一日"]
)
def test_a_day_of_the_lunar_calendar_is_not_read_as_one_of_ours(text):
    assert outcome(time_values.read_date, text) == ("date-form", "not a date")

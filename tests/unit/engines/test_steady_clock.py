"""A wall clock that jumps is not followed, and one that stood wrong at the start destroys nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.engines.system.steady_clock import JUMPED, LONG_AFTER, SteadyClock

START = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Wall:
    def __init__(self) -> None:
        self.ahead, self.passed = timedelta(0), timedelta(0)

    def now(self) -> datetime:
        return START + self.passed + self.ahead

    def monotonic(self) -> float:
        return 500 + self.passed.total_seconds()


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def clock(wall):
    return SteadyClock(wall, MINUTE, DAY)


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY, 2 * MINUTE])
def test_the_time_goes_on_where_the_wall_clock_jumps(wall, clock, jump):
    wall.ahead, wall.passed = jump, 5 * MINUTE
    assert clock.now() == START + 5 * MINUTE
    assert clock.doubt() == JUMPED
    assert clock.readings() == (START + 5 * MINUTE, START + 5 * MINUTE + jump)
    wall.ahead = timedelta(0)
    assert (clock.now(), clock.doubt()) == (START + 5 * MINUTE, "")


def test_evidence_for_the_wall_clock_is_followed_and_for_the_other_reading_is_not(wall, clock):
    wall.ahead = 30 * DAY
    clock.trust(clock.readings()[0])
    assert (clock.now(), clock.doubt()) == (START, JUMPED)
    clock.trust(clock.readings()[1])
    assert (clock.now(), clock.doubt(), len(clock.readings())) == (START + 30 * DAY, "", 1)


def test_slewing_is_followed_and_a_creeping_clock_gains_a_minute_an_hour(wall, clock):
    for hour in range(1, 30):
        wall.passed, wall.ahead = hour * timedelta(hours=1), hour * 50 * timedelta(seconds=1)
        assert clock.now() == wall.now()
    wall.ahead += 90 * timedelta(seconds=1)
    assert clock.doubt() == JUMPED


@pytest.mark.parametrize(("gap", "doubt"), [(DAY, ""), (DAY + MINUTE, LONG_AFTER), (-DAY, "")])
def test_a_start_long_after_the_newest_record_is_in_doubt_until_there_is_evidence(wall, clock, gap, doubt):
    clock.begin_after(START - gap)
    assert clock.doubt() == doubt
    assert clock.earliest() == (START - gap if doubt else None)
    assert clock.now() == START
    clock.trust(START)
    assert (clock.doubt(), clock.earliest()) == ("", None)


def test_a_store_without_a_record_says_nothing_of_the_time(clock):
    clock.begin_after(None)
    assert clock.doubt() == ""

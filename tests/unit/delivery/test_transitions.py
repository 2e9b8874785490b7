"""Which state may follow which, and when a failed delivery comes back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.retry import Backoff
from gateway.delivery.transitions import HOLDING_UP, MOVES, is_repetition, may_move
from gateway.model.delivery import OPEN_STATES, DeliveryState

S = DeliveryState
states = st.sampled_from(list(S))
ATTEMPTS = st.integers(1, 10_000)
RANDOM = st.floats(0, 1, exclude_max=True)


def test_every_state_has_its_moves():
    assert set(MOVES) == set(S)


def test_what_has_ended_never_opens_again():
    for before in set(S) - OPEN_STATES:
        assert not MOVES[before] & OPEN_STATES


def test_every_open_delivery_can_be_withdrawn_superseded_expired_and_refused():
    for before in OPEN_STATES:
        assert {S.WITHDRAWN, S.SUPERSEDED, S.EXPIRED, S.REFUSED} <= MOVES[before]


def test_nothing_is_acknowledged_that_was_not_tried():
    assert [before for before in S if may_move(before, S.ACKNOWLEDGED)] == [S.DUE]


def test_only_what_is_tried_becomes_a_dead_letter():
    assert [before for before in S if may_move(before, S.DEAD_LETTER)] == [S.DUE]


def test_a_dead_letter_holds_up_nobody():
    assert {S.HELD, S.DUE} == HOLDING_UP


@given(states, states)
def test_a_repetition_asks_for_no_move(before, after):
    if is_repetition(before, after):
        assert not may_move(before, after)


def test_acknowledging_what_was_answered_since_is_a_repetition():
    for before in (S.ACKNOWLEDGED, S.ACCEPTED, S.DECLINED, S.ACTED_ON):
        assert is_repetition(before, S.ACKNOWLEDGED)
    assert not is_repetition(S.WITHDRAWN, S.ACKNOWLEDGED)
    assert not is_repetition(S.DUE, S.DUE)


def test_every_word_on_what_was_done_is_a_move_of_its_own():
    assert may_move(S.ACTED_ON, S.ACTED_ON)
    assert not is_repetition(S.ACTED_ON, S.ACTED_ON)


@given(ATTEMPTS, RANDOM)
def test_a_delay_lies_between_half_and_all_of_its_step(attempts, random):
    backoff = Backoff(timedelta(seconds=5), timedelta(hours=1))
    full = min(timedelta(seconds=5) * 2 ** min(attempts - 1, 20), backoff.most)
    assert full / 2 <= backoff.delay(attempts, random) <= full


@given(ATTEMPTS, RANDOM)
def test_delays_never_shrink_with_attempts(attempts, random):
    backoff = Backoff()
    assert backoff.delay(attempts, random) <= backoff.delay(attempts + 1, random)


@given(ATTEMPTS, RANDOM, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_an_offices_own_wish_is_kept_up_to_the_ceiling(attempts, random, asked):
    backoff = Backoff()
    delay = backoff.delay(attempts, random, asked)
    assert delay <= backoff.most
    assert delay >= min(asked, backoff.most)
    assert delay >= backoff.delay(attempts, random)


def test_the_defaults_last_a_night_and_not_a_weekend():
    backoff = Backoff()
    total = sum((backoff.delay(n, 0.0) for n in range(1, backoff.attempts)), timedelta())
    assert timedelta(hours=5) < total < timedelta(hours=12)
    assert not backoff.is_exhausted(backoff.attempts - 1)
    assert backoff.is_exhausted(backoff.attempts)


@pytest.mark.parametrize(("attempts", "random"), [(0, 0.5), (1, 1.0), (1, -0.1)])
def test_nonsense_is_refused(attempts, random):
    with pytest.raises(ValueError, match="attempts"):
        Backoff().delay(attempts, random)


@pytest.mark.parametrize("first", [timedelta(0), timedelta(hours=2)])
def test_a_back_off_that_cannot_be_is_refused(first):
    with pytest.raises(ValueError, match="back-off"):
        Backoff(first=first)

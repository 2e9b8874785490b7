"""Fresh ids are unique, ordered where they should be, and random where they should be."""

import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto.scatter import Scatter
from gateway.engines.sql.values import blob_of, known_blob, text_of
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.ids import SystemIds
from gateway.model.delivery import lane_of
from tests.support.stored import SetClock

KEY = bytes(range(32))


def test_ids_are_uuids_of_version_seven_with_their_time():
    clock = SetClock()
    made = uuid.UUID(SystemIds(clock).notice())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(clock.now().timestamp() * 1000)


def test_ids_rise_strictly_even_when_the_clock_is_set_back():
    clock = SetClock()
    ids = SystemIds(clock)
    made = []
    for step in (0, 1, 0, -5000, 3, 0):
        clock.forward(timedelta(milliseconds=step))
        made += [ids.event() for _ in range(200)]
    assert made == sorted(set(made))


def test_ids_of_many_threads_are_all_different():
    ids, gate = SystemIds(SystemClock()), threading.Barrier(8)

    def several(_):
        gate.wait()
        return [ids.person() for _ in range(2000)]

    with ThreadPoolExecutor(8) as pool:
        made = [one for many in pool.map(several, range(8)) for one in many]
    assert len(set(made)) == 16_000


def test_delivery_ids_tell_no_order_without_the_key_and_do_with_it():
    scatter = Scatter(KEY)
    ids = SystemIds(SystemClock(), scatter)
    made = [ids.delivery() for _ in range(200)]
    assert made != sorted(made)
    assert len({one[:8] for one in made}) > 190
    ordered = [scatter.gather(blob_of(one)) for one in made]
    assert ordered == sorted(ordered)


def test_delivery_ids_without_a_key_are_random():
    ids = SystemIds(SystemClock())
    made = [ids.delivery() for _ in range(100)]
    assert {uuid.UUID(one).version for one in made} == {4}
    assert len(set(made)) == 100


def test_secrets_are_fresh_and_as_long_as_asked():
    ids = SystemIds(SystemClock())
    assert len(ids.secret()) == 32
    assert len(ids.secret(16)) == 16
    assert ids.secret() != ids.secret()


def test_the_clock_is_aware_and_cut_to_milliseconds():
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0


@given(st.binary(min_size=16, max_size=16))
def test_scattering_and_gathering_undo_each_other(value):
    scatter = Scatter(KEY)
    assert scatter.gather(scatter.scatter(value)) == value
    assert scatter.scatter(scatter.gather(value)) == value


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_only_sixteen_bytes_are_scattered(size):
    with pytest.raises(ValueError, match="16 bytes"):
        Scatter(KEY).scatter(bytes(size))


@given(st.uuids())
def test_an_id_has_one_spelling(value):
    assert text_of(blob_of(str(value))) == str(value)
    for other in (str(value).upper(), value.hex, f" {value}", f"{{{value}}}", str(value).replace("-", "", 1) + "-"):
        assert other == str(value) or known_blob(other) is None


@given(st.text(max_size=40))
def test_other_text_is_no_id(text):
    assert known_blob(text) is None


def test_values_gathered_together_are_those_gathered_alone():
    scatter = Scatter(KEY)
    values = [os.urandom(16) for _ in range(50)]
    assert scatter.gather_all(values) == [scatter.gather(value) for value in values]
    assert scatter.gather_all([]) == []
    with pytest.raises(ValueError, match="16 bytes"):
        scatter.gather_all([b"x" * 8, b"x" * 24])


def test_lanes_are_ordered_by_their_cases_and_apart_within_one():
    ids = SystemIds(SystemClock())
    cases = [ids.case() for _ in range(200)]
    lanes = [[lane_of(case, os.urandom(32)) for _ in range(4)] for case in cases]
    assert len({lane for several in lanes for lane in several}) == 800
    assert all(max(one) < min(other) for one, other in pairwise(lanes))
    assert lane_of(cases[0], b"k" * 32) == lane_of(cases[0], b"k" * 32)

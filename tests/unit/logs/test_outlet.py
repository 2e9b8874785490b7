"""A line is written, waits, or is counted as lost; nobody who brings one ever waits. Over a real pipe that is read or not."""

import json
import os
import select
import threading
import time
from contextlib import closing
from itertools import count

import pytest

from gateway.engines.system.logs import EventLog
from gateway.engines.system.outlet import Outlet
from tests.unit.http.standins import SetClock

MOST = 64 << 10


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)  # ends what still waits for it
    for thread in threading.enumerate():
        if thread.name == "event-lines":
            thread.join(10)
    os.close(writing)


def read_now(reading):
    """What is in the pipe, or comes within a moment; b"" when nothing does."""
    return os.read(reading, 1 << 20) if select.select([reading], [], [], 0.05)[0] else b""


def read_lines(reading, until):
    """Read until a line of this event has come."""
    rest = b""
    while f'"{until}"'.encode() not in rest or not rest.endswith(b"\n"):
        rest += os.read(reading, 1 << 16)
    return [json.loads(raw) for raw in rest.splitlines()]


def test_lines_come_whole_and_in_order_when_they_are_flushed(pipe):
    reading, writing = pipe
    with closing(Outlet(writing)) as outlet:
        log = EventLog(outlet, SetClock())
        for number in range(500):
            log.write_buffered("one", {"number": number})
        log.write("last")
        lines = read_lines(reading, "last")
    assert [line.get("number") for line in lines] == [*range(500), None]
    assert log.lost == 0


def test_when_nobody_reads_lines_are_lost_and_counted_and_who_reads_later_is_told_how_many(pipe):
    reading, writing = pipe
    with closing(Outlet(writing, MOST)) as outlet:
        log = EventLog(outlet, SetClock())
        for number in count():
            log.write("one", number=number, filler="x" * 150)
            if log.lost == 10:
                break
        brought, read = number + 1, b""
        while b'"after"' not in read:
            log.write("after")
            read += read_now(reading)
        while not read.endswith(b"\n"):
            read += os.read(reading, 1 << 20)
    lines = [json.loads(raw) for raw in read.splitlines()]
    told = sum(line["count"] for line in lines if line["event"] == "lines_lost")
    came = [line["number"] for line in lines if line["event"] == "one"]
    assert came == sorted(came)
    assert len(came) == brought - 10
    assert told >= 10


def test_an_end_over_a_pipe_that_nobody_reads_is_soon_over(pipe):
    _, writing = pipe
    outlet = Outlet(writing, last_seconds=0.1)
    for letter in (b"x", b"y"):
        assert outlet.write(letter * (MOST - 1) + b"\n") == MOST
    begin = time.monotonic()
    outlet.close()
    assert 0.1 <= time.monotonic() - begin < 60


def test_an_end_over_a_pipe_that_is_read_loses_nothing(pipe):
    reading, writing = pipe
    outlet = Outlet(writing, last_seconds=10)
    outlet.write(b"the last words\n")
    outlet.close()
    assert os.read(reading, 1 << 20) == b"the last words\n"


def test_lines_of_a_reader_that_is_gone_wait_as_if_it_did_not_read():
    reading, writing = os.pipe()
    os.close(reading)
    with closing(Outlet(writing, 100, 0.1)) as outlet:
        taken = [outlet.write(b"x" * 49 + b"\n") for _ in range(2)]
        outlet.flush()
        taken.append(outlet.write(b"y\n"))
    os.close(writing)
    assert taken == [50, 50, None]

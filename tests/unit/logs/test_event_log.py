"""A line is one event, in ASCII, whatever is put into it."""

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engines.system.logs import EventLog, take_over_logging
from tests.unit.http.standins import SetClock


def log_to(stream):
    return EventLog(stream, SetClock())


@given(
    st.dictionaries(st.sampled_from(["office", "route", "reason"]), st.text(max_size=400) | st.integers(0) | st.none())
)
def test_nothing_in_a_field_can_end_a_line_or_forge_another(fields):
    stream = io.BytesIO()
    log_to(stream).write("delivery_sent", **fields)
    raw = stream.getvalue()
    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")
    assert raw.isascii()
    assert not any(byte < 0x20 for byte in raw[:-1])
    line = json.loads(raw)
    assert line["event"] == "delivery_sent"
    assert line["at"].startswith("2026-03-02T01:00:00")
    assert set(line) == {"at", "event"} | {name for name, value in fields.items() if value is not None}
    assert all(len(value) <= 201 for value in line.values() if isinstance(value, str))


@pytest.mark.parametrize("text", ["\u2028", "\u202e", "\x1b[31m", "\x9b31m", '"}\n{"event":"forged"', "\ud800"])
def test_terminals_and_readers_of_lines_are_safe(text):
    stream = io.BytesIO()
    log_to(stream).write("x", field=text)
    assert stream.getvalue().isascii()
    assert b"\x1b" not in stream.getvalue()
    assert json.loads(stream.getvalue())["field"] == text


def test_an_unforeseen_error_is_told_by_kind_and_place_and_never_by_its_text():
    stream = io.BytesIO()
    try:
        raise KeyError("李小测 440113201001011234")
    except KeyError as error:
        log_to(stream).error("request_failed", error, route="submit")
    line = json.loads(stream.getvalue())
    assert (line["error"], line["route"]) == ("KeyError", "submit")
    assert line["where"].startswith("tests/unit/logs/test_event_log.py:")
    assert "440113" not in stream.getvalue().decode()


def test_a_stream_that_is_full_stops_nothing_and_is_counted():
    class Full(io.RawIOBase):
        def write(self, _):
            raise OSError("no space left")

    log = log_to(Full())
    log.write("x")
    assert log.lost == 1


def test_what_was_lost_is_told_once_by_the_next_line_that_is_taken():
    class Narrow(io.BytesIO):
        is_full = True

        def write(self, line):
            return None if self.is_full else super().write(line)

    stream = Narrow()
    log = log_to(stream)
    for _ in range(3):
        log.write("x")
    stream.is_full = False
    for event in ("y", "z"):
        log.write(event)
    lines = [json.loads(raw) for raw in stream.getvalue().splitlines()]
    assert [(line["event"], line.get("count")) for line in lines] == [("lines_lost", 3), ("y", None), ("z", None)]
    assert log.lost == 3


def test_what_libraries_log_loses_its_text():
    stream, root = io.BytesIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        take_over_logging(log_to(stream))
        try:
            raise ValueError("李小测")
        except ValueError:
            logging.getLogger("aiohttp.server").exception("failed for %s", "李小测")
        logging.getLogger("aiohttp.access").info("GET /?name=secret")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = (json.loads(raw) for raw in stream.getvalue().splitlines())
    assert (line["event"], line["logger"], line["error"]) == ("library_line", "aiohttp.server", "ValueError")
    assert "secret" not in str(line)

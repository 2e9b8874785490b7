"""What does a node say about itself while it runs?

One line per event: a JSON object with `at`, `event` and a few fields. Fields are ids, codes, numbers and
closed words, never a person, a body, a query string or a header's value. A line is ASCII throughout, so
nothing in a field can end a line, start a terminal sequence or turn the direction of writing.

Lines of libraries are reduced to logger, level and the kind of error: their texts may hold what somebody sent.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import orjson

from gateway.ports.clock import Clock

Field = str | int | float | datetime | None  # bool is an int

_MAX_FIELD_CHARS: Final = 200
_LONG_LINE: Final = 240  # shorter than that, no field can be too long
_LINE: Final = orjson.OPT_APPEND_NEWLINE
_ROOT = str(Path(__file__).resolve().parents[3])


class Stream(Protocol):
    """What lines are written to: any binary stream, or an `Outlet`, which never blocks."""

    def write(self, line: bytes, /) -> int | None:
        """None, as a raw stream says it: the line was not taken."""
        ...

    def flush(self) -> None: ...


class EventLog:
    """Writes event lines to a stream. One that cannot be written does not stop the node: lines are counted in `lost`
    instead, for the metrics, and the next line that is taken comes after a `lines_lost` that says how many are missing."""

    def __init__(self, stream: Stream, clock: Clock) -> None:
        self._stream, self._clock = stream, clock
        self.lost = self._told = 0

    def write(self, event: str, /, **fields: Field) -> None:
        """One line, at once on its way."""
        self.write_buffered(event, fields)
        self.flush()

    def write_buffered(self, event: str, fields: Mapping[str, Field]) -> None:
        """One line, left in the stream's buffer until it is full or `flush`: for lines that come by the thousand."""
        now = self._clock.now()
        try:
            line = orjson.dumps({"at": now, "event": event, **fields}, option=_LINE)
        except TypeError:  # half a surrogate pair
            line = _careful_line(now, event, fields)
        if len(line) > _LONG_LINE or not line.isascii() or b":null" in line:
            line = _careful_line(now, event, fields)
        if self.lost != self._told:
            self._tell_of_the_lost(now)
        self._take(line)

    def say(self, text: str) -> None:
        """One line that is no event, for whoever started the node, at once on its way."""
        self._take(text.encode() + b"\n")
        self.flush()

    def error(self, event: str, error: BaseException, /, **fields: Field) -> None:
        """An unforeseen error: its kind and where it came from in this code, never its text."""
        told: dict[str, Field] = {**fields, "error": type(error).__name__, "where": where(error)}
        self.write(event, **told)

    def _take(self, line: bytes) -> bool:
        """Whether the stream has it now; else it counts as lost."""
        try:
            is_taken = self._stream.write(line) is not None
        except (OSError, ValueError):
            is_taken = False
        self.lost += not is_taken
        return is_taken

    def _tell_of_the_lost(self, now: datetime) -> None:
        lost = self.lost
        if self._take(_careful_line(now, "lines_lost", {"count": lost - self._told})):
            self._told = lost
        else:
            self.lost = lost  # that line was nobody's

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += 1


def where(error: BaseException) -> str:
    """File and line of the innermost frame of this project that the error passed, or of the innermost at all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(_ROOT) and "site-packages" not in frame.filename]
    if not frames:
        return ""
    frame = (own or frames)[-1]
    return f"{frame.filename.removeprefix(_ROOT).lstrip('/')}:{frame.lineno}"


class LibraryLines(logging.Handler):
    """Brings what libraries log into the event log, without their texts."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._log.write(
            "library_line",
            logger=record.name,
            level=record.levelname.lower(),
            error=None if error is None else type(error).__name__,
            where=f"{Path(record.pathname).name}:{record.lineno}",
        )


def take_over_logging(log: EventLog) -> None:
    """From now on every logger of this process, and what Python warns of, writes to the event log alone."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [LibraryLines(log)]
    root.setLevel(logging.WARNING)


def _careful_line(at: datetime, event: str, fields: Mapping[str, Field]) -> bytes:
    """The same line with everything escaped that is not ASCII, long texts cut, and absent fields left out."""
    line = {"at": at, "event": event, **fields}
    told = {name: _plain(value) for name, value in line.items() if value is not None}
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def _plain(value: Field) -> Field:
    if isinstance(value, str):
        return value if len(value) <= _MAX_FIELD_CHARS else value[:_MAX_FIELD_CHARS] + "~"
    return value.isoformat() if isinstance(value, datetime) else value

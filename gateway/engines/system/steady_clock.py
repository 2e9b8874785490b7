"""What time is it, where the machine's clock may be set wrong while the gateway runs, or was before it started?

A wall clock far ahead would end every delivery, destroy what is kept for a time, and make a stranger of every office. So
the time of a node that has no database's clock to be held to goes on by the monotonic clock:

- while the wall clock is within `tolerance` of that, it is the time, and the two are set to one anew each hour: slewing and
  small steps are followed, a clock that creeps gains a minute an hour.
- a wall clock that jumps further, ahead or back, is not followed: the time goes on by the monotonic clock, in doubt
  (`jumped`), until evidence speaks for the wall clock: an office that signed in with a fresh assertion of its time. So a right
  setting of a wrong clock, or a machine that was halted by its host, is taken over with the first office that calls.
- at the start there is nothing to go on from but the newest record of the log. A wall clock more than `longest_gap` after it
  is the time, in doubt (`long-after-the-log`), until evidence speaks for it: the gateway may have been off for so long.

In doubt nothing is expired or destroyed (`services.expire`, `services.retain`); everything else goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.ports.clock import Clock

JUMPED, LONG_AFTER = "jumped", "long-after-the-log"
AGAIN_SECONDS = 3600.0


class SteadyClock:
    """Clock and TimeInDoubt of one node. Safe to ask from any thread: a race between two answers costs a reading at most."""

    def __init__(
        self, wall: Clock, tolerance: timedelta, longest_gap: timedelta, elapsed: Callable[[], float] | None = None
    ) -> None:
        """`elapsed` is a clock in seconds that nobody sets and that goes on while the machine sleeps; else the monotonic one."""
        self._wall, self._tolerance, self._longest_gap = wall, tolerance, longest_gap
        self._tolerance_seconds = tolerance.total_seconds()
        self._elapsed = elapsed or wall.monotonic
        self._anchor = wall.now(), self._elapsed()
        self._after: datetime | None = None  # the newest record, where the wall clock stood long after it at the start

    def begin_after(self, newest_record: datetime | None) -> None:
        """Say what the log knew last, before anything is done by the time."""
        if newest_record is not None and self._wall.now() - newest_record > self._longest_gap:
            self._after = newest_record

    def now(self) -> datetime:
        return self._read()[0]

    def monotonic(self) -> float:
        return self._wall.monotonic()

    def doubt(self) -> str:
        steady, wall = self._read()
        if steady != wall:
            return JUMPED
        return LONG_AFTER if self._after is not None else ""

    def readings(self) -> tuple[datetime, ...]:
        steady, wall = self._read()
        return (steady,) if steady == wall else (steady, wall)

    def earliest(self) -> datetime | None:
        return self._after

    def trust(self, reading: datetime) -> None:
        steady, wall = self._read()
        if steady == wall:
            self._after = None
        elif abs(reading - wall) <= self._tolerance:
            self._anchor, self._after = (wall, self._elapsed()), None

    def _read(self) -> tuple[datetime, datetime]:
        """The time, and what the wall clock says: the same but where that has jumped."""
        wall, seconds = self._wall.now(), self._elapsed()
        since, began = self._anchor
        if abs((wall - since).total_seconds() - (seconds - began)) > self._tolerance_seconds:
            return since + timedelta(milliseconds=int((seconds - began) * 1000)), wall
        if seconds - began >= AGAIN_SECONDS:
            self._anchor = wall, seconds
        return wall, wall


class TrustedClock:
    """TimeInDoubt of a node whose time is never in doubt here: it is held to the database's clock, or to a test's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def doubt(self) -> str:
        return ""

    def readings(self) -> tuple[datetime, ...]:
        return (self._clock.now(),)

    def earliest(self) -> datetime | None:
        return None

    def trust(self, reading: datetime) -> None:
        pass

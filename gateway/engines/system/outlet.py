"""How does a node say what it has to say when nobody listens?

Lines go to a descriptor by a thread of their own, which may wait for ever: a full pipe, a terminal that was stopped, a
disk without room. What waits is bounded; a line beyond the bound is not taken, and whoever brought it is told so. Nobody
else ever waits. An error is what a full pipe is: the lines stay, and are tried again.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import Final

MOST_BYTES: Final = 1 << 20  # that wait: some 8,000 lines, half a minute of a busy node
_WAKE_BYTES: Final = 8192  # written at once without being asked to flush
_AGAIN_SECONDS: Final = 1.0
LAST_SECONDS: Final = 2.0  # for what waits when the node ends


class Outlet:
    """A stream of whole lines over a blocking descriptor, which stays its owner's. Its methods never block but `close`."""

    def __init__(self, descriptor: int, most_bytes: int = MOST_BYTES, last_seconds: float = LAST_SECONDS) -> None:
        self._descriptor, self._most, self._last_seconds = descriptor, most_bytes, last_seconds
        self._lines: deque[bytes] = deque()
        self._waiting = self._fresh = 0  # bytes that were not written yet; those that came since the thread was woken
        self._turn = threading.Condition()
        self._is_wanted = self._is_over = False
        threading.Thread(target=self._run, name="event-lines", daemon=True).start()

    def write(self, line: bytes) -> int | None:
        """Take one line, or say by None that there is no room for it."""
        size = len(line)
        with self._turn:
            if self._waiting + size > self._most:
                return None
            self._lines.append(line)
            self._waiting += size
            self._fresh += size
            if self._fresh >= _WAKE_BYTES:
                self._wake()
        return size

    def flush(self) -> None:
        """Write what waits as soon as somebody reads it."""
        with self._turn:
            if self._lines:
                self._wake()

    def close(self) -> None:
        """Give what waits a last while, then leave it. A second call does nothing more."""
        with self._turn:
            self._is_over = True
            self._turn.notify_all()
            self._turn.wait_for(lambda: not self._waiting, self._last_seconds)

    def _wake(self) -> None:
        self._is_wanted, self._fresh = True, 0
        self._turn.notify_all()

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._is_wanted or self._is_over)
                if not self._lines and self._is_over:
                    return
                self._is_wanted = False
                lines = b"".join(self._lines)
                self._lines.clear()
            if not self._put(memoryview(lines)):
                return

    def _put(self, rest: memoryview) -> bool:
        """Write it all, however long that takes; False when the node ended over it."""
        while rest:
            try:
                written = os.write(self._descriptor, rest)
            except OSError:
                with self._turn:
                    if self._turn.wait_for(lambda: self._is_over, _AGAIN_SECONDS):
                        return False
                continue
            rest = rest[written:]
            with self._turn:
                self._waiting -= written
                self._turn.notify_all()
        return True

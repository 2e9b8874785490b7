"""What time is it on this machine?"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock, cut to milliseconds."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def since_boot(self) -> float:
        """As `monotonic`, but it goes on while the machine sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

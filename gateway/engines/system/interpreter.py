"""How is the interpreter set while a node starts, and while it serves?

Nearly all that is made at the start stays (schemas, divisions, policy): looking for
garbage every 700 objects costs a fifth of the start. Afterwards it is set aside, so
that the collector need not look at it again, and comes seldom; and it is put on huge
pages.

The store's writer is a thread beside the event loop, and gets the interpreter's lock
from a loop that computes only when the switch interval is over: once for every
statement. The usual 5 ms would let a busy loop starve it.
"""

from __future__ import annotations

import gc
import sys

from gateway.engines.system.huge_pages import settle_on_huge_pages

SWITCH_SECONDS = 0.0002
_AT_START, _SERVING = (100_000, 20, 50), (10_000, 20, 50)


def set_for_start() -> None:
    gc.set_threshold(*_AT_START)


def set_for_serving() -> None:
    """Call once everything that stays is made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SERVING)
    sys.setswitchinterval(SWITCH_SECONDS)
    settle_on_huge_pages()

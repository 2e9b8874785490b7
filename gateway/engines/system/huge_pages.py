"""How many pages does a notice pass through?

Code and objects that one notice needs are scattered over a hundred megabytes, far more pages of 4 KiB than a processor has
at hand; to find each of the others costs several journeys to memory, twice as many in a virtual machine. So once everything
that stays is made, whole stretches of the heap are put on pages of 2 MiB (`MADV_COLLAPSE`, Linux 6.1; it needs no
setting of the machine): when a node begins to serve, and again when the first notices have made what they leave behind. It
copies what is there; memory that is asked for later is as ever, and nothing grows. Where a kernel cannot do it, nothing
happens.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_COLLAPSE = 25
_HUGE_BYTES = 2 << 20
_AGAIN_SECONDS = 60.0


def settle_on_huge_pages() -> None:
    """Now and in a minute, in a thread of its own: each takes some tenths of a second in which other threads run."""

    def settle() -> None:
        onto_huge_pages()
        time.sleep(_AGAIN_SECONDS)
        onto_huge_pages()

    threading.Thread(target=settle, name="huge-pages", daemon=True).start()


def onto_huge_pages() -> int:
    """Put this process's heap on huge pages; returns how many bytes now lie on them."""
    maps = Path("/proc/self/maps")
    if sys.platform != "linux" or not maps.exists():
        return 0
    advise = ctypes.CDLL(None).madvise  # gives up the interpreter's lock meanwhile
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    stretches = list(whole_stretches(maps.read_text()))
    return sum(end - start for start, end in stretches if advise(start, end - start, _COLLAPSE) == 0)


def whole_stretches(maps: str) -> Iterator[tuple[int, int]]:
    """The parts of the heap, from address to address, that huge pages could hold (see proc_pid_maps(5)). Code is not among
    them: no library begins where one could."""
    for line in maps.splitlines():
        span, rights, _, _, _, *named = line.split(maxsplit=5)
        name = named[0] if named else ""
        if rights == "rw-p" and name in ("", "[heap]"):
            first, last = (int(address, 16) for address in span.split("-"))
            start, end = -(-first // _HUGE_BYTES) * _HUGE_BYTES, last // _HUGE_BYTES * _HUGE_BYTES
            if start < end:
                yield start, end

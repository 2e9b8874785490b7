"""Who owns a store?

One process at a time, or the nodes of a cluster together. The lock is the kernel's (flock), so it ends with the
process however that dies; the file beside the store only says who holds it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gateway.model.errors import Unavailable

LOCK_FILE = "owner.lock"


class OwnerLock:
    """Held from construction until `release`."""

    def __init__(self, directory: Path, *, is_shared: bool = False) -> None:
        """Raises Unavailable, naming the process, when another one owns the store. The directory has to exist.

        `is_shared`: be one of several owners, none of whom is the only one.
        """
        self._file: int | None = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as taken:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            self._file = None
            raise Unavailable(
                f"the store belongs to another process (`{holder}`)",
                remedy="talk to the running gateway through its admin socket, or stop it first",
            ) from taken
        if is_shared:
            return
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give the store free; a second call does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

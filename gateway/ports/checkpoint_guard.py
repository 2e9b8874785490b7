"""Which tree was signed last, as remembered outside the database? What turns a restored backup into an alarm, not a fork."""

from __future__ import annotations

from typing import Protocol

from gateway.ports.log_storage import Head


class CheckpointGuard(Protocol):
    @property
    def generation(self) -> int:
        """Which log of this gateway is written, from 1: a hold that is released begins the next one under a new name."""
        ...

    def begin_anew(self) -> None:
        """Begin the next generation, of which nothing was signed yet. What was signed before is kept aside as evidence."""
        ...

    def last(self) -> Head | None:
        """The last tree this gateway was about to sign; None when it never signed. Raises Tampered when it cannot be read."""
        ...

    def advance(self, head: Head) -> None:
        """Remember a tree before it is signed. Durable when it returns.

        Raises Tampered for a smaller tree, and for another root at the same size.
        """
        ...

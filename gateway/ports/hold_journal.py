"""Where is a second account of what happened during a forensic hold, apart from the database that is in doubt?

A journal is a log of its own: origin, keys, tree and signed notes. Its first leaf is the
first record since the hold began. It is joined to the gateway's log when the hold ends, by a record
that names its size and root, and never written again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.ports.log_storage import Head


class HoldJournal(Protocol):
    @property
    def name(self) -> str:
        """`hold-1`, `hold-2` ...: how the log's records call it."""
        ...

    @property
    def origin(self) -> str: ...

    @property
    def vkeys(self) -> Sequence[str]:
        """The verifier keys under which its notes hold."""
        ...

    @property
    def place(self) -> str:
        """Where it can be read, in the layout of tlog-tiles."""
        ...

    @property
    def start(self) -> int:
        """The leaf of the gateway's log that is its leaf 0."""
        ...

    @property
    def is_joined(self) -> bool: ...

    def head(self) -> Head:
        """The tree as it was last signed. Tampered when the files do not give what was signed."""
        ...

    def extend(self, after: int, entries: Sequence[bytes], openings: Sequence[bytes], at: datetime) -> Head:
        """Add records to a journal of `after` leaves, sign it and say what is signed now. Durable when it returns.

        OSError: nothing was signed. Where another node added them meanwhile, nothing is done.
        """
        ...

    def join(self) -> None:
        """Remember that the log names it now."""
        ...


class HoldJournals(Protocol):
    def all(self) -> Sequence[HoldJournal]:
        """Oldest first."""
        ...

    def begin(self, start: int) -> HoldJournal:
        """A new and empty one, with the next number."""
        ...

    def following(self) -> tuple[str, Sequence[str]]:
        """Origin and verifier keys of the journal that would come next, so that both are known before it is needed."""
        ...

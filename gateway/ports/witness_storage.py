"""Where does a witness remember what it cosigned? Its own store, apart from every log's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.audit.witness import Seen


class WitnessStorage(Protocol):
    """Safe to call from several threads."""

    def seen(self, origin: str) -> Seen:
        """The last checkpoint cosigned for a log; an empty `Seen` before the first."""
        ...

    def advance(self, origin: str, old_size: int, seen: Seen) -> bool:
        """Compare and set: store `seen` where the log still stands at `old_size`. Durable when it returns True.

        Storing the size and root that stand there again is True too. False when another request was faster.
        """
        ...

    def keep_cosignatures(self, origin: str, size: int, lines: bytes, at: int) -> None:
        """Keep the lines given out for the current checkpoint, to be served beside it. `at` is a POSIX second."""
        ...

    def cosigned(self, origin: str) -> bytes | None:
        """The current checkpoint with the log's and the witness's lines; None before the first."""
        ...

    def keep_evidence(self, origin: str, signed: bytes, seen: bytes, at: int) -> None:
        """Keep two notes of one log that contradict each other. Nothing removes them."""
        ...

    def evidence(self) -> Sequence[tuple[str, bytes, bytes, int]]:
        """Origin, the refused note, the note it contradicts, and the second, oldest first."""
        ...

    def logs(self) -> Sequence[tuple[str, int]]:
        """Origin and size of every log seen."""
        ...

"""Are we closing?"""

from __future__ import annotations


class Drain:
    """One switch, never turned back: a node that drains finishes what it has and takes nothing new."""

    __slots__ = ("is_draining",)

    def __init__(self) -> None:
        self.is_draining = False

    def begin(self) -> None:
        self.is_draining = True

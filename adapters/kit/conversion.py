"""What is a converter, and what may it answer?

A converter is a pair of pure functions. `read` takes native text and returns a
canonical value, a `Noted` value (kept, but a person should look), or raises
`Unmappable`. `write` takes a canonical value and returns native text, or raises
`Unwritable`: the value then travels in the extension block instead, so a
masked, coarsened or partial value is never pressed into a field that would
read it as something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Unmappable(ValueError):
    """The native value has no canonical form. Message and remedy never hold the value."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unwritable(ValueError):
    """The canonical value does not fit this native field."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A value that was kept although something about it is doubtful."""

    value: Any
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Converter:
    read: Callable[[str], Any]
    write: Callable[[Any], Any]

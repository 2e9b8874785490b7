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
from functools import lru_cache, wraps
from typing import Any, TypeVar

_KEPT_LENGTH, _KEPT_COUNT = 32, 4096
_Found = TypeVar("_Found")


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


def remembered(read: Callable[[str], _Found]) -> Callable[[str], _Found]:
    """A reader that keeps what short texts meant, up to 4,096 of them: for days and ages, of which a register spells the
    same few over and over. Never for what names a person, since nothing kept here is ever erased."""
    kept = lru_cache(maxsize=_KEPT_COUNT)(read)

    @wraps(read)
    def recalled(text: str) -> _Found:
        return kept(text) if len(text) <= _KEPT_LENGTH else read(text)

    return recalled


@dataclass(frozen=True, slots=True)
class Converter:
    read: Callable[[str], Any]
    write: Callable[[Any], Any]

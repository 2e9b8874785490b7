"""What has one native tree given so far, and how is a value put where it belongs?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from adapters.kit.native import Position, Tree
from gateway.model.notice import Gap


@dataclass(slots=True)
class Reading:
    """What one native tree has given so far.

    `sources`: a group that was filled, the JSON pointer below it, and the native position. `is_careful` is False where
    the codec has seen that the whole input holds no private-use character, written out or escaped.
    """

    locate: Callable[[Position], str]
    scalar_key: str
    data: Tree = field(default_factory=dict)
    persons: list[Tree] = field(default_factory=list)
    reporter: Tree = field(default_factory=dict)
    sealed: Tree = field(default_factory=dict)
    envelope: dict[str, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    sources: list[tuple[Tree, str, Position]] = field(default_factory=list)
    is_careful: bool = True

    def gap(self, code: str, position: Position, message: str, target: str = "") -> None:
        self.gaps.append(Gap(code, self.locate(position), message, target))

    def note(self, target: Tree, path: tuple[str, ...], position: Position) -> None:
        self.sources.append((target, pointer_of(path), position))


Slots = dict[str, Tree]


@lru_cache(maxsize=4096)
def pointer_of(path: tuple[str, ...]) -> str:
    """The JSON pointer of a canonical path. Paths are those of mappings and adapters, never of an input."""
    return "/" + "/".join(path)


class Action(Protocol):
    def __call__(self, value: Any, slots: Slots, at: Position, reading: Reading) -> None: ...


class CustomField(Protocol):
    """An adapter's own reader and writer for what a declaration cannot say.

    With a member `fills`, the canonical paths that it may fill in its item, a sender is told which field to mend.
    """

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None: ...

    def write(self, rest: Tree, native: Tree) -> None:
        """Move what fits from `rest` (the item's canonical values not yet written) into `native`."""
        ...


def scalar(value: Any, key: str) -> Any:
    """The text of a leaf that may come as an element with attributes or components."""
    if value.__class__ is str:
        return value
    if isinstance(value, dict):
        return scalar(value.get(key), key)
    if isinstance(value, list):
        return scalar(value[0], key) if value else None
    return value


def says_something(value: Any) -> bool:
    """False and zero do; empty texts, lists and groups do not."""
    return bool(value) or value is False or value.__class__ is int


def text_of(value: Any) -> str | None:
    """A leaf as text: JSON numbers and booleans count, an empty text is nothing."""
    if value.__class__ is str:
        return value if value.strip() else None
    if value is True or value is False:
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    return None


def fill(target: Tree, path: tuple[str, ...], value: Any) -> bool:
    """Set a canonical value; False when another value stands there already."""
    there: Any = target
    for part in path[:-1]:
        there = there.setdefault(part, {})
        if not isinstance(there, dict):
            return False
    if path[-1] in there:
        return bool(there[path[-1]] == value)
    there[path[-1]] = value
    return True

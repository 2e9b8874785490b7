"""What does a codec hand to the lens?

A *native tree*: dicts with native names, lists for repetition, text (and for
JSON also integers and booleans) at the leaves. A codec parses bytes into one
tree per notice and writes a tree back; it knows nothing of notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from gateway.model.errors import Problem
from gateway.model.notice import Gap

SKIPPED = b" \t\r\n\x0b\x0c\xef\xbb\xbf\xff\xfe\x00"  # what may stand before the first sign of an input
Tree = dict[str, Any]
Position = tuple[str | int, ...]


class Unreadable(Exception):
    """The bytes, or one item in them, cannot be decoded. Position, code and remedy; never a value."""

    def __init__(self, code: str, position: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(code, position, message, remedy)


@dataclass(slots=True)
class NativeItem:
    """One notice's tree. `position` names the item in the input; `gaps` are what the codec itself had to note.

    `is_careful` is False where the codec has seen that the input holds neither private-use characters nor halves of
    characters, in any spelling, in names as in values.
    """

    tree: Tree
    position: str = ""
    gaps: list[Gap] = field(default_factory=list)
    locate: Callable[[Position], str] | None = None
    is_careful: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """What a codec accepts before it refuses: counted on bytes and structure, so hostile input costs little."""

    max_bytes: int = 16 * 1024 * 1024
    max_depth: int = 48
    max_nodes: int = 400_000
    max_items: int = 10_000  # a gateway takes far fewer in one request; bulk files have limits of their own
    max_cells: int = 4_000_000
    max_unpacked: int = 128 * 1024 * 1024


DEFAULT_LIMITS = Limits()
# A ledger of 100,000 rows with forty columns, read row by row: what is held at once is a group of rows, not the file.
BULK_LIMITS = Limits(
    max_items=100_000, max_bytes=256 * 1024 * 1024, max_cells=12_000_000, max_unpacked=512 * 1024 * 1024
)


class Codec(Protocol):
    """`scalar_key` is where an element's own text sits when it is a dict (`#` in XML, `1` in HL7)."""

    @property
    def scalar_key(self) -> str: ...

    @property
    def extension_style(self) -> str:
        """nested | typed | flat"""
        ...

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        """Raises Unreadable when the whole input is lost."""
        ...

    def write(self, tree: Tree) -> bytes: ...

    def position(self, path: Position) -> str: ...


class RowCodec(Codec, Protocol):
    """A codec of files that hold one notice per row."""

    def rows(self, raw: bytes, media_type: str, limits: Limits) -> Iterator[NativeItem | Unreadable]:
        """One after another, as they are reached. Raises Unreadable where the rest of the file is lost."""
        ...


@lru_cache(maxsize=8192)
def pointer_position(path: Position) -> str:
    return "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in path)


@lru_cache(maxsize=8192)
def path_position(path: Position) -> str:
    """`/REQUEST/BODY/SHR[2]/CSRQ`: indexes count from 1, as XPath does."""
    out: list[str] = []
    for part in path:
        out.append(f"[{part + 1}]" if isinstance(part, int) else f"/{part}")
    return "".join(out)


def set_at(tree: Tree, path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        below = tree.get(part)
        if not isinstance(below, dict):
            below = {} if below is None else {"": below}
            tree[part] = below
        tree = below
    tree[path[-1]] = value


def get_at(tree: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = tree
    for part in path:
        if isinstance(found, list):
            found = found[0] if found else None
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


def pop_at(tree: Tree, path: Sequence[str]) -> Any:
    """Take a leaf out; emptied parents go with it."""
    if len(path) == 1:
        return tree.pop(path[0], None)
    below = tree.get(path[0])
    if not isinstance(below, dict):
        return None
    found = pop_at(below, path[1:])
    if not below:
        del tree[path[0]]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def copied(value: Any) -> Any:
    """A deep copy of groups and lists; leaves are shared."""
    if isinstance(value, dict):
        return {key: below if below.__class__ is str else copied(below) for key, below in value.items()}
    if isinstance(value, list):
        return [below if below.__class__ is str else copied(below) for below in value]
    return value


def plain_copy(data: Mapping[str, Any]) -> Tree:
    """A deep, mutable copy of canonical data."""
    return {key: below if below.__class__ is str else copied(below) for key, below in data.items()}


def deep_merge(there: Tree, more: Mapping[str, Any]) -> None:
    """Groups are joined; of two values the one that comes over stays."""
    for key, value in more.items():
        below = there.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            deep_merge(below, value)
        else:
            there[key] = value


def merge_at(tree: Tree, at: Sequence[str], node: Tree) -> None:
    there = tree
    for part in at:
        there = there.setdefault(part, {})
    deep_merge(there, node)

"""What are the hashes of the tree, and what does an append change?

RFC 6962 section 2.1 (RFC 9162 section 2.1.1): a leaf is hashed behind a zero
byte, a node behind a one, the empty tree is the hash of nothing.

An `Edge` is the right side of the log, all that an append needs: per level the
unfinished row of up to 255 hashes, for the tiles, and its compact range (one hash
per set bit), for the root. It is changed by the writer alone. Work on a `copy()`, keep it
when COMMIT has returned, drop it when COMMIT raised: then load the edge again,
because the commit may have happened.

>>> edge = Edge()
>>> edge.root() == EMPTY_ROOT
True
>>> full = edge.extend([leaf_hash(b"%d" % n) for n in range(256)])
>>> [(tile.level, tile.index) for tile in full], edge.size
([(0, 0)], 256)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

TILE_WIDTH: Final = 256
HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
_LEAF, _NODE = sha256(b"\x00"), sha256(b"\x01")


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of many: a started hash copied is a tenth cheaper than a prefix joined."""
    started, hashes = _LEAF.copy, []
    for entry in entries:
        one = started()
        one.update(entry)
        hashes.append(one.digest())
    return hashes


def node_hashes(row: Iterable[bytes]) -> list[bytes]:
    """`node_hash` of each pair of a row; an odd last one is left out. Copying a started hash is a tenth cheaper here too."""
    started, above, pairs = _NODE.copy, list[bytes](), iter(row)
    keep = above.append
    for left, right in zip(pairs, pairs, strict=False):
        one = started()
        one.update(left)
        one.update(right)
        keep(one.digest())
    return above


def row_root(row: Sequence[bytes]) -> bytes:
    """`root_of` for the few hashes of a record (one at least): pairs row by row, an odd last one moves up."""
    new = sha256  # measured: among so few, starting anew is quicker than copying a started hash
    while (width := len(row)) > 1:
        pairs = iter(row)
        above = [new(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        if width & 1:
            above.append(row[-1])
        row = above
    return row[0]


def fold(hashes: Sequence[bytes]) -> bytes:
    """Root of a complete subtree: 1, 2, 4, 8 ... hashes."""
    row = list(hashes)
    while len(row) > 1:
        if len(row) & 1:
            raise ValueError("a complete subtree has 1, 2, 4, 8 ... hashes")
        row = node_hashes(row)
    return row[0]


def root_of(hashes: Iterable[bytes]) -> bytes:
    """Root of the tree over these leaf hashes, in one pass and memory for one path."""
    return stack_root(_stacked(hashes))


def _stacked(hashes: Iterable[bytes]) -> list[bytes]:
    """The compact range over hashes of subtrees of one size, from left to right."""
    stack: list[bytes] = []
    for place, hash_ in enumerate(hashes):
        merged = hash_
        while place & 1:
            merged = sha256(b"\x01" + stack.pop() + merged).digest()
            place >>= 1
        stack.append(merged)
    return stack


def stack_root(stack: Sequence[bytes]) -> bytes:
    """Root of a compact range, its subtrees from left to right."""
    if not stack:
        return EMPTY_ROOT
    root = stack[-1]
    for left in reversed(stack[:-1]):
        root = sha256(b"\x01" + left + root).digest()
    return root


def join_roots(roots: Sequence[bytes], top: bytes) -> bytes:
    """Root over complete subtrees of one size and the root of what stands right of them, which is lower (empty: nothing)."""
    stack = _stacked(roots)
    return stack_root([*stack, top] if top else stack)


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile: 256 hashes, 8,192 bytes. `level` counts in steps of eight rows, `index` from the left."""

    level: int
    index: int
    data: bytes


class Edge:
    """The right side of a log. Not shared between threads; copy before a transaction."""

    __slots__ = ("_rows", "_stacks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._rows: list[list[bytes]] = [[]]  # per level the hashes of the unfinished tile
        self._stacks: list[list[bytes]] = [[]]  # per level the compact range of that tile

    def copy(self) -> Edge:
        twin = Edge.__new__(Edge)
        twin.size = self.size
        twin._rows = [row.copy() for row in self._rows]
        twin._stacks = [stack.copy() for stack in self._stacks]
        return twin

    def append(self, hash_: bytes) -> list[Tile]:
        """Add one leaf hash (32 bytes); returns the tiles it completed, lowest level first. O(1) on average."""
        row, stack, bits = self._rows[0], self._stacks[0], len(self._rows[0])
        row.append(hash_)
        while bits & 1:
            hash_ = sha256(b"\x01" + stack.pop() + hash_).digest()
            bits >>= 1
        stack.append(hash_)
        self.size += 1
        full: list[Tile] = []
        if len(row) == TILE_WIDTH:
            self._finish_tiles(full)
        return full

    def extend(self, hashes: Sequence[bytes]) -> list[Tile]:
        """Add leaf hashes in order; returns the tiles they completed, in the order of completion."""
        full: list[Tile] = []
        new = sha256
        done, total = 0, len(hashes)
        while done < total:
            row, stack = self._rows[0], self._stacks[0]
            push, pop = stack.append, stack.pop
            place = len(row)
            part = hashes[done : done + TILE_WIDTH - place]
            row += part
            if len(part) == TILE_WIDTH:
                push(fold(part))  # a whole tile at once is a tenth cheaper
                place = TILE_WIDTH
            else:
                for merged in part:
                    bits = place
                    while bits & 1:
                        merged = new(b"\x01" + pop() + merged).digest()
                        bits >>= 1
                    push(merged)
                    place += 1
            done += len(part)
            self.size += len(part)
            if place == TILE_WIDTH:
                self._finish_tiles(full)
        return full

    def _finish_tiles(self, full: list[Tile]) -> None:
        """Cut what is complete: a full row has one hash left on its stack, the next one of the level above."""
        level = 0
        while len(self._rows[level]) == TILE_WIDTH:
            full.append(Tile(level, (self.size >> (8 * (level + 1))) - 1, b"".join(self._rows[level])))
            (merged,) = self._stacks[level]
            self._rows[level], self._stacks[level] = [], []
            level += 1
            if level == len(self._rows):
                self._rows.append([])
                self._stacks.append([])
            row, stack = self._rows[level], self._stacks[level]
            bits = len(row)
            row.append(merged)
            while bits & 1:
                merged = sha256(b"\x01" + stack.pop() + merged).digest()
                bits >>= 1
            stack.append(merged)

    def root(self) -> bytes:
        return stack_root([part for stack in reversed(self._stacks) for part in stack])

    def partial(self, level: int) -> bytes:
        """The hashes of the unfinished tile of a level, joined; empty when the level's last tile is full."""
        return b"".join(self._rows[level]) if level < len(self._rows) else b""

    def upper(self) -> bytes:
        """The unfinished rows above the leaves: what to store beside the head, changed once in 256 appends.

        One byte of row length and the hashes, for each level from 1 up.
        """
        return b"".join(bytes([len(row)]) + b"".join(row) for row in self._rows[1:])

    @classmethod
    def load(cls, size: int, last_leaves: Sequence[bytes], upper: bytes) -> Edge:
        """The edge of a stored log.

        `last_leaves` are the hashes of leaves `size - size % 256 .. size - 1`, `upper` is what `upper()` gave.
        ValueError when they do not fit the size. The caller compares `root()` with the stored head.
        """
        rows = [list(last_leaves)]
        at = 0
        while at < len(upper):
            width = upper[at]
            row = upper[at + 1 : at + 1 + width * HASH_BYTES]
            if len(row) != width * HASH_BYTES:
                raise ValueError("the stored edge of the log is cut short")
            rows.append([row[n : n + HASH_BYTES] for n in range(0, len(row), HASH_BYTES)])
            at += 1 + width * HASH_BYTES
        if size < 0 or len(rows) != max(1, (size.bit_length() + 7) // 8):
            raise ValueError("the stored edge of the log has another number of levels than its size asks for")
        for level, hashes in enumerate(rows):
            if len(hashes) != (size >> (8 * level)) & 255 or any(len(one) != HASH_BYTES for one in hashes):
                raise ValueError(f"the stored edge of the log does not fit its size at level {level}")
        edge = cls()
        edge.size = size
        edge._rows = rows
        edge._stacks = [_subtrees(row) for row in rows]
        return edge


def _subtrees(row: Sequence[bytes]) -> list[bytes]:
    """The complete subtrees of an unfinished row, largest first."""
    parts, at = [], 0
    for height in range(7, -1, -1):
        if len(row) >> height & 1:
            parts.append(fold(row[at : at + (1 << height)]))
            at += 1 << height
    return parts

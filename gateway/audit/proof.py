"""Is this leaf in that tree, and does that tree continue this one?

Inclusion and consistency after RFC 9162 sections 2.1.3 and 2.1.4, subtrees after
the Merkle tree certificates draft. Lengths are checked before any algebra: a
verifier that hashes first accepts an empty leaf hash equal to an empty root.

Making a proof reads tiles only: `Tree` over a reader of hashes, at most one tile
per level and side. `tiles_for_inclusion` and `tiles_for_consistency` say which,
so that a caller can fetch them first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from struct import Struct

from gateway.audit.merkle import EMPTY_ROOT, HASH_BYTES, node_hash, node_hashes


def _are_hashes(*hashes: bytes) -> bool:
    return all(len(one) == HASH_BYTES for one in hashes)


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes | None:
    """The root that this path leads to, or None when it cannot be a path of leaf `index` in `size` leaves."""
    if not 0 <= index < size or not _are_hashes(leaf, *path):
        return None
    fn, sn, merged = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            merged = sha256(b"\x01" + sibling + merged).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            merged = sha256(b"\x01" + merged + sibling).digest()
        fn, sn = fn >> 1, sn >> 1
    return merged if sn == 0 else None


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    return len(root) == HASH_BYTES and root_from_inclusion(index, size, leaf, path) == root


def verify_consistency(old_size: int, size: int, old_root: bytes, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the tree of `size` leaves continues that of `old_size`.

    From an empty tree nothing can be proved: False; a caller that starts at zero decides by itself.
    """
    if not 0 < old_size <= size:
        return False
    return verify_subtree_consistency(0, old_size, size, old_root, root, path)


def is_subtree(start: int, end: int) -> bool:
    """Whether leaves `start .. end-1` form a subtree: `start` is a multiple of the next power of two from the width."""
    return 0 <= start < end and not start & ((1 << (end - start - 1).bit_length()) - 1)


def verify_subtree_inclusion(index: int, start: int, end: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    return is_subtree(start, end) and verify_inclusion(index - start, end - start, leaf, path, root)


def verify_subtree_consistency(
    start: int, end: int, size: int, subtree_root: bytes, root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the subtree over leaves `start .. end-1` is part of the tree of `size` leaves.

    The subtree over no leaves is part of every tree: then `root` is not looked at, and nothing is proved about it.
    """
    if 0 <= start == end <= size:
        return not path and subtree_root == EMPTY_ROOT
    if not is_subtree(start, end) or end > size or not _are_hashes(subtree_root, root, *path):
        return False
    fn, sn, tn = start, end - 1, size - 1
    if sn == tn:
        while fn != sn:
            fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    else:
        while fn != sn and sn & 1:
            fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    rest = list(path)
    if fn == sn:
        fr = sr = subtree_root
    elif rest:
        fr = sr = rest.pop(0)
    else:
        return False
    for sibling in rest:
        if tn == 0:
            return False
        if sn & 1 or sn == tn:
            if fn < sn:
                fr = node_hash(sibling, fr)
            sr = node_hash(sibling, sr)
            while not sn & 1:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:
            sr = node_hash(sr, sibling)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    return tn == 0 and fr == subtree_root and sr == root


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose roots are the path of leaf `index`, sibling of the leaf first."""
    if not 0 <= index < size:
        raise ValueError("no such leaf in this tree")
    low, high, ranges = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, size: int) -> list[tuple[int, int]]:
    """The ranges of leaves whose roots prove that `size` continues `old_size`; none from or to the same size, or from 0."""
    if not 0 <= old_size <= size:
        raise ValueError("the old tree is larger than the new one")
    if old_size in (0, size):
        return []
    low, high, rest, whole = 0, size, old_size, True
    ranges: list[tuple[int, int]] = []
    while rest != high - low:
        half = _split(high - low)
        if rest <= half:
            ranges.append((low + half, high))
            high = low + half
        else:
            ranges.append((low, low + half))
            low, rest, whole = low + half, rest - half, False
    if not whole:
        ranges.append((low, high))
    return ranges[::-1]


def complete_subtrees(low: int, high: int) -> list[tuple[int, int]]:
    """A range of a proof as complete subtrees from left to right: (height, place in that row)."""
    parts = []
    while low < high:
        height = (high - low).bit_length() - 1
        if low:
            height = min(height, (low & -low).bit_length() - 1)
        parts.append((height, low >> height))
        low += 1 << height
    return parts


def tiles_for(ranges: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Level and index of every tile that a proof over these ranges reads."""
    return {
        (height >> 3, (place << (height & 7)) >> 8)
        for low, high in ranges
        for height, place in complete_subtrees(low, high)
    }


def tiles_for_inclusion(index: int, size: int) -> set[tuple[int, int]]:
    return tiles_for(inclusion_ranges(index, size))


def tiles_for_consistency(old_size: int, size: int) -> set[tuple[int, int]]:
    return tiles_for(consistency_ranges(old_size, size))


ReadTile = Callable[[int, int], bytes]
_HASHES = Struct(f"{HASH_BYTES}s")
_KEPT_EDGES = 64


class Tree:
    """Proofs for any size up to the stored one, from nothing but tiles.

    `read(level, index)` gives the joined hashes of a tile, at least as many as the tree has there.
    Tiles above the leaves (1/256 of the log) stay expanded up to `keep_upper` of them, leaf tiles up to `keep`; the oldest go.
    Not shared between threads. ValueError when a tile is shorter than the tree needs.

    Every sibling on a path stands in the same tile as the node whose sibling it is, so a path takes one tile a level; only
    what ends at the right edge of the tree is put together from the tiles below.
    """

    def __init__(self, read: ReadTile, keep: int = 64, keep_upper: int = 1024) -> None:
        self._read = read
        self._keep, self._keep_upper = keep, keep_upper
        self._upper = OrderedDict[tuple[int, int], list[list[bytes]]]()
        self._leaves = OrderedDict[tuple[int, int], list[list[bytes]]]()
        self._edges = OrderedDict[tuple[int, int], bytes]()

    def _rows(self, level: int, index: int, needed: int) -> list[list[bytes]]:
        kept, most = (self._upper, self._keep_upper) if level else (self._leaves, self._keep)
        rows = kept.get((level, index))
        if rows is not None and len(rows[0]) >= needed:
            return rows
        data = self._read(level, index)
        if len(data) % HASH_BYTES or len(data) < needed * HASH_BYTES:
            raise ValueError(f"tile {index} of level {level} is shorter than the tree")
        row = [one for (one,) in _HASHES.iter_unpack(data)]
        rows = [row]
        while len(row) > 1:
            row = node_hashes(row)
            rows.append(row)
        while len(kept) >= most > 0:
            kept.popitem(last=False)
        if most:
            kept[level, index] = rows
        return rows

    def node(self, height: int, place: int) -> bytes:
        """Hash of the complete subtree over leaves `place << height .. (place + 1) << height`."""
        level, inner = height >> 3, height & 7
        index, offset = divmod(place, 256 >> inner)
        return self._rows(level, index, (offset + 1) << inner)[inner][offset]

    def range_root(self, low: int, high: int) -> bytes:
        parts = [self.node(height, place) for height, place in complete_subtrees(low, high)]
        merged = parts.pop()
        while parts:
            merged = sha256(b"\x01" + parts.pop() + merged).digest()
        return merged

    def root(self, size: int) -> bytes:
        return self.range_root(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        if not 0 <= index < size:
            raise ValueError("no such leaf in this tree")
        return self._path(index, 0, size)

    def consistency(self, old_size: int, size: int) -> list[bytes]:
        if not 0 <= old_size <= size:
            raise ValueError("the old tree is larger than the new one")
        if old_size in (0, size):
            return []
        # the way up from the last complete subtree of the old tree, which is said itself unless it is the old tree
        height = (old_size & -old_size).bit_length() - 1
        place = (old_size - 1) >> height
        path = self._path(old_size - 1, height, size)
        return [self.node(height, place), *path] if place else path

    def _path(self, index: int, height: int, size: int) -> list[bytes]:
        """Siblings from `height` up of the nodes over leaf `index`."""
        last, path, of_level = size - 1, list[bytes](), -1
        rows: list[list[bytes]] = []
        for h in range(height, last.bit_length()):
            sibling, edge = index >> h ^ 1, last >> h
            if sibling > edge:
                continue  # nothing stands right of this node
            if sibling == edge and (edge + 1) << h > size:
                path.append(self._edge(sibling << h, size))
                continue
            level, inner = h >> 3, h & 7
            if level != of_level:
                tile = index >> 8 * (level + 1)
                rows = self._rows(level, tile, min(256, (size >> 8 * level) - 256 * tile))
                of_level = level
            path.append(rows[inner][sibling & 255 >> inner])
        return path

    def _edge(self, low: int, size: int) -> bytes:
        """Root of what stands from `low` to the end of a tree: the same for most leaves of one tree."""
        root = self._edges.get((low, size))
        if root is None:
            root = self.range_root(low, size)
            while len(self._edges) >= _KEPT_EDGES:
                self._edges.popitem(last=False)
            self._edges[low, size] = root
        return root

"""Read the tree back from the store: roots and proofs of any size up to the stored one.

Full tiles are stored; what is unfinished is made from entries read back and from
the tiles below. The root of a full tile never changes, so it is kept once known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from gateway.audit.merkle import HASH_BYTES, TILE_WIDTH, Edge, fold, leaf_hash
from gateway.audit.proof import Tree
from gateway.audit.tiles import ENTRIES, encode_bundle, tile_width
from gateway.model.errors import Tampered
from gateway.ports.log_storage import LogStorage

KEPT_TILES = 256
KEPT_ROOTS = 4096  # of full tiles: an unfinished tile needs those of the 256 below it
_T = TypeVar("_T")


class _Missing(LookupError):
    """A tile that has to be read first."""

    def __init__(self, place: tuple[int, int]) -> None:
        super().__init__(place)
        self.place = place


class LogTree:
    """The stored log as a tree. One per event loop; `size` in every call is at most the stored size."""

    def __init__(self, log: LogStorage) -> None:
        self._log = log
        self._tiles = OrderedDict[tuple[int, int], bytes]()
        self._roots = OrderedDict[tuple[int, int], bytes]()
        self._ready: dict[tuple[int, int], bytes] = {}
        self._tree = Tree(self._read)

    async def tile(self, level: int, index: int, size: int) -> bytes:
        """The joined hashes of a tile of the tree of `size` leaves; empty where there is none. Tampered when the store lacks it."""
        width = tile_width(level, index, size)
        return (await self._at_least(level, index, width))[: width * HASH_BYTES] if width else b""

    async def _at_least(self, level: int, index: int, width: int) -> bytes:
        """A tile with as many hashes as are wanted, or more where more are known."""
        kept = self._tiles.get((level, index), b"")
        if len(kept) >= width * HASH_BYTES:
            return kept
        data = await self._log.tile(level, index)
        if data is None and level == 0:
            start = index * TILE_WIDTH
            data = b"".join(map(leaf_hash, await self._log.entries(start, start + width)))
        elif data is None:
            below = range(index * TILE_WIDTH, index * TILE_WIDTH + width)
            data = b"".join([await self._tile_root(level - 1, one) for one in below])
        if len(data) < width * HASH_BYTES:
            raise Tampered(f"leaves of tile {index} of level {level} are missing from the store")
        while len(self._tiles) >= KEPT_TILES:
            self._tiles.popitem(last=False)
        self._tiles[level, index] = data
        return data

    async def _tile_root(self, level: int, index: int) -> bytes:
        root = self._roots.get((level, index))
        if root is None:
            data = await self._log.tile(level, index)
            if data is None or len(data) != TILE_WIDTH * HASH_BYTES:
                raise Tampered(f"tile {index} of level {level} is missing from the store")
            root = fold([data[n : n + HASH_BYTES] for n in range(0, len(data), HASH_BYTES)])
            while len(self._roots) >= KEPT_ROOTS:
                self._roots.popitem(last=False)
            self._roots[level, index] = root
        return root

    async def bundle(self, index: int, size: int) -> bytes:
        """The entries of a tile, framed as tlog-tiles says; empty where there are none."""
        width = tile_width(0, index, size)
        return encode_bundle(await self._log.entries(index * TILE_WIDTH, index * TILE_WIDTH + width)) if width else b""

    async def file(self, level: int | str, index: int, width: int, size: int) -> bytes | None:
        """What is served at a path of tlog-tiles for a checkpointed size: None where there is no such tile yet."""
        number = 0 if level == ENTRIES else int(level)
        if tile_width(number, index, size) < width:
            return None
        upto = (index * TILE_WIDTH + width) << (8 * number)
        return await (self.bundle(index, upto) if level == ENTRIES else self.tile(number, index, upto))

    async def _made(self, make: Callable[[], _T], size: int) -> _T:
        """What `make` makes of the tree of `size` leaves. It is tried with the tiles at hand, and again with each that it lacked:
        most proofs need one tile of leaves, the upper ones stay expanded."""
        ready: dict[tuple[int, int], bytes] = {}
        while True:
            self._ready = ready  # nobody else's, as long as nothing is awaited
            try:
                return make()
            except _Missing as missing:
                level, index = missing.place
                ready[missing.place] = await self._at_least(level, index, tile_width(level, index, size))

    def _read(self, level: int, index: int) -> bytes:
        data = self._ready.get((level, index))
        if data is None:
            raise _Missing((level, index))
        return data

    async def root(self, size: int) -> bytes:
        return await self._made(lambda: self._tree.root(size), size)

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        return await self._made(lambda: self._tree.inclusion(index, size), size)

    async def consistency(self, old_size: int, size: int) -> list[bytes]:
        return await self._made(lambda: self._tree.consistency(old_size, size), size)

    async def edge(self, size: int) -> Edge:
        """The right side of the tree of `size` leaves, made from what is read back."""
        rows = [
            await self.tile(level, (size >> (8 * level)) // TILE_WIDTH, size)
            for level in range((size.bit_length() + 7) // 8)
        ]
        upper = b"".join(bytes([len(row) // HASH_BYTES]) + row for row in rows[1:])
        last = rows[0] if rows else b""
        return Edge.load(size, [last[n : n + HASH_BYTES] for n in range(0, len(last), HASH_BYTES)], upper)

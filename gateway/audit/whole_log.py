"""Are all entries, all tiles and the signed root of one mind, and if not, where first?

Reads a log in tlog-tiles layout through a reader of paths. Each bundle of 256
entries is hashed against its tile, each tile folded into its parent, the top
compared with the signed root. A disagreement names the first leaf it concerns.
Where everything agrees but the signed root, the whole log was rewritten: then
older checkpoints say how far it is still the old one.

Cost: one leaf hash an entry and about one node hash; chunks are independent, so
several processes may share them (`verify_chunk` needs nothing but its reader).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.audit.checkpoint import Checkpoint
from gateway.audit.findings import Unreadable, Wrong
from gateway.audit.merkle import EMPTY_ROOT, HASH_BYTES, fold, join_roots, leaf_hashes, root_of
from gateway.audit.tiles import ENTRIES, WIDTH, decode_bundle, tile_path, tile_width

Read = Callable[[str], bytes]
CHUNK = 64  # bundles given to one worker at a time


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a worker gives back: the joined leaf hashes' subtree roots, one per full tile, and the rest."""

    roots: tuple[bytes, ...]
    rest: tuple[bytes, ...]


def verify_chunk(read: Read, first: int, last: int, size: int) -> Chunk:
    """Check tiles `first .. last-1` of level 0 against their entries. Wrong or Unreadable names the leaf."""
    roots: list[bytes] = []
    rest: tuple[bytes, ...] = ()
    for index in range(first, last):
        width = tile_width(0, index, size)
        start = index * WIDTH
        try:
            entries = decode_bundle(read(tile_path(ENTRIES, index, width)))
            tile = read(tile_path(0, index, width))
        except Unreadable as cause:
            raise Unreadable(f"{cause} (leaves {start} to {start + width - 1})") from None
        hashes = leaf_hashes(entries)
        if len(hashes) != width or b"".join(hashes) != tile:
            _name_the_leaf(start, width, hashes, tile)
        if width == WIDTH:
            roots.append(fold(hashes))
        else:
            rest = tuple(hashes)
    return Chunk(tuple(roots), rest)


def _name_the_leaf(start: int, width: int, hashes: Sequence[bytes], tile: bytes) -> None:
    rows = [tile[n : n + HASH_BYTES] for n in range(0, len(tile), HASH_BYTES)]
    for offset in range(width):
        if offset >= len(hashes):
            raise Wrong("entries are missing from the bundle", start + offset)
        if offset >= len(rows) or rows[offset] != hashes[offset]:
            raise Wrong("entry and tile disagree", start + offset)
    raise Wrong("the bundle or the tile is longer than the log", start + width)


def verify_upper(read: Read, roots: Sequence[bytes], size: int) -> None:
    """Check every tile above the leaves against the level below. `roots` are those of the full tiles of level 0."""
    level, row = 1, list(roots)
    while size >> (8 * level):
        above: list[bytes] = []
        for index in range((len(row) + WIDTH - 1) // WIDTH):
            part = row[index * WIDTH : (index + 1) * WIDTH]
            tile = read(tile_path(level, index, len(part)))
            if tile != b"".join(part):
                wide = WIDTH**level
                for offset, one in enumerate(part):
                    if tile[offset * HASH_BYTES : (offset + 1) * HASH_BYTES] != one:
                        raise Wrong(
                            f"a tile of level {level} disagrees with the leaves", (index * WIDTH + offset) * wide
                        )
                raise Wrong(f"a tile of level {level} is longer than the log", size)
            if len(part) == WIDTH:
                above.append(fold(part))
        row, level = above, level + 1


def verify_log(
    read: Read,
    checkpoint: Checkpoint,
    older: Iterable[Checkpoint] = (),
    chunks: Callable[[Sequence[tuple[int, int]]], Iterable[Chunk]] | None = None,
) -> None:
    """Check a whole log against a checkpoint already verified, and against older ones of the same log.

    `chunks` may run `verify_chunk` over the given ranges elsewhere; it returns the results in order.
    """
    size = checkpoint.size
    last = (size + WIDTH - 1) // WIDTH
    ranges = [(n, min(n + CHUNK, last)) for n in range(0, last, CHUNK)]
    done = chunks(ranges) if chunks else (verify_chunk(read, low, high, size) for low, high in ranges)
    roots: list[bytes] = []
    rest: tuple[bytes, ...] = ()
    for chunk in done:
        roots += chunk.roots
        rest = chunk.rest
    verify_upper(read, roots, size)
    marks = sorted({checkpoint, *older}, key=lambda one: one.size)
    sound = 0
    for mark in marks:
        if mark.size > size:
            raise Wrong("an older checkpoint is larger than this log: its end was cut off", size)
        if _root_at(read, roots, rest, mark.size, size) != mark.root:
            raise Wrong(f"the log is not the one that was signed at size {mark.size}", sound)
        sound = mark.size


def _root_at(read: Read, roots: Sequence[bytes], rest: Sequence[bytes], mark: int, size: int) -> bytes:
    if mark == 0:
        return EMPTY_ROOT
    whole, left = divmod(mark, WIDTH)
    if left:
        if whole == size // WIDTH:
            tail = rest[:left]
        else:
            tile = read(tile_path(0, whole, tile_width(0, whole, size)))
            tail = tuple(tile[n * HASH_BYTES : (n + 1) * HASH_BYTES] for n in range(left))
        top = root_of(tail)
    else:
        top = b""
    return join_roots(roots[:whole], top)

"""Under which path does a tile lie, how wide is it, and how are entries bundled?

C2SP tlog-tiles v0.1.0. Index 1234067 is `x001/x234/067`; a partial tile ends in
`.p/<width>`. A tree of 256 leaves has a full tile of level 0 *and* a tile of
level 1 of width 1. Entries are framed by two bytes of length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gateway.audit.findings import Unreadable

MAX_ENTRY_BYTES = 65_535
WIDTH = 256
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
ENTRIES = "entries"


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """`tile/0/x001/x234/067.p/112`; `level` is a number or `entries`."""
    parts = [f"{index % 1000:03d}"]
    index //= 1000
    while index:
        parts.insert(0, f"x{index % 1000:03d}")
        index //= 1000
    return f"tile/{level}/" + "/".join(parts) + ("" if width == WIDTH else f".p/{width}")


def parse_tile_path(path: str) -> tuple[int | str, int, int]:
    """Level (or `entries`), index and width; Unreadable for any other spelling of a path."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise Unreadable("not the path of a tile")
    level: int | str = ENTRIES if match[1] == ENTRIES else int(match[1])
    index = int(match[2].replace("x", "").replace("/", "") + match[3])
    width = int(match[4]) if match[4] else WIDTH
    if (
        width > 255 + (match[4] is None)
        or (level != ENTRIES and int(level) > 63)
        or tile_path(level, index, width) != path
    ):
        raise Unreadable("not the path of a tile")
    return level, index, width


def tile_width(level: int, index: int, size: int) -> int:
    """How many hashes the tile has in a tree of `size` leaves; 0 when there is no such tile. Bundles of entries: level 0."""
    return max(0, min(WIDTH, (size >> (8 * level)) - index * WIDTH))


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, index and width of every tile of a tree of `size` leaves, lowest level first."""
    level = 0
    while (row := size >> (8 * level)) > 0:
        for index in range((row + WIDTH - 1) // WIDTH):
            yield level, index, tile_width(level, index, size)
        level += 1


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise ValueError("an entry has more than 65,535 bytes")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def decode_bundle(data: bytes) -> Sequence[bytes]:
    """The entries of a bundle; Unreadable when the last one is cut."""
    entries, at, total = [], 0, len(data)
    while at < total:
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        if start > total or end > total:
            raise Unreadable("a bundle of entries is cut short")
        entries.append(data[start:end])
        at = end
    return entries

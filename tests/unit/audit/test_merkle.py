"""The tree is RFC 6962's: against a naive recursive reading of the standard."""

from __future__ import annotations

import functools
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.merkle import EMPTY_ROOT, TILE_WIDTH, Edge, Tile, fold, leaf_hash, root_of

LEAVES = [leaf_hash(b"%d" % n) for n in range(66_000)]


@functools.cache
def oracle(start: int, end: int) -> bytes:
    """MTH of RFC 6962 section 2.1 over LEAVES[start:end], word for word."""
    count = end - start
    if count == 0:
        return sha256(b"").digest()
    if count == 1:
        return LEAVES[start]
    split = 1
    while split * 2 < count:
        split *= 2
    return sha256(b"\x01" + oracle(start, start + split) + oracle(start + split, end)).digest()


# Leaf inputs and roots of the Certificate Transparency reference implementation, sizes 1 to 8.
REFERENCE_INPUTS = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
REFERENCE_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def test_the_reference_roots_of_certificate_transparency_are_ours() -> None:
    edge = Edge()
    assert edge.root() == EMPTY_ROOT == sha256(b"").digest()
    for size, data in enumerate(REFERENCE_INPUTS, 1):
        edge.append(leaf_hash(data))
        if size in REFERENCE_ROOTS:
            assert edge.root().hex() == REFERENCE_ROOTS[size]


def test_roots_of_sizes_0_to_600_and_around_65536_are_those_of_the_standard() -> None:
    edge = Edge()
    for size in range(601):
        assert edge.root() == oracle(0, size) == root_of(LEAVES[:size])
        edge.append(LEAVES[size])
    edge = Edge()
    edge.extend(LEAVES[:65_530])
    for size in range(65_530, 65_545):
        assert edge.root() == oracle(0, size)
        edge.append(LEAVES[size])


def test_tiles_are_the_rows_of_the_tree_256_wide() -> None:
    edge = Edge()
    tiles: dict[tuple[int, int], bytes] = {}
    done = 0
    for step in (1, 255, 3, 253, 1000, 64_300, 188):
        for tile in edge.extend(LEAVES[done : done + step]):
            assert isinstance(tile, Tile)
            assert (tile.level, tile.index) not in tiles
            tiles[tile.level, tile.index] = tile.data
        done += step
    assert edge.size == done == 66_000
    assert tiles.keys() == {(0, n) for n in range(done // 256)} | {(1, 0)}
    for (level, index), data in tiles.items():
        width = TILE_WIDTH**level
        expected = (oracle(n * width, (n + 1) * width) for n in range(index * 256, index * 256 + 256))
        assert data == b"".join(expected)
    assert edge.partial(0) == b"".join(LEAVES[65_792:66_000])
    assert edge.partial(1) == oracle(65_536, 65_792)
    assert edge.partial(2) == oracle(0, 65_536)


@given(st.integers(0, 2000), st.lists(st.integers(0, 600), max_size=4))
@settings(max_examples=60, deadline=None)
def test_an_edge_loaded_from_what_is_stored_goes_on_like_the_one_that_was_lost(size: int, steps: list[int]) -> None:
    edge = Edge()
    edge.extend(LEAVES[:size])
    loaded = Edge.load(size, LEAVES[size - size % 256 : size], edge.upper())
    assert loaded.root() == edge.root()
    for step in steps:
        part = LEAVES[edge.size : edge.size + step]
        assert loaded.extend(part) == edge.extend(part)
        assert loaded.root() == edge.root() and loaded.upper() == edge.upper()


def test_a_copy_may_be_dropped_and_the_edge_is_as_it_was() -> None:
    edge = Edge()
    edge.extend(LEAVES[:65_535])
    before = edge.root(), edge.upper(), edge.partial(0)
    copy = edge.copy()
    assert [(tile.level, tile.index) for tile in copy.extend(LEAVES[65_535:65_900])] == [(0, 255), (1, 0), (0, 256)]
    assert (edge.root(), edge.upper(), edge.partial(0)) == before
    assert edge.size == 65_535


@pytest.mark.parametrize("damage", ["short", "long", "level", "leaf", "size", "width"])
def test_an_edge_that_does_not_fit_its_size_is_not_loaded(damage: str) -> None:
    edge = Edge()
    edge.extend(LEAVES[:1000])
    size, leaves, upper = 1000, LEAVES[768:1000], edge.upper()
    match damage:
        case "short":
            upper = upper[:-1]
        case "long":
            upper += upper
        case "level":
            upper = b""
        case "leaf":
            leaves = leaves[1:]
        case "size":
            size += 1
        case "width":
            leaves = [*leaves[:-1], b"short"]
    with pytest.raises(ValueError, match="stored edge"):
        Edge.load(size, leaves, upper)


def test_a_full_row_folds_to_the_root_of_its_subtree() -> None:
    for width in (1, 2, 4, 256):
        assert fold(LEAVES[:width]) == oracle(0, width)

"""Proofs hold for exactly what they are about: against the naive tree, and against every small change."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.findings import Unreadable
from gateway.audit.merkle import EMPTY_ROOT, Edge, leaf_hash
from gateway.audit.proof import (
    Tree,
    is_subtree,
    tiles_for_consistency,
    tiles_for_inclusion,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
)
from gateway.audit.tiles import decode_bundle, encode_bundle, parse_tile_path, tile_path, tile_width, tiles_of
from tests.unit.audit.test_merkle import LEAVES, oracle


class Reader:
    """Tiles of the first `size` leaves, and which of them were read."""

    def __init__(self, size: int) -> None:
        edge = Edge()
        self.tiles = {(tile.level, tile.index): tile.data for tile in edge.extend(LEAVES[:size])}
        for level, index, width in tiles_of(size):
            if width < 256:
                self.tiles[level, index] = edge.partial(level)
        self.read: set[tuple[int, int]] = set()

    def __call__(self, level: int, index: int) -> bytes:
        self.read.add((level, index))
        return self.tiles[level, index]


def naive_path(index: int, low: int, high: int) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if high - low == 1:
        return []
    split = 1
    while split * 2 < high - low:
        split *= 2
    if index < low + split:
        return [*naive_path(index, low, low + split), oracle(low + split, high)]
    return [*naive_path(index, low + split, high), oracle(low, low + split)]


def naive_subproof(old: int, low: int, high: int, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if old == high - low:
        return [] if whole else [oracle(low, high)]
    split = 1
    while split * 2 < high - low:
        split *= 2
    if old <= split:
        return [*naive_subproof(old, low, low + split, whole), oracle(low + split, high)]
    return [*naive_subproof(old - split, low + split, high, False), oracle(low, low + split)]


SIZES = st.one_of(st.integers(1, 600), st.integers(65_530, 65_800))


def test_every_proof_of_every_small_tree_is_the_standards() -> None:
    tree = Tree(Reader(600))
    for size in range(1, 80):
        for index in range(size):
            path = tree.inclusion(index, size)
            assert path == naive_path(index, 0, size)
            assert verify_inclusion(index, size, LEAVES[index], path, oracle(0, size))
        for old in range(1, size + 1):
            path = tree.consistency(old, size)
            assert path == naive_subproof(old, 0, size, True)
            assert verify_consistency(old, size, oracle(0, old), oracle(0, size), path)


BIG = Tree(Reader(65_800))


@given(SIZES, st.data())
@settings(max_examples=150, deadline=None)
def test_proofs_around_the_edges_of_tiles_are_the_standards(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert BIG.root(size) == oracle(0, size)
    assert BIG.inclusion(index, size) == naive_path(index, 0, size)
    assert BIG.consistency(old, size) == naive_subproof(old, 0, size, True)


@given(SIZES, st.data())
@settings(max_examples=100, deadline=None)
def test_a_proof_holds_for_its_own_claim_and_no_other(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root, path = oracle(0, size), BIG.inclusion(index, size)
    leaf = LEAVES[index]
    assert verify_inclusion(index, size, leaf, path, root)
    other = data.draw(st.integers(0, size + 300))
    assert not verify_inclusion(other, size, leaf, path, root) or other == index
    for bad in (
        [*path, root], path[:-1] if path else [root], [root, *path], [one[:-1] + b"\xff\x00" for one in path] or [b""],
    ):  # fmt: skip
        assert not verify_inclusion(index, size, leaf, bad, root)
    if size > 1:
        place = data.draw(st.integers(0, len(path) - 1))
        changed = [sha256(one).digest() if n == place else one for n, one in enumerate(path)]
        assert not verify_inclusion(index, size, leaf, changed, root)
    assert not verify_inclusion(index, size, sha256(leaf).digest(), path, root)

    growth = BIG.consistency(old, size)
    assert verify_consistency(old, size, oracle(0, old), root, growth)
    assert not verify_consistency(old, size, sha256(root).digest(), root, growth)
    assert not verify_consistency(old, size, oracle(0, old), sha256(root).digest(), growth)
    assert not verify_consistency(old, size, oracle(0, old), root, [*growth, root])
    if growth:
        assert not verify_consistency(old, size, oracle(0, old), root, growth[:-1])
        assert not verify_consistency(old - 1, size, oracle(0, old), root, growth)


def test_lengths_are_checked_before_algebra() -> None:
    assert not verify_inclusion(0, 1, b"", [], b"")
    assert not verify_consistency(1, 1, b"", b"", [])
    assert not verify_consistency(0, 0, b"a" * 32, b"b" * 32, [])
    assert not verify_consistency(0, 5, EMPTY_ROOT, oracle(0, 5), [])
    assert not verify_inclusion(-1, 1, LEAVES[0], [], LEAVES[0])
    assert not verify_inclusion(0, 0, LEAVES[0], [], LEAVES[0])


def test_every_subtree_of_a_tree_is_consistent_with_it_and_nothing_else_is_a_subtree() -> None:
    tree, size = Tree(Reader(40)), 37
    for start in range(size):
        for end in range(start + 1, size + 1):
            width = 1
            while width < end - start:
                width *= 2
            assert is_subtree(start, end) == (start % width == 0)
    assert verify_subtree_consistency(8, 12, 12, oracle(8, 12), oracle(0, 12), [tree.node(3, 0)])
    assert not verify_subtree_consistency(8, 12, 12, oracle(4, 8), oracle(0, 12), [tree.node(3, 0)])


@given(SIZES, st.data())
@settings(max_examples=60, deadline=None)
def test_a_proof_reads_the_tiles_it_says_and_at_most_one_a_level_and_side(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    reader = Reader(size) if size < 1000 else Reader(65_800)
    Tree(reader).inclusion(index, size)
    assert reader.read == tiles_for_inclusion(index, size)
    assert len(reader.read) <= 5
    reader.read.clear()
    Tree(reader).consistency(old, size)
    assert reader.read == tiles_for_consistency(old, size)


def test_a_tile_that_is_too_short_makes_no_proof() -> None:
    with pytest.raises(ValueError, match="shorter than the tree"):
        Tree(lambda level, index: b"x" * 64).inclusion(0, 5)
    with pytest.raises(ValueError, match="no such leaf"):
        Tree(Reader(5)).inclusion(5, 5)
    with pytest.raises(ValueError, match="larger than the new"):
        Tree(Reader(5)).consistency(6, 5)


def test_a_partial_tile_that_grew_meanwhile_serves_the_smaller_tree_and_is_read_again_for_the_larger() -> None:
    row = list(LEAVES[:3])
    tree = Tree(lambda level, index: b"".join(row))
    assert tree.root(3) == oracle(0, 3)
    row += LEAVES[3:7]
    assert tree.root(2) == oracle(0, 2)
    assert tree.root(7) == oracle(0, 7)


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"), (0, 0, 1, "tile/0/000.p/1"), (1, 1_234_067, 256, "tile/1/x001/x234/067"),
        ("entries", 999, 255, "tile/entries/999.p/255"), ("entries", 1000, 256, "tile/entries/x001/000"),
    ],
)  # fmt: skip
def test_a_tile_has_one_path(level: int | str, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path
    assert parse_tile_path(path) == (level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/00/000", "tile/64/000",
        "tile/0/x000/000", "tile/0/x001/67", "tile/0/000/", "tile/0/../../etc", "tile/0/０00", "tile/0/000\n",
        "/tile/0/000", "tile/entries/x01/000", "tile/-1/000", "tile/data/000",
    ],
)  # fmt: skip
def test_no_other_spelling_of_a_path_is_read(path: str) -> None:
    with pytest.raises(Unreadable):
        parse_tile_path(path)


@given(st.integers(0, 63), st.integers(0, 2**40), st.integers(1, 256))
def test_every_path_is_read_back(level: int, index: int, width: int) -> None:
    assert parse_tile_path(tile_path(level, index, width)) == (level, index, width)


def test_256_leaves_have_a_full_tile_and_one_of_width_1_above() -> None:
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(0)) == []
    seventy = list(tiles_of(70_000))
    assert seventy[272:275] == [(0, 272, 256), (0, 273, 112), (1, 0, 256)]
    assert seventy[-2:] == [(1, 1, 17), (2, 0, 1)]
    assert tile_width(0, 273, 70_000) == 112 and tile_width(0, 274, 70_000) == 0


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(1, 2))
def test_a_bundle_is_read_back_and_a_cut_one_is_not(entries: list[bytes], cut: int) -> None:
    raw = encode_bundle(entries)
    assert list(decode_bundle(raw)) == entries
    if entries and (entries[-1] or cut == 1):
        with pytest.raises(Unreadable):
            decode_bundle(raw[:-cut] if len(entries[-1]) >= cut or not entries[-1] else raw[:-1])


def test_leaf_hash_is_behind_a_zero_byte() -> None:
    assert leaf_hash(b"x") == sha256(b"\x00x").digest()

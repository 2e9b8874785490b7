"""Keys that several nodes of an older cluster make at once, and keys that somebody died over."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gateway.engines.files.note_keys import ensure_note_keys, load_note_keys, make_note_keys
from gateway.model.errors import InvalidDocument

NODES = 6


def vkeys(folder: Path) -> tuple[str, ...]:
    return tuple(one.key.vkey for one in load_note_keys(folder, "hold", "test.example/hold/1", is_log=True))


def test_nodes_that_make_the_hold_keys_at_once_go_on_with_the_same_ones(tmp_path: Path) -> None:
    for turn in range(5):
        folder, barrier = tmp_path / str(turn), threading.Barrier(NODES)
        folder.mkdir()
        found: list[tuple[str, ...]] = []

        def node(
            folder: Path = folder, barrier: threading.Barrier = barrier, found: list[tuple[str, ...]] = found
        ) -> None:
            barrier.wait()
            ensure_note_keys(folder, "hold")
            found.append(vkeys(folder))

        nodes = [threading.Thread(target=node) for _ in range(NODES)]
        for one in nodes:
            one.start()
        for one in nodes:
            one.join()
        assert len(found) == NODES and len(set(found)) == 1
        assert sorted(path.name for path in folder.iterdir()) == ["hold.ed25519.pem", "hold.mldsa44.pem"]
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


@pytest.mark.parametrize("lost", ["hold.ed25519.pem", "hold.mldsa44.pem"])
def test_a_pair_that_was_left_half_made_is_completed_and_nothing_is_replaced(tmp_path: Path, lost: str) -> None:
    make_note_keys(tmp_path, "hold")
    before = vkeys(tmp_path)
    (tmp_path / lost).unlink()
    ensure_note_keys(tmp_path, "hold")
    assert len(set(before) & set(vkeys(tmp_path))) == 1
    with pytest.raises(InvalidDocument, match="there already"):
        make_note_keys(tmp_path, "hold")

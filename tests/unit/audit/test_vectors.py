"""Other people's vectors: transparency-dev/merkle and the log of transparency-dev/tessera."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.checkpoint import open_checkpoint
from gateway.audit.findings import Wrong
from gateway.audit.merkle import Edge, leaf_hash
from gateway.audit.note import parse_vkey
from gateway.audit.proof import (
    Tree,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from gateway.audit.tiles import decode_bundle, encode_bundle, tile_path
from gateway.audit.verifier import main
from gateway.audit.whole_log import verify_log
from tests.support.samples import ROOT, needs_samples, sample_files

pytestmark = [needs_samples, pytest.mark.samples]

VKEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
LOG = ROOT / "tlog" / "tessera-log"

# The one case refused on purpose (and its twin among the subtrees): two trees of size 1 with one and the same "root" of
# 12 bytes. Equal they are, hashes they are not, and a verifier that says yes to what is no hash is the next one's hole.
REFUSED_ON_PURPOSE = {
    "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json",
    "subtreeconsistency/additional/sizes-are-equal-one-and-proof-is-empty.json",
}


def cases(folder: str) -> list[Any]:
    return [
        pytest.param(path, id=str(path.relative_to(ROOT / "tlog" / "merkle")))
        for path in sample_files(f"tlog/merkle/{folder}", "*.json")
    ]


def holds(path: Path) -> tuple[bool, bool]:
    """What we say, and what the vector says."""
    case = json.loads(path.read_bytes())

    def bytes_of(name: str) -> bytes:
        return base64.b64decode(case[name] or "")

    proof = [base64.b64decode(one) for one in case["proof"] or []]
    match path.relative_to(ROOT / "tlog" / "merkle").parts[0]:
        case "inclusion":
            ours = verify_inclusion(case["leafIdx"], case["treeSize"], bytes_of("leafHash"), proof, bytes_of("root"))
        case "consistency":
            ours = verify_consistency(case["size1"], case["size2"], bytes_of("root1"), bytes_of("root2"), proof)
        case "subtreeinclusion":
            ours = verify_subtree_inclusion(
                case["leafIdx"], case["start"], case["end"], bytes_of("leafHash"), proof, bytes_of("root")
            )
        case _:
            ours = verify_subtree_consistency(
                case["start"], case["end"], case["size"], bytes_of("root1"), bytes_of("root2"), proof
            )
    return ours, not case["wantErr"]


@pytest.mark.parametrize(
    "path", [*cases("inclusion"), *cases("consistency"), *cases("subtreeinclusion"), *cases("subtreeconsistency")]
)
def test_we_say_of_a_proof_what_its_vector_says(path: Path) -> None:
    ours, theirs = holds(path)
    name = str(path.relative_to(ROOT / "tlog" / "merkle"))
    assert ours == (theirs and name not in REFUSED_ON_PURPOSE)


def test_the_vectors_are_all_there() -> None:
    count = {
        folder: len(cases(folder)) for folder in ("inclusion", "consistency", "subtreeinclusion", "subtreeconsistency")
    }
    assert count["inclusion"] == count["consistency"] == 98
    assert sum(count.values()) >= 500


def entries() -> list[bytes]:
    return list(decode_bundle((LOG / tile_path("entries", 0, 15)).read_bytes()))


def test_every_checkpoint_of_the_foreign_log_is_signed_and_is_the_root_of_its_entries() -> None:
    key = parse_vkey(VKEY)
    assert key.vkey == VKEY
    edge = Edge()
    for size in range(16):
        raw = (LOG / f"checkpoint.{size}").read_bytes()
        checkpoint, note, lines = open_checkpoint(raw, [key])
        assert note.raw == raw and [line.key for line in lines] == [key]
        assert (checkpoint.size, checkpoint.root) == (size, edge.root())
        if size:
            part = entries()[:size]
            assert (LOG / tile_path("entries", 0, size)).read_bytes() == encode_bundle(part)
            assert (LOG / tile_path(0, 0, size)).read_bytes() == edge.partial(0)
        if size < 15:
            edge.append(leaf_hash(entries()[size]))


def test_every_step_of_the_foreign_log_is_consistent_and_every_entry_included() -> None:
    tree = Tree(lambda level, index: (LOG / tile_path(level, index, 15)).read_bytes())
    for size in range(1, 16):
        for old in range(1, size + 1):
            assert verify_consistency(old, size, tree.root(old), tree.root(size), tree.consistency(old, size))
        for index, entry in enumerate(entries()[:size]):
            assert verify_inclusion(index, size, leaf_hash(entry), tree.inclusion(index, size), tree.root(size))


def test_the_foreign_log_verifies_as_a_whole_and_a_changed_byte_does_not() -> None:
    checkpoints = [open_checkpoint((LOG / f"checkpoint.{n}").read_bytes(), [parse_vkey(VKEY)])[0] for n in range(16)]
    verify_log(lambda path: (LOG / path).read_bytes(), checkpoints[15], checkpoints)

    def tampered(path: str) -> bytes:
        raw = (LOG / path).read_bytes()
        return raw[:-1] + bytes([raw[-1] ^ 1]) if "entries" in path else raw

    with pytest.raises(Wrong) as found:
        verify_log(tampered, checkpoints[15])
    assert found.value.index == 14


def test_the_command_verifies_the_foreign_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", str(LOG), "--key", VKEY, "--old", str(LOG / "checkpoint.7")]) == 0
    assert main(["checkpoint", str(LOG / "checkpoint"), "--key", VKEY]) == 0
    other = VKEY.replace("testdata", "otherlog")
    assert main(["checkpoint", str(LOG / "checkpoint"), "--key", other]) == 2
    assert "verified" in capsys.readouterr().out

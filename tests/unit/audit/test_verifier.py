"""A hundred per cent of the tamper corpus is found, and the place is named."""

from __future__ import annotations

import random
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.audit.export import read_records
from gateway.audit.findings import Unreadable, Wrong
from gateway.audit.merkle import leaf_hash
from gateway.audit.proof_text import ProofText
from gateway.audit.tiles import decode_bundle, encode_bundle
from tests.support.audit_log import LOG, T0, WITNESS, BuiltLog, built_log, put
from tests.unit.audit.verifying import SIZE, check_files, flipped, run


def test_a_whole_log_verifies_with_every_record_opened(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = check_files(capsys, files, "--old", str(files / "checkpoint.400"))
    assert code == 0
    assert answer["records_opened"] == answer["size"] == SIZE
    assert answer["leaves_without_record"] == answer["slots_closed"] == 0


@pytest.mark.parametrize("seed", range(12))
def test_a_changed_byte_of_an_entry_or_a_tile_is_found_at_its_leaf(
    copy: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(seed)
    bundles = sorted(path for path in (copy / "tile" / "entries").rglob("*") if path.is_file())
    tiles = sorted(path for path in (copy / "tile" / "0").rglob("*") if path.is_file())
    number = rng.randrange(3)
    entries = decode_bundle(bundles[number].read_bytes())
    offset = rng.randrange(len(entries))
    if seed % 2:
        changed = [flipped(one, rng.randrange(len(one))) if n == offset else one for n, one in enumerate(entries)]
        bundles[number].write_bytes(encode_bundle(changed))
    else:
        tiles[number].write_bytes(flipped(tiles[number].read_bytes(), 32 * offset + rng.randrange(32), 128))
    code, answer = check_files(capsys, copy)
    assert (code, answer["index"]) == (1, 256 * number + offset)


def test_entry_and_tile_changed_together_are_found_one_level_up(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, tile = copy / "tile/entries/001", copy / "tile/0/001"
    entries = list(decode_bundle(bundle.read_bytes()))
    entries[7], entries[8] = entries[8], entries[7]
    bundle.write_bytes(encode_bundle(entries))
    tile.write_bytes(b"".join(leaf_hash(entry) for entry in entries))
    code, answer = check_files(capsys, copy)
    assert (code, answer["index"]) == (1, 256)


def test_a_changed_upper_tile_is_found_at_the_leaves_it_speaks_of(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / "tile/1/000.p/2"
    path.write_bytes(flipped(path.read_bytes(), 40))
    code, answer = check_files(capsys, copy)
    assert (code, answer["index"]) == (1, 256)


@pytest.mark.parametrize("what", ["swapped", "dropped", "inserted", "repeated", "last"])
def test_entries_moved_about_are_found_at_the_first_that_moved(
    copy: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / "tile/entries/002.p/188"
    entries = list(decode_bundle(path.read_bytes()))
    match what:
        case "swapped":
            entries[5], entries[9] = entries[9], entries[5]
        case "dropped":
            del entries[5]
        case "inserted":
            entries.insert(5, entries[100])
        case "repeated":
            entries[5] = entries[4]
        case "last":
            entries.append(entries[0])
    path.write_bytes(encode_bundle(entries))
    code, answer = check_files(capsys, copy)
    assert (code, answer["index"]) == (1, 700 if what == "last" else 517)


def test_a_tail_cut_off_is_found_by_any_checkpoint_held_elsewhere(
    log: BuiltLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = built_log(500)
    assert short.records[499] == log.records[499]
    short.write(tmp_path)
    put(tmp_path / "held", log.note())
    assert check_files(capsys, tmp_path)[0] == 0
    code, answer = check_files(capsys, tmp_path, "--old", str(tmp_path / "held"))
    assert (code, answer["index"]) == (1, 500)
    code, answer = run(
        capsys,
        "consistency",
        str(tmp_path / "held"),
        str(tmp_path / "checkpoint"),
        "--policy",
        str(tmp_path / "policy"),
    )
    assert (code, answer["index"]) == (1, 500)


def forked(log: BuiltLog, at: int) -> BuiltLog:
    other = BuiltLog()
    for index, event in enumerate(log.events):
        other.add(replace(event, secret=b"f" * 32) if index == at else event)
    return other


def test_a_rewritten_log_is_found_between_the_checkpoints_that_frame_it(
    log: BuiltLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forked(log, 450).write(tmp_path)
    for size in (300, 400, 500, 600):
        put(tmp_path / f"checkpoint.{size}", log.note(size))
    assert check_files(capsys, tmp_path)[0] == 0
    olds = [word for size in (600, 300, 500, 400) for word in ("--old", str(tmp_path / f"checkpoint.{size}"))]
    code, answer = check_files(capsys, tmp_path, *olds)
    assert (code, answer["index"]) == (1, 400)
    assert "signed at size 500" in answer["problem"]


def test_two_signed_trees_of_one_size_prove_a_fork(
    log: BuiltLog, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "other", forked(log, 3).note())
    code, answer = run(
        capsys, "consistency", str(files / "checkpoint"), str(tmp_path / "other"), "--policy", str(files / "policy")
    )
    assert code == 1 and "forked" in answer["problem"]


def test_growth_is_proved_by_a_file_of_hashes(
    log: BuiltLog, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [b64encode(one) + b"\n" for one in log.tree.consistency(400, SIZE)]
    args = [
        "consistency",
        str(files / "checkpoint.400"),
        str(files / "checkpoint"),
        "--policy",
        str(files / "policy"),
        "--proof",
    ]
    for number, proof in enumerate((lines, lines[:-1], [*lines, lines[0]], lines[::-1])):
        put(tmp_path / "proof", b"".join(proof))
        assert run(capsys, *args, str(tmp_path / "proof"))[0] == (0 if number == 0 else 1)


def test_one_entry_is_proved_by_a_proof_file(
    log: BuiltLog, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = log.records[300]
    put(tmp_path / "entry", record.entry)
    put(tmp_path / "proof", ProofText(300, tuple(log.tree.inclusion(300, SIZE)), log.note()).raw)
    args = ["proof", str(tmp_path / "proof"), "--policy", str(files / "policy")]
    assert run(capsys, *args, "--entry", str(tmp_path / "entry"))[0] == 0
    assert run(capsys, *args, "--record-root", b64encode(record.root).decode())[0] == 0
    assert run(capsys, *args, "--record-root", b64encode(log.records[301].root).decode()) == (
        1, {"result": 1, "problem": "the entry is not in the signed tree", "index": 300},
    )  # fmt: skip
    assert run(capsys, *args)[0] == 2


def test_without_keys_nothing_is_verified_and_strangers_keys_verify_nothing(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = str(files / "checkpoint")
    assert run(capsys, "checkpoint", head)[0] == 2
    assert run(capsys, "checkpoint", head, "--key", LOG.key.vkey)[0] == 0
    assert run(capsys, "checkpoint", head, "--key", WITNESS.key.vkey)[0] == 1
    policy = ["--policy", str(files / "policy")]
    assert run(capsys, "checkpoint", head, *policy, "--max-age", "60", "--now", str(T0 + 60))[0] == 0
    assert run(capsys, "checkpoint", head, *policy, "--max-age", "60", "--now", str(T0 + 61))[0] == 3
    assert run(capsys, "checkpoint", head, *policy, "--origin", "other.test/log")[0] == 1
    assert run(capsys, "checkpoint", str(files / "no-such-file"), *policy)[0] == 2


@pytest.mark.parametrize(
    "missing", ["checkpoint", "policy", "records.jsonl", "tile/0/001", "tile/entries/000", "tile/1/000.p/2"]
)
def test_what_is_missing_is_unreadable_and_never_passed(
    copy: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / missing).unlink()
    assert check_files(capsys, copy)[0] == 2


def test_every_byte_of_an_exported_record_matters(log: BuiltLog) -> None:
    lines = log.export().splitlines(keepends=True)
    index = next(n for n, event in enumerate(log.events) if event.officer and len(event.persons) == 2)
    good = list(read_records([lines[0], lines[index + 1]]))
    assert good[0].leaf == log.records[index].leaf_hash
    raw = lines[index + 1]
    missed = []
    for at in range(len(raw) - 1):
        for bit in (1, 32):
            try:
                found = list(read_records([lines[0], flipped(raw, at, bit)]))
                if (found[0].index, found[0].leaf) == (good[0].index, good[0].leaf):
                    missed.append(at)
            except (Wrong, Unreadable):
                continue
    assert missed == []


def test_a_record_changed_dropped_or_repeated_in_an_export_is_named(
    log: BuiltLog, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = log.export().splitlines(keepends=True)
    records = copy / "records.jsonl"
    records.write_bytes(b"".join([*lines[:301], lines[301].replace(b'"actor":"', b'"actor":"x'), *lines[302:]]))
    assert check_files(capsys, copy)[1]["index"] == 300
    records.write_bytes(b"".join([*lines[:301], *lines[302:]]))
    code, answer = check_files(capsys, copy)
    assert code == 3 and "1 leaves have no record here, the first is leaf 300" in answer["problem"]
    code, answer = check_files(capsys, copy, "--part")
    assert (code, answer["leaves_without_record"], answer["first_leaf_without_record"]) == (0, 1, 300)
    records.write_bytes(b"".join([*lines, lines[301]]))
    assert check_files(capsys, copy)[1]["index"] == 300
    records.write_bytes(b"".join([lines[0], lines[1].replace(b'"index":0', b'"index":1', 1)]))
    assert check_files(capsys, copy)[1]["index"] == 1

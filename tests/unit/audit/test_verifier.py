"""A hundred per cent of the tamper corpus is found, and the place is named; and one person's secret erased harms nobody else."""

from __future__ import annotations

import ast
import json
import os
import random
import shutil
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.bundle import Claim, check_bundle, check_report
from gateway.audit.export import read_records
from gateway.audit.findings import NotEnough, Unreadable, Wrong
from gateway.audit.merkle import leaf_hash
from gateway.audit.opening import open_slot, read_opening
from gateway.audit.proof_text import ProofText
from gateway.audit.tiles import decode_bundle, encode_bundle
from gateway.audit.trust import parse_trust_policy
from gateway.audit.verifier import main
from gateway.model.audit import EventName
from tests.support.audit_log import LOG, POLICY, T0, WITNESS, BuiltLog, built_log, put, secret_of
from tests.support.log_events import event_of

TRUST = parse_trust_policy(POLICY)
SIZE = 700
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def log() -> BuiltLog:
    return built_log(SIZE)


@pytest.fixture(scope="module")
def files(log: BuiltLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    log.write(folder)
    put(folder / "checkpoint.400", log.note(400))
    return folder


@pytest.fixture
def copy(files: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(files, tmp_path / "copy"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def check_files(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    return run(
        capsys,
        "log",
        str(folder),
        "--policy",
        str(folder / "policy"),
        "--records",
        str(folder / "records.jsonl"),
        *more,
    )


def test_a_whole_log_verifies_with_every_record_opened(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = check_files(capsys, files, "--old", str(files / "checkpoint.400"))
    assert code == 0
    assert answer["records_opened"] == answer["size"] == SIZE
    assert answer["leaves_without_record"] == answer["slots_closed"] == 0


def flipped(raw: bytes, at: int, bit: int = 1) -> bytes:
    return raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]


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


# ---- bundles and reports


def test_a_bundle_opens_what_it_shows_and_keeps_the_rest(log: BuiltLog) -> None:
    index = next(n for n, event in enumerate(log.events) if "recipient" in event.values and event.persons)
    proof = log.proof_of(
        index,
        log.events[index].persons[0].subject,
        envelope=lambda name: name == "recipient",
        personal=lambda name: False,
    )
    raw = log.bundle([]).replace(b'"records":[]', b'"records":[' + json.dumps(proof).encode() + b"]")
    checked = check_bundle(raw, TRUST, not_before=T0)
    record = checked.records[0].record
    assert record.values == {"recipient": log.events[index].values["recipient"]}
    assert record.hidden > 0 and record.event_id == log.events[index].id
    (shown,) = [slot for slot in record.slots if slot is not None]
    assert shown.values == {} and shown.hidden > 0 and shown.link is not None
    assert str(log.events[index].persons[0].values["person"]).encode() not in raw


def test_every_byte_of_a_bundle_matters(log: BuiltLog) -> None:
    raw = log.bundle([3, 300])
    start = raw.index(b'"records"')
    missed = []
    for at in range(start, len(raw), 2):
        try:
            check_bundle(flipped(raw, at, 1 + at % 3), TRUST)
            missed.append(at)
        except (Wrong, Unreadable, NotEnough):
            pass
    assert missed == []


def test_a_report_is_complete_or_it_is_refused_at_the_gap(log: BuiltLog) -> None:
    indices = log.about("subject-1")
    checked = check_report(log.report("subject-1"), TRUST)
    assert [proven.index for proven in checked.records] == indices
    middle = len(indices) // 2
    for gone, named in ((middle, middle + 1), (0, 1), (len(indices) - 1, len(indices) - 2)):
        rest = [index for n, index in enumerate(indices) if n != gone]
        with pytest.raises(Wrong, match=r"missing|first record") as found:
            check_report(log.report("subject-1", rest), TRUST)
        assert found.value.index == indices[named]


def test_a_report_with_another_persons_record_in_the_gap_is_refused(log: BuiltLog) -> None:
    mine, other = log.about("subject-1"), set(log.about("subject-2"))
    gone = mine[5]
    stand_in = min(index for index in other - set(mine) if mine[4] < index)
    raw = json.loads(log.report("subject-1", [index for index in mine if index != gone]))
    raw["records"].append(log.proof_of(stand_in, "subject-2"))
    raw["records"].sort(key=lambda one: one["index"])
    with pytest.raises(Wrong, match="missing"):
        check_report(json.dumps(raw).encode(), TRUST)


def test_a_report_that_goes_on_as_somebody_else_where_two_persons_meet_is_refused() -> None:
    rng, log = random.Random(7), BuiltLog()
    child, other = ("subject-1", secret_of(1)), ("subject-2", secret_of(2))
    for people in ((child,), (other,), (child, other), (child,)):
        log.add(event_of(EventName.CASE_OPENED, rng, people=people))
    assert [one.index for one in check_report(log.report("subject-1"), TRUST).records] == [0, 2, 3]
    # leaf 0 is kept back: the claim is true, every link fits, and only the name in the place tells
    for shows in ({}, {"personal": lambda name: False}):
        raw = json.loads(log.report("subject-1", []))
        walk = ((1, "subject-2"), (2, "subject-2"), (3, "subject-1"))
        raw["records"] = [log.proof_of(index, subject, **shows) for index, subject in walk]
        with pytest.raises(Wrong, match="same person"):
            check_report(json.dumps(raw).encode(), TRUST)


def test_a_person_carried_twice_does_not_stand_in_for_whom_a_joining_names() -> None:
    rng, log = random.Random(8), BuiltLog()
    log.add(event_of(EventName.PERSONS_JOINED, rng, people=(("subject-1", secret_of(1)), ("subject-2", secret_of(2)))))
    one, other = (json.loads(log.report(f"subject-{n}")) for n in (1, 2))
    assert check_report(json.dumps({**one, "also": [other]}).encode(), TRUST).joined_elsewhere == ()
    with pytest.raises(Wrong, match="twice"):
        check_report(json.dumps({**one, "also": [one]}).encode(), TRUST)


def test_a_bundle_or_report_of_another_log_than_the_one_asked_for_is_refused(
    log: BuiltLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "policy", POLICY)
    for command, raw in (("bundle", log.bundle([3])), ("report", log.report("subject-99"))):
        put(tmp_path / "file", raw)
        args = (command, str(tmp_path / "file"), "--policy", str(tmp_path / "policy"), "--origin")
        assert run(capsys, *args, LOG.key.name)[0] == 0
        assert run(capsys, *args, "another.test/exchange-log/1")[0] == 1


@pytest.mark.parametrize(
    ("was", "made"),
    [
        (b'"format":', rb'"also":"\ud800","format":'),
        (b'"format":', b'"also":7,"format":'),
        (b'["actor",', rb'["\udc00",'),
        (b'"checkpoint":"', rb'"checkpoint":"\ud800'),
    ],
)
def test_what_nobody_can_read_is_not_called_proven_wrong(
    log: BuiltLog, tmp_path: Path, capsys: pytest.CaptureFixture[str], was: bytes, made: bytes
) -> None:
    raw = log.report("subject-1")
    assert was in raw
    put(tmp_path / "policy", POLICY)
    put(tmp_path / "report", raw.replace(was, made, 1))
    assert run(capsys, "report", str(tmp_path / "report"), "--policy", str(tmp_path / "policy"))[0] == 2
    put(tmp_path / "policy", b"log name+00000000+\xff\nquorum none\n")
    assert run(capsys, "report", str(tmp_path / "report"), "--policy", str(tmp_path / "policy"))[0] == 2


def test_a_page_is_read_as_a_browser_saved_it_and_what_carries_no_evidence_says_what_to_ask_for(
    log: BuiltLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, page = str(tmp_path / "policy"), tmp_path / "page.html"
    put(tmp_path / "policy", POLICY)
    attached = b64encode(log.bundle([1, 2])).decode()
    saved = f'\ufeff<!DOCTYPE html>\n<!-- saved from --><html><body><a href="data:application/json;base64,{attached}">'
    put(page, saved.encode())
    assert run(capsys, "bundle", str(page), "--policy", policy)[0] == 0
    for command in ("checkpoint", "proof"):
        code, told = run(capsys, command, str(page), "--policy", policy)
        assert code == 2 and "`bundle`" in str(told)
    put(page, b"%PDF-1.7 ...")
    code, told = run(capsys, "report", str(page), "--policy", policy)
    assert code == 2 and "HTML" in str(told)


def test_a_reader_that_has_seen_enough_changes_no_verdict(log: BuiltLog, tmp_path: Path) -> None:
    put(tmp_path / "policy", POLICY)
    bundle = log.bundle([1, 2])
    for raw, code in ((bundle, 0), (bundle.replace(b'"actor"', b'"actar"', 1), 1)):
        put(tmp_path / "bundle", raw)
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "gateway.audit.verifier", "bundle", str(tmp_path / "bundle"),
             "--policy", str(tmp_path / "policy")],
            cwd=REPOSITORY, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
        os.close(writer)
        assert (done.returncode, done.stderr) == (code, b"")


def test_an_older_newest_is_refused_when_the_claim_is_of_another_tree(log: BuiltLog) -> None:
    old = replace(log.claim("subject-1"), size=400, root=log.tree.root(400))
    with pytest.raises(Wrong, match="another tree"):
        check_report(log.report("subject-1", claim=old), TRUST)
    forged = json.loads(log.report("subject-1"))
    forged["claim"] = forged["claim"].replace("\n\n— ", "\n\n— x")
    with pytest.raises(Wrong, match="no known key"):
        check_report(json.dumps(forged).encode(), TRUST)
    with pytest.raises(Unreadable, match="no completeness"):
        check_report(log.bundle([1, 2]), TRUST)


def test_a_report_about_nobody_is_empty_and_says_so(log: BuiltLog) -> None:
    head = log.checkpoint()
    assert check_report(log.report("subject-99"), TRUST).records == ()
    with pytest.raises(Wrong, match="first record"):
        check_report(log.report("subject-99", claim=Claim(head.origin, head.size, head.root, 1, "x" * 20)), TRUST)


def test_a_report_is_verified_by_the_single_file_without_any_package(tmp_path: Path) -> None:
    program = tmp_path / "hutong_verify.py"
    subprocess.run(
        [sys.executable, str(REPOSITORY / "ops" / "build-verifier.py"), str(program)], check=True, capture_output=True
    )
    drawn = (built_log(200, seed) for seed in range(1, 99))
    log = next(one for one in drawn if check_report(one.report("subject-1"), TRUST).joined_elsewhere)
    put(tmp_path / "report", log.report("subject-1"))
    put(tmp_path / "policy", POLICY)
    args = [
        sys.executable,
        "-I",
        "-S",
        str(program),
        "--json",
        "report",
        str(tmp_path / "report"),
        "--policy",
        str(tmp_path / "policy"),
    ]
    done = subprocess.run(args, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 3, "somebody is found to be the same person, and is not here"
    args.append("--alone")
    done = subprocess.run(args, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["complete"] is False and len(answer["records"]) == len(log.about("subject-1"))
    assert {line["type"] for line in answer["signed_by"]} == {1, 4}
    raw = (tmp_path / "report").read_bytes()
    put(tmp_path / "report", raw.replace(b'"actor"', b'"actar"', 1))
    done = subprocess.run(args, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and "index" in json.loads(done.stdout)


def test_the_single_file_imports_nothing_but_the_standard_library(tmp_path: Path) -> None:
    program = tmp_path / "hutong_verify.py"
    subprocess.run(
        [sys.executable, str(REPOSITORY / "ops" / "build-verifier.py"), str(program)], check=True, capture_output=True
    )
    nodes = list(ast.walk(ast.parse(program.read_text())))
    imported = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported - {"__future__", "cryptography"} <= sys.stdlib_module_names


# ---- privacy and erasure


def test_no_personal_value_or_hash_of_one_is_in_what_leaves_the_gateway(log: BuiltLog, files: Path) -> None:
    leaving = b"".join(
        path.read_bytes()
        for path in files.rglob("*")
        if path.is_file() and path.name not in ("records.jsonl", "policy")
    )
    checked = 0
    for index, event in enumerate(log.events):
        slots = [*event.persons, *([event.officer] if event.officer else [])]
        for slot in slots:
            for value in [*slot.values.values(), slot.subject, event.id]:
                if not isinstance(value, str) or len(value) < 8:
                    continue
                raw = value.encode()
                digest = sha256(raw).digest()
                forms = (
                    raw,
                    digest,
                    digest.hex().encode(),
                    b64encode(digest),
                    b64encode(raw).rstrip(b"="),
                    leaf_hash(raw),
                )
                assert not any(form in leaving for form in forms), index
                checked += 1
    assert checked > 1000


def test_after_one_persons_erasure_proofs_hold_the_person_is_closed_and_all_others_open(
    log: BuiltLog, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    erased = frozenset({"subject-1"})
    put(copy / "records.jsonl", log.export(erased))
    code, answer = check_files(capsys, copy)
    assert code == 0
    assert answer["records_opened"] == SIZE and answer["slots_closed"] == len(log.about("subject-1"))
    exported = (copy / "records.jsonl").read_bytes()
    for index in log.about("subject-1"):
        event, opening = log.events[index], read_opening(log.records[index].opening)
        first = 1 if event.officer is None else 2
        for number, slot in enumerate(event.persons, first):
            if slot.subject == "subject-1":
                assert str(slot.values["person"]).encode() not in exported
                with pytest.raises(Wrong):
                    open_slot(opening, number, secret_of(2))
            else:
                assert open_slot(opening, number, slot.secret).values["person"] == slot.values["person"]
    check_report(log.report("subject-2"), TRUST)


def test_equal_values_under_one_secret_give_leaves_without_anything_in_common() -> None:
    rng = random.Random(4)
    event = event_of(next(iter(built_log(1).events)).name, rng)
    twin = replace(event, secret=rng.randbytes(32))
    log = BuiltLog()
    assert log.add(event).leaf_hash != log.add(twin).leaf_hash

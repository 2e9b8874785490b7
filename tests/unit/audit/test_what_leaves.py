"""What leaves the gateway tells nothing of anybody, and one person's secret erased harms nobody else."""

from __future__ import annotations

import random
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.audit.bundle import check_report
from gateway.audit.findings import Wrong
from gateway.audit.merkle import leaf_hash
from gateway.audit.opening import open_slot, read_opening
from tests.support.audit_log import BuiltLog, built_log, put, secret_of
from tests.support.log_events import event_of
from tests.unit.audit.verifying import SIZE, TRUST, check_files


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

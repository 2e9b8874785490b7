"""A bundle or report opens what it shows and nothing else; a changed, missing or foreign record is refused at its place."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.audit.bundle import Claim, check_bundle, check_report
from gateway.audit.findings import NotEnough, Unreadable, Wrong
from gateway.model.audit import EventName
from tests.support.audit_log import LOG, POLICY, T0, BuiltLog, put, secret_of
from tests.support.log_events import event_of
from tests.unit.audit.verifying import TRUST, flipped, run


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

"""The bench runs and says what it promises to say; how fast is for `make bench`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.registry import load_adapters
from gateway.bench import logging_peer, logging_tree
from gateway.bench.adapting import FORMATS, Adapting
from gateway.bench.catalogue import MEASUREMENTS, measurement_of
from gateway.bench.measuring import Effort, Row, at_least, at_most
from gateway.bench.samples import citizen_id, report_bodies
from gateway.model.notice import SubmittedNotice
from gateway.validation.identity import check_digit_holds

ROOT = Path(__file__).resolve().parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, cwd=ROOT, check=False)


def test_a_row_is_measured_against_its_yardstick_and_told_as_json():
    done = bench("log", "--quick", "--json")
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    (row,) = told["rows"]
    assert row["name"] == "log-append"
    assert row["yardstick"] == "two hashes"
    assert row["ratio"] > 0
    assert len(row["rounds"]) == told["rounds"] == 1
    assert row["relation"] == "at-most"
    assert row["held"] == (row["ratio"] <= row["gate"])
    assert done.returncode == (0 if row["held"] else 1)
    assert set(row) == {
        "name", "zh", "en", "yardstick", "ratio", "rounds", "gate", "ambition", "relation", "held", "reached", "raw", "skipped",
    }  # fmt: skip


def test_an_unknown_row_is_wrong_usage():
    assert bench("nothing").returncode == 2


@pytest.mark.parametrize("name", [row for one in MEASUREMENTS.values() for row in one.rows])
def test_every_row_can_be_asked_for_by_its_name(name):
    measured = measurement_of(name)
    assert measured is not None
    assert name in (measured, *MEASUREMENTS[measured].rows)


def test_every_format_of_an_adapter_has_its_rows_and_a_yardstick_over_the_same_bytes():
    adapters = load_adapters()
    names = {f"adapter-{form.name}-{way}" for form in FORMATS for way in ("decode", "encode")}
    assert names | {"adapter-canonical"} == set(MEASUREMENTS["adapters"].rows)
    for form in FORMATS:
        ours = Adapting(form, adapters)
        for adapter, body, sender in ours.messages:
            assert form.parse(body) is not None
            items = adapter.decode(body, form.media_type, sender, {}).items
            assert all(isinstance(item, SubmittedNotice) for item in items)
        for adapter, release, recipient in ours.releases:
            written = adapter.encode(release, recipient, form.media_type).body
            made = form.writer(written)()
            assert form.parse(made) is not None  # what the bare writer makes is of that format
            assert len(made) * 2 > len(written)
        assert len(ours.messages) >= 1
        assert len(ours.releases) >= 10


def test_the_median_of_the_rounds_counts():
    row = Row("r", "行", "row", "V", at_least(0.2, 0.3), (0.1, 0.25, 0.9))
    assert row.ratio == 0.25
    assert row.is_held is True
    assert row.document()["reached"] is False
    assert Row("r", "行", "row", "V", at_most(2), (3.0,)).is_held is False
    assert Row("r", "行", "row", "V", at_most(2), skipped="no node").is_held is None


def test_every_notice_of_a_load_is_another_and_every_family_comes_twice():
    bodies = [json.loads(body) for body in report_bodies("run", 10)]
    assert len({body["id"] for body in bodies}) == 10
    children = [body["data"]["persons"][0]["id_no"] for body in bodies]
    assert len(set(children)) == 5
    assert all(check_digit_holds(number) and number.startswith("999999") for number in children)
    assert citizen_id(1)[0] != citizen_id(2)[0]


async def test_the_log_beside_pymerkle_says_so_when_it_cannot_be_had(monkeypatch):
    monkeypatch.setattr(logging_peer, "PACKAGE", "./no-such-package")
    rows = await logging_peer.pymerkle(Effort(rounds=1, is_quick=True))
    assert [(row.name, row.ratio, row.is_held) for row in rows] == [
        ("log-pymerkle-append", None, None),
        ("log-pymerkle-proof", None, None),
    ]
    assert all("could not be installed" in row.skipped for row in rows)


async def test_the_records_and_the_evidence_of_the_log_are_measured():
    effort = Effort(rounds=1, is_quick=True)
    rows = [*await logging_tree.records(effort), *await logging_tree.evidence(effort)]
    assert [row.name for row in rows] == ["log-record-make", "log-record-open", "log-record-disclosure", "log-bundle"]
    assert all(row.ratio and row.ratio > 0 for row in rows)

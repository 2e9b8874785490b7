"""Last night's backup is put back: the gateway notices at start, children's reports go on, two persons end the hold."""

from __future__ import annotations

import asyncio
import getpass
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.test_operators_and_offices import pull, submit
from tests.support.gateway_process import ROOT, GatewayProcess
from tests.support.postgres import Server, tool


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Any:
    process = GatewayProcess(tmp_path_factory.mktemp("restored") / "g").start()
    for office, adapter in (("health.440113", "health"), ("police.440113", "canonical")):
        process.add_office(office, adapter)
    yield process
    if process.process is not None and process.process.poll() is None:
        process.stop()


def hold_of(gateway: GatewayProcess) -> dict[str, Any]:
    return dict(json.loads(gateway.here("hold", "show", "--json", check=False).stdout))


def wait_until_signed(gateway: GatewayProcess, more_than: int = 0) -> int:
    while True:
        size = hold_of(gateway)["checkpoint"] or 0
        if size > more_than:
            return int(size)


def journal_of(gateway: GatewayProcess, more_than: int) -> dict[str, Any]:
    while True:
        found = json.loads(gateway.here("hold", "journals", "--json").stdout)["journals"]
        if found and found[0]["size"] > more_than:
            return dict(found[0])


def verified_apart(journal: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The journal's files alone, with the single-file verifier and the journal's public keys alone."""
    verifier = folder / "hutong_verify.py"
    subprocess.run([sys.executable, ROOT / "ops" / "build-verifier.py", verifier], check=True, capture_output=True)
    keys = [part for key in journal["keys"] for part in ("--key", key)]
    records = ("--records", f"{journal['folder']}/records.jsonl", "--origin", journal["origin"])
    command = [sys.executable, "-I", verifier, "--json", "log", journal["folder"], *records, *keys]
    told = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert told.returncode == 0, told.stdout
    return dict(json.loads(told.stdout))


def accept_case(gateway: GatewayProcess, reply_to: str, folder: Path, *, urgency: int = 0, check: bool = True) -> Any:
    notice = {
        "specversion": "1.0", "id": f"acc-{reply_to}", "source": "urn:hutong:office:police.440113",
        "type": "hutong.notice.ACC.v1", "time": "2026-03-01T09:00:00+08:00",
        "data": {
            "urgency": urgency, "purpose": "P02", "in_reply_to": reply_to,
            "acceptance": {"accepted_by": "desk-1", "acceptance_no": "1", "next_step": "visit", "accepted_at": "2026-03-01T09:00:00+08:00"},
        },
    }  # fmt: skip
    file = folder / "acc.json"
    file.write_text(json.dumps(notice))
    return gateway.here(
        "submit", str(file), "--as", "police.440113", "--profile", str(gateway.profiles), "--json",
        config=False, check=check,
    )  # fmt: skip


def test_a_restored_backup_is_noticed_reports_go_on_and_two_persons_end_the_hold(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUTONG_OPERATOR", getpass.getuser())
    for name in ("first", "second"):
        gateway.here("role", "grant", name, "security-administrator")
    submit(gateway, "WJ-1", tmp_path)
    arrived = pull(gateway, "police.440113")
    accept_case(gateway, f"{arrived[0]['delivery']}.{arrived[0]['revision']}", tmp_path)
    backup = tmp_path / "backup"
    made = json.loads(gateway.here("backup", str(backup), "--json").stdout)
    assert made["log_size"] > 0
    assert gateway.here("backup", str(backup), check=False).returncode == 3, "never over another one"
    assert gateway.here("restore", str(backup), check=False).returncode == 4, "a running gateway owns its data"

    before = json.loads(gateway.here("log", "verify", "--json").stdout)["size"]
    submit(gateway, "WJ-2", tmp_path)
    lost = wait_until_signed(gateway, more_than=before)
    gateway.kill()
    assert gateway.here("restore", str(backup), check=False).returncode == 3, "never over what is there"
    shutil.rmtree(gateway.directory / "data")
    assert gateway.here("restore", str(backup), "--keys", check=False).returncode == 3, "data are no keys"
    gateway.here("restore", str(backup))

    gateway.start()
    held = hold_of(gateway)
    assert held["hold"] is True
    assert held["why"] == "guard"
    assert held["signed_size"] >= lost > held["own_size"]

    receipt = submit(gateway, "WJ-3", tmp_path)
    assert "provisional" in receipt["flags"]
    reports = pull(gateway, "police.440113")
    assert [one["body"].count("hutong.notice.RPT-M.v1") > 0 for one in reports] == [True]
    assert pull(gateway, "health.440113") == [], "an ordinary delivery waits"
    refused = accept_case(gateway, f"{reports[0]['delivery']}.{reports[0]['revision']}", tmp_path, check=False)
    assert "on hold" in refused.stderr, "an ordinary notice is asked to come again"

    journal = journal_of(gateway, more_than=0)
    assert journal["origin"].endswith("/hold/1")
    assert journal["joined"] is False
    submit(gateway, "WJ-5", tmp_path)
    journal = journal_of(gateway, more_than=journal["size"])
    # it verifies with its public keys and no gateway; the gateway goes on writing to it meanwhile
    assert verified_apart(journal, tmp_path)["size"] >= journal["size"]

    monkeypatch.setenv("HUTONG_OPERATOR", "anybody")
    assert gateway.here("hold", "release", "--reason", "restored-backup", check=False).returncode == 3
    monkeypatch.setenv("HUTONG_OPERATOR", "first")
    gateway.here("hold", "release", "--reason", "restored-backup")
    again = gateway.here("hold", "release", "--reason", "restored-backup", check=False)
    assert again.returncode == 3, "the same person twice is one person"
    monkeypatch.setenv("HUTONG_OPERATOR", "second")
    released = json.loads(gateway.here("hold", "release", "--reason", "restored-backup", "--json").stdout)
    assert released["released"] is True
    assert released["generation"] == 2, "a fork is never continued under the name that was signed"
    for event, count in (("hold_entered", 1), ("hold_journal_joined", 1), ("hold_released", 2)):
        rows = json.loads(gateway.here("log", "search", "--event", event, "--json").stdout)
        assert len(rows) == count
    [journal] = json.loads(gateway.here("hold", "journals", "--json").stdout)["journals"]
    [joined] = json.loads(gateway.here("log", "search", "--event", "hold_journal_joined", "--json").stdout)
    told = joined["envelope"]
    assert journal["joined"] is True
    assert (told["journal"], told["journal_size"], told["journal_root"]) == ("hold-1", journal["size"], journal["root"])
    told = verified_apart(journal, tmp_path)
    assert told["size"] == told["records_opened"] == journal["size"]
    assert "provisional" not in submit(gateway, "WJ-4", tmp_path).get("flags", [])
    wait_until_signed(gateway)
    assert json.loads(gateway.here("log", "verify", "--json").stdout)["verified"] is True
    while not (arrived := pull(gateway, "health.440113")):
        pass  # what waited is looked at again every few seconds
    assert len(arrived) == 1, "what waited goes on its way"


def test_after_a_released_hold_the_gateway_starts_without_one(gateway: GatewayProcess) -> None:
    gateway.stop()
    gateway.start()
    assert hold_of(gateway)["hold"] is False


@pytest.mark.services
async def test_a_database_that_was_restored_from_a_dump_is_noticed_and_goes_on_after_two_persons_released_it(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUTONG_OPERATOR", getpass.getuser())
    url, restored = await postgres.make_database(), await postgres.make_database()
    gateway, dump = GatewayProcess(tmp_path / "g", "--postgres", url).start(), str(tmp_path / "dump")
    try:
        for office, adapter in (("health.440113", "health"), ("police.440113", "canonical")):
            gateway.add_office(office, adapter)
        for name in ("first", "second"):
            gateway.here("role", "grant", name, "security-administrator")
        assert "PostgreSQL" in gateway.here("backup", str(tmp_path / "b"), check=False).stderr, "not this command's"
        await asyncio.to_thread(subprocess.run, [tool("pg_dump"), "-Fc", "-f", dump, url], check=True)
        submit(gateway, "WJ-1", tmp_path)
        wait_until_signed(gateway, json.loads(gateway.here("log", "verify", "--json").stdout)["size"] - 1)
        gateway.kill()

        await asyncio.to_thread(subprocess.run, [tool("pg_restore"), "-d", restored, dump], check=True)
        gateway.config.write_text(gateway.config.read_text().replace(url, restored))
        gateway.start()
        held = hold_of(gateway)
        assert (held["hold"], held["why"]) == (True, "guard")
        assert "provisional" in submit(gateway, "WJ-1", tmp_path)["flags"], "what was lost is sent again and taken"
        for name in ("first", "second"):
            monkeypatch.setenv("HUTONG_OPERATOR", name)
            gateway.here("hold", "release", "--reason", "restored-backup")
        assert hold_of(gateway)["hold"] is False
        assert "provisional" not in submit(gateway, "WJ-2", tmp_path).get("flags", [])
        assert len(pull(gateway, "police.440113")) == 2
        assert json.loads(gateway.here("log", "verify", "--json").stdout)["verified"] is True
    finally:
        gateway.kill()
    for one in (url, restored):
        await postgres.drop_database(one)

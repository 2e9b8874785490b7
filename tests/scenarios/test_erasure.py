"""A child is erased: nothing of the child is left in any file, and the log goes on proving."""

from __future__ import annotations

import getpass
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.test_operators_and_offices import REPORT, pull, submit
from tests.support.gateway_process import GatewayProcess

CHILD, OTHER = "999999201503010016", "999999201601010017"
ME = getpass.getuser()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Any:
    process = GatewayProcess(tmp_path_factory.mktemp("erasure") / "g").start()
    for office, adapter in (("health.440113", "health"), ("police.440113", "police")):
        process.add_office(office, adapter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUTONG_OPERATOR", ME)
        process.here("role", "grant", "second", "security-administrator")
    yield process
    if process.process is not None and process.process.poll() is None:
        process.stop()


def rows(gateway: GatewayProcess, file: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    path = gateway.directory / file
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()


def holding(gateway: GatewayProcess, secrets: list[bytes]) -> list[str]:
    """Names of files that hold any of these bytes."""
    files = [path for path in gateway.directory.rglob("*") if path.is_file()]
    return [path.name for path in files for secret in secrets if secret in path.read_bytes()]


def as_(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HUTONG_OPERATOR", name)


def test_a_legal_hold_blocks_an_erasure_until_a_second_person_lifts_it(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_(monkeypatch, ME)
    assert CHILD in REPORT
    submit(gateway, "WJ-1", tmp_path)
    hold = json.loads(gateway.here("legal-hold", "set", f"ID:{CHILD}", "--authority", "court-order", "--json").stdout)[
        "hold"
    ]
    assert hold in gateway.here("legal-hold", "list").stdout
    refused = gateway.here("erase", f"ID:{CHILD}", check=False)
    assert refused.returncode == 3
    assert "legal hold" in refused.stderr
    assert gateway.here("legal-hold", "lift", hold, check=False).returncode == 3, "not by the one who set it"
    as_(monkeypatch, "second")
    gateway.here("legal-hold", "lift", hold)
    assert json.loads(gateway.here("legal-hold", "list", "--json").stdout) == []
    assert json.loads(gateway.here("log", "search", "--event", "erasure_refused", "--json").stdout)


def test_after_an_erasure_no_file_holds_what_was_sealed_for_the_child_and_all_proofs_hold(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_(monkeypatch, ME)
    submit(gateway, "WJ-2", tmp_path, **{CHILD: OTHER})
    pull(gateway, "police.440113")
    store, keys = "data/store.db", "keys/" + next((gateway.directory / "keys").glob("*.db")).name
    [child] = {
        person for person, in rows(gateway, store, "SELECT person FROM notice_person p JOIN notice n ON n.number = p.notice "
                                   "WHERE p.person IN (SELECT person FROM person_alias) ORDER BY p.notice LIMIT 1")
    }  # fmt: skip
    raw = rows(gateway, store, "SELECT ciphertext, key FROM raw_body WHERE notice IN "
               "(SELECT notice FROM notice_person WHERE person = ?)", child)  # fmt: skip
    aliases = [alias for (alias,) in rows(gateway, store, "SELECT alias FROM person_alias WHERE person = ?", child)]
    [(own_key,)] = rows(gateway, store, "SELECT key FROM person WHERE id = ?", child)
    wrapped = [
        rows(gateway, keys, "SELECT * FROM data_key WHERE id = ?", bytes.fromhex(key))[0][1]
        for key in (own_key, *(key for _, key in raw))
    ]
    before = {one for (one,) in rows(gateway, store, "SELECT subject FROM log_subject")}
    assert raw and aliases
    secrets = [*(ciphertext for ciphertext, _ in raw), *aliases, *wrapped]
    assert holding(gateway, secrets), "before, the files hold them"

    asked = json.loads(gateway.here("erase", f"ID:{CHILD}", "--json").stdout)[0]["erasure"]
    assert gateway.here("erase", "--approve", asked, check=False).returncode == 3, "the same person twice is one person"
    as_(monkeypatch, "second")
    done = json.loads(gateway.here("erase", "--approve", asked, "--json").stdout)[0]
    assert done["raw_bodies"] == len(raw) and done["keys"] > len(raw)
    [gone] = before - {one for (one,) in rows(gateway, store, "SELECT subject FROM log_subject")}
    gateway.kill()
    assert holding(gateway, [*secrets, gone]) == [], "file, journal and free pages hold none of it"

    gateway.start()
    assert json.loads(gateway.here("log", "verify", "--json").stdout)["verified"] is True
    [completed] = json.loads(gateway.here("log", "search", "--event", "erasure_completed", "--json").stdout)
    assert completed["envelope"]["keys"] == done["keys"]
    assert gateway.here("erase", f"ID:{CHILD}", check=False).returncode == 3, (
        "nobody is known under the identifier any more"
    )
    assert gateway.here("erase", f"ID:{OTHER}", "--json").returncode == 0, "the other child still is"

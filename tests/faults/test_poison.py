"""One notice that cannot be opened any more must not hold up the others, nor come back for ever."""

import json
import sqlite3

import pytest

from tests.faults.load import RECIPIENTS, SENDER, report
from tests.support.gateway_process import GatewayProcess

POLICE = RECIPIENTS[0]


@pytest.fixture
def gateway(tmp_path):
    process = GatewayProcess(tmp_path / "g").start()
    for office in (SENDER, POLICE):
        process.add_office(office)
    yield process
    process.stop()


def damage_first_notice(gateway):
    with sqlite3.connect(gateway.directory / "data" / "store.db") as store:
        (content,) = store.execute("SELECT content FROM notice ORDER BY number LIMIT 1").fetchone()
        changed = content[:-1] + bytes([content[-1] ^ 1])
        store.execute("UPDATE notice SET content = ? WHERE number = (SELECT min(number) FROM notice)", (changed,))


def test_a_notice_that_was_changed_in_the_store_is_parked_and_the_others_flow(gateway, tmp_path):
    for number in ("r0-1", "r0-2"):
        file = tmp_path / f"{number}.json"
        file.write_bytes(report(number))
        gateway.run("submit", str(file), "--as", SENDER, "--profile", str(gateway.profiles), config=False)
    gateway.stop()
    damage_first_notice(gateway)
    gateway.start()
    pulled = gateway.run("pull", "--as", POLICE, "--profile", str(gateway.profiles), config=False).stdout
    assert "情况 r0-2" in pulled
    assert "情况 r0-1" not in pulled
    parked = json.loads(gateway.run("dead-letter", "list", "--json").stdout)
    assert [(one["recipient"], one["reason"]) for one in parked] == [(POLICE, "tampered")]
    assert gateway.run("pull", "--as", POLICE, "--profile", str(gateway.profiles), config=False).stdout == ""

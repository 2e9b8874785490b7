"""One notice that cannot be opened any more must not hold up the others, nor come back for ever, nor cost the police their floor."""

import json
import sqlite3
from urllib.request import urlopen

import pytest

from gateway.engines.sql.values import pack_content, unpack_content
from gateway.model.identifiers import KeyId
from gateway.ports.storage import PersonLink
from tests.faults.load import RECIPIENTS, SENDER, report
from tests.support.gateway_process import GatewayProcess

POLICE, CIVIL_AFFAIRS, _ = RECIPIENTS


@pytest.fixture
def gateway(tmp_path):
    process = GatewayProcess(tmp_path / "g").start()
    for office in (SENDER, POLICE, CIVIL_AFFAIRS):
        process.add_office(office)
    yield process
    process.stop()


def damage(gateway):
    """Change a bit of the first notice, and take from the second what it tells of the guardian whom it accuses."""
    with sqlite3.connect(gateway.directory / "data" / "store.db") as store:
        (first, content), (second, other) = store.execute("SELECT number, content FROM notice ORDER BY number LIMIT 2")
        persons, segments = unpack_content(other)
        links = [PersonLink(person, ref, KeyId("")) for ref, person in persons.items()]
        less = pack_content(links, [one for one in segments if one.person != persons["p2"]])
        changes = [(content[:-1] + bytes([content[-1] ^ 1]), first), (less, second)]
        store.executemany("UPDATE notice SET content = ? WHERE number = ?", changes)


def test_a_notice_that_was_changed_in_the_store_is_parked_but_for_the_polices_floor_and_the_others_flow(
    gateway, tmp_path
):
    for number in ("r0-1", "r0-2", "r0-3"):
        file = tmp_path / f"{number}.json"
        file.write_bytes(report(number))
        gateway.run("submit", str(file), "--as", SENDER, "--profile", str(gateway.profiles), config=False)
    gateway.stop()
    damage(gateway)
    gateway.start()
    floors, other = pulled(gateway, POLICE), pulled(gateway, CIVIL_AFFAIRS)
    assert floors.count("李小测") == floors.count("440113102") // 2 == 3, "the police go to the child of each"
    assert "情况 r0-3" in floors
    assert "摘要 r0-3" in other
    for number in ("r0-1", "r0-2"):
        assert f"情况 {number}" not in floors
        assert number not in other
    parked = json.loads(gateway.run("dead-letter", "list", "--json").stdout)
    assert [(one["recipient"], one["reason"]) for one in parked] == [(CIVIL_AFFAIRS, "tampered")] * 2
    assert pulled(gateway, POLICE) == pulled(gateway, CIVIL_AFFAIRS) == ""
    shown = json.loads(gateway.here("dead-letter", "show", parked[0]["delivery"]).stdout)
    assert (shown["delivery"], shown["reason"]) == (parked[0]["delivery"], "tampered")
    for slip in (("show", "no-such-delivery"), ("retry", "--recipient", "nobody", "--go")):
        assert gateway.here("dead-letter", *slip, check=False).returncode == 3
    (told,) = json.loads(gateway.run("backlog", "--office", CIVIL_AFFAIRS, "--json").stdout)
    assert (told["handover"], told["due"], told["leased"], told["dead_letters"]) == ("pull", 0, 0, {"tampered": 2})
    with urlopen(f"{gateway.url}/metrics") as metrics:
        counted = metrics.read().decode()
    assert 'hutong_deliveries{state="dead-letter"} 2.0' in counted
    assert 'hutong_deliveries{state="due"} 0.0' in counted


def pulled(gateway, office):
    return gateway.run("pull", "--as", office, "--profile", str(gateway.profiles), config=False).stdout

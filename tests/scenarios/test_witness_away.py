"""The witness is away for longer than was configured: ordinary disclosures wait, a child in danger never does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from gateway.bench.processes import free_port
from tests.scenarios.test_operators_and_offices import pull, submit
from tests.scenarios.test_restored_backup import accept_case, hold_of, wait_until_signed
from tests.support.gateway_process import HUTONG, ROOT, GatewayProcess

WITNESS = "witness.procuratorate.example"


def trust_a_witness(gateway: GatewayProcess, folder: Path) -> None:
    """A witness with keys of its own, at an address where nobody answers; half a second of grace."""
    made = subprocess.run(
        [*HUTONG, "witness", "init", str(folder / "witness"), "--name", WITNESS],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    policy = folder / "witness.policy"
    policy.write_text(f"witness w {made.stdout.split()[0]} http://127.0.0.1:{free_port()}\nquorum w\n")
    section = f'[log]\ntrust_policy = "{policy}"\nwitness_grace_minutes = 0.01\n'
    text = gateway.config.read_text()
    assert "[log]" not in text
    gateway.config.write_text(f"{text}\n{section}")


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayProcess:
    process = GatewayProcess(tmp_path / "g")
    trust_a_witness(process, tmp_path)
    process.start()
    for office, adapter in (("health.440113", "health"), ("police.440113", "canonical")):
        process.add_office(office, adapter)
    return process


def test_without_the_witness_ordinary_disclosures_wait_and_emergencies_never(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    try:
        wait_until_signed(gateway)
        while hold_of(gateway)["ordinary_disclosures"]:
            pass  # until the half second is over
        assert hold_of(gateway)["hold"] is False, "a witness that is away is no contradiction"

        for number in ("WJ-1", "WJ-2"):
            submit(gateway, number, tmp_path)
        first, second = pull(gateway, "police.440113")
        assert all("hutong.notice.RPT-M.v1" in one["body"] for one in (first, second)), "reports go out"

        accept_case(gateway, f"{first['delivery']}.{first['revision']}", tmp_path)
        assert pull(gateway, "health.440113") == [], "an ordinary delivery waits"
        accept_case(gateway, f"{second['delivery']}.{second['revision']}", tmp_path, urgency=2)
        urgent = pull(gateway, "health.440113")
        assert len(urgent) == 1, "what is urgent goes past the one that waits"

        search = ("log", "search", "--event", "witness_quorum_lost", "--json")
        while not (told := json.loads(gateway.here(*search).stdout)):
            pass  # the next beat tells it
        (lost,) = told
        assert "emergencies-only" in gateway.here("log", "show", lost["event_id"]).stdout

        gateway.stop()
        gateway.config.write_text(gateway.config.read_text().replace("grace_minutes = 0.01", "grace_minutes = 240"))
        gateway.start()
        while not (waited := pull(gateway, "health.440113")):
            pass  # what waited is looked at again every few seconds
        assert len(waited) == 1
        assert waited[0]["delivery"] != urgent[0]["delivery"]
    finally:
        gateway.stop()

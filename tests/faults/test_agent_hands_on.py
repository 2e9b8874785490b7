"""SIGKILL of the agent between a hospital's taking of a message and the gateway's learning of it, over real sockets.

Judged from outside: every release is in the hospital, in the order of the case, a message that comes twice under one MSH-10 and
in the same bytes, and the log says of each that it was acknowledged once.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import hl7
import pytest

from gateway.bench.processes import free_port
from tests.support.gateway_process import HUTONG, ROOT, GatewayProcess
from tests.support.hospital import HOLD, Hospital

HOSPITAL, SENDER = "health.440113", "civil_affairs.440113"
NOTICES = 3


def referral(number: int) -> bytes:
    child = {"ref": "p1", "roles": ["minor"], "name": "李小测", "alias": "小测", "age_band": "8-11"}
    data = {
        "urgency": 0, "purpose": "P04", "legal_basis": ["L28"], "answer_by": "2099-12-31", "needs": ["medical"],
        "measures": [{"code": "A05"}], "persons": [child], "place": {"region": "440113102005"},
    }  # fmt: skip
    event = {
        "specversion": "1.0", "id": f"zy-{number}", "source": f"urn:hutong:office:{SENDER}", "type": "hutong.notice.REF.v1",
        "subject": "case-1", "time": f"2026-03-01T09:0{number}:00+08:00", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return json.dumps(event, ensure_ascii=False).encode()


class Agent:
    def __init__(self, gateway: GatewayProcess, folder: Path, port: int) -> None:
        self.log = folder / "agent.log"
        self._command = [
            *HUTONG, "agent", "--as", HOSPITAL, "--profile", str(gateway.profiles), "--deliver", f"127.0.0.1:{port}",
            "--hl7-version", "2.5.1", "--answer-seconds", "3",
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stderr=log, cwd=ROOT)

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(timeout=60)


@pytest.mark.slow
def test_a_hospital_has_every_release_whatever_becomes_of_the_agent(tmp_path):
    gateway = GatewayProcess(tmp_path / "g")
    with gateway.config.open("a") as settings:  # what a killed agent had fetched comes again after its lease
        settings.write("\n[delivery]\nlease_seconds = 10\nwebhook_timeout_seconds = 1\nfirst_backoff_seconds = 0.2\n")
    gateway.start()
    agent = Agent(gateway, tmp_path, port := free_port())
    try:
        gateway.add_office(HOSPITAL, "health")
        gateway.add_office(SENDER, "civil_affairs")
        sent = tmp_path / "notice.json"
        for number in range(NOTICES):
            sent.write_bytes(referral(number))
            gateway.here(
                "submit", str(sent), "--as", SENDER, "--profile", str(gateway.profiles),
                "--media-type", "application/cloudevents+json", config=False,
            )  # fmt: skip
        agent.start()  # nobody listens yet: nothing may be fetched for nothing

        def reply(number: int, message: bytes) -> str:
            return {1: HOLD, 2: HOLD, 3: "AR", 4: "AE"}.get(number, "AA")

        with Hospital(reply, port) as hospital:
            hospital.until(1)
            agent.end(signal.SIGKILL)  # the hospital has it, and nobody was told
            agent.start()
            hospital.until(2)  # silence this time, then AR and AE
            hospital.until(5)
            agent.end(signal.SIGKILL)  # it may have acknowledged, or not
            agent.start()
            hospital.until(4 + NOTICES)
            gateway_says(gateway, agent)
            assert agent.end(signal.SIGTERM) == 0
            got = list(hospital.got)
        parsed = [hl7.parse(message.decode()) for message in got]
        assert {str(message["MSH.F12"]) for message in parsed} == {"2.5.1"}
        numbers = [str(message["MSH.F10"]) for message in parsed]
        assert numbers[:5] == numbers[:1] * 5
        in_order = list(dict.fromkeys(numbers))
        assert len(in_order) == NOTICES
        assert sorted(numbers, key=in_order.index) == numbers
        for number in in_order:
            assert len({message for message, of in zip(got, numbers, strict=True) if of == number}) == 1
        assert len({str(message["ZTB.F2"]) for message in parsed}) == 1
        assert "李小测" not in agent.log.read_text()
    finally:
        if agent.process is not None and agent.process.poll() is None:
            agent.end(signal.SIGKILL)
        gateway.stop()


def gateway_says(gateway: GatewayProcess, agent: Agent) -> None:
    """Every delivery to the hospital is acknowledged once, and what was given back is in the log with its reason."""

    def rows(event: str) -> list[dict]:
        told = json.loads(gateway.here("log", "search", "--event", event, "--limit", "500", "--json").stdout)
        return list(told["records"] if isinstance(told, dict) else told)

    until = time.monotonic() + 60
    while len(rows("delivery_acknowledged")) < NOTICES and time.monotonic() < until:
        pass  # the last acknowledgement follows the hospital's answer
    assert len(rows("delivery_acknowledged")) == NOTICES, agent.log.read_text()
    told = [json.loads(line) for line in agent.log.read_text().splitlines()]
    given_back = [line["reason"] for line in told if line["event"] == "release_given_back"]
    assert given_back[0] == "no-answer"
    assert [one for one in given_back if one != "no-answer"] == ["hl7-ar", "hl7-ae"]
    assert len(rows("delivery_deferred")) == len(given_back)

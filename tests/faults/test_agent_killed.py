"""SIGKILL of the agent, again and again, while a hospital sends files and HL7 messages and the police fetch.

Judged from outside: every file and every message that was answered AA has one receipt, whose notice
the log knows once; every notice stands in the police's inbox folder, whole, under one delivery.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hl7.client import MLLPClient

from gateway.bench.processes import free_port
from tests.support.gateway_process import HUTONG, ROOT, GatewayProcess

HOSPITAL, POLICE = "health.440113", "police.440113"
FILES, MESSAGES = 16, 9
PATIENCE_SECONDS = 90


def message(number: str) -> bytes:
    return "\r".join(
        [
            rf"MSH|^~\&|HIS|124401130000000001|WCNGW|440113|20260301094500||ORU^R01|{number}|P|2.4|||AL|NE||UNICODE UTF-8",
            "PID|1||MZ1^^^HOSP^PI~999999201503010016^^^GA^NI||李小测||20150301|M|||某街1号^^440113102^^^CN",
            "NK1|1|某某|51^父亲^GB/T4761",
            "OBR|1||x|MR^强制报告摘要^L|||20260301093000",
            f"OBX|1|TX|INJ^体表损伤描述||{number}||||||F",
            "ZMR|M4|20260301093000|1|DOC|110|JJBH1|0|0",
        ]
    ).encode()


class Agent:
    def __init__(self, gateway: GatewayProcess, folder: Path) -> None:
        self.gateway, self.folder, self.port = gateway, folder, free_port()
        self.log = folder / "agent.log"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        common = ["--profile", str(self.gateway.profiles)]
        sends = ["--as", HOSPITAL, "--mllp", f"127.0.0.1:{self.port}", "--receipts", str(self.folder / "receipts"),
                 "--drop", str(self.folder / "drop"), "--settle-seconds", "0.2"]  # fmt: skip
        fetches = ["--as", POLICE, "--inbox", str(self.folder / "inbox"), "--accept", "application/cloudevents+json"]
        with self.log.open("ab") as log:
            self.processes = [
                subprocess.Popen([*HUTONG, "agent", *how, *common], stderr=log, cwd=ROOT) for how in (sends, fetches)
            ]

    def kill(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def stop(self) -> list[int]:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        return [process.wait(timeout=60) for process in self.processes]

    def names(self, folder: str, ending: str) -> list[str]:
        found = self.folder / folder
        return [path.name for path in found.iterdir() if path.name.endswith(ending)] if found.is_dir() else []

    def until(self, fact, what: str) -> None:
        """Wait for something another process does: there is nothing to listen to but its folders."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not fact():
            assert time.monotonic() < deadline, f"{what}: {self.log.read_text()[-2000:]}"
            time.sleep(0.05)

    def send(self, body: bytes) -> bytes:
        """Until it is answered, as a hospital's engine does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                with MLLPClient("127.0.0.1", self.port) as client:
                    client.socket.settimeout(20)
                    answer: bytes = client.send_message(body)
            except OSError:
                time.sleep(0.1)
                continue
            if b"MSA|AA" in answer:
                return answer
        raise AssertionError(self.log.read_text()[-2000:])


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_applied_twice_when_the_agent_is_killed(tmp_path):
    gateway = GatewayProcess(tmp_path / "g")
    with gateway.config.open("a") as settings:  # what a killed agent had fetched comes again after its lease
        settings.write("\n[delivery]\nlease_seconds = 5\nwebhook_timeout_seconds = 1\n")
    gateway.start()
    agent = Agent(gateway, tmp_path / "agency")
    agent.folder.mkdir()
    try:
        for office, adapter in ((HOSPITAL, "health"), (POLICE, "police"), ("civil_affairs.440113", "civil_affairs"),
                                ("procuratorate.440113", "procuratorate")):  # fmt: skip
            gateway.add_office(office, adapter)
        agent.start()
        arrive = agent.folder / "drop" / "arrive"
        agent.until(arrive.is_dir, "the agent never made its folders")
        for n in range(FILES):
            part = arrive / f"f{n}.hl7.part"
            part.write_bytes(message(f"f{n}"))
            part.rename(arrive / f"f{n}.hl7")
        for kills in range(1, 4):
            for n in range(MESSAGES):
                if n % 3 == kills - 1:
                    agent.send(message(f"m{n}"))
            done = kills * FILES // 4
            agent.until(lambda done=done: len(agent.names("drop/done", ".hl7")) >= done, "files are not taken")
            agent.kill()
            agent.start()
        agent.until(lambda: len(agent.names("drop/done", ".receipt.json")) == FILES, "a file was lost")
        agent.until(lambda: not agent.names("drop/claim", ".hl7"), "a file stays in claim")
        again = [agent.send(message(f"m{n}")) for n in range(MESSAGES)]
        whole = FILES + MESSAGES
        agent.until(lambda: len(agent.names("inbox", ".manifest.json")) >= whole, "a release was lost")
        assert agent.stop() == [0, 0]

        receipts = [json.loads(path.read_bytes()) for path in (agent.folder / "drop" / "done").glob("*.receipt.json")]
        by_message = {
            p.name[:64]: json.loads(p.read_bytes()) for p in (agent.folder / "receipts").glob("*.receipt.json")
        }
        assert set(by_message) == {hashlib.sha256(message(f"m{n}")).hexdigest() for n in range(MESSAGES)}
        notices = {receipt["notice"] for receipt in [*receipts, *by_message.values()]}
        assert len(notices) == whole
        assert all(
            any(notice.encode() in answer for answer in again) for notice in (r["notice"] for r in by_message.values())
        )
        assert not agent.names("drop/failed", "")

        rows = json.loads(gateway.run("log", "search", "--event", "notice_accepted", "--limit", "500", "--json").stdout)
        assert len(rows["records"] if isinstance(rows, dict) else rows) == whole

        seen = set()
        for manifest in (agent.folder / "inbox").glob("*.manifest.json"):
            told = json.loads(manifest.read_bytes())
            body = manifest.with_name(manifest.name.removesuffix(".manifest.json")).read_bytes()
            assert hashlib.sha256(body).hexdigest() == told["sha256"]
            seen.add(told["delivery"])
        assert len(seen) == whole
        assert "李小测" not in agent.log.read_text()
    finally:
        agent.kill()
        gateway.stop()

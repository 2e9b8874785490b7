"""A real gateway in a process of its own: made by `hutong init`, run by `hutong serve`, killed at will."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

HUTONG = [sys.executable, "-m", "gateway"]
ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class GatewayProcess:
    """One gateway in a folder. `start` returns when it serves; `kill` is SIGKILL, `stop` is SIGTERM."""

    def __init__(self, directory: Path, *init: str) -> None:
        """`init` are further arguments of `hutong init`."""
        self.directory = directory
        self.config = directory / "hutong.toml"
        self.profiles = directory / "offices"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = bytearray()
        self.run("init", str(directory), "--port", str(self.port), *init, config=False)
        limits = "[limits]\nnotices_per_second = 100000\nburst_notices = 1000000\n\n[server]"
        self.config.write_text(self.config.read_text().replace("[server]", limits))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, config: bool = True, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One hutong command, as an operator types it."""
        command = [*HUTONG, *arguments, *(["--config", str(self.config)] if config else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"hutong {arguments[0]} ended with {done.returncode}: {done.stderr}")
        return done

    def start(self) -> GatewayProcess:
        self.process = subprocess.Popen(
            [*HUTONG, "serve", "--config", str(self.config)], stderr=subprocess.PIPE, cwd=ROOT
        )
        assert self.process.stderr is not None
        os.set_blocking(self.process.stderr.fileno(), True)
        for line in self.process.stderr:
            self.log += line
            if b"Hutong serves" in line:
                break
        else:
            raise AssertionError(f"the gateway did not start: {self.log.decode()}")
        self._drain_log()
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def add_office(self, office: str, adapter: str = "canonical") -> None:
        self.run("office", "add", office, "--name", f"测试单位 {office}", "--adapter", adapter, "--profile", str(self.profiles),
                 *(f"--accept-obligation={name}" for name in ("no_onward", "retention_days", "disposal_receipt",
                                                             "report_back_hours", "notify_owner", "log_use")))  # fmt: skip

    def _drain_log(self) -> None:
        """Keep reading what the node says, so that its pipe never fills."""
        process = self.process
        assert process is not None
        stream = process.stderr
        assert stream is not None

        def read() -> None:
            for line in stream:
                self.log += line

        threading.Thread(target=read, daemon=True).start()

"""A real gateway in a process of its own: made by `hutong init`, run by `hutong serve`, killed at will."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import tomllib
import traceback
from pathlib import Path

from click.testing import CliRunner, Result

from gateway.bench.processes import free_port
from gateway.cli.main import main

HUTONG = [sys.executable, "-m", "gateway"]
ROOT = Path(__file__).resolve().parents[2]
_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)


class GatewayProcess:
    """One gateway in a folder. `start` returns when it serves; `kill` is SIGKILL, `stop` is SIGTERM."""

    def __init__(self, directory: Path, *init: str, tree: Path = ROOT) -> None:
        """`init` are further arguments of `hutong init`. A gateway that is in the folder already is taken as it is.
        `tree` is the source it runs."""
        self.directory, self._tree = directory, tree
        self.config = directory / "hutong.toml"
        self.profiles = directory / "offices"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = bytearray()
        self.environment: dict[str, str] = {}  # besides the test run's own, for every command
        self.serve_environment: dict[str, str] = {}  # besides that, for the node alone
        self.log_file: Path | None = None  # besides, what the node says is written there
        self.dies_with_us = False  # with the thread that starts it, so that a killed run leaves no node
        if self.config.exists():
            self.port = int(tomllib.loads(self.config.read_text())["server"]["port"])
            return
        self.port = free_port()
        command = self.here if tree == ROOT else self.run
        command("init", str(directory), "--port", str(self.port), *init, config=False)
        limits = "[limits]\nnotices_per_second = 100000\nburst_notices = 1000000\n\n[server]"
        self.config.write_text(self.config.read_text().replace("[server]", limits))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def here(self, *arguments: str, config: bool = True, check: bool = True) -> subprocess.CompletedProcess[str]:
        """As `run`, in a thread of this process: the same command without the second that starting a process takes."""
        given = [*arguments, *(["--config", str(self.config)] if config else [])]
        done: list[Result] = []
        thread = threading.Thread(
            target=lambda: done.append(CliRunner().invoke(main, given, env=self.environment, prog_name="hutong"))
        )
        thread.start()
        thread.join(600)  # verifying the log of two hundred rounds takes minutes where others work
        if not done:
            raise AssertionError(f"hutong {arguments[0]} did not end")
        [ended] = done
        stderr = ended.stderr
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            stderr += "".join(traceback.format_exception(ended.exception))
        if check and ended.exit_code != 0:
            raise AssertionError(f"hutong {arguments[0]} ended with {ended.exit_code}: {stderr}")
        return subprocess.CompletedProcess(given, ended.exit_code, ended.stdout_bytes.decode(), stderr)

    def run(self, *arguments: str, config: bool = True, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One hutong command, as an operator types it, in a process of its own."""
        command = [*HUTONG, *arguments, *(["--config", str(self.config)] if config else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=self._tree, check=False,
                              env=os.environ | self.environment)  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"hutong {arguments[0]} ended with {done.returncode}: {done.stderr}")
        return done

    def start(self) -> GatewayProcess:
        self.process = subprocess.Popen(
            [*HUTONG, "serve", "--config", str(self.config)], stderr=subprocess.PIPE, cwd=self._tree,
            env=os.environ | self.environment | self.serve_environment,
            preexec_fn=_die_with_parent if self.dies_with_us else None,
        )  # fmt: skip
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

    def add_office(self, office: str, adapter: str = "canonical", *options: str) -> None:
        self.here("office", "add", office, "--name", f"测试单位 {office}", "--adapter", adapter, "--profile", str(self.profiles),
                 *options,
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
                if self.log_file is not None:
                    with self.log_file.open("ab") as out:
                        out.write(line)

        threading.Thread(target=read, daemon=True).start()

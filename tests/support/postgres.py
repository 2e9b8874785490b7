"""A real PostgreSQL of this test run: private port, private data, killed with -9 at will, nothing left behind.

`HUTONG_TEST_POSTGRES` names a server that runs already (a role that may create databases); tests that kill the server
start their own all the same. PostgreSQL refuses to run as root, so root's test run gives it to the system user
`postgres`. The postmaster is a direct child that dies with the test run (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from gateway.bench.processes import free_port

_HOMES = sorted(
    (home for home in Path("/usr/lib/postgresql").glob("*/bin") if int(home.parent.name) >= 15),
    key=lambda home: int(home.parent.name),
)
IS_INSTALLED = bool(_HOMES)
READY_SECONDS = 60
_PDEATHSIG = 1
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}


def tool(name: str) -> str:
    """One of the server's own commands, `pg_dump` for example."""
    return str(_HOMES[-1] / name)


def _other_user() -> tuple[int, int] | None:
    """Who runs the server when root runs the tests."""
    if os.getuid() != 0:
        return None
    entry = pwd.getpwnam("postgres")
    return entry.pw_uid, entry.pw_gid


def _as(user: tuple[int, int] | None, *, dies_with_us: bool) -> Callable[[], None]:
    def before() -> None:
        if user is not None:
            os.setgroups([])
            os.setgid(user[1])
            os.setuid(user[0])
        if dies_with_us:
            ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)

    return before


@dataclass(frozen=True)
class Server:
    """A running server; `url` names its maintenance database."""

    url: str

    def database(self, name: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    async def make_database(self) -> str:
        """A fresh database of its own for one test; returns its URL."""
        name = f"hutong_{uuid4().hex[:12]}"
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        finally:
            await connection.close()
        return self.database(name)

    async def copy_database(self, of: str) -> str:
        """A fresh copy of a database that nobody is connected to; returns its URL."""
        name = f"hutong_{uuid4().hex[:12]}"
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {urlsplit(of).path[1:]}")
        finally:
            await connection.close()
        return self.database(name)

    async def drop_database(self, url: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")
        finally:
            await connection.close()


class PostgresServer:
    """One private server. `kill` is SIGKILL of the postmaster (its children end at once); `start` after it recovers."""

    def __init__(self, *, durable: bool = True, folder: Path | None = None, max_wal_size: str = "1GB") -> None:
        """`durable` False leaves out what only a crash of the machine would show, for contract tests alone. `folder` is an
        empty one that the server's user may reach; by default one of its own."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="hutong-pg-"))
        self.port, self._max_wal_size = free_port(), max_wal_size
        self._durable = durable
        self._user = _other_user()
        self.process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(self.folder, *self._user)
        self._data = self.folder / "data"
        self._run(
            "initdb", "-D", str(self._data), "-U", "hutong", "--auth=trust", "--encoding=UTF8", "--no-locale",
            "--no-instructions", "--no-sync",
        )  # fmt: skip

    @property
    def server(self) -> Server:
        return Server(f"postgresql://hutong@127.0.0.1:{self.port}/postgres")

    def _run(self, tool: str, *arguments: str) -> None:
        subprocess.run(
            [str(_HOMES[-1] / tool), *arguments], check=True, timeout=60, cwd=self.folder,
            preexec_fn=_as(self._user, dies_with_us=True), env=self._environment(), **_QUIET,  # type: ignore[call-overload]
        )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}

    def start(self) -> PostgresServer:
        """Start, or recover after a kill; returns when it takes connections. The server dies with the calling thread."""
        switch = "on" if self._durable else "off"
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
            "fsync": switch, "synchronous_commit": switch, "full_page_writes": switch,
            "shared_buffers": "128MB", "max_connections": 120, "max_wal_size": self._max_wal_size,
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._spawn(options)
        until = time.monotonic() + READY_SECONDS
        ready = [str(_HOMES[-1] / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "hutong"]
        while subprocess.run(ready, check=False, timeout=60).returncode != 0:
            if time.monotonic() > until:
                raise AssertionError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")
            if not self.is_running:  # a process of the one that was killed before still ends: it is in its way
                self._spawn(options)
            time.sleep(0.02)
        return self

    def _spawn(self, options: list[str]) -> None:
        with (self.folder / "log").open("ab") as out:
            self.process = subprocess.Popen(
                [str(_HOMES[-1] / "postgres"), "-D", str(self._data), *options], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, preexec_fn=_as(self._user, dies_with_us=True), env=self._environment(),
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL for every process of the server at once."""
        self.signal_all(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def signal_all(self, number: signal.Signals) -> None:
        """The same signal for every process of the server, the first one first: SIGSTOP and SIGCONT make it pause."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.process.send_signal(number)
        for child in children:
            try:
                os.kill(int(child), number)
            except ProcessLookupError:
                continue

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def halt(self) -> None:
        """End it and keep its data."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=60)

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

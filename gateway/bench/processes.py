"""How are the measured processes started, pinned, and asked what they spent?

Every process is started by us on the cores it may use, and ends with us. Processor time is what the kernel counts for
all threads of the process (`/proc/PID/stat`), in steps of 10 ms.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import orjson

_TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]

# Below those that outgoing connections get: one of them would take it while its server is down.
_PORTS = range(20_000, 32_768)
_given = set[int]()


@cache
def _takings() -> int:
    """A file whose byte at a port is locked by the process that took the port; the kernel lets go of it when that ends."""
    path = Path(tempfile.gettempdir(), f"hutong-ports-{os.getuid()}")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def free_port() -> int:
    """A port of the loopback for a server that is started, killed and started again: another one each time, and of no other
    process that lives and asked here, though its server may be down just now."""
    while True:
        port = secrets.choice(_PORTS)
        if port in _given:
            continue
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            fcntl.lockf(_takings(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            _given.add(port)
            return port


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def busy_share(before: tuple[float, float], own: float) -> float:
    """The share of the machine that others took since `before` (from `machine_time`), `own` seconds being ours."""
    busy, passed = (after - earlier for after, earlier in zip(machine_time(), before, strict=True))
    return max(0.0, (busy - own) / (passed * os.cpu_count())) if passed and os.cpu_count() else 0.0  # type: ignore[operator]


def machine_time() -> tuple[float, float]:
    """Busy processor seconds of the whole machine, and the monotonic clock."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS, time.monotonic()


@asynccontextmanager
async def spawned(
    command: Sequence[str], cores: Collection[int], **options: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process on these cores, ended with SIGTERM (then SIGKILL) when the block is left."""
    process = await asyncio.create_subprocess_exec(
        *command, preexec_fn=_on(cores), limit=1 << 24, start_new_session=True, **options
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(20):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _on(cores: Collection[int]) -> Callable[[], None]:
    wanted = set(cores)

    def pin() -> None:
        os.sched_setaffinity(0, wanted)

    return pin


class Load:
    """The load generator's process, see `gateway.bench.load`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def order(self, document: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(orjson.dumps(document) + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended")
        answer: dict[str, Any] = orjson.loads(line)
        return answer


@asynccontextmanager
async def load_generator(cores: Collection[int] = (LOAD_CORE,)) -> AsyncIterator[Load]:
    command = [sys.executable, "-m", "gateway.bench.load"]
    pipe = asyncio.subprocess.PIPE
    async with spawned(command, cores, stdin=pipe, stdout=pipe) as process:
        yield Load(process)

"""The disk is full: nothing is promised that cannot be kept, reading goes on, and room made is all that it takes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.test_operators_and_offices import REPORT, pull, submit
from tests.support.gateway_process import GatewayProcess

pytestmark = pytest.mark.slow

DISK_MIB = 48


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of its own, small enough to fill."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("a file system of its own needs the right to mount one")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> Path:
    """Take every last byte, in smaller and smaller pieces."""
    filler = disk / "filler"
    handle = os.open(filler, os.O_CREAT | os.O_WRONLY)
    for size in (1 << 20, 1 << 12, 1):
        try:
            while True:
                os.write(handle, b"x" * size)
        except OSError:
            continue
    os.close(handle)
    return filler


def test_a_full_disk_promises_nothing_and_room_is_all_it_takes(disk: Path, tmp_path: Path) -> None:
    gateway = GatewayProcess(disk / "g").start()
    try:
        for office, adapter in (("health.440113", "health"), ("police.440113", "police")):
            gateway.add_office(office, adapter)
        first = submit(gateway, "WJ-1", tmp_path)
        filler = fill(disk)
        written, promised = tmp_path / "more.hl7", [first["notice"]]
        for number in range(400):  # what the store had set aside may still take some
            written.write_text(REPORT.format(number=f"WJ-F{number}"), encoding="utf-8")
            profile = ("--as", "health.440113", "--profile", str(gateway.profiles), "--json")
            done = gateway.run("submit", str(written), *profile, config=False, check=False)
            if done.returncode:
                break
            promised.append(json.loads(done.stdout)["notice"])
        assert done.returncode != 0, "somewhere it is full"
        assert "retry under the same id" in done.stderr, "told to come again, not that it is wrong"
        filler.unlink()
        again = submit(gateway, f"WJ-F{number}", tmp_path)
        assert again["notice"] not in promised
        promised.append(again["notice"])
        bodies = pull(gateway, "police.440113", "--max", "100")
        while more := pull(gateway, "police.440113", "--max", "100"):
            bodies += more
        assert len(bodies) == len(promised), "what was promised arrives, and nothing else"
        assert json.loads(gateway.run("log", "verify", "--json").stdout)["verified"] is True
        gateway.kill()
        gateway.start()
        assert json.loads(gateway.run("log", "verify", "--json").stdout)["verified"] is True
    finally:
        gateway.stop()

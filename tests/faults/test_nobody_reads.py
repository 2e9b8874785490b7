"""A node whose lines nobody reads goes on: notices come in and go out, and it ends when it is told to."""

from __future__ import annotations

import asyncio
import fcntl
import json
import re

import aiohttp
import pytest

from gateway.client.agency import AgencyClient, Profile
from tests.faults.load import SENDER, report
from tests.support.gateway_process import GatewayProcess

pytestmark = pytest.mark.slow

POLICE = "police.440113"
PIPE_BYTES = 4096  # as small as a pipe can be: some thirty lines


class Unread(GatewayProcess):
    """Its standard error stream is a small pipe that is read until it serves, and then no more."""

    def _drain_log(self) -> None:
        assert self.process is not None and self.process.stderr is not None
        fcntl.fcntl(self.process.stderr.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


async def test_a_node_whose_log_nobody_reads_takes_and_hands_out_notices_and_ends_when_told(tmp_path):
    node = Unread(tmp_path / "g")
    await asyncio.to_thread(node.start)
    try:
        for office in (SENDER, POLICE):
            node.add_office(office)
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            for _ in range(200):
                async with session.get(f"{node.url}/no-such-path") as answer:
                    assert answer.status == 404
            sender = AgencyClient(Profile.load(node.profiles, SENDER), session=session)
            await sender.submit(report("r1-1"), "application/cloudevents+json")
            police = AgencyClient(Profile.load(node.profiles, POLICE), session=session)
            (item,) = await police.pull(limit=5, wait_seconds=5)
            await police.acknowledge(item)
        assert await asyncio.to_thread(node.stop) == 0
    finally:
        if node.process.poll() is None:
            node.kill()
    left = node.process.stderr.read()
    assert len(left) <= PIPE_BYTES
    assert re.search(rb'"event":"request_answered"', left)


async def test_what_libraries_and_the_interpreter_say_comes_as_event_lines_without_its_text(tmp_path, monkeypatch):
    """asyncio's debug mode names each slow step of the start, with what it was working on."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    node = GatewayProcess(tmp_path / "g")
    await asyncio.to_thread(node.start)
    assert await asyncio.to_thread(node.stop) == 0
    events = [json.loads(line) for line in node.log.splitlines() if not line.decode().startswith(("护通", "正在"))]
    of_libraries = [line for line in events if line["event"] == "library_line"]
    assert {line["logger"] for line in of_libraries} == {"asyncio"}
    assert all("Task" not in str(line) for line in of_libraries)

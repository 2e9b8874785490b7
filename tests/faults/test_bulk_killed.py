"""SIGKILL of the gateway in the middle of a bulk file: it goes on where it was, no row lost, none doubled.

Judged from outside, by the rows' receipts and by the log: as many notices were accepted as the file has good rows.
"""

from __future__ import annotations

import asyncio
import json

from gateway.client.agency import AgencyClient, Profile
from tests.support.gateway_process import GatewayProcess
from tests.support.ledger import ledger

SCHOOL = "education.440113"
ROWS, WRONG = 1100, frozenset({3, 1055})


async def until(client, file, holds):
    while not holds(status := await client.file(file)):  # noqa: ASYNC110
        await asyncio.sleep(0.02)  # another process works: there is nothing to listen to but its answers
    return status


async def test_a_file_survives_kills_and_each_row_stands_once(tmp_path):
    gateway = GatewayProcess(tmp_path)
    gateway.start()
    gateway.add_office(SCHOOL, "education")
    profile = Profile.load(gateway.profiles, SCHOOL)
    body = ledger(ROWS, reports=frozenset({1000, 1001}), wrong=WRONG)
    async with AgencyClient(profile) as client:
        taken = await client.submit_file(body, "text/csv")
    gateway.kill()  # promised, and hardly begun
    for done in (300,):
        gateway.start()
        async with AgencyClient(profile) as client:
            await until(client, taken["file"], lambda status, done=done: status["accepted"] > done)
        gateway.kill()
    gateway.start()
    async with AgencyClient(profile) as client:
        assert await client.submit_file(body, "text/csv") == taken
        status = await until(client, taken["file"], lambda status: status["state"] == "done")
        assert (status["rows"], status["accepted"], status["refused"]) == (ROWS, ROWS - len(WRONG), len(WRONG))
        rows, cursor = [], "0"
        while (page := await client.file_rows(taken["file"], cursor))["rows"]:
            rows, cursor = rows + page["rows"], page["cursor"]
    assert {row["row"] for row in rows if row["status"] == "refused"} == WRONG
    told = [row["receipt"]["id"] for row in rows if row["status"] == "accepted"]
    assert sorted(told) == [f"TZ-{row:06d}" for row in range(ROWS) if row not in WRONG]
    assert len({row["notice"] for row in rows if row["status"] == "accepted"}) == ROWS - len(WRONG)
    found = json.loads(gateway.run("log", "verify", "--json").stdout)
    assert found["verified"] is True, found
    assert gateway.stop() == 0

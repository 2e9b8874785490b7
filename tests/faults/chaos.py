"""Kill the gateway under load, again and again, and let an auditor judge who knows only inputs, outputs and the log.

    make chaos                                             50 rounds, then 200 of a cluster
    python -m tests.faults.chaos --rounds 5 --seed 7       fewer, others
    python -m tests.faults.chaos --cluster                 two nodes on one PostgreSQL: a node, all nodes or the database
                                                           are killed, or a node is paused; the others go on

One round: senders push signed reports, three offices pull and acknowledge, and after a
random number of receipts the node gets SIGKILL and is started again. Senders ask again with
the same bytes for whatever was not answered. At the end everything is drained and judged:

* every notice answered with 202 reached each recipient it was routed to;
* nothing was applied twice: one notice has one delivery for one office, and a repeated hand-over has the same id;
* every hand-over was decided in the log before;
* a repeated question got the first receipt, byte for byte;
* the log verifies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from gateway.client.agency import AgencyClient, Profile
from gateway.model.canonical import canonical_json
from gateway.model.errors import HutongError, Unavailable
from gateway.simulation.scenario_s1 import CHILD, FATHER, PLACE
from tests.support.cluster import ClusterProcess
from tests.support.gateway_process import GatewayProcess
from tests.support.postgres import PostgresServer

SENDER = "health.440113"
RECIPIENTS = ("police.440113", "civil_affairs.440113", "procuratorate.440113")
SENDERS_AT_ONCE = 16
REPORTS_A_ROUND = 150
FAULTS = ("node", "all", "database", "pause", "restart")
NUMBER = re.compile(r"(?:情况|摘要) (r\d+-\d+)")


@dataclass(slots=True)
class Witnessed:
    """What the outside saw: inputs and outputs alone."""

    receipts: dict[str, bytes] = field(default_factory=dict)  # by the sender's number
    changed_receipts: list[str] = field(default_factory=list)
    applied: dict[str, dict[str, set[str]]] = field(
        default_factory=lambda: {name: defaultdict(set) for name in RECIPIENTS}
    )
    handed_over: set[tuple[str, int]] = field(default_factory=set)
    unanswered: int = 0  # requests that had to be made again


def report(number: str) -> bytes:
    """A mandatory report whose shareable text holds its number, so that every recipient can be asked what it got."""
    data = {
        "urgency": 2, "purpose": "P01", "immediate_danger": True, "discovery_channel": "hospital", "place": PLACE,
        "persons": [CHILD, FATHER],
        "harm": {"types": ["H21"], "m_flags": ["M4"], "narrative": f"情况 {number}", "summary": f"摘要 {number}"},
        "report": {"mandatory": True, "reporter_role": "doctor", "noticed_at": "2026-03-01T09:30:00+08:00"},
        "evidence": [{"kind": "photo", "holder": SENDER}],
    }  # fmt: skip
    event = {
        "specversion": "1.0", "id": number, "source": f"urn:hutong:office:{SENDER}", "type": "hutong.notice.RPT-M.v1",
        "time": "2026-03-01T09:45:00+08:00", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return canonical_json(event)


class Chaos:
    def __init__(self, gateway: GatewayProcess | ClusterProcess, seed: int) -> None:
        self.gateway, self.random, self.seen = gateway, random.Random(seed), Witnessed()
        self.is_up = asyncio.Event()
        self.answered = 0
        self.kill_after = 0
        self.killed = asyncio.Event()

    async def round(self, number: int, kill_after: int) -> None:
        """One round: load, one SIGKILL after `kill_after` receipts, restart, until every report has its receipt."""
        self.answered, self.kill_after = 0, kill_after
        self.killed, self.is_up = asyncio.Event(), asyncio.Event()
        self.is_up.set()
        waiting = iter([f"r{number}-{index}" for index in range(REPORTS_A_ROUND)])
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
            done = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                receivers = [tasks.create_task(self._receive(office, session, done)) for office in RECIPIENTS]
                killer = tasks.create_task(self._kill_and_restart())
                async with asyncio.TaskGroup() as senders:
                    for _ in range(SENDERS_AT_ONCE):
                        senders.create_task(self._send(waiting, session))
                self.killed.set()
                await killer
                done.set()
                del receivers

    async def _kill_and_restart(self) -> None:
        await self.killed.wait()
        if self.answered < self.kill_after:
            return
        if isinstance(self.gateway, GatewayProcess):
            self.is_up.clear()  # a cluster stays up
        self.gateway.kill()
        if isinstance(self.gateway, ClusterProcess) and self.gateway.broken[0] == "database":
            self.gateway.start()  # a database dies with the thread that started it
        else:
            await asyncio.to_thread(self.gateway.start)
        self.is_up.set()

    async def _send(self, waiting: Any, session: aiohttp.ClientSession) -> None:
        profile = Profile.load(self.gateway.profiles, SENDER)
        client = AgencyClient(profile, session=session)
        for number in waiting:
            body = report(number)
            while number not in self.seen.receipts:
                await self.is_up.wait()
                try:
                    answer = await client.submit(body, "application/cloudevents+json")
                except HutongError as error:
                    await self._ask_again_later(error)
                    continue
                self.seen.receipts[number] = orjson.dumps(answer, option=orjson.OPT_SORT_KEYS)
            self.answered += 1
            if self.answered == self.kill_after:
                self.killed.set()
            if self.random.random() < 0.1:
                await self._ask_again(client, number, body)

    async def _ask_again(self, client: AgencyClient, number: str, body: bytes) -> None:
        try:
            again = await client.submit(body, "application/cloudevents+json")
        except HutongError as error:
            await self._ask_again_later(error)
            return
        if orjson.dumps(again, option=orjson.OPT_SORT_KEYS) != self.seen.receipts[number]:
            self.seen.changed_receipts.append(number)

    async def _receive(self, office: str, session: aiohttp.ClientSession, done: asyncio.Event) -> None:
        """Pull, apply by delivery id, acknowledge; until everything is sent and nothing comes any more."""
        client = AgencyClient(Profile.load(self.gateway.profiles, office), session=session)
        empty = 0
        while not done.is_set() or empty < 2 or self._missing(office):
            await self.is_up.wait()
            try:
                inbound = await client.pull(limit=20, wait_seconds=1)
                empty = 0 if inbound else empty + 1
                for item in inbound:
                    number = NUMBER.findall(item.body.decode())[0]
                    self.seen.applied[office][number].add(item.delivery)
                    self.seen.handed_over.add((item.delivery, item.revision))
                    await client.acknowledge(item)
            except HutongError as error:
                if getattr(error, "status", 0) != 409:  # a lease that lapsed while the node was down
                    await self._ask_again_later(error)

    async def _ask_again_later(self, error: HutongError) -> None:
        """Nobody answered, or the answer was to ask again; any other answer is an error of the test."""
        if not isinstance(error, Unavailable) and getattr(error, "status", 0) != 503:
            raise error
        self.seen.unanswered += 1
        await asyncio.sleep(0.01)

    def _missing(self, office: str) -> set[str]:
        return self.seen.receipts.keys() - self.seen.applied[office].keys()


def judge(seen: Witnessed, gateway: GatewayProcess | ClusterProcess) -> list[str]:
    """The auditor: every broken promise in words; empty when all held."""
    broken = [f"{number}: another receipt the second time" for number in seen.changed_receipts]
    notices = defaultdict(list)
    for number, receipt in seen.receipts.items():
        notices[json.loads(receipt)["notice"]].append(number)
    broken += [f"{numbers}: one notice for several reports" for numbers in notices.values() if len(numbers) > 1]
    for office, applied in seen.applied.items():
        broken += [f"{number}: never reached {office}" for number in seen.receipts.keys() - applied.keys()]
        broken += [f"{number}: applied twice at {office}" for number, ids in applied.items() if len(ids) > 1]
    if not json.loads(gateway.run("log", "verify", "--json").stdout)["verified"]:
        broken.append("the log does not verify")
    if isinstance(gateway, ClusterProcess):
        broken += gateway.contradictions()
    decided = {
        (record["envelope"]["delivery"], record["envelope"]["revision"])
        for record in _all_records(gateway, "disclosure_decided")
    }
    broken += [
        f"{delivery}.{revision}: left without a decision in the log"
        for delivery, revision in seen.handed_over - decided
    ]
    return broken


def _all_records(gateway: GatewayProcess | ClusterProcess, event: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before: list[str] = []
    while page := json.loads(
        gateway.run("log", "search", "--event", event, "--limit", "1000", "--json", *before).stdout
    ):
        found += page
        before = ["--before", str(page[-1]["index"])]
    return found


_SETTINGS = "leave_seconds = 2\n\n[delivery]\nlease_seconds = 4\nwebhook_timeout_seconds = 1\n"


def prepare(folder: Path) -> GatewayProcess:
    """A fresh gateway with short leases, and its four offices."""
    gateway = GatewayProcess(folder)
    gateway.config.write_text(gateway.config.read_text() + _SETTINGS)
    gateway.start()
    for office in (SENDER, *RECIPIENTS):
        gateway.add_office(office)
    return gateway


def prepare_cluster(folder: Path, database: PostgresServer, faults: tuple[str, ...]) -> ClusterProcess:
    """The same of two nodes on a database."""
    cluster = ClusterProcess(folder, database, faults=faults)
    for node in cluster.nodes:
        node.config.write_text(node.config.read_text() + _SETTINGS)
    cluster.start_all()
    for office in (SENDER, *RECIPIENTS):
        cluster.nodes[0].add_office(office)
    return cluster


def run(folder: Path, rounds: int, seed: int) -> list[str]:
    return _run(prepare(folder), rounds, seed)


def run_cluster(folder: Path, rounds: int, seed: int, faults: tuple[str, ...] = FAULTS) -> list[str]:
    database = PostgresServer()
    try:
        database.start()
        return _run(prepare_cluster(folder, database, faults), rounds, seed)
    finally:
        database.stop()


def _run(gateway: GatewayProcess | ClusterProcess, rounds: int, seed: int) -> list[str]:
    chaos = Chaos(gateway, seed)
    try:
        for number in range(rounds):
            kill_after = chaos.random.randrange(1, REPORTS_A_ROUND)
            asyncio.run(chaos.round(number, kill_after))
            broken = f" ({gateway.history[-1]})" if isinstance(gateway, ClusterProcess) and gateway.history else ""
            print(
                f"round {number + 1}/{rounds}: killed{broken} after {kill_after} receipts, {len(chaos.seen.receipts)} in all",
                flush=True,
            )
        print(f"{chaos.seen.unanswered} requests had to be made again")
        return judge(chaos.seen, gateway)
    finally:
        gateway.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--cluster", action="store_true", help="two nodes on one PostgreSQL")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="only these, with --cluster")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hutong-chaos-") as folder:
        if arguments.cluster:
            faults = tuple(arguments.fault or FAULTS)
            broken = run_cluster(Path(folder) / "g", arguments.rounds, arguments.seed, faults)
        else:
            broken = run(Path(folder) / "g", arguments.rounds, arguments.seed)
    for line in broken:
        print("BROKEN", line)
    print(f"{arguments.rounds} rounds, {len(broken)} broken promises")
    raise SystemExit(bool(broken))


if __name__ == "__main__":
    main()

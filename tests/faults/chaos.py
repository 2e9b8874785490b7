"""Break a gateway under load, again and again, and let an auditor judge who knows only inputs, outputs and the log.

    make chaos                                             50 rounds of one node, then 200 of a cluster
    python -m tests.faults.chaos --rounds 5 --seed 7       fewer, others: SIGKILL of one embedded node
    python -m tests.faults.chaos --cluster                 three nodes, PostgreSQL, three brokers, everything in `breaking`
    python -m tests.faults.chaos --cluster --keep DIR      keep it all there ...
    python -m tests.faults.chaos --cluster --resume DIR    ... and go on after the last round that was seen, whatever ended it

One round: senders push signed reports, three offices pull and acknowledge (with brokers some of it over AMQP), and after
a random number of receipts something breaks; in every third round of a cluster two things of different kinds at once.
Senders ask again with the same bytes for whatever was not answered. A round ends when every report has its receipt and
came to each recipient. What was seen is kept as it happens (`tests.support.witnessed`), so a run that is resumed is
judged as a whole. The auditor judges at the end, of a cluster also every twenty rounds (a long run that is cut off has
been judged so far, and stops at the first broken promise), and a summary says it in one paragraph.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.faults.auditor import judge
from tests.faults.breaking import Breaking
from tests.faults.load import QUEUED, RECIPIENTS, SENDER, Load, Queues
from tests.support.cluster import KEPT, ClusterProcess, apart
from tests.support.gateway_process import ROOT, GatewayProcess
from tests.support.rabbitmq import Running
from tests.support.witnessed import Witnessed

REPORTS_A_ROUND = 150
REPORTS_OF_A_CLUSTER = 45  # a round
LONGEST_ROUND_SECONDS = 300.0
TWO_AT_ONCE = 3  # every third round
JUDGED_EVERY = 20  # rounds of a cluster

_SETTINGS = "leave_seconds = 2\n\n[delivery]\nlease_seconds = 4\nwebhook_timeout_seconds = 1\n"


def numbers_of(number: int, count: int, seen: Witnessed) -> Iterator[str]:
    """The numbers of a round that have no receipt yet."""
    return iter([one for one in (f"r{number}-{index}" for index in range(count)) if one not in seen.receipts])


class Embedded(GatewayProcess):
    """One node as the auditor sees it."""

    def run(self, *arguments: str, config: bool = True, check: bool = True) -> Any:
        return self.here(*arguments, config=config, check=check)

    def contradictions(self) -> list[str]:
        return []


def prepare(folder: Path) -> Embedded:
    """A gateway with short leases and its four offices; one that is there already is started again."""
    is_new = not (folder / "hutong.toml").exists()
    gateway = Embedded(folder)
    if is_new:
        gateway.config.write_text(gateway.config.read_text() + _SETTINGS)
    gateway.start()
    if is_new:
        for office in (SENDER, *RECIPIENTS):
            gateway.add_office(office)
    return gateway


def run(folder: Path, rounds: int, seed: int, reports: int = REPORTS_A_ROUND) -> list[str]:
    """SIGKILL of one embedded node, with so many reports a round; every broken promise in words."""
    seen = Witnessed(RECIPIENTS, folder.with_suffix(".seen"))
    gateway = prepare(folder)
    load = Load(gateway.profiles, seen, random.Random(seed))

    async def kill() -> None:
        gateway.kill()
        await asyncio.to_thread(gateway.start)

    try:
        for number in range(len(seen.rounds), rounds):
            after = random.Random(f"{seed}.{number}").randrange(1, reports)
            begin, numbers = time.monotonic(), numbers_of(number, reports, seen)
            asyncio.run(load.round(numbers, after, kill, LONGEST_ROUND_SECONDS))
            _over(seen, number, rounds, ["node-killed"], after, begin)
        return _told(seen, judge(seen, gateway), [])
    finally:
        gateway.stop()


async def run_cluster(
    folder: Path,
    rounds: int,
    seed: int,
    faults: Sequence[str] = (),
    *,
    nodes: int = 3,
    brokers: int = 0,
    keeps: bool = True,
) -> list[str]:
    """Everything that can happen to a cluster, or only `faults`; every broken promise in words.

    `keeps`: in the folder, which the database's user has to reach, so that it can be resumed."""
    seen = Witnessed(RECIPIENTS, folder.with_suffix(".seen"))
    if seen.rounds and not (folder / KEPT).exists():
        raise SystemExit("that run ended and its store is gone: what was seen then cannot be judged by a new one")
    wants = {"own_disk": not faults or "disk-full" in faults, "clocks": not faults or "clock-jump" in faults}
    cluster = ClusterProcess(folder, nodes=nodes, brokers=brokers, keeps=keeps, **wants)
    async with cluster:
        await apart(lambda: _enrol(cluster))
        queues = Queues([Running.of(one) for one in cluster.all_brokers()], cluster.key) if brokers else None
        load = Load(cluster.profiles, seen, random.Random(seed), queues)
        for number in range(len(seen.rounds), rounds):
            chance = random.Random(f"{seed}.{number}")
            breaking = Breaking(cluster, load, chance)
            struck = _choose(sorted(faults or breaking.faults), number, seed, chance)
            after = chance.randrange(1, REPORTS_OF_A_CLUSTER)
            begin, numbers = time.monotonic(), numbers_of(number, REPORTS_OF_A_CLUSTER, seen)
            load.is_clock_wrong = False

            async def strike(breaking: Breaking = breaking, struck: Sequence[str] = struck) -> None:
                await asyncio.gather(*(breaking.faults[one]() for one in struck))

            try:
                await load.round(numbers, after, strike, LONGEST_ROUND_SECONDS)
            except BaseException:
                tell_of_an_unfinished_round(number, struck, load)
                raise
            _over(seen, number, rounds, struck, after, begin)
            if len(seen.rounds) % JUDGED_EVERY == 0 and len(seen.rounds) < rounds:
                broken = await apart(lambda: judge(seen, cluster))
                print(f"judged after {len(seen.rounds)} rounds: {len(broken)} broken promises", flush=True)
                if broken:
                    return _told(seen, broken, [])
        left_out = [] if faults else Breaking(cluster, load, random.Random(0)).left_out
        broken = _told(seen, await apart(lambda: judge(seen, cluster)), left_out)
    cluster.forget()
    return broken


def _enrol(cluster: ClusterProcess) -> None:
    for office in (SENDER, *RECIPIENTS):
        if (cluster.profiles / office / "office.toml").exists():
            continue
        options: tuple[str, ...] = ()
        if cluster.brokers is not None and office == SENDER:
            options = ("--queue", "doorbells")
        elif cluster.brokers is not None and office == QUEUED:
            options = ("--queue", "releases", "--encryption-key", str(cluster.folder / "police.jwk"))
        cluster.nodes[0].add_office(office, "canonical", *options)


def _choose(possible: Sequence[str], number: int, seed: int, chance: random.Random) -> list[str]:
    """One fault after the other in an order that changes each time they were all had; sometimes one of another kind too."""
    turn, place = divmod(number, len(possible))
    order = random.Random(f"{seed}.turn.{turn}").sample(possible, len(possible))
    struck = [order[place]]
    others = [
        one for one in possible if not {_kind(one), _kind(struck[0])} & {"all"} and _kind(one) != _kind(struck[0])
    ]
    if number % TWO_AT_ONCE == TWO_AT_ONCE - 1 and others:
        struck.append(chance.choice(others))
    return struck


def _kind(fault: str) -> str:
    """What is broken: two faults of one kind would mend each other. A full disk is everybody's."""
    if "broker" in fault:
        return "brokers"
    return "all" if fault == "disk-full" else "nodes" if "node" in fault or "clock" in fault else "database"


def _over(seen: Witnessed, number: int, rounds: int, struck: Sequence[str], after: int, begin: float) -> None:
    seconds = round(time.monotonic() - begin, 1)
    seen.round_is_over({"faults": list(struck), "seconds": seconds, "commit": _commit()})
    told = " + ".join(struck)
    print(f"round {number + 1}/{rounds}: {told} after {after}, {seconds} s, {len(seen.receipts)} receipts", flush=True)


def _commit() -> str:
    """What ran: the name of the commit, marked when something is changed since; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+"]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()


def tell_of_an_unfinished_round(number: int, struck: Sequence[str], load: Load) -> None:
    """What is still waited for, for whoever looks for the cause."""
    missing = {office: sorted(load.seen.missing(office)) for office in RECIPIENTS}
    print(f"round {number + 1}, {' + '.join(struck)}, did not end; receipts without delivery: {missing}")
    print("\n".join(load.troubles), flush=True)


def _told(seen: Witnessed, broken: list[str], left_out: Sequence[str]) -> list[str]:
    """The summary, to be pasted; returns what was broken."""
    counted = Counter(fault for one in seen.rounds for fault in one["faults"])
    commits = Counter(one["commit"] for one in seen.rounds)
    took: list[float] = sorted(one["seconds"] for one in seen.rounds) or [0.0]
    what = ", ".join(f"{fault} {count}" for fault, count in sorted(counted.items()))
    ran = ", ".join(f"{count} on {commit}" for commit, count in commits.items())
    handed: int = sum(len(ids) for applied in seen.applied.values() for ids in applied.values())
    for line in broken:
        print("BROKEN", line)
    print(
        f"chaos: {len(seen.rounds)} rounds ({what}; {ran}); {len(seen.receipts)} receipts, {handed} deliveries applied, "
        f"{seen.unanswered} requests made again; a round took {took[len(took) // 2]} s (median), {took[-1]} s at most; "
        f"{len(broken)} broken promises." + "".join(f" Left out: {one}." for one in left_out),
        flush=True,
    )
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=0, help="50, of a cluster 200")
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--cluster", action="store_true", help="three nodes, PostgreSQL and three brokers")
    parser.add_argument("--without-brokers", action="store_true", help="a cluster without RabbitMQ")
    parser.add_argument("--fault", action="append", default=[], help="only these, with --cluster; see `breaking`")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep everything in this new folder")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with what is kept in this folder")
    arguments = parser.parse_args()
    for library in ("aio_pika", "aiormq"):  # they tell of each try at a broker that is away
        logging.getLogger(library).setLevel(logging.CRITICAL)
    kept: Path | None = arguments.resume or arguments.keep
    if arguments.resume and not arguments.resume.exists():
        parser.error(f"there is nothing in {arguments.resume}")
    if arguments.keep and arguments.keep.exists():
        parser.error(f"{arguments.keep} is there already; go on with it by --resume")
    folder = kept or Path(tempfile.mkdtemp(prefix="hutong-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    try:
        broken = _run(folder / "g", arguments)
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)
    raise SystemExit(bool(broken))


def _run(folder: Path, arguments: Any) -> list[str]:
    if not arguments.cluster:
        return run(folder, arguments.rounds or 50, arguments.seed)
    brokers = 0 if arguments.without_brokers else 3
    return asyncio.run(run_cluster(folder, arguments.rounds or 200, arguments.seed, arguments.fault, brokers=brokers))


if __name__ == "__main__":
    main()

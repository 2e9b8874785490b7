"""Break three brokers under load, again and again, and let an auditor judge who knows only inputs, outputs and the log.

    python -m tests.faults.broker_chaos                                  50 rounds
    python -m tests.faults.broker_chaos --rounds 5 --seed 7 --fault kill-one

One round: an office hands in reports over AMQP, another reads encrypted releases and acknowledges, and after a random
number of receipts something happens to the brokers. The round ends when every report has its receipt and has come. Faults:

* kill-one: SIGKILL of one broker, started again;
* pause-one: one broker stands still for some seconds (SIGSTOP);
* kill-all: SIGKILL of all three at once, started again;
* wipe-all: the same, and their disks are gone: only the store can fill the queues again.

At the end: every answered notice came, under one delivery; the first receipt is the only one; the log verifies.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gateway.config import RabbitSettings
from gateway.model.agency import QueueUse
from gateway.model.identifiers import parse_office_id
from gateway.services.verify_log import verify_log
from tests.support.amqp_load import Load
from tests.support.amqp_office import encryption_pair
from tests.support.amqp_town import POLICE, SENDER, use_queue
from tests.support.rabbitmq import Cluster, Running
from tests.support.town import CANONICAL, town

REPORTS_A_ROUND = 40
PAUSED_SECONDS = 3.0
LONGEST_ROUND = 180.0
FAULTS = ("kill-one", "pause-one", "kill-all", "wipe-all")


async def breaks(cluster: Cluster, fault: str, chance: random.Random) -> None:
    """Do it, and mend it."""
    one = chance.choice(cluster.brokers)
    if fault == "pause-one":
        one.pause()
        await asyncio.sleep(PAUSED_SECONDS)
        one.resume()
        return
    broken = [one] if fault == "kill-one" else list(cluster.brokers)
    for broker in broken:
        broker.kill()
        if fault == "wipe-all":
            broker.wipe()
    for broker in broken:
        broker.start()
    for broker in broken:
        await asyncio.to_thread(broker.wait)


async def run(folder: Path, rounds: int, seed: int, faults: Sequence[str]) -> list[str]:
    """Every broken promise in words; empty when all held."""
    chance, cluster = random.Random(seed), Cluster(folder / "brokers", 3)
    key, jwk = encryption_pair()
    try:
        cluster.start()
        all_of_them = [Running.of(broker) for broker in cluster.brokers]
        settings = RabbitSettings(
            addresses=tuple(one.url("/") for one in all_of_them), password=cluster.password,
            management=tuple(one.management for one in all_of_them), heartbeat_seconds=1.0, confirm_seconds=2.0,
        )  # fmt: skip
        async with town(
            folder / "town", rabbitmq=settings, port=cluster.gateway_port, first_backoff_seconds=0.1
        ) as whole:
            enrol = whole.gateway.services.enrol
            known = enrol.office(parse_office_id(POLICE))
            await enrol.add(replace(known, adapter="canonical", media_type=CANONICAL), by="chaos")
            await use_queue(whole, all_of_them[0], "%2F", SENDER, QueueUse.DOORBELLS)
            await use_queue(whole, all_of_them[0], "%2F", POLICE, QueueUse.RELEASES, jwk)
            load = Load(all_of_them, "/", whole.clients[SENDER], whole.clients[POLICE], key)
            receiving = asyncio.create_task(load.receive())
            for number in range(rounds):
                fault, first = chance.choice(list(faults)), number * REPORTS_A_ROUND
                begin = time.monotonic()
                async with asyncio.timeout(LONGEST_ROUND):
                    sending = asyncio.create_task(load.send(range(first, first + REPORTS_A_ROUND)))
                    await load.until(first + chance.randrange(1, REPORTS_A_ROUND))
                    await breaks(cluster, fault, chance)
                    await sending
                    await load.all_received()
                print(
                    f"round {number + 1}/{rounds}: {fault}, {time.monotonic() - begin:.1f} s, {len(load.receipts)} in all",
                    flush=True,
                )
            receiving.cancel()
            with suppress(asyncio.CancelledError):
                await receiving
            return await judge(whole, load)
    finally:
        cluster.stop()


async def judge(whole, load) -> list[str]:
    broken = [f"{number}: another receipt the second time" for number in load.changed]
    if len({receipt["notice"] for receipt in load.receipts.values()}) != len(load.receipts):
        broken.append("one notice for several reports")
    if len(load.applied) != len(load.receipts):
        broken.append(f"{len(load.receipts)} answered, {len(load.applied)} came")
    broken += [f"{case}: applied under {len(ids)} deliveries" for case, ids in load.applied.items() if len(ids) != 1]
    if not (await verify_log(whole.gateway.engines.store.log)).is_verified:
        broken.append("the log does not verify")
    return broken + [f"the node failed: {line['event']}" for line in whole.failures()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hutong-chaos-") as folder:
        broken = asyncio.run(run(Path(folder), arguments.rounds, arguments.seed, arguments.fault or FAULTS))
    for line in broken:
        print("BROKEN", line)
    print(f"{arguments.rounds} rounds, {len(broken)} broken promises")
    raise SystemExit(bool(broken))


if __name__ == "__main__":
    main()

"""How long do the log's questions take over a million records, and how long is its whole verification?

A synthetic store is made once (about a quarter of an hour a million on two cores) and used again: the fields are
those of the exchange, the offices forty, the children one for every eight records, one child with two hundred. Then each named
report, the report of one child and the whole verification are timed, medians of `ROUNDS`.

One record's inclusion proof is asked over HTTP too, of any record and of the latest, each question logged before it is answered.

    python -m tests.bench.log_questions FOLDER [--records N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from aiohttp import ClientSession, web

from gateway.audit.record import PreparedRecord, prepare
from gateway.audit.report import as_document
from gateway.audit.trust import NONE, TrustPolicy
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.files.documents import default_catalogue
from gateway.engines.files.packs import pack_files
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.model.agency import Office
from gateway.model.audit import EventName, LogEvent, LogValue, Slot
from gateway.model.identifiers import EventId, OfficeId, PersonId
from gateway.policy.document import load_document
from gateway.ports.log_storage import LogQuery
from gateway.services.log_reports import Asked, LogReports
from gateway.services.people import FoundPerson
from gateway.services.prove import Prover
from gateway.services.publish import Publisher
from gateway.services.verify_log import verify_log
from tests.support.audit_log import ed25519_signer

ROUNDS = 3
SERVED = 1000
GROUP = 2000
OFFICES = (
    *(OfficeId(f"police.999999.unit{n:02d}") for n in range(38)),
    OfficeId("contractor.999999.xinli"),
    OfficeId("education.999999"),
)
FIELDS = tuple(
    (name, form)
    for name, form in (
        ("harm.summary", "clear"), ("harm.types", "clear"), ("guardian.name", "mask"), ("guardian.phone", "mask"),
        ("minor.birth_date", "generalise"), ("minor.grade", "clear"), ("minor.id_no", "mask"), ("minor.name", "clear"),
        ("minor.residence.region", "clear"), ("minor.school.name", "clear"), ("minor.sex", "clear"), ("place.region", "clear"),
    )
)  # fmt: skip
START = datetime(2025, 1, 1, tzinfo=UTC)
WATCHED = PersonId(str(uuid.UUID(int=1)))


def _subject(person: str) -> str:
    return sha256(b"subject " + person.encode()).hexdigest()


def _secret(person: str) -> bytes:
    return sha256(b"secret " + person.encode()).digest()


def _slot(person: str, rng: random.Random) -> Slot:
    band = rng.choice(("0-7", "8-13", "14-15"))
    return Slot({"person": person, "roles": ("minor",), "age_band": band}, _secret(person), _subject(person))


def _record(number: int, rng: random.Random) -> PreparedRecord:
    """One record: of every four an acceptance, a disclosure, an acknowledgement and a receipt of disposal or an oddity."""
    notice, turn = str(uuid.UUID(int=(2 << 96) + number // 4)), number % 4
    delivery = str(uuid.UUID(int=(3 << 96) + number // 4))
    recipient = OFFICES[rng.randrange(len(OFFICES))]
    person = WATCHED if number % 5000 < 2 else str(uuid.UUID(int=(4 << 96) + number // 8))
    values: dict[str, LogValue]
    about: dict[str, LogValue] = {"actor": "gateway", "notice": notice, "delivery": delivery, "recipient": recipient}
    persons: tuple[Slot, ...] = (_slot(person, rng),)
    if turn == 0:
        name = EventName.NOTICE_ACCEPTED
        values = {
            "actor": "health.999999",
            "notice": notice,
            "type": "RPT-M",
            "urgency": 1,
            "basis": ("L20",),
            "attested": "signature",
        }
        if number % 4000 == 0:
            values["flags"] = ("late-report",)
    elif turn == 1:
        name = EventName.DISCLOSURE_DECIDED
        values = {
            **about, "revision": 1, "purpose": "P01", "basis": ("L07",) if number % 2001 == 1 else ("L02", "L20"),
            "policy": f"{number % 7:064x}", "outcome": f"o-{number % 50:032x}", "fields": tuple(sorted(FIELDS)),
            "obligations": ("disposal_receipt", "no_onward"), "transport": "pull",
        }  # fmt: skip
        if number % 20001 == 1:
            values["emergency"] = delivery
        if number % 40001 == 1:
            values["basis"] = ("L54",)
    elif turn == 2:
        name, values, persons = EventName.DELIVERY_ACKNOWLEDGED, {**about, "revision": 1, "transport": "pull"}, ()
    else:
        kept = number % 800 == 3
        name, persons = (EventName.DELIVERY_READ if kept else EventName.DISPOSAL_CONFIRMED), ()
        values = {**about, "revision": 1} if kept else {**about}
    event = EventId(str(uuid.UUID(int=(5 << 96) + number)))
    at = START + timedelta(milliseconds=30_000 * number // 1000)
    return prepare(LogEvent(event, name, at, values, rng.randbytes(32), persons))


async def make(folder: Path, records: int) -> None:
    """Make, or go on making, the store."""
    if not (folder / "store.db").exists():
        SqliteStore.create(folder)
    store = SqliteStore.open(folder, SystemClock())
    try:
        start = (await store.log.head()).size
        began = time.monotonic()
        for first in range(start, records, GROUP):
            rng = random.Random(first)
            await store.log.append([_record(n, rng) for n in range(first, min(first + GROUP, records))])
            if first % 100_000 == 0:
                print(f"{first} records, {time.monotonic() - began:.0f} s", flush=True)
        began = time.monotonic()
        while await store.log.index(50_000):
            print(f"indexing, {time.monotonic() - began:.0f} s", flush=True)
    finally:
        await store.close()


async def measure(folder: Path, records: int, *, whole: bool = True) -> dict[str, Any]:
    """Seconds of each question, by name."""
    store = SqliteStore.open(folder, SystemClock())
    try:
        offices = {
            one: Office(
                one,
                f"测试单位 {one}",
                attributes={"contract_until": "2025-01-02"} if one.startswith("contractor") else {},
            )
            for one in OFFICES
        }
        vocabulary = load_document(pack_files(), default_catalogue().fields).vocabulary
        publisher = await _publisher(store, folder)
        prover = Prover(store.log, publisher)
        reports = LogReports(
            log=store.log, publisher=publisher, notices=store.notices, keeper=cast(Any, None), fields=default_catalogue().fields,
            offices=lambda: offices, vocabulary=lambda: vocabulary, clock=SystemClock(),
        )  # fmt: skip
        child = FoundPerson(WATCHED, bytes.fromhex(_subject(WATCHED)), _secret(WATCHED))
        found: dict[str, Any] = {"records": (await store.log.head()).size}
        for name in reports.names:
            asked = Asked(person=child if name == "who-saw" else None)
            rows = 0

            async def ask(name: str = name, asked: Asked = asked) -> int:
                return len((await reports(name, asked)).rows)

            seconds, rows = await _timed(ask)
            found[name] = {"seconds": seconds, "rows": rows}

        async def of_child() -> int:
            made = await reports("who-saw", Asked(person=child))
            evidence = await prover.report_of_one_person([(child.subject, child.log_secret)])
            as_document(made, asked_by="bench", bundle=evidence, check="report")
            return len(made.rows)

        seconds, rows = await _timed(of_child)
        found["child-report-with-proof"] = {"seconds": seconds, "rows": rows}
        for what, query in {
            "search-field": LogQuery(field="minor.name", office=OFFICES[3]),
            "search-office-and-day": LogQuery(
                office=OFFICES[3], since=START + timedelta(hours=3), until=START + timedelta(hours=4)
            ),
            "search-outcome": LogQuery(outcome=f"o-{7:032x}", event="disclosure_decided"),
        }.items():

            async def search(query: LogQuery = query) -> int:
                return len(await store.log.search(query, None, 100))

            seconds, rows = await _timed(search)
            found[what] = {"seconds": seconds, "rows": rows}
        found |= {f"proof-served-{which}": told for which, told in (await _served(store, prover, records)).items()}
        if whole:
            began = time.monotonic()
            outcome = await verify_log(store.log)
            found["verify"] = {
                "seconds": time.monotonic() - began,
                "verified": outcome.is_verified,
                "cores": os.cpu_count(),
            }
        return found
    finally:
        await store.close()


async def _served(store: SqliteStore, prover: Prover, size: int) -> dict[str, dict[str, float]]:
    """One client, one question after the other over loopback HTTP: the handler proves, logs the reading, then answers."""
    rng = random.Random(3)

    async def answer(request: web.Request) -> web.Response:
        proof = await prover.proof(EventId(request.match_info["event"]))
        values: dict[str, LogValue] = {"actor": "staff", "filters": ("record",), "rows": 1, "format": "proof"}
        read = LogEvent(EventId(str(uuid.uuid4())), EventName.LOG_READ, datetime.now(UTC), values, rng.randbytes(32))
        await store.log.append([prepare(read)])
        return web.Response(body=proof, content_type="text/plain")

    application = web.Application()
    application.router.add_get("/proof/{event}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    found: dict[str, dict[str, float]] = {}
    try:
        async with ClientSession(f"http://127.0.0.1:{port}") as session:
            for which, lowest in (("any", 0), ("latest", size - 10_000)):
                times, cpu = [], time.process_time()
                for number in (rng.randrange(max(0, lowest), size) for _ in range(SERVED)):
                    began = time.monotonic()
                    async with session.get(f"/proof/{uuid.UUID(int=(5 << 96) + number)}") as reply:
                        reply.raise_for_status()
                        await reply.read()
                    times.append(time.monotonic() - began)
                times.sort()
                found[which] = {
                    "seconds": times[len(times) // 2], "p99": times[len(times) * 99 // 100],
                    "cpu": (time.process_time() - cpu) / SERVED, "rows": SERVED,
                }  # fmt: skip
    finally:
        await runner.cleanup()
    return found


async def _timed(ask: Callable[[], Awaitable[int]]) -> tuple[float, int]:
    times, rows = [], 0
    for _ in range(ROUNDS):
        began = time.monotonic()
        rows = await ask()
        times.append(time.monotonic() - began)
    return statistics.median(times), rows


async def _publisher(store: SqliteStore, folder: Path) -> Publisher:
    """A publisher that has signed what there is, with a key that is no secret, and no witness."""
    signer = ed25519_signer("bench.example/exchange/1")
    key = signer.key
    guard = folder / "guard"
    if not guard.exists():
        FileCheckpointGuard.create(guard)
    trust = TrustPolicy((key,), {}, {}, NONE, {})
    publisher = Publisher(store.log, key.name, (signer,), FileCheckpointGuard(guard), trust, SystemClock())
    hold = await publisher.open()
    await publisher.publish()
    if hold is not None or publisher.latest is None:
        raise AssertionError("the store is not the one that was signed")
    return publisher


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--questions-only", action="store_true", help="leave the whole verification out")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    asyncio.run(make(given.folder, given.records))
    found = asyncio.run(measure(given.folder, given.records, whole=not given.questions_only))
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found.pop('records'):,} records")
    for name, told in found.items():
        print(
            f"{name:24} {told['seconds']:8.3f} s  {told.get('rows', '')}"
            + (f"  p99 {told['p99']:.4f} s" if "p99" in told else "")
        )


if __name__ == "__main__":
    main()

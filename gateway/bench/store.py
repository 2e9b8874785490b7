"""How many notices a second does the embedded store take, alone, against the disk's own rate of flushes?

Units are made beforehand, so what is timed is what the store does: 4 deliveries,
3 persons (one new, with two aliases), 5 segments and the raw bytes (about 6 KB in
all), a receipt, and one log record with a slot per person. Groups of `group`
callers at a time; everything is durable when its caller goes on.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from gateway.audit.record import prepare
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.engines.system.ids import SystemIds
from gateway.engines.system.interpreter import SWITCH_SECONDS
from gateway.model.audit import EventName, LogEvent, Slot
from gateway.model.delivery import Delivery, DeliveryState, NewDelivery, lane_of
from gateway.model.identifiers import KeyId, NoticeType, OfficeId, PersonId
from gateway.ports.storage import Acceptance, Conclusion, Disclosure, Epochs, PersonLink, SealedSegment
from gateway.ports.store import Store

RECIPIENTS = tuple(OfficeId(f"police.999999.unit-{n}") for n in range(40))
_SENDER = OfficeId("civil_affairs.999999")
_DAY = timedelta(days=1)


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreRates:
    """Per second of wall time. `flushes` is the disk's fdatasync rate of 4 KiB appended, measured before and after.

    `delivery_cpu`: processor seconds of this process, all its threads, for lease, disclosure and conclusion of one.
    """

    flushes: float
    accepted: float
    leased: float
    disclosed: float
    concluded: float
    delivery_cpu: float

    @property
    def accepted_per_flush(self) -> float:
        return self.accepted / self.flushes


class UnitMaker:
    """Makes units of the shape above. Persons are known after the first notice named them."""

    def __init__(self, ids: SystemIds) -> None:
        self._ids = ids
        self._known: list[PersonId] = []

    def acceptance(self) -> Acceptance:
        ids, now = self._ids, datetime.now(UTC)
        child = PersonLink(ids.person(), "p1", KeyId(os.urandom(16).hex()), (os.urandom(32), os.urandom(32)), True)
        links = [child]
        for n in (2, 3):
            known = len(self._known) > 500
            person = self._known[-400 + n * 7] if known else ids.person()
            links.append(PersonLink(person, f"p{n}", KeyId(os.urandom(16).hex()), (), not known))
        self._known = (self._known + [link.person for link in links if link.is_new])[-600:]
        persons = tuple(links)
        parts = [*(link.person for link in persons), persons[0].person, None]
        record = LogEvent(
            ids.event(),
            EventName.NOTICE_ACCEPTED,
            now,
            {"actor": _SENDER, "notice": ids.notice(), "type": "RPT", "purpose": "P01", "transport": "http"},
            os.urandom(32),
            tuple(
                Slot(
                    {"person": link.person, "roles": ("minor",), "age_band": "8-13"},
                    os.urandom(32),
                    _subject(link.person),
                )
                for link in persons
            ),
        )
        key = os.urandom(32)
        return Acceptance(
            notice=ids.notice(),
            type=NoticeType("RPT"),
            case=ids.case(),
            sender=_SENDER,
            urgency=0,
            received_at=now,
            idempotency_key=key,
            native_id_key=key,
            body_digest=os.urandom(32),
            header=os.urandom(200),
            header_key=KeyId(os.urandom(16).hex()),
            segments=tuple(SealedSegment(part, "CORE", KeyId(os.urandom(16).hex()), os.urandom(500)) for part in parts),
            raw=SealedSegment(None, "RAW", KeyId(os.urandom(16).hex()), os.urandom(2500)),
            raw_expires_at=now + 30 * _DAY,
            persons=persons,
            deliveries=self._deliveries(now),
            records=(prepare(record),),
            receipt=os.urandom(600),
            receipt_expires_at=now + 90 * _DAY,
            directory_epoch=0,
        )

    def _deliveries(self, now: datetime) -> tuple[NewDelivery, ...]:
        first, case = int.from_bytes(os.urandom(2), "big"), self._ids.case()
        return tuple(
            NewDelivery(
                id=self._ids.delivery(),
                recipient=RECIPIENTS[(first + n) % len(RECIPIENTS)],
                purpose="P01",
                legal_basis=("L02", "L20"),
                rule="report-to-competent-police",
                role="handling",
                lane=lane_of(case, os.urandom(32)),
                overtakes=False,
                expires_at=now + 30 * _DAY,
            )
            for n in range(4)
        )

    def record(self, delivery: Delivery, name: EventName) -> LogEvent:
        about = {"delivery": delivery.id, "notice": delivery.notice, "recipient": delivery.recipient}
        return LogEvent(self._ids.event(), name, datetime.now(UTC), {"actor": "gateway", **about}, os.urandom(32))


def _subject(person: PersonId) -> str:
    return sha256(person.encode()).hexdigest()  # random like the keyed names of real persons


def flush_rate(directory: Path, seconds: float = 0.5) -> float:
    """fdatasync calls a second, each after 4 KiB appended to one file."""
    path, page = directory / "flush.probe", os.urandom(4096)
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            os.write(handle, page)
            os.fdatasync(handle)
            count += 1
        return count / elapsed
    finally:
        os.close(handle)
        path.unlink()


async def store_rates(directory: Path, notices: int = 10_000, group: int = 100) -> StoreRates:
    """Measure a fresh store made in `directory`, which stays behind. Takes some ten seconds."""
    directory.mkdir(parents=True, exist_ok=True)
    home = directory / "store"
    SqliteStore.create(home)
    store = SqliteStore.open(home, SystemClock())
    try:
        maker = UnitMaker(SystemIds(SystemClock(), store.delivery_ids))
        before = flush_rate(directory)
        accepted = notices / await accept_time(store, maker, notices, group)
        rates, cpu = await _deliver(store, maker, notices, group)
        flushes = (before + flush_rate(directory)) / 2
        return StoreRates(flushes, accepted, *rates, cpu)
    finally:
        await store.close()


async def accept_time(store: Store, maker: UnitMaker, notices: int, group: int) -> float:
    """Seconds in which a store takes so many notices, of so many callers at a time."""
    spent = 0.0
    for _ in range(notices // group):
        units = [maker.acceptance() for _ in range(group)]
        start = time.perf_counter()
        await asyncio.gather(*map(store.notices.accept, units))
        spent += time.perf_counter() - start
    return spent


async def rates_beside(directory: Path, rounds: int, group: int = 100) -> tuple[float, float]:
    """Notices a second alone, and next to a thread that computes without pause, in alternation; as a serving node is set."""
    home = directory / "store"
    SqliteStore.create(home)
    store = SqliteStore.open(home, SystemClock())
    maker = UnitMaker(SystemIds(SystemClock(), store.delivery_ids))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    neighbour = _Neighbour()
    neighbour.start()
    spent = {False: 0.0, True: 0.0}
    try:
        for number in range(2 * rounds + 1):
            is_busy = number % 2 == 0
            for _ in range(3):
                units = [maker.acceptance() for _ in range(group)]
                if is_busy:
                    neighbour.work.set()
                start = time.perf_counter()
                await asyncio.gather(*map(store.notices.accept, units))
                spent[is_busy] += time.perf_counter() - start if number else 0.0  # the first round warms up
                neighbour.work.clear()
        notices = 3 * rounds * group
        return notices / spent[False], notices / spent[True]
    finally:
        neighbour.end()
        sys.setswitchinterval(interval)
        await store.close()


class _Neighbour(threading.Thread):
    """Computes in plain Python for as long as `work` is set: an event loop that never rests."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.work = threading.Event()
        self._is_over = False

    def run(self) -> None:
        while self.work.wait() and not self._is_over:
            sum([number * number for number in range(500)])

    def end(self) -> None:
        self._is_over = True
        self.work.set()
        self.join()


async def _deliver(store: Store, maker: UnitMaker, wanted: int, group: int) -> tuple[tuple[float, float, float], float]:
    """How many are leased, disclosed and concluded in a second of wall time, and the processor seconds of one."""
    spent, cpu, done = [0.0, 0.0, 0.0], 0.0, 0
    while done < wanted:
        now = datetime.now(UTC)
        offices = [RECIPIENTS[(done // group * 5 + n) % len(RECIPIENTS)] for n in range(5)]
        leases = [store.deliveries.lease_due(office, now, timedelta(seconds=60), group // 5) for office in offices]
        pages, *took = await _timed(leases)
        leased: Sequence[Delivery] = [one for page in pages for one in page]
        if not leased:
            break
        disclosures = [_disclosure(maker, one, now) for one in leased]
        conclusions = [_conclusion(maker, one, now) for one in leased]
        _, *disclosed = await _timed(list(map(store.deliveries.disclose, disclosures)))
        _, *concluded = await _timed(list(map(store.deliveries.conclude, conclusions)))
        for part, (wall, busy) in enumerate((took, disclosed, concluded)):
            spent[part] += wall
            cpu += busy
        done += len(leased)
    return (done / spent[0], done / spent[1], done / spent[2]), cpu / done


async def _timed(work: Sequence[Coroutine[Any, Any, T]]) -> tuple[Sequence[T], float, float]:
    """What all gave, and the wall and processor seconds of them together."""
    wall, cpu = time.perf_counter(), time.process_time()
    results = await asyncio.gather(*work)
    return results, time.perf_counter() - wall, time.process_time() - cpu


def _disclosure(maker: UnitMaker, one: Delivery, at: datetime) -> Disclosure:
    records = (prepare(maker.record(one, EventName.DELIVERY_SENT)),)
    token = one.lease_token or ""
    return Disclosure(one.id, token, 1, os.urandom(32), os.urandom(32), Epochs(0, 0, 0), at, records)


def _conclusion(maker: UnitMaker, one: Delivery, at: datetime) -> Conclusion:
    records = (prepare(maker.record(one, EventName.DELIVERY_ACKNOWLEDGED)),)
    return Conclusion(one.id, DeliveryState.ACKNOWLEDGED, at, records, one.lease_token)

"""Every durable step of the store fails both ways: it was lost, or it happened and was reported lost.

After each failure the caller asks again with the same ids and keys and gets its answer;
every record is in the log exactly once, and the log verifies.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from datetime import timedelta

import pytest

from gateway.audit.leaf import entry_root
from gateway.engines.sqlite.store import SqliteStore
from gateway.model.agency import Office
from gateway.model.audit import EventName, Link
from gateway.model.delivery import DeliveryState
from gateway.model.errors import Unavailable
from gateway.ports.storage import Accepted, Concluded, Disclosed, Epochs, Replayed
from tests.contracts.storage.log_suite import links_of, verified_size
from tests.support.stored import POLICE, SetClock, Units, alias_of, key_of

S = DeliveryState
MINUTE = timedelta(minutes=1)


class FaultOnce:
    """Makes the n-th durable step from now on fail, or every step of a name; remembers the steps it saw."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.fail_at: int | None = None
        self.error: Exception = sqlite3.OperationalError("disk I/O error")

    def __call__(self, step: str) -> None:
        self.seen.append(step)
        if self.fail_at is not None and len(self.seen) - 1 == self.fail_at:
            self.fail_at = None
            raise self.error


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def fault():
    return FaultOnce()


@pytest.fixture
async def store(tmp_path, clock, fault):
    SqliteStore.create(tmp_path / "store")
    opened = SqliteStore.open(tmp_path / "store", clock, cache_mib=8, testing_only_fault=fault)
    yield opened
    await opened.close()


async def insist(call):
    """What a caller does: ask again after `Unavailable`."""
    try:
        return await call(), 1
    except Unavailable:
        return await call(), 2


async def story(store, units, clock):
    """Every kind of write once, each insisted on; returns how many log records there have to be."""
    person = units.person("p1", alias_of("child"))
    log = units.record
    unit = units.acceptance(units.delivery(), units.delivery(), persons=(person,), records=(log(), log()))
    answer, asked = await insist(lambda: store.notices.accept(unit))
    assert answer in ((Accepted(unit.receipt),) if asked == 1 else (Accepted(unit.receipt), Replayed(unit.receipt)))

    await insist(lambda: store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 1))
    clock.forward(2 * MINUTE)  # whatever was leased without our knowing has lapsed
    leased, _ = await insist(lambda: store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 2))
    if not leased:  # the lease was reported lost, but stands: it lapses
        clock.forward(2 * MINUTE)
        leased = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 2)
    first, second = leased

    disclosure = units.disclosure(first)
    assert (await insist(lambda: store.deliveries.disclose(disclosure)))[0] == Disclosed(1)
    retry = units.conclusion(first, S.DUE, due_at=clock.now() + MINUTE)
    answer, _ = await insist(lambda: store.deliveries.conclude(retry))
    assert answer.state is S.DUE
    done = units.conclusion(second, S.ACKNOWLEDGED)
    answer, _ = await insist(lambda: store.deliveries.conclude(done))
    assert isinstance(answer, Concluded)

    office, records = Office(POLICE, "某区公安分局"), [log()]
    assert (await insist(lambda: store.directory.put_office(office, clock.now(), records)))[0] == 1
    withdrawal = [log()]
    statuses, _ = await insist(lambda: store.notices.withdraw(unit.notice, clock.now(), "error", withdrawal))
    assert {one.state for one in statuses} == {S.WITHDRAWN, S.ACKNOWLEDGED}
    several = [log(), log()]
    places, _ = await insist(lambda: store.log.append(several))
    await insist(lambda: store.log.put_checkpoint(8, b"r" * 32, b"note", clock.now()))
    assert await store.log.latest_checkpoint() == (8, b"note")
    assert list(places) == [7, 8]
    assert await store.directory.epochs() == Epochs(0, 0, 1)
    assert (await store.notices.load(unit.notice)).persons == {"p1": person.person}
    return 9


async def count_of_steps(tmp_path):
    fault, clock = FaultOnce(), SetClock()
    SqliteStore.create(tmp_path / "probe")
    store = SqliteStore.open(tmp_path / "probe", clock, cache_mib=8, testing_only_fault=fault)
    await story(store, Units(clock, store.delivery_ids), clock)
    await store.close()
    return fault.seen


@pytest.mark.parametrize("n", range(8))
async def test_a_persons_chain_stays_whole_whichever_step_of_an_append_fails(store, clock, fault, n):
    """Lost, or stored and reported lost: the next record names the one before it that is there, kept in memory or not."""
    units = Units(clock, store.delivery_ids)
    person, name = units.ids.person(), EventName.NOTICE_WITHDRAWN

    def record():
        return [units.record(name, persons=(person,), notice=units.ids.notice())]

    await store.log.append(record())
    for broken in (record(), record()):
        fault.fail_at = len(fault.seen) + n
        await insist(lambda broken=broken: store.log.append(broken))
        fault.fail_at = None
    await store.log.append(record())
    links, size = await links_of(store, key_of(person)), (await store.log.head()).size
    events = [(await store.log.record_at(place)).event for place in range(size)]
    roots = [entry_root(entry) for entry in await store.log.entries(0, size)]
    assert links == [Link(1)] + [Link(at + 1, events[at - 1], roots[at - 1]) for at in range(1, size)]
    assert size == 4


async def test_every_step_of_every_write_may_fail_once(tmp_path):
    steps = await count_of_steps(tmp_path)
    assert {"begin", "commit", "committed", "add_notices", "add_leaves", "set_log_head", "move", "lease"} <= set(steps)
    for n, step in enumerate(steps):
        clock, fault = SetClock(), FaultOnce()
        home = tmp_path / f"step-{n}"
        SqliteStore.create(home)
        store = SqliteStore.open(home, clock, cache_mib=1, testing_only_fault=fault)
        fault.fail_at = n
        if n % 2:
            fault.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            records = await story(store, Units(clock, store.delivery_ids), clock)
            assert await verified_size(store) == records, f"after a fault at {step} ({n})"
            await store.close()
            store = SqliteStore.open(home, clock, cache_mib=1)
            assert await verified_size(store) == records, f"after opening again, fault at {step} ({n})"
        finally:
            await store.close()
        assert fault.fail_at is None


@pytest.mark.parametrize(("step", "is_stored"), [("commit", False), ("committed", True)])
async def test_everyone_in_a_group_learns_that_its_commit_is_unknown(store, fault, clock, step, is_stored):
    units = Units(clock, store.delivery_ids)
    await store.notices.accept(units.acceptance())
    made = [units.acceptance(units.delivery()) for _ in range(40)]
    head = await store.log.head()

    def at_next(name):
        fault.seen.append(name)
        if name == step and fault.fail_at is None:
            fault.fail_at = -1
            raise sqlite3.OperationalError("disk I/O error")

    store._writer._fault = at_next
    answers = await asyncio.gather(*map(store.notices.accept, made), return_exceptions=True)
    failed = [n for n, answer in enumerate(answers) if isinstance(answer, Unavailable)]
    assert failed
    assert all(isinstance(answers[n], Accepted) for n in range(40) if n not in failed)
    now = await store.log.head()
    assert now.size - head.size == 40 - (0 if is_stored else len(failed))
    again = await asyncio.gather(*(store.notices.accept(made[n]) for n in failed))
    expected = Replayed if is_stored else Accepted
    assert {type(answer) for answer in again} == {expected}
    assert await verified_size(store) == 41


@pytest.mark.parametrize("step", ["begin", "commit", "committed"])
async def test_an_error_nobody_foresaw_goes_to_the_callers_and_the_next_write_is_served(store, fault, clock, step):
    units, is_first = Units(clock, store.delivery_ids), True

    def once(name):
        nonlocal is_first
        if name == step and is_first:
            is_first = False
            raise MemoryError

    store._writer._fault = once
    unit = units.acceptance()
    async with asyncio.timeout(60):
        with pytest.raises(MemoryError):
            await store.notices.accept(unit)
        assert isinstance(await store.notices.accept(unit), Replayed if step == "committed" else Accepted)
    assert await verified_size(store) == 1


async def test_a_store_whose_disk_is_gone_stays_unavailable_until_it_is_back(store, clock, tmp_path):
    units = Units(clock, store.delivery_ids)
    unit = units.acceptance()

    def always(step):
        raise OSError(errno.EIO, "input/output error")

    sound, store._writer._fault = store._writer._fault, always
    for _ in range(3):
        with pytest.raises(Unavailable):
            await store.notices.accept(unit)
    store._writer._fault = sound
    assert await store.notices.accept(unit) == Accepted(unit.receipt)


async def test_a_closed_store_takes_nothing_more(store, clock):
    units = Units(clock, store.delivery_ids)
    await store.close()
    with pytest.raises(Unavailable):
        await store.notices.accept(units.acceptance())
    with pytest.raises(Unavailable):
        await store.notices.load(units.ids.notice())


async def test_a_cancelled_caller_disturbs_nobody(store, clock):
    units = Units(clock, store.delivery_ids)
    tasks = [asyncio.create_task(store.notices.accept(units.acceptance())) for _ in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, Accepted) for answer in answers[1::2])
    assert await verified_size(store) >= 25


async def test_who_comes_while_the_store_closes_is_answered(store, clock):
    units = Units(clock, store.delivery_ids)
    store._writer._waiting.put(None)  # the writer ends, as `close` would have it, a moment before the requests arrive
    store._writer._thread.join(10)
    tasks = [asyncio.create_task(store.notices.accept(units.acceptance())) for _ in range(3)]
    await asyncio.sleep(0)
    await store.close()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)

"""The connection to the database is cut, or stands half-open: nobody waits for ever, and afterwards everything goes on."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from gateway.engines.postgres import connection as connections
from gateway.engines.postgres.store import PostgresStore
from gateway.model.errors import Unavailable
from gateway.ports.storage import Accepted, Replayed
from tests.contracts.storage.log_suite import verified_size
from tests.support.stored import SetClock, Units

pytestmark = pytest.mark.services


class Cable:
    """A TCP connection between store and database that can be cut or made to carry nothing."""

    def __init__(self, port: int) -> None:
        self._port, self._writers = port, set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_) -> None:
        self.cut()
        self._server.close()

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()
        self._flows.set()

    def stand_still(self) -> None:
        self._flows.clear()

    async def _serve(self, reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, inner_writer}
        await asyncio.gather(self._pump(reader, inner_writer), self._pump(inner_reader, writer))

    async def _pump(self, reader, writer):
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
async def cabled(postgres):
    url = await postgres.make_database()
    await PostgresStore.create(url)
    parts = urlsplit(url)
    async with Cable(parts.port) as cable:
        yield cable, urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{cable.port}"))
    await postgres.drop_database(url)


async def insist(store, unit):
    """What a sender does: ask again with the same bytes."""
    while True:
        try:
            return await store.notices.accept(unit)
        except Unavailable:
            await asyncio.sleep(0.01)


async def test_a_cut_connection_loses_nothing_that_was_answered_and_stores_nothing_twice(cabled):
    cable, url = cabled
    clock = SetClock()
    store = await PostgresStore.open(url, clock, readers=2)
    units = Units(clock, store.delivery_ids)
    made, answers = [], []

    async def sending():
        while len(made) < 400 and not cutting.done():
            some = [units.acceptance(units.delivery()) for _ in range(4)]
            made.extend(some)
            answers.extend(await asyncio.gather(*(insist(store, unit) for unit in some)))

    async def cuts():
        for number in range(8):
            await asyncio.sleep(0.05 + 0.03 * number)  # somewhere in a transaction: where, is the fault
            cable.cut()

    cutting = asyncio.create_task(cuts())
    await asyncio.gather(*(sending() for _ in range(3)), cutting)
    assert len(answers) == len(made) > 20
    assert all(isinstance(answer, Accepted | Replayed) for answer in answers)
    assert {answer.receipt for answer in answers} == {unit.receipt for unit in made}
    async with asyncio.timeout(60):
        while (await insist_head(store)).size < len(made):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await verified_size(store) == len(made)
    await store.close()


async def insist_head(store):
    while True:
        try:
            return await store.log.head()
        except Unavailable:
            await asyncio.sleep(0.05)


async def test_a_half_open_connection_is_given_up_in_time(cabled, monkeypatch):
    monkeypatch.setattr(connections, "COMMAND_SECONDS", 1.0)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 1.0)
    cable, url = cabled
    clock = SetClock()
    store = await PostgresStore.open(url, clock, readers=2)
    units = Units(clock, store.delivery_ids)
    unit = units.acceptance(units.delivery())
    assert isinstance(await store.notices.accept(units.acceptance(units.delivery())), Accepted)
    cable.stand_still()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await store.notices.accept(unit)
    with pytest.raises(Unavailable):
        await store.notices.load(unit.notice)
    assert time.monotonic() - began < 60, "nobody waits for ever"
    cable.cut()
    answer = await insist(store, unit)
    assert answer.receipt == unit.receipt
    assert (await insist_head(store)).size == 2
    await store.close()


async def test_a_database_that_takes_no_writes_is_away_and_everything_goes_on_when_it_does(postgres):
    """A node meets one after a failover that left it with the old primary, or where the disk of a hosted one is full."""
    url = await postgres.make_database()
    await PostgresStore.create(url)
    clock = SetClock()
    store = await PostgresStore.open(url, clock, readers=2)
    units = Units(clock, store.delivery_ids)
    unit, administrator = units.acceptance(units.delivery()), await asyncpg.connect(url)

    async def let_write(word):
        await administrator.execute(
            f'ALTER DATABASE "{urlsplit(url).path[1:]}" SET default_transaction_read_only = {word}'
        )
        await administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")  # fmt: skip

    assert isinstance(await store.notices.accept(units.acceptance(units.delivery())), Accepted)
    await store.log.head()
    await let_write("on")
    for _ in range(2):  # the first may only find its connection cut
        with pytest.raises(Unavailable):
            await store.notices.accept(unit)
        with pytest.raises(Unavailable):
            await store.log.append([units.record()])
    await administrator.execute("SET default_transaction_read_only = off")
    await let_write("off")
    await administrator.close()
    assert (await insist(store, unit)).receipt == unit.receipt
    assert (await insist_head(store)).size == 2
    assert not store._sequencing.done()
    await store.close()
    await postgres.drop_database(url)

"""Who works with a gateway while it is broken: senders that ask again, recipients that apply and acknowledge.

Senders push signed reports over HTTP, some over AMQP where there are brokers; they ask again with the same bytes for
whatever was not answered, and now and then for what was. Recipients pull; with brokers the police read encrypted
releases from their queue instead.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import orjson
from aiormq.exceptions import AMQPError

from gateway.client.agency import AgencyClient, Answered, Profile
from gateway.model.canonical import canonical_json
from gateway.model.errors import HutongError, Unavailable
from gateway.simulation.scenario_s1 import CHILD, FATHER, PLACE
from tests.support.amqp_office import AmqpOffice
from tests.support.family import identity
from tests.support.witnessed import Witnessed

SENDER = "health.440113"
QUEUED = "police.440113"  # reads a queue where there are brokers
RECIPIENTS = (QUEUED, "civil_affairs.440113", "procuratorate.440113")
SENDERS_AT_ONCE = 16
OVER_AMQP = 1  # of the senders, where there are brokers: an office has one queue of receipts
PATIENCE_SECONDS = 20.0  # for an answer over HTTP
KEPT_SECONDS = 3.0  # a connection that was idle for longer is not used again: its other end may be about to close it
QUEUE_PATIENCE_SECONDS = 12.0  # for one over AMQP, on a connection that is open
REPORTS_OF_A_ROUND, OF_ONE_FAMILY, DAYS = 160, 20, 3600  # families' birthdays, each a day later than the one before
LOOK_SECONDS = 0.5  # whether it still is
NUMBER = re.compile(r"(?:情况|摘要) (r\d+-\d+)")
LOST = (AMQPError, aio_pika.exceptions.AMQPException, OSError, TimeoutError, Unavailable, Answered, RuntimeError)


def report(number: str) -> bytes:
    """A mandatory report whose shareable text holds its number, so that every recipient can be asked what it got. Twenty
    reports are about one family: whoever decides looks at all that was said of it."""
    round_number, index = map(int, number[1:].split("-"))
    days = timedelta(days=(REPORTS_OF_A_ROUND * round_number + index) // OF_ONE_FAMILY % DAYS)
    born, father_born = date(2012, 3, 1) + days, date(1985, 1, 1) + days
    data = {
        "urgency": 2, "purpose": "P01", "immediate_danger": True, "discovery_channel": "hospital", "place": PLACE,
        "persons": [{**CHILD, "id_no": identity(born, 1), "birth_date": born.isoformat()}, {**FATHER, "id_no": identity(father_born, 1)}],
        "harm": {"types": ["H21"], "m_flags": ["M4"], "narrative": f"情况 {number}", "summary": f"摘要 {number}"},
        "report": {"mandatory": True, "reporter_role": "doctor", "noticed_at": "2026-03-01T09:30:00+08:00"},
        "evidence": [{"kind": "photo", "holder": SENDER}],
    }  # fmt: skip
    event = {
        "specversion": "1.0", "id": number, "source": f"urn:hutong:office:{SENDER}", "type": "hutong.notice.RPT-M.v1",
        "time": "2026-03-01T09:45:00+08:00", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return canonical_json(event)


@dataclass(frozen=True, slots=True)
class Queues:
    """Where offices find the brokers, and what the police open their releases with."""

    brokers: Sequence[Any]
    key: Any
    vhost: str = "/"


class Load:
    def __init__(
        self,
        profiles: Path,
        seen: Witnessed,
        chance: random.Random,
        queues: Queues | None = None,
        idle_seconds: float = 0.0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`idle_seconds`: a sender rests up to so long after each receipt, its connection kept open."""
        self._patience_seconds = patience_seconds
        self._profiles, self.seen, self._chance, self._queues = profiles, seen, chance, queues
        self._idle_seconds, self._next_broker = idle_seconds, 0
        self.answered, self._strike_after, self._struck = 0, 0, asyncio.Event()
        self.troubles: list[str] = []  # why requests had to be made again, the newest
        self.is_clock_wrong = False  # then a node may find that tokens are not valid yet, or no more

    async def round(
        self, numbers: Iterator[str], strike_after: int, strike: Callable[[], Awaitable[None]], longest_seconds: float
    ) -> None:
        """Send every number; `strike` (it breaks and mends) after so many receipts; end when every receipt's notice came."""
        self.answered, self._strike_after, self._struck = 0, strike_after, asyncio.Event()
        done = asyncio.Event()
        connector = aiohttp.TCPConnector(limit=64, keepalive_timeout=KEPT_SECONDS)
        limits = {"connector": connector, "timeout": aiohttp.ClientTimeout(total=self._patience_seconds)}
        async with (
            asyncio.timeout(longest_seconds),
            aiohttp.ClientSession(**limits) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for office in RECIPIENTS:
                is_queued = self._queues is not None and office == QUEUED
                tasks.create_task(self._read(office, done) if is_queued else self._pull(office, session, done))
            striking = tasks.create_task(self._strike(strike))
            async with asyncio.TaskGroup() as senders:
                over_amqp = OVER_AMQP if self._queues else 0
                for _ in range(over_amqp):
                    senders.create_task(self._send_over_amqp(numbers))
                for _ in range(SENDERS_AT_ONCE - over_amqp):
                    senders.create_task(self._send(numbers, session))
            self._struck.set()
            await striking
            done.set()

    async def _strike(self, strike: Callable[[], Awaitable[None]]) -> None:
        await self._struck.wait()
        await strike()

    def _count(self) -> None:
        self.answered += 1
        if self.answered >= self._strike_after:
            self._struck.set()

    def _client(self, office: str, session: aiohttp.ClientSession) -> AgencyClient:
        return AgencyClient(Profile.load(self._profiles, office), session=session)

    async def _send(self, numbers: Iterator[str], session: aiohttp.ClientSession) -> None:
        client = self._client(SENDER, session)
        for number in numbers:
            body = report(number)
            while number not in self.seen.receipts:
                await self._submit(client, number, body)
            self._count()
            if self._chance.random() < 0.1:
                await self._submit(client, number, body)
            if self._idle_seconds:
                await asyncio.sleep(self._chance.uniform(0, self._idle_seconds))  # the load's own shape

    async def _submit(self, client: AgencyClient, number: str, body: bytes) -> None:
        try:
            answer = await client.submit(body, "application/cloudevents+json")
        except HutongError as error:
            await self._ask_again_later(client, error)
        else:
            self.seen.receipt(number, orjson.dumps(answer, option=orjson.OPT_SORT_KEYS))

    async def _pull(self, office: str, session: aiohttp.ClientSession, done: asyncio.Event) -> None:
        """Pull, apply by delivery id, acknowledge; until everything is sent and nothing comes any more."""
        client = self._client(office, session)
        empty = 0
        while not done.is_set() or empty < 2 or self.seen.missing(office):
            try:
                inbound = await client.pull(limit=20, wait_seconds=1)
                empty = 0 if inbound else empty + 1
                for item in inbound:
                    number = NUMBER.findall(item.body.decode())[0]
                    self.seen.came(office, number, item.delivery, item.revision)
                    await client.acknowledge(item)
            except HutongError as error:
                if getattr(error, "status", 0) != 409:  # a lease that lapsed while the node was down
                    await self._ask_again_later(client, error)

    async def _ask_again_later(self, client: AgencyClient, error: HutongError) -> None:
        """Nobody answered, or the answer was to ask again; any other answer is an error of the test."""
        status = getattr(error, "status", 0)
        if self.is_clock_wrong and status in (400, 401):
            client._token = ""  # as any system does whose token is not taken
        elif not isinstance(error, Unavailable) and status != 503:
            raise error
        self.seen.unanswered += 1
        self.troubles = [*self.troubles[-9:], f"{error!r} because of {error.__cause__!r}"]
        await asyncio.sleep(0.2)

    def _broker(self) -> Any:
        """One broker after the other, so that a dead one is got over."""
        assert self._queues is not None
        self._next_broker += 1
        return self._queues.brokers[self._next_broker % len(self._queues.brokers)]

    async def _send_over_amqp(self, numbers: Iterator[str]) -> None:
        assert self._queues is not None
        waiting: list[str] = []
        async with AgencyClient(Profile.load(self._profiles, SENDER)) as client:
            while waiting or (waiting := [number] if (number := next(numbers, "")) else []):
                with suppress(*LOST):
                    async with AmqpOffice(
                        self._broker(), self._queues.vhost, client, None, QUEUE_PATIENCE_SECONDS
                    ) as office:
                        while waiting:
                            body = report(waiting[0])
                            answer = await _while_open(office, office.submit(body))
                            if answer.headers["status"] != "202":
                                raise Unavailable("asked to come again")
                            receipt = orjson.dumps(json.loads(answer.body), option=orjson.OPT_SORT_KEYS)
                            self.seen.receipt(waiting.pop(), receipt)
                            self._count()
                            if following := next(numbers, ""):
                                waiting.append(following)
                    continue
                client._token = ""
                self.seen.unanswered += 1
                await asyncio.sleep(0.05)

    async def _read(self, office: str, done: asyncio.Event) -> None:
        """Read the queue, apply by delivery id, acknowledge to the gateway, then to the broker."""
        assert self._queues is not None

        def is_over() -> bool:
            return done.is_set() and not self.seen.missing(office)

        async with AgencyClient(Profile.load(self._profiles, office)) as client:
            while not is_over():
                with suppress(*LOST):
                    async with AmqpOffice(
                        self._broker(), self._queues.vhost, client, self._queues.key, QUEUE_PATIENCE_SECONDS
                    ) as reader:
                        await reader.read_inbox()
                        while not is_over():
                            message = await _while_open(reader, reader.inbox.get(), is_over)
                            item = reader.open(message)
                            number = NUMBER.findall(_text(item))[0]
                            self.seen.came(office, number, item["delivery"], item["revision"])
                            await _while_open(reader, reader.acknowledge(item))
                            await message.ack()
                client._token = ""
                await asyncio.sleep(0.05)


async def _while_open(
    office: AmqpOffice, step: Coroutine[Any, Any, Any], is_over: Callable[[], bool] = lambda: False
) -> Any:
    """What the step gives; OSError when the connection ends before it, TimeoutError when patience or the round does."""
    task = asyncio.ensure_future(step)
    try:
        async with asyncio.timeout(QUEUE_PATIENCE_SECONDS):
            while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
                if office.connection.is_closed:
                    raise OSError("the connection ended")
                if is_over():
                    raise TimeoutError
        return task.result()
    finally:
        task.cancel()


def _text(item: dict[str, Any]) -> str:
    return base64.b64decode(item["data_base64"]).decode()

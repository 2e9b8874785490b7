"""The agencies' queues on RabbitMQ.

One connection consumes and declares (aio-pika), the publisher's own publishes. A message from a submit queue is
acknowledged to the broker only after its answer was confirmed, so that a crash in between brings it again and the first
answer with it. Messages of one lane are worked on one after another; when the connection ends, what was in work is
dropped and comes again.

A quorum queue that was made moments before its broker was killed may come back without a leader, and stay so: it takes
nothing and gives nothing. One whose broker had no room on its disk may have lost its process: it refuses every message as
if it were full, and whoever reads it loses his connection. One that is silent in either way while the broker answers is
made anew; nothing in it is the record of anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import AMQPConnectionError, ChannelNotFoundEntity, ChannelPreconditionFailed

from gateway.config import RabbitSettings
from gateway.engines.rabbitmq.address import Address
from gateway.engines.rabbitmq.arrivals import LEASE_HEADER, arrived, returned
from gateway.engines.rabbitmq.doorbell import RabbitDoorbell
from gateway.engines.rabbitmq.frames import Message
from gateway.engines.rabbitmq.insist import BROKEN, ended, insisted
from gateway.engines.rabbitmq.management import Management
from gateway.engines.rabbitmq.publisher import FIRST_PAUSE, LONGEST_PAUSE, Late, Publisher
from gateway.engines.rabbitmq.silence import silent_queues
from gateway.engines.rabbitmq.topology import (
    DEAD_INBOX,
    INBOX,
    SHARED,
    Topology,
    declare,
    queues_of,
)
from gateway.engines.rabbitmq.wire import NotTaken
from gateway.model.agency import QueueUse
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, Unavailable
from gateway.model.identifiers import GATEWAY_URN, OfficeId, parse_office_id
from gateway.ports.agency_queues import (
    Answer,
    Arrived,
    Desk,
    QueueFull,
    Release,
    inbox_queue,
    receipts_queue,
    submit_queue,
)

DIRECT_REPLY = "amq.rabbitmq.reply-to."
DOORBELL_TYPE, RELEASE_TYPE = "hutong.doorbell.v1", "hutong.release.v1"
CLOUDEVENT, JOSE = "application/cloudevents+json", "application/jose"
SILENCES = 2
DELETE_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 30.0
_CONNECT_SECONDS, _CLOSE_SECONDS = 5.0, 5.0


class RabbitQueues:
    """The agency queues port. `signal` hears the name of what happened, `report` an error that nobody foresaw, both for the
    event log."""

    def __init__(
        self,
        addresses: Sequence[Address],
        settings: RabbitSettings,
        publisher: Publisher,
        doorbell: RabbitDoorbell,
        management: Management,
        signal: Callable[[str], None],
        report: Callable[[BaseException], None],
    ) -> None:
        self._addresses, self._settings, self._publisher = addresses, settings, publisher
        self._doorbell, self._management, self._signal, self._report = doorbell, management, signal, report
        self._confirm = timedelta(seconds=settings.confirm_seconds)
        self._offices: dict[OfficeId, QueueUse] = {}
        self._session: _Session | None = None
        self._silent: dict[str, int] = {}  # confirms in a row that did not come, by queue

    @property
    def is_up(self) -> bool:
        return self._publisher.is_up and self._session is not None

    async def run(self, desk: Desk) -> None:
        pause, place = FIRST_PAUSE, 0
        while True:
            address = self._addresses[place % len(self._addresses)]
            try:
                connection = await insisted(connect(address, self._settings.heartbeat_seconds))
            except BROKEN:
                place += 1
                if place % len(self._addresses) == 0:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                continue
            session = _Session(connection, address, self._settings, self._publish, desk, self._signal)
            lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            connection.close_callbacks.add(lambda *_, lost=lost: None if lost.done() else lost.set_result(None))
            try:
                await insisted(session.open(self._doorbell))
                await insisted(session.serve(self._offices))
                self._session, pause = session, FIRST_PAUSE
                await lost
                self._signal("queues-lost")
            except Exception as trouble:  # noqa: BLE001 - the node has other work: whatever it is, the connection is made again
                if not isinstance(trouble, (*BROKEN, InvalidDocument, Unavailable)):
                    self._report(trouble)
                self._signal("queues-trouble")
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            finally:
                self._session = None
                await session.close()

    async def serve(self, offices: Mapping[OfficeId, QueueUse]) -> None:
        self._offices = dict(offices)
        if self._session is not None and self._session.served != self._offices:
            await self._asked(self._session.serve(self._offices))

    async def ring(self, office: OfficeId) -> None:
        event = {"specversion": "1.0", "id": str(uuid4()), "source": GATEWAY_URN, "type": DOORBELL_TYPE}
        queue = inbox_queue(office)
        await self._publish(queue, Message(INBOX, queue, canonical_json(event), CLOUDEVENT, kind=DOORBELL_TYPE))

    async def put(
        self, office: OfficeId, release: Release, expires: timedelta, begin_within: float | None = None
    ) -> None:
        message = Message(
            INBOX,
            inbox_queue(office),
            release.body,
            JOSE,
            {LEASE_HEADER: release.lease},
            message_id=release.name,
            kind=RELEASE_TYPE,
            expires_ms=int(expires.total_seconds() * 1000),
        )
        try:
            await self._publish(message.key, message, begin_within)
        except NotTaken as full:
            raise QueueFull(full.message, retry_after=full.retry_after) from full

    async def purge(self, office: OfficeId) -> None:
        if self._session is None:
            raise Unavailable("there is no connection to RabbitMQ")
        await self._asked(self._session.purge(office))

    async def disconnect(self, office: OfficeId) -> int:
        return await self._management.disconnect(office)

    async def _publish(self, queue: str, message: Message, begin_within: float | None = None) -> None:
        try:
            await self._publisher.publish(message, self._confirm, begin_within)
        except Late:
            self._silent[queue] = self._silent.get(queue, 0) + 1
            if self._silent[queue] >= SILENCES and self._session is not None:
                self._session.begin_repair(queue)
            raise
        except NotTaken as refused:
            if self._session is not None:
                begin = self._session.begin_look if refused.is_full else self._session.begin_repair
                begin(queue)
            raise
        self._silent.pop(queue, None)

    async def _asked(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            await insisted(step, self._settings.confirm_seconds)
        except BROKEN as broken:
            raise Unavailable("RabbitMQ did not answer") from broken


class _Session:
    """What lives as long as one connection."""

    def __init__(
        self,
        connection: AbstractConnection,
        address: Address,
        settings: RabbitSettings,
        publish: Callable[[str, Message], Awaitable[None]],
        desk: Desk,
        signal: Callable[[str], None],
    ) -> None:
        self._connection, self._address, self._settings, self._publish = connection, address, settings, publish
        self._desk, self._signal = desk, signal
        self.served: dict[OfficeId, QueueUse] = {}
        self._wanted: Mapping[OfficeId, QueueUse] = {}
        self._repairs: dict[str, asyncio.Task[None]] = {}
        self._looked: dict[str, float] = {}  # when a queue that took nothing was looked at, by the loop's clock
        self._channels: dict[OfficeId, AbstractChannel] = {}
        self._lanes: dict[tuple[OfficeId, str], asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()

    def _begin_work(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Something that ends with the session at the latest."""
        task = asyncio.create_task(work, name=name)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def open(self, doorbell: RabbitDoorbell) -> None:
        await self._declare(SHARED)
        await doorbell.listen(self._connection)
        channel = await self._connection.channel()
        await channel.set_qos(prefetch_count=self._settings.concurrency)
        await self._read(channel, DEAD_INBOX, self._came_back)
        self._begin_work(self._watch(), "watch what is read")

    async def serve(self, offices: Mapping[OfficeId, QueueUse]) -> None:
        async with self._changing:
            for office in [one for one in self.served if one not in offices]:
                await self._channels.pop(office).close()
                del self.served[office]
            self._wanted, new = offices, [one for one in offices if one not in self.served]
            for office, use in offices.items():
                if self.served.get(office) is use:
                    continue
                made = await self._declare(Topology({}, queues_of(office, use, self._settings)))
                if inbox_queue(office) in made:
                    self._desk.emptied(office)
                if office not in self._channels:
                    await self._consume(office)
                self.served[office] = use
            if new:
                # a silent one would not be noticed: who cannot have receipts says nothing that needs one
                self._begin_work(self._look_at([receipts_queue(office) for office in new]), "look at receipts")

    async def _look_at(self, names: Sequence[str]) -> None:
        """Repair those that are silent."""
        with suppress(*BROKEN):
            async for name in silent_queues(self._connect, names, self._settings.confirm_seconds):
                self.begin_repair(name)

    async def _connect(self) -> AbstractConnection:
        return await connect(self._address, self._settings.heartbeat_seconds)

    async def purge(self, office: OfficeId) -> None:
        channel = await self._connection.channel()
        with suppress(ChannelNotFoundEntity):
            await (await channel.get_queue(inbox_queue(office), ensure=False)).purge()
        with suppress(*BROKEN):
            await channel.close()

    async def close(self) -> None:
        await ended(self._work)
        with suppress(*BROKEN):
            await insisted(self._connection.close(), _CLOSE_SECONDS)

    async def _declare(self, topology: Topology) -> frozenset[str]:
        try:
            return await declare(self._connection, topology)
        except ChannelPreconditionFailed as other:
            raise InvalidDocument("a queue at the broker is not as it must be", remedy="see `hutong doctor`") from other

    async def _consume(self, office: OfficeId) -> None:
        channel = await self._connection.channel()
        await channel.set_qos(prefetch_count=self._settings.concurrency)
        self._channels[office] = channel

        async def take(message: AbstractIncomingMessage) -> None:
            self._begin(office, message)

        await self._read(channel, submit_queue(office), take)

    async def _read(
        self, channel: AbstractChannel, name: str, take: Callable[[AbstractIncomingMessage], Awaitable[None]]
    ) -> None:
        """Consume a queue. Raises Unavailable when it cannot be read, after it was made anew where it is silent."""
        queue = await channel.get_queue(name, ensure=False)
        try:
            await insisted(queue.consume(take), self._settings.confirm_seconds)
        except TimeoutError as silent:
            await self._make_anew(name)
            raise Unavailable("a queue had to be made anew") from silent
        except BROKEN as broken:
            async for one in silent_queues(self._connect, [name], self._settings.confirm_seconds):
                await self._make_anew(one)
            raise Unavailable("a queue cannot be read") from broken

    async def _watch(self) -> None:
        """End the session when the broker has nobody reading a queue that we read, two looks in a row: the next session
        makes it anew where needed. A queue that lost its process tells those who read it nothing."""
        unread, before = set[str](), set[str]()
        with suppress(*BROKEN):
            channel = await self._connection.channel()
            while not unread & before:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                before, unread = unread, set()
                for name in (DEAD_INBOX, *(submit_queue(office) for office in self.served)):
                    found = await insisted(channel.declare_queue(name, passive=True), self._settings.confirm_seconds)
                    if not found.declaration_result.consumer_count:
                        unread.add(name)
        self._signal("queue-unread")
        with suppress(*BROKEN):
            await insisted(self._connection.close(), _CLOSE_SECONDS)

    def begin_look(self, name: str) -> None:
        """Find out by and by whether a queue that takes nothing is full, as it says: then it counts its messages."""
        now = asyncio.get_running_loop().time()
        if now - self._looked.get(name, -LOOK_AGAIN_SECONDS) >= LOOK_AGAIN_SECONDS:
            self._looked[name] = now
            self._begin_work(self._look_at([name]), f"look at {name}")

    def begin_repair(self, name: str) -> None:
        """Make a silent or missing queue anew, by and by, where it is one of ours."""
        ours = {queue for office in self.served for queue in (inbox_queue(office), receipts_queue(office))}
        if name in ours and name not in self._repairs:
            self._repairs[name] = self._begin_work(self._make_anew(name), f"repair {name}")
            self._repairs[name].add_done_callback(lambda _: self._repairs.pop(name))

    async def _make_anew(self, name: str) -> None:
        """On connections of its own: deleting a queue without a leader takes seconds and may cost the connection."""
        self._signal("queue-made-anew")
        with suppress(*BROKEN):
            async with await self._connect() as other:
                await insisted((await other.channel()).queue_delete(name), DELETE_SECONDS)
        office = None if name == DEAD_INBOX else parse_office_id(name.partition(".")[2])
        its = SHARED if office is None else Topology({}, queues_of(office, self._wanted[office], self._settings))
        with suppress(*BROKEN):
            async with await self._connect() as other:
                await insisted(declare(other, its))
        if office is not None and name == inbox_queue(office):
            self._desk.emptied(office)

    def _begin(self, office: OfficeId, message: AbstractIncomingMessage) -> None:
        """Start on a message, behind the one before it in its lane. Called in the order of the queue."""
        came = arrived(office, message)
        name = self._desk.lane_of(came)
        lane = (office, name)
        before = self._lanes.get(lane) if name else None
        task = self._begin_work(self._handle(came, message, before), f"submission {office}")
        if name:
            self._lanes[lane] = task

        def ended(done: asyncio.Task[None]) -> None:
            if self._lanes.get(lane) is done:
                del self._lanes[lane]

        task.add_done_callback(ended)

    async def _handle(self, came: Arrived, message: AbstractIncomingMessage, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        answer = await self._desk.take(came)
        await self._answer(came, message, answer)
        with suppress(*BROKEN):
            if answer.is_poison:
                self._signal("submission-set-aside")
                await message.reject(requeue=False)
            else:
                await message.ack()

    async def _answer(self, came: Arrived, message: AbstractIncomingMessage, answer: Answer) -> None:
        """Until the answer is safe in a queue. A direct reply is not: whoever is gone by then asks again."""
        own = receipts_queue(came.office)
        target = message.reply_to or own
        if not (target == own or target.startswith(DIRECT_REPLY)):
            target = own  # an office must not have us write into somebody else's queue
        while True:
            reply = Message(
                "", target, answer.body, answer.media_type, answer.headers,
                correlation_id=message.correlation_id or message.message_id or "", kind=answer.kind,
                is_mandatory=target == own,
            )  # fmt: skip
            try:
                await self._publish(target, reply)
            except Unavailable as away:
                await asyncio.sleep(away.retry_after.total_seconds())
            else:
                return

    async def _came_back(self, message: AbstractIncomingMessage) -> None:
        release = returned(message)
        if release is not None:
            while True:
                try:
                    await self._desk.returned(release)
                    break
                except Unavailable as away:
                    await asyncio.sleep(away.retry_after.total_seconds())
        with suppress(*BROKEN):
            await message.ack()


async def connect(address: Address, heartbeat: float) -> AbstractConnection:
    """A connection for topology and consuming. Raises one of BROKEN."""
    try:
        return await aio_pika.connect(
            host=address.host,
            port=address.port,
            login=address.user,
            password=address.password,
            virtualhost=address.vhost,
            ssl=address.tls is not None,
            ssl_context=address.tls,
            timeout=_CONNECT_SECONDS,
            heartbeat=max(1, round(heartbeat)),
        )
    except (StopAsyncIteration, RuntimeError) as ended:  # aiormq's words for an end before the first frame
        raise AMQPConnectionError("the connection ended while it was made") from ended

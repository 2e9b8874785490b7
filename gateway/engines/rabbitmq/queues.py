"""The agencies' queues on RabbitMQ.

One connection consumes and declares (aio-pika), the publisher's own publishes. What comes is worked on in `submissions`;
when the connection ends, what was in work is dropped and comes again. What is ill is mended in `repairs`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
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
from gateway.engines.rabbitmq.arrivals import LEASE_HEADER, returned
from gateway.engines.rabbitmq.doorbell import RabbitDoorbell
from gateway.engines.rabbitmq.forming import NotFormed, declare
from gateway.engines.rabbitmq.frames import Message
from gateway.engines.rabbitmq.insist import BROKEN, ended, insisted
from gateway.engines.rabbitmq.management import Management
from gateway.engines.rabbitmq.publisher import FIRST_PAUSE, LONGEST_PAUSE, Late, Publisher
from gateway.engines.rabbitmq.repairs import Repairs, Signal
from gateway.engines.rabbitmq.stranded import Stranded
from gateway.engines.rabbitmq.submissions import Publish, Submissions
from gateway.engines.rabbitmq.topology import DEAD_INBOX, INBOX, SHARED, Topology, queues_of
from gateway.engines.rabbitmq.wire import NotTaken
from gateway.model.agency import QueueUse
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, Unavailable
from gateway.model.identifiers import GATEWAY_URN, OfficeId
from gateway.ports.agency_queues import (
    Desk,
    QueueFull,
    Release,
    inbox_queue,
    receipts_queue,
    submit_queue,
)

DOORBELL_TYPE, RELEASE_TYPE = "hutong.doorbell.v1", "hutong.release.v1"
CLOUDEVENT, JOSE = "application/cloudevents+json", "application/jose"
SILENCES = 2
UNWRITABLE = 2  # repairs in a row that found it answering, though it confirms nothing
UNREAD = 3  # times in a row that it was given more time, though it answers otherwise
FORM_AGAIN_SECONDS = 5.0
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
        signal: Signal,
        report: Callable[[BaseException], None],
    ) -> None:
        self._addresses, self._settings, self._publisher = addresses, settings, publisher
        self._doorbell, self._management, self._signal, self._report = doorbell, management, signal, report
        self._confirm = timedelta(seconds=settings.confirm_seconds)
        self._offices: dict[OfficeId, QueueUse] = {}
        self._session: _Session | None = None
        self._stranded, self._unread = Stranded(), Counter[str]()
        self._silent = Counter[str]()  # confirms in a row that did not come, by queue
        self._repaired = Counter[str]()  # and how often something was done about it

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
            session = _Session(
                connection,
                address,
                self._settings,
                self._publish,
                desk,
                self._signal,
                self._report,
                self._management,
                self._stranded,
                self._unread,
                self._publisher.renew,
            )
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
                place += session.moves_on
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
            self._silent[queue] += 1
            if self._silent[queue] >= SILENCES and self._session is not None:
                is_unwritable = self._repaired[queue] >= UNWRITABLE
                if self._session.repairs.begin_repair(queue, though_it_answers=is_unwritable):
                    self._repaired[queue] = 0 if is_unwritable else self._repaired[queue] + 1
                    del self._silent[queue]
            raise
        except NotTaken as refused:
            if self._session is not None:
                repairs = self._session.repairs
                begin = repairs.begin_look if refused.is_full else repairs.begin_repair
                begin(queue)
            raise
        if queue in self._silent or queue in self._repaired:
            del self._silent[queue], self._repaired[queue]

    async def _asked(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            await insisted(step, self._settings.confirm_seconds)
        except BROKEN as broken:
            raise Unavailable("RabbitMQ did not answer") from broken


class _Session:
    """What lives as long as one connection. `moves_on`: the next one is better made to another broker."""

    def __init__(
        self,
        connection: AbstractConnection,
        address: Address,
        settings: RabbitSettings,
        publish: Publish,
        desk: Desk,
        signal: Signal,
        report: Callable[[BaseException], None],
        management: Management,
        stranded: Stranded,
        unread: Counter[str],
        renew_publisher: Callable[[], None],
    ) -> None:
        self._connection, self._address, self._settings, self._desk = connection, address, settings, desk
        self._report, self._signal = report, signal
        self._unread = unread  # how often in a row a queue did not say that we read it, by queue
        self.moves_on = False
        self.served: dict[OfficeId, QueueUse] = {}
        self._not_formed: dict[OfficeId, float] = {}  # when queues could not be made, by the loop's clock
        self._channels: dict[OfficeId, AbstractChannel] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        self._submissions = Submissions(desk, publish, signal, self._begin_work)
        self.repairs = Repairs(
            connect=self._connect,
            served=self.served,
            settings=settings,
            management=management,
            stranded=stranded,
            emptied=desk.emptied,
            signal=signal,
            begin=self._begin_work,
            leave=self._leave,
            renew_publisher=renew_publisher,
        )

    def _begin_work(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Something that ends with the session at the latest."""
        task = asyncio.create_task(work, name=name)
        self._work.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._report(error)

    async def open(self, doorbell: RabbitDoorbell) -> None:
        await self._declare(SHARED)
        await doorbell.listen(self._connection)
        channel = await self._connection.channel()
        await channel.set_qos(prefetch_count=self._settings.concurrency)
        await self._read(channel, DEAD_INBOX, self._came_back)
        self._begin_work(self.repairs.watch_readers(self._connection), "watch who reads")
        self._begin_work(self.repairs.watch_stranded(), "watch what is handed over")

    async def serve(self, offices: Mapping[OfficeId, QueueUse]) -> None:
        """Read what these offices hand in. One whose queues cannot be made is left out, and tried again when called again."""
        async with self._changing:
            for office in [one for one in self.served if one not in offices]:
                await self._channels.pop(office).close()
                del self.served[office]
            self.repairs.offices, new = offices, list[OfficeId]()
            for office, use in offices.items():
                if self.served.get(office) is use or self._failed_lately(office):
                    continue
                if office not in self.served:
                    new.append(office)
                try:
                    await self._serve_one(office, use)
                except NotFormed as failed:
                    self._not_formed[office] = asyncio.get_running_loop().time()
                    self._signal("queue-not-formed", queue=failed.queue)
                    self._desk.emptied(office)  # it may have been deleted before
            if new:
                # a silent one would not be noticed: who cannot have receipts says nothing that needs one
                self._begin_work(self.repairs.look_at([receipts_queue(office) for office in new]), "look at receipts")

    def _failed_lately(self, office: OfficeId) -> bool:
        at = self._not_formed.get(office)
        return at is not None and asyncio.get_running_loop().time() - at < FORM_AGAIN_SECONDS

    async def _serve_one(self, office: OfficeId, use: QueueUse) -> None:
        made = await self._declare(Topology({}, queues_of(office, use, self._settings)))
        if inbox_queue(office) in made:
            self._desk.emptied(office)
        if office not in self._channels:
            await self._consume(office)
        self.served[office] = use

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

    async def _connect(self) -> AbstractConnection:
        return await connect(self._address, self._settings.heartbeat_seconds)

    async def _leave(self) -> None:
        """End the connection; the next is made to another broker."""
        self.moves_on = True
        with suppress(*BROKEN):
            await insisted(self._connection.close(), _CLOSE_SECONDS)

    async def _declare(self, topology: Topology) -> frozenset[str]:
        try:
            return await declare(self._connection, self._connect, topology)
        except ChannelPreconditionFailed as other:
            raise InvalidDocument("a queue at the broker is not as it must be", remedy="see `hutong doctor`") from other
        except TimeoutError:
            self.moves_on = True
            raise

    async def _consume(self, office: OfficeId) -> None:
        channel = await self._connection.channel()
        await channel.set_qos(prefetch_count=self._settings.concurrency)
        self._channels[office] = channel

        async def take(message: AbstractIncomingMessage) -> None:
            self._submissions.begin(office, message)

        await self._read(channel, submit_queue(office), take)

    async def _read(
        self, channel: AbstractChannel, name: str, take: Callable[[AbstractIncomingMessage], Awaitable[None]]
    ) -> None:
        """Consume a queue. Raises Unavailable when it cannot be read, after it was made anew where it is silent.

        It is given more time each time: on a machine that is short of it, one that is made anew before it could answer
        is never read.
        """
        queue = await channel.get_queue(name, ensure=False)
        try:
            await insisted(queue.consume(take), self._settings.confirm_seconds * (1 + min(self._unread[name], UNREAD)))
        except BROKEN as broken:
            self._unread[name] += isinstance(broken, TimeoutError)
            is_unreadable = self._unread[name] > UNREAD
            if is_unreadable:
                del self._unread[name]
            await self.repairs.make_anew(name, though_it_answers=is_unreadable)
            raise Unavailable("a queue cannot be read") from broken
        self._unread.pop(name, None)

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

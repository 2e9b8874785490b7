"""What is done about queues that are ill while their broker answers?

A quorum queue that was made moments before its broker was killed may come back without a leader, and stay so: it takes
nothing and gives nothing. One whose broker had no room on its disk may have lost its process: it refuses every message as
if it were full, and whoever reads it loses his connection. One whose messages are stranded (`stranded`) gives nothing any
more. The mildest means that helps is taken first:

* messages stranded in a queue that we read: the session ends, and reads on through another broker; in one that an office
  reads: the office's connections are closed, and it signs in again. What its readers had is handed over anew.
* silent, unread, or stranded still: the queue is made anew. Nothing in it is the record of anything: a submission without
  answer is sent again, what waited in an inbox is due in the store, answers are answered again, byte for byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from gateway.config import RabbitSettings
from gateway.engines.rabbitmq.forming import Connect, NotFormed, make_anew
from gateway.engines.rabbitmq.insist import BROKEN, insisted
from gateway.engines.rabbitmq.management import MADE_ANEW, STRANDED, Management
from gateway.engines.rabbitmq.silence import silent_queues
from gateway.engines.rabbitmq.stranded import Stranded
from gateway.engines.rabbitmq.topology import DEAD_INBOX, SHARED, queues_of
from gateway.model.agency import QueueUse
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId, parse_office_id
from gateway.ports.agency_queues import inbox_queue, reader_of, receipts_queue, submit_queue

LOOK_AGAIN_SECONDS = 30.0
COUNT_AGAIN_SECONDS = 15.0
ANEW_SECONDS = 5.0


class Signal(Protocol):
    """Hears the name of what happened, for the event log, and of which queue."""

    def __call__(self, name: str, /, **about: str | int) -> None: ...


Begin = Callable[
    [Coroutine[Any, Any, None], str], "asyncio.Task[None]"
]  # work that ends with the session at the latest


class Repairs:
    """Of the queues of `offices` and the shared ones, as long as one session lives. `leave` ends it, for another broker.

    Only those of offices that are `served`, now, are watched: those of the others are still to be made.
    """

    def __init__(
        self,
        *,
        connect: Connect,
        served: Mapping[OfficeId, QueueUse],
        settings: RabbitSettings,
        management: Management,
        stranded: Stranded,
        emptied: Callable[[OfficeId], None],
        signal: Signal,
        begin: Begin,
        leave: Callable[[], Awaitable[None]],
        renew_publisher: Callable[[], None],
    ) -> None:
        self._connect, self._served = connect, served
        self._settings, self._management = settings, management
        self._stranded, self._emptied, self._signal = stranded, emptied, signal
        self._begin, self._leave, self._renew_publisher = begin, leave, renew_publisher
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._looked: dict[str, float] = {}  # when a queue that took nothing was looked at, by the loop's clock
        self.offices: Mapping[OfficeId, QueueUse] = {}

    def begin_repair(self, name: str, *, though_it_answers: bool = False) -> bool:
        """Make a silent or missing queue anew, by and by, where it is one of ours that nobody here reads. Whether that was
        begun now."""
        if name not in self._read_by_offices() or name in self._under_way:
            return False
        self._under_way[name] = self._begin(
            self._insist_on(name, though_it_answers=though_it_answers), f"repair {name}"
        )
        self._under_way[name].add_done_callback(lambda _: self._under_way.pop(name))
        return True

    def begin_look(self, name: str) -> None:
        """Find out by and by whether a queue that takes nothing is full, as it says: then it counts its messages."""
        now = asyncio.get_running_loop().time()
        if now - self._looked.get(name, -LOOK_AGAIN_SECONDS) >= LOOK_AGAIN_SECONDS:
            self._looked[name] = now
            self._begin(self.look_at([name]), f"look at {name}")

    async def look_at(self, names: Sequence[str]) -> None:
        """Repair those that are silent."""
        with suppress(*BROKEN):
            async for name in silent_queues(self._connect, names, self._settings.confirm_seconds):
                self.begin_repair(name)

    async def _insist_on(self, name: str, *, though_it_answers: bool) -> None:
        """Until it is there again. A broker that just came back may fail to form the queue's members, and whoever was to read
        the queue would be told for good that there is none. Whoever made it anew, this node or another, the channel we
        publish on knows the old one."""
        while not await self.make_anew(name, though_it_answers=though_it_answers):  # noqa: ASYNC110 - nothing tells when the broker is able to
            await asyncio.sleep(ANEW_SECONDS)
        self._renew_publisher()

    async def make_anew(self, name: str, *, though_it_answers: bool = False) -> bool:
        """Whether it is there and answers, made anew where it has to be; on connections of its own."""
        office = None if name == DEAD_INBOX else parse_office_id(name.partition(".")[2])
        specs = SHARED.queues if office is None else queues_of(office, self.offices[office], self._settings)
        spec, patience = next(one for one in specs if one.name == name), self._settings.confirm_seconds
        is_made, is_gone = False, False
        try:
            is_made = await make_anew(self._connect, spec, patience, though_it_answers=though_it_answers)
        except NotFormed:
            is_gone = True
            self._signal("queue-not-formed", queue=name)
        except BROKEN:
            return False  # it is as it was
        if is_made:
            self._signal("queue-made-anew", queue=name)
        if office is not None and name == inbox_queue(office) and (is_made or is_gone):
            self._emptied(office)
        if office is not None and is_made:  # its channels know the old one, and nobody tells them
            with suppress(Unavailable):
                await self._management.disconnect(office, MADE_ANEW)
        return not is_gone

    async def watch_readers(self, connection: AbstractConnection) -> None:
        """End the session when the broker has nobody reading a queue that we read, two looks in a row: the next session
        makes it anew where needed. A queue that lost its process tells those who read it nothing. One that an office reads
        and that is not there is made anew: another node may have deleted it to make it anew, and ended before it had."""
        unread, before = set[str](), set[str]()
        with suppress(*BROKEN):
            channel = await connection.channel()
            while not unread & before:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                before, unread = unread, set()
                for name in self._read_by_us():
                    found = await insisted(channel.declare_queue(name, passive=True), self._settings.confirm_seconds)
                    if not found.declaration_result.consumer_count:
                        unread.add(name)
                for name in self._read_by_offices():
                    try:
                        await insisted(channel.declare_queue(name, passive=True), self._settings.confirm_seconds)
                    except ChannelNotFoundEntity:  # which ended the channel
                        self.begin_repair(name)
                        channel = await connection.channel()
        for name in unread & before:
            self._signal("queue-unread", queue=name)
        await self._leave()

    async def watch_stranded(self) -> None:
        """Free messages that are stranded, where the management plugin can be asked."""
        while self._management.is_set:
            await asyncio.sleep(COUNT_AGAIN_SECONDS)
            with suppress(Unavailable):
                counted = await self._management.checked_out({*self._read_by_us(), *self._read_by_offices()})
                for name, count in self._stranded.look(counted).items():
                    self._signal("queue-stranded", queue=name, messages=count)
                    await self._free(name)

    async def _free(self, name: str) -> None:
        has_tried, office = self._stranded.begin_remedy(name) > 0, reader_of(name)
        if has_tried:
            make = self.make_anew if office is None else self._insist_on
            await make(name, though_it_answers=True)
        if office is not None and not has_tried:
            self._signal("office-disconnected", office=office)
            await self._management.disconnect(office, STRANDED)
        if office is None:  # made anew it is to be read anew too
            await self._leave()

    def _read_by_us(self) -> list[str]:
        return [DEAD_INBOX, *(submit_queue(office) for office in self._served)]

    def _read_by_offices(self) -> list[str]:
        return [queue for office in self._served for queue in (inbox_queue(office), receipts_queue(office))]

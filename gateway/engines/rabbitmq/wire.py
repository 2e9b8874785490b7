"""One connection that only publishes, with every confirm matched to its message.

Messages of one turn of the event loop leave in one write. What the broker confirms comes back as an ack for one tag
or for all up to one. A broker that is blocked, or a socket that is full, holds the window shut: callers wait, nothing
piles up. When the connection ends, every message without a confirm fails: it may or may not be in its queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from gateway.engines.rabbitmq import frames
from gateway.engines.rabbitmq.address import Address
from gateway.engines.rabbitmq.frames import Message, publish_frames
from gateway.model.errors import Unavailable

CHANNEL = 1
FRAME_MAX = 131_072
_START, _TUNE, _OPEN_OK, _CLOSE, _BLOCKED, _UNBLOCKED = (
    b"\x00\x0a" + method for method in (b"\x00\x0a", b"\x00\x1e", b"\x00\x29", b"\x00\x32", b"\x00\x3c", b"\x00\x3d")
)
_CHANNEL_OPEN_OK, _CHANNEL_CLOSE, _CONFIRM_OK = b"\x00\x14\x00\x0b", b"\x00\x14\x00\x28", b"\x00\x55\x00\x0b"
_A_WHILE = timedelta(seconds=1)


class NotTaken(Unavailable):
    """The broker said no to a message: its queue is full, or there is none."""

    def __init__(self, message: str, *, is_full: bool) -> None:
        super().__init__(message, retry_after=_A_WHILE)
        self.is_full = is_full


@dataclass(slots=True)
class _Pending:
    confirm: asyncio.Future[None]
    exchange: str
    key: str


class Wire(asyncio.Protocol):
    """An open connection. `lost` ends when it does."""

    def __init__(self, window: int, heartbeat: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._window, self._heartbeat = window, heartbeat
        self._transport: asyncio.Transport | None = None
        self._received, self._control = bytearray(), asyncio.Queue[bytes]()
        self._pending: dict[int, _Pending] = {}
        self._tags: deque[int] = deque()
        self._returned: set[tuple[str, str]] = set()
        self._out: list[bytes] = []
        self._last_tag, self._frame_max = 0, FRAME_MAX
        self._is_paused = self._is_blocked = False
        self._room: deque[asyncio.Future[None]] = deque()
        self._given = 0  # places given to waiters that have not taken them yet
        self._heard_at = self._loop.time()
        self._beat: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def open(cls, address: Address, window: int, heartbeat: float, timeout: timedelta) -> Wire:
        """Connect, sign in, open one channel in confirm mode. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        wire = cls(window, heartbeat)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await loop.create_connection(
                    lambda: wire, address.host, address.port, ssl=address.tls,
                    server_hostname=address.host if address.tls else None,
                )  # fmt: skip
                await wire._sign_in(address)
        except (OSError, TimeoutError) as failed:
            wire.close()
            raise Unavailable("RabbitMQ does not answer", remedy="see rabbitmq.addresses") from failed
        except BaseException:
            wire.close()
            raise
        return wire

    @property
    def is_open(self) -> bool:
        return not self.lost.done()

    @property
    def unconfirmed(self) -> int:
        return len(self._pending)

    async def publish(self, message: Message, begin_within: float | None = None) -> None:
        """Returns when the broker has the message safe (quorum: on a majority). Raises Unavailable when it may not
        have it, NotTaken when it said that it does not. The caller sets the time limit. A message that finds no room in
        the window within `begin_within` seconds is not sent at all, and is Unavailable."""
        if self._room or not self._has_room():
            try:
                async with asyncio.timeout(begin_within):
                    await self._wait_for_room()
            except TimeoutError as late:
                raise Unavailable("the window stayed shut", retry_after=_A_WHILE) from late
        if not self.is_open:
            raise _gone()
        self._last_tag += 1
        tag, confirm = self._last_tag, self._loop.create_future()
        frame = publish_frames(message, CHANNEL, self._frame_max)
        self._pending[tag] = _Pending(confirm, message.exchange, message.key)
        self._tags.append(tag)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)
        try:
            await confirm
        except asyncio.CancelledError:  # nobody waits for it any more: it holds no place in the window
            self._pending.pop(tag, None)
            self._make_room()
            raise

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        else:
            self.connection_lost(None)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without being of that class
        self._transport.write(frames.PROTOCOL)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._beat is not None:
            self._beat.cancel()
        if not self.lost.done():
            self.lost.set_result(None)
        pending, self._pending = self._pending, {}
        for one in pending.values():
            if not one.confirm.done():
                one.confirm.set_exception(_gone())
        self._make_room()
        self._control.put_nowait(b"")

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._make_room()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        received = self._received
        received += data
        at, size = 0, len(received)
        while size - at >= frames.FRAME_EXTRA:
            length = int.from_bytes(received[at + 3 : at + 7], "big")
            end = at + 7 + length
            if size <= end:
                break
            if received[at] == frames.METHOD:
                self._method(bytes(received[at + 7 : end]))
            at = end + 1
        del received[:at]

    # Below: frames in, frames out.

    def _method(self, payload: bytes) -> None:
        name = payload[:4]
        if name in (frames.BASIC_ACK, frames.BASIC_NACK):
            tag, is_multiple = frames.confirmed(payload)
            self._confirm(tag, is_multiple, is_taken=name == frames.BASIC_ACK)
        elif name == frames.BASIC_RETURN:
            self._returned.add(_returned_from(payload))
        elif name == _BLOCKED:
            self._is_blocked = True
        elif name == _UNBLOCKED:
            self._is_blocked = False
            self._make_room()
        elif name in (_CLOSE, _CHANNEL_CLOSE):
            self.close()
        else:
            self._control.put_nowait(payload)

    def _confirm(self, tag: int, is_multiple: bool, *, is_taken: bool) -> None:
        tags, pending = self._tags, self._pending
        if is_multiple:
            while tags and tags[0] <= tag:
                self._settle(pending.pop(tags.popleft(), None), is_taken)
        else:
            self._settle(pending.pop(tag, None), is_taken)
            while tags and tags[0] not in pending:
                tags.popleft()
        self._make_room()

    def _settle(self, one: _Pending | None, is_taken: bool) -> None:
        if one is None or one.confirm.done():
            return
        if not is_taken:
            one.confirm.set_exception(NotTaken("the queue takes no more", is_full=True))
        elif self._returned and (one.exchange, one.key) in self._returned:
            self._returned.discard((one.exchange, one.key))
            one.confirm.set_exception(NotTaken("there is no such queue", is_full=False))
        else:
            one.confirm.set_result(None)

    async def _wait_for_room(self) -> None:
        """In the order of asking: nobody overtakes."""
        if not self.is_open:
            return
        room = self._loop.create_future()
        self._room.append(room)
        try:
            await room
        except asyncio.CancelledError:
            if room.done() and not room.cancelled():
                self._given -= 1
                self._make_room()
            raise
        self._given -= 1

    def _make_room(self) -> None:
        """Give the places that are free to those who have waited longest; all, when there is nothing to wait for."""
        while self._room and (not self.is_open or self._has_room()):
            waiter = self._room.popleft()
            if not waiter.done():
                self._given += 1
                waiter.set_result(None)

    def _has_room(self) -> bool:
        return not (self._is_paused or self._is_blocked) and len(self._pending) + self._given < self._window

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and self.is_open:
            self._transport.write(b"".join(out))

    async def _sign_in(self, address: Address) -> None:
        await self._expect(_START)
        login = b"\0" + address.user.encode() + b"\0" + address.password.encode()
        self._write(0, b"\x00\x0a\x00\x0b" + _client_properties() + b"\x05PLAIN" + _long(login) + b"\x05en_US")
        tune = await self._expect(_TUNE)
        offered = int.from_bytes(tune[6:10], "big")
        self._frame_max = min(offered or FRAME_MAX, FRAME_MAX)
        beat = max(1, round(self._heartbeat))
        self._write(
            0,
            b"\x00\x0a\x00\x1f" + (1).to_bytes(2, "big") + self._frame_max.to_bytes(4, "big") + beat.to_bytes(2, "big"),
        )
        vhost = address.vhost.encode()
        self._write(0, b"\x00\x0a\x00\x28" + bytes((len(vhost),)) + vhost + b"\x00\x00")
        await self._expect(_OPEN_OK)
        self._write(CHANNEL, b"\x00\x14\x00\x0a\x00")
        await self._expect(_CHANNEL_OPEN_OK)
        self._write(CHANNEL, b"\x00\x55\x00\x0a\x00")
        await self._expect(_CONFIRM_OK)
        self._beat = self._loop.call_later(self._heartbeat / 2, self._tick)

    async def _expect(self, name: bytes) -> bytes:
        payload = await self._control.get()
        if payload[:4] != name:
            raise Unavailable(
                "RabbitMQ refused the connection", remedy="see user, password and vhost of rabbitmq.addresses"
            )
        return payload

    def _write(self, channel: int, payload: bytes) -> None:
        assert self._transport is not None
        head = frames.METHOD.to_bytes(1, "big") + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big")
        self._transport.write(head + payload + frames.FRAME_END)

    def _tick(self) -> None:
        """Beat, and end a connection on which nothing was heard for two beats: it is half-open."""
        assert self._transport is not None
        if self._loop.time() - self._heard_at > 2 * self._heartbeat:
            self.close()
            return
        self._transport.write(frames.HEARTBEAT_FRAME)
        self._beat = self._loop.call_later(self._heartbeat / 2, self._tick)


def _gone() -> Unavailable:
    return Unavailable("the connection to RabbitMQ ended", retry_after=_A_WHILE)


def _returned_from(payload: bytes) -> tuple[str, str]:
    """Exchange and routing key of a basic.return: reply-code, reply-text, exchange, routing-key."""
    texts, at = [], 6
    for _ in range(3):
        length = payload[at]
        texts.append(payload[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return texts[1], texts[2]


def _long(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw


def _client_properties() -> bytes:
    able = b"".join(
        bytes((len(name),)) + name + b"t\x01"
        for name in (b"publisher_confirms", b"basic.nack", b"connection.blocked", b"authentication_failure_close")
    )
    return _long(b"\x07productS" + _long(b"hutong") + b"\x0ccapabilitiesF" + _long(able))

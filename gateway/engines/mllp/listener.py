"""How do a hospital's messages reach the gateway, with AA said only when they have?

One message after another on a connection, as MLLP wants; connections side by
side, up to a limit. For each: push, verify the signed receipt, keep it durably,
answer AA. A crash anywhere before the answer leaves the sender without one, so
it sends again, and the same bytes give the same receipt. Nothing is queued here.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.engines.mllp.acknowledgement import Heading, accepted, heading, refused, rejected
from gateway.engines.mllp.frames import Frames, FrameTooLarge, framed
from gateway.model.errors import Problem, Refusal, Tampered, Unavailable
from gateway.ports.submission import Push, Pushed

MEDIA_TYPE = "application/hl7-v2+er7"
READ_BYTES = 65536

Keep = Callable[[str, Pushed], None]
Tell = Callable[..., None]


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """Seconds are of silence: between messages, and inside one."""

    max_message_bytes: int = 8 * 1024 * 1024
    max_connections: int = 64
    idle_seconds: float = 600.0
    frame_seconds: float = 30.0


class MllpListener:
    """`keep` puts a receipt on disk before AA is said, by the digest of the message; `tell` gets event names and counts."""

    def __init__(
        self, push: Push, keep: Keep, now: Callable[[], datetime], tell: Tell, limits: ListenerLimits | None = None
    ) -> None:
        self._push, self._keep, self._now, self._tell = push, keep, now, tell
        self._limits = limits or ListenerLimits()
        self._open = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen; answers the port, which the system chooses where 0 is asked for."""
        self._server = await asyncio.start_server(self._connected, host, port, ssl=tls, limit=READ_BYTES * 2)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Close everything. A message in flight gets no answer, so it comes again."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open += 1
        try:
            if self._open > self._limits.max_connections:
                self._tell("mllp_connection_refused", open=self._open)
            else:
                await self._converse(reader, writer)
        except (ConnectionError, TimeoutError, ssl.SSLError) as broken:
            self._tell("mllp_connection_ended", reason=type(broken).__name__)
        except asyncio.CancelledError:
            self._tell("mllp_connection_ended", reason="stopping")
        finally:
            self._open -= 1
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames(self._limits.max_message_bytes)
        while True:
            patience = self._limits.frame_seconds if frames.is_inside else self._limits.idle_seconds
            async with asyncio.timeout(patience):
                data = await reader.read(READ_BYTES)
            if not data:
                return
            try:
                messages = frames.feed(data)
            except FrameTooLarge as large:
                await self._too_large(large, writer)
                return
            for message in messages:
                writer.write(framed(await self._answer(message)))
                async with asyncio.timeout(self._limits.frame_seconds):
                    await writer.drain()

    async def _too_large(self, large: FrameTooLarge, writer: asyncio.StreamWriter) -> None:
        head = heading(large.head)
        self._tell("mllp_message_too_large")
        if head is not None:
            limit = self._limits.max_message_bytes
            what = f"超过 {limit} 字节 / more than {limit} bytes"
            problem = Problem("too-large", "MSH", what, "减少内容 / send less")
            writer.write(framed(refused(head, self._now(), (problem,))))
            async with asyncio.timeout(self._limits.frame_seconds):
                await writer.drain()

    async def _answer(self, message: bytes) -> bytes:
        head = heading(message)
        if head is None:
            self._tell("mllp_refused", code="not-hl7")
            what = "开头没有 MSH 段 / no MSH segment at the beginning"
            problem = Problem("not-hl7", "MSH", what, "发送 HL7 v2 ER7 / send HL7 v2 ER7")
            return refused(Heading(), self._now(), (problem,))
        digest = hashlib.sha256(message).hexdigest()
        try:
            pushed = await self._push(message, MEDIA_TYPE)
            self._keep(digest, pushed)
        except Unavailable:
            self._tell("mllp_unavailable", digest=digest[:16])
            return rejected(head, self._now(), "请重发同一报文 / unavailable: send the same message again")
        except Tampered:
            self._tell("mllp_tampered", digest=digest[:16])
            why = "网关的答复未通过核验，须人工处理 / the answer of the gateway did not verify: a person has to look"
            return rejected(head, self._now(), why)
        except (Refusal, OSError) as failed:
            code = failed.code if isinstance(failed, Refusal) else "disk"
            self._tell("mllp_failed", digest=digest[:16], code=code)
            return rejected(head, self._now(), f"{code}: 须人工处理 / {code}: a person has to look")
        if pushed.is_accepted:
            self._tell("mllp_accepted", digest=digest[:16], notices=list(pushed.notices))
            return accepted(head, self._now(), pushed)
        self._tell("mllp_refused", digest=digest[:16], code=pushed.problems[0].code)
        return refused(head, self._now(), pushed.problems)

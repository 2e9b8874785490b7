"""How does a release reach a hospital's own listener, and when may one say that it has?

One connection, one message at a time: it is taken when an answer to its own
control id (MSA-2 as our MSH-10) says AA or CA. AE, CE, AR, CR and anything else is a
no. Silence, a cut or a half-open connection says nothing: the connection is closed,
so that an answer that comes late is never taken for the next message's, and the
same bytes go again. An answer to another message is passed over.

Of an answer nothing is told on but its two codes: what a listener writes beside them may name a patient.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from dataclasses import dataclass

from gateway.engines.mllp.acknowledgement import heading
from gateway.engines.mllp.frames import END, START, Frames, FrameTooLarge, framed
from gateway.model.errors import Refusal, Unavailable

TAKEN = frozenset({"AA", "CA"})
_CODE = re.compile(r"[A-Za-z0-9]{1,20}")
READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class SenderLimits:
    connect_seconds: float = 10.0
    answer_seconds: float = 30.0  # shorter than the gateway's lease (`delivery.lease_seconds`)
    max_answer_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` is MSA-1, `error` the code of the first ERR, where they are codes at all."""

    code: str
    error: str = ""

    @property
    def is_taken(self) -> bool:
        return self.code in TAKEN


class MllpSender:
    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None = None, limits: SenderLimits | None = None
    ) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._limits = limits or SenderLimits()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> None:
        """Be connected when this returns. Raises Unavailable when nobody listens there."""
        if self._streams is not None:
            reader, writer = self._streams
            if not (reader.at_eof() or writer.is_closing()):
                return
            self.close()
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls, limit=READ_BYTES)
        except (OSError, TimeoutError) as away:  # a certificate that does not verify is an OSError too
            why = (
                "its certificate does not verify"
                if isinstance(away, ssl.SSLCertVerificationError)
                else "nobody answers there"
            )
            raise Unavailable(
                f"the MLLP listener is away: {why}", remedy="start it, or name its address with --deliver"
            ) from away
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._streams = reader, writer

    async def send(self, message: bytes) -> Answer:
        """What the listener answers to exactly this message.

        Raises Refusal for what is no message that can be framed, Unavailable when nobody can say whether it was taken.
        """
        head = heading(message)
        if head is None or not head.control or START in message or END in message:
            raise Refusal("this is no HL7 message that MLLP can carry", remedy="fetch it as a file with --inbox")
        await self.connect()
        assert self._streams is not None
        reader, writer = self._streams
        is_answered = False
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                writer.write(framed(message))
                await writer.drain()
                answer = await self._answer_to(head.control, reader)
            is_answered = True
        except TimeoutError as silent:
            raise Unavailable("the MLLP listener did not answer in time", remedy="look into its log") from silent
        except (OSError, EOFError) as cut:
            raise Unavailable("the MLLP listener ended the connection", remedy="look into its log") from cut
        except FrameTooLarge as large:
            raise Unavailable("the MLLP listener's answer is no answer", remedy="look into its log") from large
        finally:
            if not is_answered:
                self.close()
        return answer

    async def _answer_to(self, control: bytes, reader: asyncio.StreamReader) -> Answer:
        frames = Frames(self._limits.max_answer_bytes)
        while True:
            data = await reader.read(READ_BYTES)
            if not data:
                raise EOFError
            for frame in frames.feed(data):
                if (answer := _answer(frame, control)) is not None:
                    return answer

    def close(self) -> None:
        """A message without an answer is taken or not: it goes again."""
        if self._streams is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closing
                self._streams[1].transport.abort()
            self._streams = None


def _answer(frame: bytes, control: bytes) -> Answer | None:
    """None where it is no answer to this message."""
    head = heading(frame)
    if head is None:
        return None
    separator, component = head.separator, head.encoding[:1]
    said = error = None
    for line in frame.replace(b"\n", b"\r").split(b"\r"):
        fields = line.split(separator) + [b""] * 4
        if fields[0] == b"MSA" and said is None and fields[2].strip() == control:
            said = fields[1]
        elif fields[0] == b"ERR" and error is None:
            error = fields[3].split(component)[0]  # ERR-3 since 2.5
    return None if said is None else Answer(_code(said) or "other", _code(error or b""))


def _code(raw: bytes) -> str:
    text = raw.strip().decode("ascii", "replace")
    return text if _CODE.fullmatch(text) else ""

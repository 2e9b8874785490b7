"""The MLLP listener on a real socket, against a foreign client and against bytes cut anywhere."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import hl7
import pytest
from hl7.client import MLLPClient
from hypothesis import given
from hypothesis import strategies as st

from gateway.engines.mllp.frames import Frames, FrameTooLarge, framed
from gateway.engines.mllp.listener import ListenerLimits, MllpListener
from gateway.model.errors import Problem, Tampered, Unavailable
from gateway.ports.submission import Pushed
from tests.support.certificates import make_certificate

MESSAGE = "MSH|^~\\&|HIS|H1|WCNGW|440113|20260301094500||ORU^R01|{}|P|2.4|||AL|NE||UNICODE UTF-8\rPID|1||MZ1||李小测\r"


class Gateway:
    """Stands for the gateway: answers what it is told to, remembers what it got and what was on disk."""

    def __init__(self, answer: Pushed | Exception | None = None) -> None:
        self.answer, self.got, self.kept = answer, [], []

    async def push(self, body: bytes, media_type: str, signature: str | None = None) -> Pushed:
        self.got.append(body)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or Pushed(b"{}", (f"n-{len(self.got)}",))

    def keep(self, digest: str, pushed: Pushed) -> None:
        self.kept.append(digest)


@asynccontextmanager
async def listening(gateway: Gateway, **limits):
    told = []
    listener = MllpListener(
        gateway.push, gateway.keep, lambda: datetime(2026, 3, 1, tzinfo=UTC), lambda event, **f: told.append((event, f)),
        ListenerLimits(**limits),
    )  # fmt: skip
    port = await listener.start("127.0.0.1", 0)
    try:
        yield port, told
    finally:
        await listener.stop()


def by_foreign_client(port: int, messages: list[str]) -> list[hl7.Message]:
    with MLLPClient("127.0.0.1", port) as client:
        client.socket.settimeout(10)
        answers = [client.send_message(message) for message in messages]
    assert all(answer[:1] == b"\x0b" and answer[-2:] == b"\x1c\r" for answer in answers)
    return [hl7.parse(answer[1:-2].decode()) for answer in answers]


async def answers(port: int, raw: bytes, count: int) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    out = [await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60) for _ in range(count)]
    writer.close()
    return out


async def test_a_foreign_client_gets_aa_for_each_of_many_messages_on_one_connection():
    gateway = Gateway()
    async with listening(gateway) as (port, _):
        parsed = await asyncio.to_thread(by_foreign_client, port, [MESSAGE.format(f"m{n}") for n in range(5)])
    assert [(str(m["MSA.F1"]), str(m["MSA.F2"])) for m in parsed] == [("AA", f"m{n}") for n in range(5)]
    assert str(parsed[0].segment("MSH")[9]) == "ACK^R01"
    assert (str(parsed[0]["MSH.F3"]), str(parsed[0]["MSH.F5"])) == ("WCNGW", "HIS")
    assert len(gateway.kept) == 5
    assert gateway.got[0] == MESSAGE.format("m0").encode()


@pytest.mark.parametrize(
    ("answer", "code", "is_kept"),
    [
        (Pushed(b"{}", (), (Problem("bad-date", "PID-7", "not a date", "send YYYYMMDD"),)), "AE", True),
        (Unavailable("down"), "AR", False),
        (Tampered("forged receipt"), "AR", False),
    ],
)
async def test_what_is_not_known_to_be_stored_is_never_acknowledged(answer, code, is_kept):
    gateway = Gateway(answer)
    async with listening(gateway) as (port, told):
        (parsed,) = await asyncio.to_thread(by_foreign_client, port, [MESSAGE.format("m1")])
    assert (str(parsed["MSA.F1"]), str(parsed["MSA.F2"])) == (code, "m1")
    assert bool(gateway.kept) is is_kept
    if code == "AE":
        assert (str(parsed["ERR.F2"]), str(parsed["ERR.F3"]), str(parsed["ERR.F8"])) == (
            "PID-7",
            "bad-date",
            "send YYYYMMDD",
        )
    assert "李小测" not in str(parsed) + str(told)


async def test_aa_names_what_was_not_taken_over_and_counts_notices_it_has_no_room_for():
    gaps = (Problem("bad-date", "PID-7", "no such day"),)
    gateway = Gateway(Pushed(b"[]", tuple(f"{n:036}" for n in range(4)), (), gaps))
    async with listening(gateway) as (port, _):
        (answer,) = await asyncio.to_thread(by_foreign_client, port, [MESSAGE.format("7")])
    assert str(answer["MSA.F1"]) == "AA"
    assert str(answer["MSA.F3"]) == f"{0:036} {1:036} +2"
    assert [str(answer[f"ERR.F{n}"]) for n in (2, 3, 4, 7)] == ["PID-7", "bad-date", "W", "no such day"]
    assert str(answer["MSH.F7"]) == "20260301080000+0800"


@pytest.mark.parametrize(
    ("charset", "codec", "said"),
    [
        ("UNICODE UTF-8", "utf-8", "没有这一天 / no such day"),
        ("GB 18030-2000", "gb18030", "没有这一天 / no such day"),
        ("", "ascii", "no such day"),
        ("8859/1", "ascii", "no such day"),
    ],
)
async def test_what_is_wrong_is_said_in_chinese_too_where_the_senders_charset_has_it(charset, codec, said):
    gateway = Gateway(Pushed(b"{}", (), (Problem("bad-date", "PID-7", "没有这一天 / no such day"),)))
    async with listening(gateway) as (port, _):
        raw = MESSAGE.format("m1").replace("UNICODE UTF-8", charset).encode(codec, "ignore")
        (answer,) = await answers(port, framed(raw), 1)
    assert str(hl7.parse(answer[1:-2].decode(codec))["ERR.F7"]) == said


async def test_a_receipt_that_cannot_be_kept_is_no_aa():
    gateway = Gateway()

    def full_disk(digest: str, pushed: Pushed) -> None:
        raise OSError(28, "no space left")

    gateway.keep = full_disk
    async with listening(gateway) as (port, _):
        (parsed,) = await asyncio.to_thread(by_foreign_client, port, [MESSAGE.format("m1")])
    assert str(parsed["MSA.F1"]) == "AR"


async def test_an_answer_speaks_the_senders_own_delimiters():
    async with listening(Gateway()) as (port, _):
        raw = MESSAGE.format("m1").replace("|", "#").encode()
        (answer,) = await answers(port, framed(raw), 1)
    assert b"\rMSA#AA#m1#" in answer


async def test_what_has_no_heading_is_refused_and_the_connection_goes_on():
    async with listening(Gateway()) as (port, _):
        first, second = await answers(port, framed(b"hello") + framed(MESSAGE.format("m2").encode()), 2)
    assert b"MSA|AE|" in first
    assert b"MSA|AA|m2" in second


async def test_a_message_over_the_limit_is_refused_with_its_own_id_and_the_connection_ends():
    gateway = Gateway()
    async with listening(gateway, max_message_bytes=2000) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x0b" + MESSAGE.format("big").encode() + b"x" * 4000)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
    assert b"MSA|AE|big|too-large" in answer
    assert gateway.got == []


async def test_a_sender_that_stops_inside_a_message_does_not_hold_its_place():
    async with listening(Gateway(), frame_seconds=0.05, max_connections=1) as (port, told):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x0bMSH|")
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()
    assert ("mllp_connection_ended", {"reason": "TimeoutError"}) in told


async def test_more_connections_than_the_limit_are_closed_at_once():
    async with listening(Gateway(), max_connections=1) as (port, _):
        _, held = await asyncio.open_connection("127.0.0.1", port)
        held.write(b"\x0b")
        await held.drain()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()
        held.close()


@given(
    st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\x0b", b"").replace(b"\x1c", b"")), max_size=4), st.data()
)
def test_frames_are_the_same_however_the_bytes_are_cut(messages, data):
    raw = b"".join(framed(message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    frames, out = Frames(100), []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        out += frames.feed(raw[start:end])
    assert out == messages
    assert not frames.is_inside


def test_noise_between_messages_has_a_limit():
    with pytest.raises(FrameTooLarge):
        Frames(100).feed(b"x" * 5000)


async def test_a_dead_sender_leaves_the_listener_alive():
    gateway = Gateway()
    async with listening(gateway) as (port, _):
        with socket.create_connection(("127.0.0.1", port)) as dead:
            dead.sendall(framed(MESSAGE.format("m1").encode()))
            dead.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        (answer,) = await answers(port, framed(MESSAGE.format("m2").encode()), 1)
    assert b"MSA|AA|m2" in answer


async def test_over_tls_only_a_sender_with_a_certificate_of_the_named_ca_is_heard(tmp_path):
    server, client = make_certificate(tmp_path / "agent"), make_certificate(tmp_path / "engine")
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(server.path)
    inside.load_verify_locations(cadata=client.pem)
    inside.verify_mode = ssl.CERT_REQUIRED
    gateway = Gateway()
    listener = MllpListener(
        gateway.push, gateway.keep, lambda: datetime(2026, 3, 1, tzinfo=UTC), lambda event, **f: None
    )
    port = await listener.start("127.0.0.1", 0, inside)
    outside = ssl.create_default_context(cadata=server.pem)
    try:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=outside)
            writer.write(framed(MESSAGE.format("m0").encode()))
            if await reader.read() == b"":
                raise ConnectionResetError
        assert gateway.got == []
        outside.load_cert_chain(client.path)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=outside)
        writer.write(framed(MESSAGE.format("m1").encode()))
        assert b"MSA|AA|m1" in await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60)
        writer.close()
    finally:
        await listener.stop()

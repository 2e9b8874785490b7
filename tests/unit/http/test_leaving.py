"""A node that leaves closes no connection on which its other end may be about to ask."""

import asyncio

import pytest

from gateway.http.settings import HttpSettings
from tests.unit.http.standins import StandIn

ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def answered(reader, writer):
    writer.write(ASK)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    return head


async def test_an_idle_connection_is_answered_once_more_and_new_ones_are_refused():
    standin = await StandIn(HttpSettings(keepalive_seconds=30)).start()
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", standin.port)
        assert b"Connection: close" not in await answered(reader, writer)
        leaving = asyncio.create_task(standin.edge.leave())
        with pytest.raises(ConnectionError):
            while True:
                (await asyncio.open_connection("127.0.0.1", standin.port))[1].close()
        assert not leaving.done(), "it waits for the connection that is idle"
        assert b"Connection: close" in await answered(reader, writer)
        assert await reader.read() == b""
        await leaving
        writer.close()
        await standin.stop()


async def test_leaving_ends_when_idle_connections_have_had_the_time_they_always_have():
    standin = await StandIn(HttpSettings(keepalive_seconds=0.2)).start()
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", standin.port)
        await answered(reader, writer)
        await standin.edge.leave()
        assert await reader.read() == b""
        writer.close()
        await standin.stop()

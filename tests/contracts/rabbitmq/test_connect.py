"""Whatever meets a node in place of a broker, it is told as a broker that is away, and the node tries again."""

import asyncio

import pytest

from gateway.config import RabbitSettings
from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.queues import BROKEN, connect


@pytest.mark.parametrize(
    "heard", [b"", b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00\x00\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
async def test_a_connection_that_ends_while_it_is_made_is_a_broker_that_is_away(heard):
    async def hang_up(reader, writer):
        await reader.read(8)
        writer.write(heard)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        known = addresses(RabbitSettings(addresses=(f"amqp://hutong@127.0.0.1:{port}/",), password="x"))
        with pytest.raises(BROKEN):
            await connect(known[0], 5.0)

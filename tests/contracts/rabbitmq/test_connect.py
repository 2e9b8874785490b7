"""Whatever meets a node in place of a broker, it is told as a broker that is away, and the node tries again."""

import asyncio
import socket
from contextlib import suppress
from threading import Thread

import pytest
import uvloop
from pamqp import commands, frame

from gateway.config import RabbitSettings
from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.insist import BROKEN
from gateway.engines.rabbitmq.queues import connect

START = frame.marshal(commands.Connection.Start(), 0)


@pytest.mark.parametrize(
    "heard", [b"", START, b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00\x00\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
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


def test_a_broker_that_hangs_up_before_a_word_is_one_that_is_away():
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up_for_ever():
            with suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])
                    kept[-1].shutdown(socket.SHUT_WR)

        Thread(target=hang_up_for_ever, daemon=True).start()
        port = listener.getsockname()[1]
        known = addresses(RabbitSettings(addresses=(f"amqp://hutong@127.0.0.1:{port}/",), password="x"))

        async def try_often():
            for _ in range(50):  # the end comes before or after the first word that is waited for
                with pytest.raises(BROKEN):
                    await connect(known[0], 5.0)

        uvloop.run(try_often())  # the node's own loop
        listener.shutdown(socket.SHUT_RDWR)
    for one in kept:
        one.close()

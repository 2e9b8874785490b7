"""What stands before a cluster: a balancer of connections, in a thread of its own.

A new connection goes to the next node in turn that says it is ready. Connections to a node that dies break, as they would.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Sequence
from contextlib import suppress

ROUNDS, PAUSE_SECONDS = 5, 0.2  # how often it asks every node before it gives a client up


class Balancer:
    def __init__(self, port: int, nodes: Sequence[int]) -> None:
        """Listen on `port` of this machine for the nodes' ports. `close` ends it."""
        self.port, self._nodes = port, itertools.cycle(nodes)
        self._count = len(nodes)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="balancer", daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for tried in range(self._count * ROUNDS):
            if tried and tried % self._count == 0:
                await asyncio.sleep(PAUSE_SECONDS)
            node = next(self._nodes)
            try:
                if not await _is_ready(node):
                    continue
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", node)
            except (OSError, TimeoutError):
                continue
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
            return
        writer.transport.abort()


async def _is_ready(port: int) -> bool:
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n")
        answer = await reader.readline()
        writer.close()
        return b" 200 " in answer


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()

"""A TCP proxy between a gateway and its broker or database, cut (RST), hung (half-open: nothing comes through) or closed at will."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close sends RST


class CutProxy:
    def __init__(self, port: int, at: int = 0) -> None:
        """To `port` of this machine, listening at `at` (0: any free one)."""
        self._target, self.port = port, at
        self._open: set[asyncio.StreamWriter] = set()
        self._flows, self._is_closed = asyncio.Event(), False
        self._flows.set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> CutProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.heal()
        self.cut()
        assert self._server is not None
        self._server.close()

    def cut(self) -> None:
        """Reset every open connection."""
        for writer in list(self._open):
            found = writer.get_extra_info("socket")
            if found is not None:
                with suppress(OSError):
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def hang(self) -> None:
        """Connections stay open and nothing comes through any more, on new ones neither."""
        self._flows.clear()

    def close(self) -> None:
        """Cut, and reset whoever connects."""
        self._is_closed = True
        self.cut()

    def heal(self) -> None:
        self._is_closed = False
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        if self._is_closed:
            self.cut()
            return
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open.add(their_writer)
        await asyncio.gather(self._pump(reader, their_writer), self._pump(their_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
        self._open.discard(writer)

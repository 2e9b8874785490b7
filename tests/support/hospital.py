"""A hospital's own MLLP listener on a real socket: answers each message as it is told to, remembers all that came."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable

from gateway.engines.mllp.frames import Frames, framed

HOLD = "hold"  # no answer, the connection stays open
CUT = "cut"  # no answer, the connection ends


def control_of(message: bytes) -> str:
    return message.split(b"\r", 1)[0].split(b"|")[9].decode()


def answer(message: bytes, code: str, control: str | None = None, error: str = "") -> bytes:
    told = f"MSH|^~\\&|HIS||HUTONG||20260301||ACK^R01|A1|P|2.4\rMSA|{code}|{control or control_of(message)}\r"
    return (told + (f"ERR||PID^1^5|{error}^wrong^HL70357|E||||李小测 is unknown\r" if error else "")).encode()


class Hospital:
    """`reply(number, message)` gives a code, HOLD, CUT, or the raw bytes to write; the number counts from 1."""

    def __init__(
        self,
        reply: Callable[[int, bytes], str | bytes] = lambda number, message: "AA",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.reply, self.got, self.arrived = reply, [], threading.Condition()
        self._tls = tls
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Hospital:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)  # a thread waits in it, and closing alone would let it go on listening
        self._server.close()
        for one in self._open:
            one.close()

    @property
    def numbers(self) -> list[str]:
        return [control_of(message) for message in self.got]

    def until(self, count: int, seconds: float = 90) -> None:
        """Wait until so many messages have come."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= count, seconds), self.numbers

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        frames = Frames(1 << 20)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            while data := connection.recv(65536):
                for message in frames.feed(data):
                    with self.arrived:
                        self.got.append(message)
                        told = self.reply(len(self.got), message)
                        self.arrived.notify_all()
                    if told == CUT:
                        connection.close()
                        return
                    if told != HOLD:
                        connection.sendall(told if isinstance(told, bytes) else framed(answer(message, told)))
        except OSError:
            return

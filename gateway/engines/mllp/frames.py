"""Where does one message end and the next begin on an MLLP connection?

HL7 Minimal Lower Layer Protocol, release 1: `<VT> message <FS> <CR>`. Bytes may
come in any pieces, several messages in one piece. A sender that forgets the CR
is understood. What stands between frames is skipped, up to a limit.
"""

from __future__ import annotations

START, END, CR = b"\x0b", b"\x1c", b"\r"
MAX_NOISE_BYTES = 4096


class FrameTooLarge(Exception):
    """A message, or noise between messages, passed its limit; the connection is of no more use.

    `head` are the first bytes of the message, for the answer.
    """

    def __init__(self, head: bytes) -> None:
        super().__init__("an MLLP frame is larger than its limit")
        self.head = head


class Frames:
    """Feed it what arrived; it gives back whole messages."""

    def __init__(self, max_message_bytes: int) -> None:
        self._max, self._buffer, self._noise, self._scanned = max_message_bytes, bytearray(), 0, 0
        self._is_inside = False

    @property
    def is_inside(self) -> bool:
        """A message has begun and not ended."""
        return self._is_inside

    def feed(self, data: bytes) -> list[bytes]:
        """Raises FrameTooLarge; messages that were whole before it are lost to the caller, who closes."""
        self._buffer += data
        out: list[bytes] = []
        while True:
            if not self._is_inside:
                start = self._buffer.find(START)
                skipped = len(self._buffer) if start < 0 else start
                self._noise += len(self._buffer[:skipped].strip(b"\r\n"))
                if self._noise > MAX_NOISE_BYTES:
                    raise FrameTooLarge(b"")
                del self._buffer[: skipped + (start >= 0)]
                if start < 0:
                    return out
                self._is_inside, self._scanned, self._noise = True, 0, 0
            end = self._buffer.find(END, self._scanned)
            if (len(self._buffer) if end < 0 else end) > self._max:
                raise FrameTooLarge(bytes(self._buffer[:1024]))
            if end < 0:
                self._scanned = len(self._buffer)
                return out
            out.append(bytes(self._buffer[:end]))
            del self._buffer[: end + 1]
            self._is_inside = False


def framed(message: bytes) -> bytes:
    return START + message + END + CR

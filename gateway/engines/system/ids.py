"""What is a fresh id?

UUIDv7 (RFC 9562 5.7): milliseconds, then a counter that starts at a random place
in every millisecond (method 1 and 2 of its section 6.2), then 32 random bits. Ids
of one process rise strictly, also when the clock is set back. The time is read once a millisecond. A delivery id is the
scattered form of such an id: ordered for the store that holds the key, random for
everyone else; without a key it is a random UUID.
"""

from __future__ import annotations

import os
import threading
import uuid

from gateway.crypto.scatter import Scatter
from gateway.model.identifiers import CaseId, DeliveryId, EventId, NoticeId, PersonId
from gateway.ports.clock import Clock

_READ_SECONDS = 0.001  # a notice takes half a dozen ids, and to read the time costs as much as the rest of one
_DRAWN_BYTES = 4096  # a call of the system for every few notices instead of twenty for each
_COUNTER_BITS = 42
_COUNTER_START_BITS = 40  # leaves room for 2**41 ids before a millisecond has to be borrowed


class SystemIds:
    """Ids from the machine's random source. Safe to call from any thread."""

    def __init__(self, clock: Clock, deliveries: Scatter | None = None) -> None:
        self._clock = clock
        self._deliveries = deliveries
        self._lock = threading.Lock()
        self._drawn, self._next = b"", 0
        self._now_ms, self._read_again = 0, float("-inf")
        self._last_ms = 0
        self._counter = 0

    def notice(self) -> NoticeId:
        return NoticeId(_text(self._ordered()))

    def case(self) -> CaseId:
        return CaseId(_text(self._ordered()))

    def person(self) -> PersonId:
        return PersonId(_text(self._ordered()))

    def event(self) -> EventId:
        return EventId(_text(self._ordered()))

    def delivery(self) -> DeliveryId:
        if self._deliveries is None:
            return DeliveryId(str(uuid.uuid4()))
        return DeliveryId(_text(self._deliveries.scatter(self._ordered())))

    def secret(self, size: int = 32) -> bytes:
        with self._lock:
            return self._drawn_bytes(size)

    def _drawn_bytes(self, size: int) -> bytes:
        """Bytes of the machine's random source, drawn from it in advance; each is handed out once and dropped. The lock is held."""
        start, end = self._next, self._next + size
        if len(self._drawn) < end:
            self._drawn, start, end = os.urandom(max(_DRAWN_BYTES, size)), 0, size
        self._next = end
        return self._drawn[start:end]

    def _ordered(self) -> bytes:
        with self._lock:
            random = int.from_bytes(self._drawn_bytes(9), "big")
            if (moment := self._clock.monotonic()) >= self._read_again:
                self._now_ms = int(self._clock.now().timestamp() * 1000 + 0.5)
                self._read_again = moment + _READ_SECONDS
            if self._now_ms > self._last_ms:
                self._last_ms, self._counter = self._now_ms, random >> 32 & (1 << _COUNTER_START_BITS) - 1
            else:
                self._counter += 1
                if self._counter >> _COUNTER_BITS:
                    self._last_ms, self._counter = self._last_ms + 1, 0
            ms, counter = self._last_ms, self._counter
        high, low = counter >> 30, counter & (1 << 30) - 1
        value = ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low << 32 | random & 0xFFFFFFFF
        return value.to_bytes(16, "big")


def _text(value: bytes) -> str:
    h = value.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

"""What is destroyed because its time is over? Raw bytes after 30 days, receipts after 90, uploads nobody named after 7; under legal hold nothing. Documents that
no key opens any more are swept away.

The rows go first, then the keys: a crash in between leaves a key that opens nothing.
"""

from __future__ import annotations

from gateway.model.audit import EventName
from gateway.ports.clock import Clock, TimeInDoubt
from gateway.ports.keys import KeyStore
from gateway.ports.log_storage import LogStorage
from gateway.ports.retention_storage import RetentionStorage
from gateway.services.attachments import Attachments
from gateway.services.tell import Teller

PAGE = 500


class Retain:
    def __init__(
        self,
        *,
        retention: RetentionStorage,
        attachments: Attachments,
        keys: KeyStore,
        log: LogStorage,
        teller: Teller,
        clock: Clock,
        time: TimeInDoubt,
    ) -> None:
        self._attachments = attachments
        self._retention, self._keys, self._log = retention, keys, log
        self._teller, self._clock, self._time = teller, clock, time

    async def __call__(self) -> int:
        """Destroy what is over now; returns how many objects: none while the time is in doubt. Safe to run at any time and
        twice at once."""
        if self._time.doubt():
            return 0
        now, total = self._clock.now(), 0
        while True:
            gone = await self._retention.discard_expired(now, PAGE)
            if gone.raw_keys:
                await self._keys.destroy(gone.raw_keys)
            for kind, count in (("raw", gone.raw_bodies), ("receipt", gone.receipts)):
                if count:
                    record = self._teller.event(EventName.PAYLOAD_DISPOSED, now, {"kind": kind, "objects": count})
                    await self._log.append([record])
            total += gone.raw_bodies + gone.receipts
            if max(gone.raw_bodies, gone.receipts, gone.expiries) < PAGE:
                break
        try:  # last, so that documents that are out of reach keep nothing else
            total += await self._attachments.lapse() + await self._attachments.sweep()
        finally:
            if total:
                await self._retention.empty_journal()
        return total

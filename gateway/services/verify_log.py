"""Does the log as stored still say what it said?

Every entry is read back, hashed and folded into a root; the root must be the
head's. Every record is opened against its entry. The first leaf that does not hold is named.
Offline, with nothing but files and a public key, `hutong log verify` on an export does the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.audit.findings import Wrong
from gateway.audit.merkle import Edge, leaf_hash
from gateway.audit.opening import check_envelope, read_opening
from gateway.ports.log_storage import LogStorage, StoredRecord

PAGE = 4096


@dataclass(frozen=True, slots=True)
class Verified:
    """`is_verified` with everything read; otherwise `first_bad` is the leaf index, if one leaf can be named."""

    is_verified: bool
    size: int
    root: bytes
    first_bad: int | None = None
    reason: str = ""


async def verify_log(log: LogStorage) -> Verified:
    head = await log.head()
    edge = Edge()
    for start in range(0, head.size, PAGE):
        stop = min(start + PAGE, head.size)
        entries = await log.entries(start, stop)
        if len(entries) != stop - start:
            return Verified(False, head.size, head.root, start + len(entries), "leaf-missing")
        edge.extend([leaf_hash(entry) for entry in entries])
        for offset, entry in enumerate(entries):
            record = await log.record_at(start + offset)
            if record is None:
                return Verified(False, head.size, head.root, start + offset, "record-missing")
            if record.entry != entry or not _opens(record):
                return Verified(False, head.size, head.root, start + offset, "record-does-not-open")
    if edge.root() != head.root:
        return Verified(False, head.size, head.root, None, "root-differs")
    return Verified(True, head.size, head.root)


def _opens(record: StoredRecord) -> bool:
    try:
        check_envelope(read_opening(record.opening), record.entry)
    except Wrong:
        return False
    return True

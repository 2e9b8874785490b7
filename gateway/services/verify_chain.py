"""Is the chain of one person, as the private index of the store has it, all that the log says about that person?

The index tells a report where a person's records are, and the newest of them becomes the gateway's signed claim. It lies
beside the log and not in it: whoever can write to the database could cut its end, and every report made afterwards would claim
too little in good faith. Here every record of the log is tried with the person's own key, which no index can hide from: those
that open are the chain, number by number, or the first leaf where it breaks is named. About half a minute for a million records.
"""

from __future__ import annotations

import asyncio
from binascii import a2b_base64
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from gateway.audit.commitment import seal_stream
from gateway.audit.findings import Wrong
from gateway.audit.leaf import entry_root
from gateway.audit.opening import check_envelope, open_slot, read_opening
from gateway.model.audit import PERSON, Link
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import LogStorage, StoredRecord

PAGE = 2048
_SEQ_BYTES, _MOST = (
    8,
    1 << 40,
)  # of what opens with another's key, one in 2**24 looks like a number of a chain, and is then opened
_PERSON_SLOT = f'"kind":"{PERSON}"'.encode()


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """`records` of `size` leaves are about the person. `first_bad` is the first leaf where chain, log and index differ."""

    size: int
    records: int
    first_bad: int | None = None
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        return self.first_bad is None


async def verify_chain(log: LogStorage, subject: bytes, secret: bytes) -> VerifiedChain:
    """`subject` is the person's keyed name, `secret` the person's log key. Leaves that come meanwhile are for the next time."""
    size = (await log.head()).size
    found: list[tuple[StoredRecord, Link]] = []
    for start in range(0, size, PAGE):
        records = await log.records(start, min(start + PAGE, size))
        found += await asyncio.to_thread(_opened_by, secret, records)
    listed = [place for place in await log.places_of(subject) if place < size]
    told = Link(1)
    for record, link in found:
        if link != told:
            return VerifiedChain(size, len(found), record.index, "chain-broken")
        told = Link(link.seq + 1, EventId(record.event), entry_root(record.entry))
    places = [record.index for record, _ in found]
    if places != listed:
        differing = set(places) ^ set(listed)
        return VerifiedChain(size, len(found), min(differing) if differing else places[0], "index-differs")
    return VerifiedChain(size, len(found))


def _opened_by(secret: bytes, records: Sequence[StoredRecord]) -> list[tuple[StoredRecord, Link]]:
    found = []
    for record in records:
        if _PERSON_SLOT not in record.opening:
            continue
        for number, slot in enumerate(orjson.loads(record.opening)["slots"], 1):
            if slot["kind"] == PERSON and _looks_like(slot["sealed"], secret, number, record.event):
                try:
                    opening = read_opening(record.opening)
                    check_envelope(opening, record.entry)
                    link = open_slot(opening, number, secret).link
                except Wrong:
                    continue
                assert link is not None
                found.append((record, link))
    return found


def _looks_like(sealed: str, secret: bytes, number: int, event: str) -> bool:
    """Whether what is sealed begins with a small number under this key: the place in the chain."""
    masked = a2b_base64(sealed[:12])[:_SEQ_BYTES]
    stream = seal_stream(secret, number, event, _SEQ_BYTES)
    return int.from_bytes(masked, "big") ^ int.from_bytes(stream, "big") < _MOST

"""Hand out proofs: one entry's, a bundle of records for a court, all there is about one person.

Everything is proved under the newest signed checkpoint; what was logged after it
waits for the next beat. Who may see which field is the caller's decision, given as
`envelope` and `personal`; asking is itself an event that the caller logs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.audit.bundle import Claim, join_reports, make_bundle, make_report, record_proof
from gateway.audit.findings import Wrong
from gateway.audit.leaf import entry_root
from gateway.audit.many_records import first_unopened
from gateway.audit.note import signature_line
from gateway.audit.opening import OpenSlot, disclose, open_slot, read_opening
from gateway.audit.proof_text import ProofText
from gateway.model.audit import PERSON
from gateway.model.errors import NotFound, Tampered, Unavailable
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import LogStorage, StoredRecord
from gateway.services.publish import Published, Publisher

Shows = Callable[[str], bool]


def everything(name: str) -> bool:
    return True


class Prover:
    """The publisher's first key, the log's Ed25519, signs the claim of a report."""

    def __init__(self, log: LogStorage, publisher: Publisher) -> None:
        self._log = log
        self._publisher = publisher

    async def _published(self) -> Published:
        latest = await self._publisher.settled()
        if latest is None:
            raise Unavailable("no checkpoint was signed yet")
        return latest

    async def _record(self, event: EventId, size: int) -> StoredRecord:
        record = await self._log.record(event)
        if record is None:
            raise NotFound("there is no such record")
        if record.index >= size:
            raise Unavailable("the record is in the log and waits for the next checkpoint")
        return record

    async def proof(self, event: EventId) -> bytes:
        """One entry's inclusion as a tlog-proof file."""
        latest = await self._published()
        record = await self._record(event, latest.checkpoint.size)
        path = await self._publisher.tree.inclusion(record.index, latest.checkpoint.size)
        return ProofText(record.index, tuple(path), latest.note).raw

    async def bundle(self, events: Sequence[EventId], *, envelope: Shows = everything) -> bytes:
        """Records with their envelopes opened and every slot closed, in the order of the log. Without records it is the
        signed checkpoint alone: what the log was when the question was asked."""
        latest = await self._published()
        records = {
            record.index: record for record in [await self._record(one, latest.checkpoint.size) for one in events]
        }
        parts = [await self._part(records[index], latest, (), envelope, everything) for index in sorted(records)]
        return make_bundle(latest.note, parts)

    async def report(
        self, subject: bytes, secret: bytes, *, envelope: Shows = everything, personal: Shows = everything
    ) -> bytes:
        """Everything about one person up to the checkpoint, with the claim that makes its completeness checkable.

        `subject` is the person's keyed name (32 bytes), `secret` the person's log key. Other
        persons and officers stay closed. Tampered when a record of the chain does not open.
        """
        return await self._report(await self._published(), subject, secret, envelope, personal)

    async def report_of_one_person(
        self, persons: Sequence[tuple[bytes, bytes]], *, envelope: Shows = everything, personal: Shows = everything
    ) -> bytes:
        """The same about somebody on record as several persons, each with subject and secret, the one asked about first."""
        latest = await self._published()
        return join_reports(
            [await self._report(latest, subject, secret, envelope, personal) for subject, secret in persons]
        )

    async def _report(
        self, latest: Published, subject: bytes, secret: bytes, envelope: Shows, personal: Shows
    ) -> bytes:
        checkpoint = latest.checkpoint
        parts = []
        claim = Claim(checkpoint.origin, checkpoint.size, checkpoint.root, 0)
        signed = [place for place in await self._log.places_of(subject) if place < checkpoint.size]
        for record in await records_of(self._log, signed):
            slot = _slot_of(record, secret)
            assert slot.link is not None
            root = entry_root(record.entry)
            claim = Claim(checkpoint.origin, checkpoint.size, checkpoint.root, slot.link.seq, record.event, root)
            parts.append(await self._part(record, latest, (slot,), envelope, personal))
        signer = self._publisher.signers[0]
        line = signature_line(signer.key.name, signer.key.key_id, signer.sign(claim.text))
        return make_report(latest.note, claim.text + b"\n" + line, parts)

    async def _part(
        self, record: StoredRecord, latest: Published, slots: Sequence[OpenSlot], envelope: Shows, personal: Shows
    ) -> dict[str, object]:
        if first_unopened([(record.entry, record.opening)]) is not None:
            raise Tampered(f"the record of leaf {record.index} is not the one that was logged")
        opening = read_opening(record.opening)
        path = await self._publisher.tree.inclusion(record.index, latest.checkpoint.size)
        return record_proof(record.index, path, disclose(opening, slots, envelope=envelope, personal=personal))


async def records_of(log: LogStorage, places: Sequence[int]) -> Sequence[StoredRecord]:
    """The records of these leaves. Tampered, with the leaf, when one is missing."""
    found = await log.records_at(places)
    if len(found) < len(places):
        there = {record.index for record in found}
        gone = next(place for place in places if place not in there)
        raise Tampered(f"the record of leaf {gone} is missing")
    return found


def _slot_of(record: StoredRecord, secret: bytes) -> OpenSlot:
    try:
        opening = read_opening(record.opening)
    except Wrong as broken:
        raise Tampered(f"the record of leaf {record.index} cannot be read") from broken
    for number, slot in enumerate(opening.slots, 1):
        if slot.kind != PERSON:
            continue
        try:
            return open_slot(opening, number, secret)
        except Wrong:
            continue
    raise Tampered(f"no slot of leaf {record.index} opens with the person's secret")

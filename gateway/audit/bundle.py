"""What does a court get in one file, and how does it know that nothing was left out?

A *bundle* is canonical JSON: a cosigned checkpoint and records, each with its
leaf index, its inclusion path and its opening. No key travels with it.

A *report* is a bundle about one person with a signed claim: "at this tree, the
newest record about this person is that one, number n". Every record commits to
its number in the person's chain and to the event id and root of the record
before; so from the newest the walk goes back to number one without a gap, in the
places of one and the same person, or it fails. What the claim itself says wrong, any auditor with the whole log can show.

Of a person who is on record as several (`persons_joined`) the report carries the reports of the others beside its own,
each with its claim, under the same checkpoint. One that is left out shows: the record of the joining is in the chain.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.audit.checkpoint import Checkpoint, Cosignature
from gateway.audit.evidence import ShownRecord, canonical, check_record, hash_of, load_json, member
from gateway.audit.findings import MAX_SIZE, Unreadable, Wrong, decimal, decode_base64
from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import leaf_hash
from gateway.audit.note import NoteKey, parse_note, verified_text
from gateway.audit.proof import root_from_inclusion
from gateway.audit.trust import TrustPolicy, check_checkpoint

BUNDLE = "hutong-bundle/v1"
REPORT = "hutong-report/v1"
CLAIM = "hutong-newest/v1"
JOINED, PARTED = "persons_joined", "persons_parted"


@dataclass(frozen=True, slots=True)
class Proven:
    """One record of a bundle with its place in the signed tree."""

    index: int
    record: ShownRecord


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle or report that holds. `joined_elsewhere`: leaves that say somebody is the same person, whose report is not here."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]
    records: tuple[Proven, ...]
    joined_elsewhere: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What the gateway says of a person's chain at one tree; `seq` 0 and no event when there is no record."""

    origin: str
    size: int
    root: bytes
    seq: int
    event_id: str = ""
    record_root: bytes = bytes(32)

    @property
    def text(self) -> bytes:
        rows = (CLAIM, self.origin, str(self.size), b64encode(self.root).decode(), str(self.seq))
        newest = (self.event_id, b64encode(self.record_root).decode()) if self.seq else ()
        return "".join(f"{row}\n" for row in (*rows, *newest)).encode()


def parse_claim(text: bytes) -> Claim:
    rows = text.split(b"\n")
    if len(rows) not in (6, 8) or rows[0] != CLAIM.encode() or rows[-1]:
        raise Unreadable("not a claim about a chain")
    seq = decimal(rows[4])
    try:
        newest = (rows[5].decode("ascii"), decode_base64(rows[6], 32)) if len(rows) == 8 else ()
        claim = Claim(rows[1].decode(), decimal(rows[2]), decode_base64(rows[3], 32), seq, *newest)
    except UnicodeDecodeError:
        raise Unreadable("not a claim about a chain") from None
    if claim.text != text or bool(newest) != bool(seq):
        raise Unreadable("a claim that is not in its one spelling")
    return claim


def record_proof(index: int, path: Sequence[bytes], opening: dict[str, Any]) -> dict[str, Any]:
    """One record for a bundle; `opening` is what `opening.disclose` gave."""
    return {"index": index, "path": [b64encode(one).decode() for one in path], "record": opening}


def make_bundle(checkpoint: bytes, records: Iterable[dict[str, Any]]) -> bytes:
    return canonical({"checkpoint": checkpoint.decode(), "format": BUNDLE, "records": list(records)})


def make_report(checkpoint: bytes, claim: bytes, records: Iterable[dict[str, Any]]) -> bytes:
    """`claim` is the signed note over `Claim.text`; records oldest first."""
    data = {"checkpoint": checkpoint.decode(), "claim": claim.decode(), "format": REPORT, "records": list(records)}
    return canonical(data)


def join_reports(reports: Sequence[bytes]) -> bytes:
    """The reports of persons who are one, as one file; the first is of the person asked about. All under one checkpoint."""
    if len(reports) == 1:
        return reports[0]
    first, *others = [load_json(one) for one in reports]
    return canonical({**first, "also": others})


def check_bundle(
    raw: bytes, policy: TrustPolicy, *, origin: str | None = None, not_before: int | None = None
) -> Checked:
    """Wrong with the leaf index of the first record that does not hold, or where the log is another than `origin`."""
    data = load_json(raw)
    if member(data, "format", str) not in (BUNDLE, REPORT):
        raise Unreadable("not a bundle")
    note = member(data, "checkpoint", str).encode()
    checkpoint, _, lines = check_checkpoint(note, policy, origin=origin, not_before=not_before)
    records: list[Proven] = []
    for number, part in enumerate(member(data, "records", list)):
        index = member(part, "index", int)
        if not 0 <= index <= MAX_SIZE:
            raise Unreadable(f"record {number} of the bundle has no index")
        try:
            shown = check_record(member(part, "record", dict))
            path = [hash_of(one) for one in member(part, "path", list)]
        except Unreadable as cause:
            raise Unreadable(f"record {number} of the bundle (leaf {index}): {cause}") from None
        except Wrong as cause:
            raise Wrong(str(cause), index) from None
        if records and index <= records[-1].index:
            raise Wrong("records are not in the order of the log, or one stands twice", index)
        leaf = leaf_hash(entry_bytes(shown.root))
        if root_from_inclusion(index, checkpoint.size, leaf, path) != checkpoint.root:
            raise Wrong("the record is not in the signed tree", index)
        records.append(Proven(index, shown))
    return Checked(checkpoint, lines, tuple(records))


def check_report(
    raw: bytes, policy: TrustPolicy, *, origin: str | None = None, not_before: int | None = None
) -> Checked:
    """A bundle whose records are all that the log holds about one person, up to its checkpoint, and about those who are
    the same one, as far as it carries their reports. Each record is there once, in the order of the log.

    Wrong with the leaf index where the walk back breaks: the record whose predecessor is missing or another.
    """
    checked, person = _check_chain(raw, policy, origin, not_before)
    chains, persons = [checked.records], {person}
    data = load_json(raw)
    for other in member(data, "also", list) if "also" in data else []:
        theirs, person = _check_chain(canonical(other), policy, origin, not_before)
        if person is not None and person in persons:  # the second would stand in for whom a joining names
            raise Wrong("a report carries the same person twice")
        persons.add(person)
        if theirs.checkpoint != checked.checkpoint:
            raise Wrong("the reports of one person are under different checkpoints")
        chains.append(theirs.records)
    found = {proven.index: proven for chain in reversed(chains) for proven in chain}
    records = tuple(found[index] for index in sorted(found))
    elsewhere = tuple(sorted(index for chain in chains for index in _joined_elsewhere(chain, chains)))
    return Checked(checked.checkpoint, checked.cosignatures, records, elsewhere)


def _joined_elsewhere(chain: Sequence[Proven], chains: Sequence[Sequence[Proven]]) -> list[int]:
    """Leaves of one person's chain where it was joined with somebody whose chain is not here, and never parted again.

    Such a record is in the chains of both. With whom it is cannot be seen, so each parting undoes the latest joining.
    """
    places = [{proven.index for proven in one} for one in chains]
    standing: list[int] = []
    for proven in chain:
        if sum(proven.index in one for one in places) > 1:
            continue
        if proven.record.event == JOINED:
            standing.append(proven.index)
        elif proven.record.event == PARTED and standing:
            standing.pop()
    return standing


def _check_chain(
    raw: bytes, policy: TrustPolicy, origin: str | None, not_before: int | None
) -> tuple[Checked, str | None]:
    """One person's chain, and the name that the person's place has in every record of it; None without records."""
    checked = check_bundle(raw, policy, origin=origin, not_before=not_before)
    data = load_json(raw)
    if data["format"] != REPORT:
        raise Unreadable("a bundle that claims no completeness; check it as a bundle")
    checkpoint = checked.checkpoint
    note = parse_note(member(data, "claim", str).encode())
    claim = parse_claim(verified_text(note, _claim_keys(policy, checkpoint.origin)))
    if (claim.origin, claim.size, claim.root) != (checkpoint.origin, checkpoint.size, checkpoint.root):
        raise Wrong("the claim is about another tree than the checkpoint")
    walk = list(reversed(checked.records))
    want_seq, want_event, want_root = claim.seq, claim.event_id, claim.record_root
    last_index: int | None = None
    person: str | None = None
    for proven in walk:
        record = proven.record
        opened = [(slot.link, slot.values) for slot in record.slots if slot is not None and slot.link is not None]
        if len(opened) != 1:
            raise Wrong("a record of a report opens exactly one person's place", proven.index)
        ((seq, prev_event, prev_root), values) = opened[0]
        if (seq, record.event_id, record.root) != (want_seq, want_event, want_root):
            missing = "a record is missing, or another stands in its place"
            raise Wrong(missing, proven.index if last_index is None else last_index)
        # a link names the record before, not the place in it: where two persons meet, the walk could go on as the other
        named = values.get("person")
        if not isinstance(named, str) or named != (person or named):
            raise Wrong("the records of a report do not all say that they are about the same person", proven.index)
        person = named
        want_seq, want_event, want_root = seq - 1, prev_event or "", prev_root or bytes(32)
        last_index = proven.index
    if want_seq != 0:
        raise Wrong("the walk back does not reach the person's first record", last_index)
    return checked, person


def _claim_keys(policy: TrustPolicy, origin: str) -> list[NoteKey]:
    return [key for key in policy.logs if key.name == origin]

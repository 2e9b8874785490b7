"""Are the records that people read the ones that were logged? Exported records, one JSON object a line.

The first line names the committed fields of every event and version, so that the
lines need not: `{"format":"hutong-records/v1","names":{"notice_accepted/1":{...}}}`.
A line is `{"envelope":{...},"index":n,"secret":..,"slots":[...]}`: the envelope with
its secret, and per slot either `kind`, `salts`, `values` and `link`, or, where it is
not opened to this reader or was erased, `kind` and `root`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.audit.commitment import salts
from gateway.audit.evidence import ShownRecord, ShownSlot, canonical, hash_of, leaves_of, load_json, member, shown_group
from gateway.audit.findings import Unreadable, Wrong, decode_base64
from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import leaf_hash, root_of

RECORDS = "hutong-records/v1"
Names = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class ExportedRecord:
    index: int
    leaf: bytes
    record: ShownRecord


def first_line(names: Names) -> bytes:
    return canonical({"format": RECORDS, "names": names}) + b"\n"


def record_line(index: int, opening: bytes, opened: Mapping[int, Mapping[str, Any]]) -> bytes:
    """`opening` is what was kept of the record; `opened` has, per slot number, its values, link (where one) and salts in base64."""
    kept = load_json(opening)
    slots = [
        {"kind": slot["kind"], **(opened[number] if number in opened else {"root": slot["root"]})}
        for number, slot in enumerate(kept["slots"], 1)
    ]
    return canonical({"envelope": kept["envelope"], "index": index, "secret": kept["secret"], "slots": slots}) + b"\n"


def read_records(lines: Iterable[bytes]) -> Iterator[ExportedRecord]:
    """Open every line of an export. Wrong and Unreadable name the line and, where known, the leaf."""
    rows = iter(lines)
    try:
        head = load_json(next(rows))
    except StopIteration:
        raise Unreadable("an export without a first line") from None
    if member(head, "format", str) != RECORDS:
        raise Unreadable("not an export of records")
    names: Names = member(head, "names", dict)
    for number, row in enumerate(rows, 2):
        try:
            yield _open(load_json(row), names)
        except Unreadable as cause:
            raise Unreadable(f"line {number} of the export: {cause}") from None


_CLOSED = {"kind", "root"}
_OPENED = {"kind", "salts", "values"}


def _open(row: Any, names: Names) -> ExportedRecord:
    index = member(row, "index", int)
    if row.keys() != {"envelope", "index", "secret", "slots"}:
        raise Unreadable(f"leaf {index}: not a record")
    try:
        envelope = member(row, "envelope", dict)
        header, fields = member(envelope, "header", dict), member(envelope, "fields", dict)
        committed = names[f"{header['event']}/{header['v']}"]
        secret = decode_base64(member(row, "secret", str).encode())
        salt = salts(secret, 0, member(header, "id", str), len(committed["envelope"]))
        roots = [root_of(leaves_of(committed["envelope"], salt, {"header": header, **fields}))]
        slots: list[ShownSlot | None] = []
        for slot in member(row, "slots", list):
            if slot.keys() == _CLOSED:
                roots.append(hash_of(slot["root"]))
                slots.append(None)
                continue
            if slot.keys() - {"link"} != _OPENED:
                raise Unreadable("not a slot")
            values = dict(slot["values"], **({"link": slot["link"]} if "link" in slot else {}))
            kind = slot["kind"]
            root, shown_slot = shown_group(kind, committed[kind], decode_base64(slot["salts"].encode()), values)
            roots.append(root)
            slots.append(shown_slot)
        if header["slots"] != [slot["kind"] for slot in row["slots"]] or envelope.keys() != {"fields", "header"}:
            raise Wrong("a record with other slots than its header says")
        absent = frozenset(committed["envelope"]) - fields.keys() - {"header"}
        record = ShownRecord(
            root_of(roots), header["id"], header["event"], header["at"], fields, absent, 0, tuple(slots)
        )
    except Wrong as cause:
        raise Wrong(str(cause), index) from None
    except (KeyError, TypeError, AttributeError, ValueError) as cause:
        raise Unreadable(f"leaf {index}: not a record") from cause
    return ExportedRecord(index, leaf_hash(entry_bytes(record.root)), record)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How an export stands to the log: records opened, leaves without a record, person slots left closed."""

    opened: int
    missing: tuple[int, ...]
    closed_slots: int
    erasures: int


class LeafHashes(Protocol):
    def __getitem__(self, index: int, /) -> bytes: ...


def check_records(records: Iterable[ExportedRecord], leaf_at: LeafHashes, size: int) -> Coverage:
    """Compare opened records with the leaves of a verified log. Wrong names the first record that was not logged so."""
    opened = closed = erasures = 0
    seen = bytearray(size)
    for exported in records:
        if not 0 <= exported.index < size:
            raise Wrong("a record beyond the end of the log", exported.index)
        if seen[exported.index]:
            raise Wrong("a record given twice", exported.index)
        if leaf_at[exported.index] != exported.leaf:
            raise Wrong("the record is not the one that was logged", exported.index)
        seen[exported.index] = 1
        opened += 1
        closed += sum(slot is None for slot in exported.record.slots)
        erasures += exported.record.event == "erasure_completed"
    missing = tuple(n for n in range(size) if not seen[n]) if opened < size else ()
    return Coverage(opened, missing, closed, erasures)

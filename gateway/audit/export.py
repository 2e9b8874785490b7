"""Are the records that people read the ones that were logged? Exported records, one JSON object a line.

The first line names the committed fields of every event and version, so that the
lines need not: `{"format":"hutong-records/v1","names":{"notice_accepted/1":{...}}}`.
A line is `{"index":n,"opening":{"envelope":{...},"secret":..,"slots":[...]},"slots":{"2":{"values":..,"link":..,"salts":..}}}`:
what the gateway keeps of a record, and for each slot opened to this reader its
values and salts. Slots that are not opened stay closed under their root.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.audit.commitment import salts
from gateway.audit.evidence import ShownRecord, canonical, check_record, items_of, load_json, member
from gateway.audit.findings import Unreadable, Wrong, decode_base64
from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import leaf_hash

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
    slots = canonical({str(number): slot for number, slot in opened.items()})
    return b'{"index":%d,"opening":%b,"slots":%b}\n' % (index, opening, slots)


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


def _open(row: Any, names: Names) -> ExportedRecord:
    index = member(row, "index", int)
    try:
        opening = member(row, "opening", dict)
        envelope = member(opening, "envelope", dict)
        header = member(envelope, "header", dict)
        fields = member(envelope, "fields", dict)
        event_id = member(header, "id", str)
        committed = names[f"{header['event']}/{header['v']}"]
        shown = member(row, "slots", dict)
        salt = salts(decode_base64(member(opening, "secret", str).encode()), 0, event_id, len(committed["envelope"]))
        parts: list[dict[str, Any]] = []
        for number, slot in enumerate(member(opening, "slots", list), 1):
            given = shown.get(str(number))
            if given is None:
                parts.append({"kind": slot["kind"], "root": slot["root"]})
                continue
            values = dict(given["values"])
            if "link" in given:
                values["link"] = given["link"]
            salt_text = decode_base64(given["salts"].encode())
            parts.append({"kind": slot["kind"], "fields": items_of(committed[slot["kind"]], salt_text, values)})
        items = items_of(committed["envelope"], salt, {"header": header, **fields})
        record = check_record({"envelope": items, "slots": parts})
    except Wrong as cause:
        raise Wrong(str(cause), index) from None
    except (KeyError, TypeError, AttributeError):
        raise Unreadable(f"leaf {index}: not a record") from None
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

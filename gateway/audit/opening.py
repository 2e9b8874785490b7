"""What did this record say, and what may be shown of it?

The gateway's side of a record: read what was kept beside the entry, unseal the
slots whose secrets still exist, and hand out openings - salts and values of the
fields that may be shown, commitments in place of the others. Every reading is
checked against the record's root; what does not fit was changed in the store.

The reader's side, for people who hold nothing but an opening, is
`gateway.audit.evidence`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.audit.commitment import LINK_BYTES, SALT_BYTES, commitment, masked, salts, seal_stream, slot_root
from gateway.audit.findings import Wrong, decode_base64
from gateway.audit.leaf import entry_root
from gateway.audit.merkle import root_of
from gateway.audit.record import NAMES, link_bytes, read_fixed_link
from gateway.model.audit import HEADER, LINK, PERSON, EventName, Link
from gateway.model.canonical import canonical_json
from gateway.model.identifiers import EventId


@dataclass(frozen=True, slots=True)
class StoredSlot:
    kind: str
    root: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """What was kept of one record. `header` has at, event, id, slots, v; `fields` the envelope's present values."""

    header: Mapping[str, Any]
    fields: Mapping[str, Any]
    secret: bytes
    slots: tuple[StoredSlot, ...]

    @property
    def event_id(self) -> EventId:
        return EventId(self.header["id"])

    @property
    def name(self) -> EventName:
        return EventName(self.header["event"])


@dataclass(frozen=True, slots=True)
class OpenSlot:
    """A slot whose secret exists: its number in the record (from 1), values, place in the chain, and salts."""

    number: int
    kind: str
    values: Mapping[str, Any]
    link: Link | None
    salts: bytes


def read_opening(raw: bytes) -> Opening:
    """Read `LogRecord.opening`. Wrong when it cannot be read: the store changed it."""
    try:
        data = orjson.loads(raw)
        if canonical_json(data) != raw:
            raise ValueError("not canonical")
        envelope = data["envelope"]
        opening = Opening(
            envelope["header"],
            envelope["fields"],
            decode_base64(data["secret"].encode()),
            tuple(
                StoredSlot(
                    slot["kind"], decode_base64(slot["root"].encode(), 32), decode_base64(slot["sealed"].encode())
                )
                for slot in data["slots"]
            ),
        )
        if not isinstance(opening.event_id, str) or not isinstance(opening.name, str):
            raise TypeError("not a header")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise Wrong("the opening of a record cannot be read") from wrong
    return opening


def names_of(opening: Opening) -> Mapping[str, Sequence[str]]:
    """The committed names of the record's schema, in order. Wrong for an event or version this gateway does not know."""
    version = opening.header.get("v")
    names = NAMES.get((opening.name, version)) if type(version) is int else None
    if names is None:
        raise Wrong("a record of an unknown version of its event")
    return names


def _leaves(names: Sequence[str], salt: bytes, values: Mapping[str, Any]) -> list[bytes]:
    if not values.keys() <= set(names):
        raise Wrong("a record with a field its event does not have")
    return [
        commitment(
            salt[n * SALT_BYTES : (n + 1) * SALT_BYTES], name, canonical_json(values[name]) if name in values else None
        )
        for n, name in enumerate(names)
    ]


def envelope_values(opening: Opening) -> dict[str, Any]:
    return {HEADER: opening.header, **opening.fields}


def check_envelope(opening: Opening, entry: bytes) -> None:
    """Wrong when entry and opening are not of one record, or one of them was changed."""
    names = names_of(opening)["envelope"]
    salt = salts(opening.secret, 0, opening.event_id, len(names))
    leaves = _leaves(names, salt, envelope_values(opening))
    if list(opening.header.get("slots", ())) != [slot.kind for slot in opening.slots]:
        raise Wrong("a record with other slots than its header says")
    if root_of([root_of(leaves), *(slot.root for slot in opening.slots)]) != entry_root(entry):
        raise Wrong("the record is not the one that was logged")


def open_slot(opening: Opening, number: int, secret: bytes) -> OpenSlot:
    """Unseal slot `number` (from 1) and check it against its root. Wrong for another secret, or a changed store."""
    slot = opening.slots[number - 1]
    names = names_of(opening)[slot.kind]
    plain = masked(slot.sealed, seal_stream(secret, number, opening.event_id, len(slot.sealed)))
    link = None
    try:
        if slot.kind == PERSON:
            link = read_fixed_link(plain[:LINK_BYTES])
            plain = plain[LINK_BYTES:]
            values = orjson.loads(plain)
            committed = {**values, LINK: orjson.loads(link_bytes(link))}
        else:
            values = committed = orjson.loads(plain)
        if canonical_json(values) != plain:
            raise ValueError("not canonical")
    except (ValueError, TypeError, IndexError):
        raise Wrong("a slot does not open with this secret") from None
    salt = salts(secret, number, opening.event_id, len(names))
    if slot_root(_leaves(names, salt, committed), slot.kind == PERSON) != slot.root:
        raise Wrong("a slot does not open with this secret")
    return OpenSlot(number, slot.kind, values, link, salt)


Shows = Callable[[str], bool]


def _show(names: Sequence[str], salt: bytes, values: Mapping[str, Any], shows: Shows) -> list[list[Any]]:
    if not values.keys() <= set(names):
        raise Wrong("a record with a field its event does not have")
    items: list[list[Any]] = []
    for n, name in enumerate(names):
        one = salt[n * SALT_BYTES : (n + 1) * SALT_BYTES]
        if not shows(name):
            leaf = commitment(one, name, canonical_json(values[name]) if name in values else None)
            items.append([b64encode(leaf).decode()])
            continue
        item: list[Any] = [name, b64encode(one).decode()]
        items.append([*item, values[name]] if name in values else item)
    return items


def _everything(name: str) -> bool:
    return True


def disclose(
    opening: Opening,
    slots: Sequence[OpenSlot] = (),
    *,
    envelope: Shows = _everything,
    personal: Shows = _everything,
) -> dict[str, Any]:
    """The opening of one record for a reader: the fields that `envelope` and `personal` allow, and nothing else.

    The header is always shown, and of every slot in `slots` the link. Slots that
    are not given stay closed under their root. The result is plain JSON for
    `evidence.check_record`.
    """
    names = names_of(opening)
    salt = salts(opening.secret, 0, opening.event_id, len(names["envelope"]))
    shown = {slot.number: slot for slot in slots}
    parts: list[dict[str, Any]] = []
    for number, stored in enumerate(opening.slots, 1):
        slot = shown.get(number)
        if slot is None:
            parts.append({"kind": stored.kind, "root": b64encode(stored.root).decode()})
            continue
        values = dict(slot.values)
        if slot.link is not None:
            values[LINK] = orjson.loads(link_bytes(slot.link))
        parts.append(
            {
                "kind": stored.kind,
                "fields": _show(names[stored.kind], slot.salts, values, lambda name: name == LINK or personal(name)),
            }
        )
    return {
        "envelope": _show(
            names["envelope"], salt, envelope_values(opening), lambda name: name == HEADER or envelope(name)
        ),
        "slots": parts,
    }

"""How does an event become a leaf that tells nothing, and can still be opened field by field?

The root of a record is an RFC 6962 tree of two storeys. Above: the root of the
envelope, then the root of each slot, the officer's before the persons'. Below: the
commitments of the envelope (the header first) or of the slot, in the order of the
schema, absent fields too, so that their number tells nothing. A person's slot is
the node over the root of its fields and the commitment of its link, so that the
link, known last, costs three hashes. A commitment is itself a leaf of RFC 6962:

    SHA-256(0x00 "hutong/field/v1" salt[32] u16(len name) name value)
    value = 0x00 when absent, 0x01 and canonical JSON when present

The salts of one slot come from one call of SHAKE-256 over the slot's secret,
the slot's number and the event id; the envelope is slot number zero. Whoever
opens a field hands out its 32-byte salt, never the secret. A second call, with a
tag of its own, gives the key stream under which a slot's values and link are stored:
each (secret, slot, event) is used once, and what comes out is checked against the
slot's root, so nothing needs a key that could outlive the person's.

In two steps, since a person's chain is known only inside the writer:
`prepare` checks and hashes all there is to check and hash; `finish` adds the
link of each person slot and is a few hashes. Both are pure and keep nothing.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from struct import Struct
from typing import cast

from gateway.audit.commitment import (
    ABSENT,
    LINK_BYTES,
    SALT_BYTES,
    SECRET_BYTES,
    TAG,
    framed,
    masked,
    salts,
    seal_stream,
)
from gateway.audit.forms import Encode, encoder, instant_text, is_id
from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import leaf_hash, row_root
from gateway.audit.packed import pack_slot, pack_start
from gateway.model.audit import (
    FIRST_LINK,
    HEADER,
    LINK,
    OFFICER,
    PERSON,
    ROOT_BYTES,
    EventName,
    EventSchema,
    Link,
    LogEvent,
    LogField,
    LogRecord,
    LogValue,
    Slot,
    SlotRecord,
)
from gateway.model.audit_events import EVENTS, EVERY_VERSION
from gateway.model.identifiers import EventId


class _Fields:
    """The fields of an envelope or slot, compiled. Their order by name is the order of commitments and of canonical JSON."""

    __slots__ = ("names", "rows", "salts")

    def __init__(self, fields: Sequence[LogField], others: int) -> None:
        # name, framed name with the mark of presence, framed name with the mark of absence, JSON name, encoder, required
        self.rows: tuple[tuple[str, bytes, bytes, bytes, Encode, bool], ...] = tuple(
            (
                one.name,
                framed(one.name) + b"\x01",
                framed(one.name) + ABSENT,
                f'"{one.name}":'.encode(),
                encoder(one),
                one.required,
            )
            for one in fields
        )
        self.names = frozenset(one.name for one in fields)
        self.salts = Struct(f"{SALT_BYTES}s" * (len(fields) + others))


_FRAMED_HEADER = framed(HEADER) + b"\x01"
_FRAMED_LINK = framed(LINK) + b"\x01"


class _Compiled:
    __slots__ = ("envelope", "officer", "person", "tail")

    def __init__(self, schema: EventSchema) -> None:
        self.envelope = _Fields(schema.envelope, 1)
        self.officer = _Fields(schema.officer, 0)
        self.person = _Fields(schema.person, 1)
        self.tail = {
            (has_officer, persons): (
                f'","event":"{schema.name}","id":"',
                '","slots":['
                + ",".join([f'"{OFFICER}"'] * has_officer + [f'"{PERSON}"'] * persons)
                + f'],"v":{schema.version}}}',
            )
            for has_officer in (0, 1)
            for persons in range(33)
        }


MAX_PERSONS = 32
_SCHEMAS: Mapping[EventName, _Compiled] = {name: _Compiled(schema) for name, schema in EVENTS.items()}


def committed_names(schema: EventSchema) -> dict[str, tuple[str, ...]]:
    """The names a record of this schema commits to, in order: what an exported record needs to be opened."""
    return {
        "envelope": (HEADER, *(one.name for one in schema.envelope)),
        OFFICER: tuple(one.name for one in schema.officer),
        PERSON: (*(one.name for one in schema.person), LINK),
    }


# By event and version, of every version that a log may hold.
NAMES: Mapping[tuple[EventName, int], Mapping[str, Sequence[str]]] = {
    key: committed_names(one) for key, one in EVERY_VERSION.items()
}


def names_by_version() -> dict[str, Mapping[str, Sequence[str]]]:
    """The same by `event/version`: what the first line of an export says."""
    return {f"{name}/{version}": names for (name, version), names in NAMES.items()}


def _commit(
    fields: _Fields, values: Mapping[str, LogValue], salt: Sequence[bytes], leaves: list[bytes]
) -> tuple[bytes, bytes]:
    """Add the commitments of `fields` to `leaves`; returns the root of all leaves and the values' canonical JSON."""
    new, tag, get = sha256, TAG, values.get
    keep = leaves.append
    members: list[bytes] = []
    for (name, present, absent, member, encode, required), one in zip(fields.rows, salt, strict=True):
        value = get(name)
        if value is not None:
            raw = encode(value)
            members.append(member + raw)
            keep(new(tag + one + present + raw).digest())
        elif required:
            raise ValueError(f"log field `{name}` is required")
        else:
            keep(new(tag + one + absent).digest())
    if len(members) != len(values):
        unknown = sorted(name for name in values if name not in fields.names or values[name] is None)
        raise ValueError(f"the event has no field {', '.join(f'`{name}`' for name in unknown)}")
    return row_root(leaves), b"{" + b",".join(members) + b"}"


class PreparedRecord:
    """A record without its links. Immutable; `finish` may be called again when a transaction is repeated.

    `subjects` are the keyed names of its person slots, in order: whose chain
    heads `finish` wants as links.
    """

    __slots__ = ("_officer", "_persons", "_roots", "at", "envelope", "event_id", "name", "secret", "subjects")

    def __init__(
        self,
        event: LogEvent,
        envelope: bytes,
        roots: list[bytes],
        officer: SlotRecord | None,
        persons: list[tuple[str, int, bytes, bytes, bytes]],
    ) -> None:
        self.event_id = event.id
        self.name = event.name
        self.at: datetime = event.at
        self.envelope = envelope
        self.secret = event.secret
        self._roots = roots
        self._officer = officer
        self._persons = persons
        self.subjects: tuple[str, ...] = tuple([person[0] for person in persons])

    def finish(self, links: Sequence[Link] = ()) -> LogRecord:
        """Give every person slot its link, in the order of `subjects`; without links each is the first of its chain."""
        links = links or [FIRST_LINK] * len(self._persons)
        root, roots, sealed = self._chained(links)
        slots = [] if self._officer is None else [self._officer]
        slots += [SlotRecord(PERSON, *one) for one in zip(self.subjects, sealed, roots, links, strict=True)]
        entry = entry_bytes(root)
        return LogRecord(
            self.event_id, self.name, self.at, root, entry, leaf_hash(entry), self.envelope, self.secret, tuple(slots)
        )

    def keep(self, links: Sequence[Link] = ()) -> tuple[bytes, bytes]:
        """What a store needs of `finish(links)`, in a fraction of its time: the root, and the opening in its packed form."""
        root, roots, sealed = self._chained(links or [FIRST_LINK] * len(self._persons))
        parts = [pack_start(self.secret, self.envelope)]
        if self._officer is not None:
            parts.append(pack_slot(OFFICER, self._officer.root, self._officer.sealed))
        parts += [pack_slot(PERSON, *one) for one in zip(roots, sealed, strict=True)]
        return root, b"".join(parts)

    def dump(self) -> bytes:
        """Everything `keep` works from, for a store that gives records their places later. Read back by `load_prepared`.

        Holds the masks of the links (which person's record follows which), so it is no more public than the opening.
        """
        officer = self._officer
        parts = [
            self.event_id.encode(), self.name.value.encode(), instant_text(self.at).encode(), self.envelope, self.secret,
            b"".join(self._roots), b"" if officer is None else officer.root + officer.sealed,
        ]  # fmt: skip
        for subject, mask, rest, commit_link, node in self._persons:
            parts += [subject.encode(), mask.to_bytes(LINK_BYTES, "big"), rest, commit_link, node]
        return b"".join([len(part).to_bytes(4, "big") + part for part in parts])

    def _chained(self, links: Sequence[Link]) -> tuple[bytes, list[bytes], list[bytes]]:
        """The record's root, then the roots of the person slots and what is sealed of them."""
        persons = self._persons
        if len(links) != len(persons):
            raise ValueError("a record needs one link per person slot")
        roots: list[bytes] = []
        sealed: list[bytes] = []
        new = sha256
        for (_, stream, rest, commit_link, node), link in zip(persons, links, strict=True):
            if link is FIRST_LINK:
                text, fixed = _FIRST_TEXT, _FIRST_FIXED
            else:
                text, fixed = link_bytes(link), int.from_bytes(_fixed_link(link), "big")
            root = new(node + new(commit_link + text).digest()).digest()
            roots.append(root)
            sealed.append((fixed ^ stream).to_bytes(LINK_BYTES, "big") + rest)
        return row_root(self._roots + roots), roots, sealed


def load_prepared(raw: bytes) -> PreparedRecord:
    """The record that `PreparedRecord.dump` wrote. ValueError when it is cut short.

    The name of its event may be one that only newer code knows: in a rolling upgrade any node gives records their places,
    and none needs to know what they say for it.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "big")
        parts.append(raw[at + 4 : end])
        at = end
    if at != len(raw) or len(parts) < 7 or (len(parts) - 7) % 5:
        raise ValueError("a prepared record is cut short")
    event, name, when, envelope, secret, roots, officer = parts[:7]
    persons = [
        (parts[n].decode(), int.from_bytes(parts[n + 1], "big"), *parts[n + 2 : n + 5]) for n in range(7, len(parts), 5)
    ]
    said = LogEvent(
        EventId(event.decode()), _event_name(name.decode()), datetime.fromisoformat(when.decode()), {}, secret
    )
    return PreparedRecord(
        said,
        envelope,
        [roots[n : n + ROOT_BYTES] for n in range(0, len(roots), ROOT_BYTES)],
        SlotRecord(OFFICER, "", officer[ROOT_BYTES:], officer[:ROOT_BYTES]) if officer else None,
        persons,  # type: ignore[arg-type]
    )


def _event_name(text: str) -> EventName:
    try:
        return EventName(text)
    except ValueError:
        return cast("EventName", text)


def link_bytes(link: Link) -> bytes:
    """`{"prev":[event id, base64 root],"seq":n}`; without `prev` for the first of a chain. ValueError for anything else."""
    if link.seq == 1 and link.prev_event is None and not link.prev_root:
        return b'{"seq":1}'
    if link.seq < 2 or link.prev_event is None or len(link.prev_root) != ROOT_BYTES:
        raise ValueError("a link is the first of its chain or names the event and root before it")
    return b'{"prev":["%b","%b"],"seq":%d}' % (link.prev_event.encode(), b64encode(link.prev_root), link.seq)


_FIXED = Struct(f">Q{ROOT_BYTES}sB64s")


def _fixed_link(link: Link) -> bytes:
    prev = (link.prev_event or "").encode()
    return _FIXED.pack(link.seq, link.prev_root, len(prev), prev)


_FIRST_TEXT = link_bytes(FIRST_LINK)
_FIRST_FIXED = int.from_bytes(_fixed_link(FIRST_LINK), "big")


def read_fixed_link(raw: bytes) -> Link:
    """The link that `sealed` begins with, once unmasked. ValueError when it is none, or padded with anything but zeroes."""
    size = raw[40]
    seq = int.from_bytes(raw[:8], "big")
    link = Link(seq, EventId(raw[41 : 41 + size].decode("ascii")), raw[8:40]) if size else Link(seq)
    if size > 64 or _fixed_link(link) != raw:
        raise ValueError("not a link")
    return link


def prepare(event: LogEvent) -> PreparedRecord:
    """Check an event against its schema and compute everything but its place in the chains.

    ValueError names the first field that is missing, unknown or not of its form,
    never its value. Costs about two hashes a field and two a slot.
    """
    compiled = _SCHEMAS[event.name]
    persons = event.persons
    if len(event.secret) < SECRET_BYTES:
        raise ValueError("the envelope secret has fewer than 32 bytes")
    if not is_id(event.id):
        raise ValueError("the event id is not an id")
    if len(persons) > MAX_PERSONS or (persons and not compiled.person.rows):
        raise ValueError(f"`{event.name}` takes {MAX_PERSONS if compiled.person.rows else 'no'} persons")

    if persons and (
        not all(slot.subject for slot in persons) or len({slot.subject for slot in persons}) < len(persons)
    ):
        raise ValueError("every person slot needs the keyed name of a subject of its own")
    fields = compiled.envelope
    before, after = compiled.tail[event.officer is not None, len(persons)]
    header = ('{"at":"' + instant_text(event.at) + before + event.id + after).encode()
    first, *rest = fields.salts.unpack(salts(event.secret, 0, event.id, len(fields.rows) + 1))
    root, members = _commit(fields, event.values, rest, [sha256(TAG + first + _FRAMED_HEADER + header).digest()])
    roots = [root]
    envelope = b'{"fields":' + members + b',"header":' + header + b"}"

    officer = None
    number = 1
    if event.officer is not None:
        slot = event.officer
        fields = compiled.officer
        _check_secret(slot)
        root, members = _commit(
            fields, slot.values, fields.salts.unpack(salts(slot.secret, number, event.id, len(fields.rows))), []
        )
        sealed = masked(members, seal_stream(slot.secret, number, event.id, len(members)))
        officer = SlotRecord(OFFICER, slot.subject, sealed, root)
        roots.append(root)
        number += 1

    # subject, key stream of the link, sealed values, what the link's commitment and then the slot's root begin with
    prepared: list[tuple[str, int, bytes, bytes, bytes]] = []
    fields = compiled.person
    for slot in persons:
        _check_secret(slot)
        *rest, last = fields.salts.unpack(salts(slot.secret, number, event.id, len(fields.rows) + 1))
        root, members = _commit(fields, slot.values, rest, [])
        stream = seal_stream(slot.secret, number, event.id, LINK_BYTES + len(members))
        mask = int.from_bytes(stream[:LINK_BYTES], "big")
        sealed = masked(members, stream[LINK_BYTES:])
        prepared.append((slot.subject, mask, sealed, TAG + last + _FRAMED_LINK, b"\x01" + root))
        number += 1
    return PreparedRecord(event, envelope, roots, officer, prepared)


def _check_secret(slot: Slot) -> None:
    if not SECRET_BYTES <= len(slot.secret) <= 255:
        raise ValueError("a slot's secret has fewer than 32 bytes or more than 255")


def next_link(record: LogRecord, link: Link) -> Link:
    """What the next record of a chain commits to, after `record` took `link`."""
    return Link(link.seq + 1, EventId(record.event_id), record.root)

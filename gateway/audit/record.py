"""How does an event become a leaf that tells nothing, and can still be opened field by field?

The root of a record is the RFC 6962 tree over its commitments in the order of
its schema: the header, the envelope's fields (absent ones too, so that their
number tells nothing), then one subtree per slot, the officer's before the
persons'. A commitment is itself a leaf in the sense of RFC 6962:

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
from gateway.audit.merkle import leaf_hash
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
from gateway.model.audit_events import EVENTS
from gateway.model.identifiers import EventId


class _Fields:
    """The fields of an envelope or slot, compiled: in committed order, and in the order of canonical JSON."""

    __slots__ = ("by_name", "names", "rows")

    def __init__(self, fields: Sequence[LogField]) -> None:
        # name, framed name with the mark of presence, framed name with the mark of absence, encoder, required
        self.rows: tuple[tuple[str, bytes, bytes, Encode, bool], ...] = tuple(
            (one.name, framed(one.name) + b"\x01", framed(one.name) + ABSENT, encoder(one), one.required)
            for one in fields
        )
        self.names = frozenset(one.name for one in fields)
        order = sorted(range(len(fields)), key=lambda n: fields[n].name)
        self.by_name: tuple[tuple[int, bytes], ...] = tuple((n, f'"{fields[n].name}":'.encode()) for n in order)


_FRAMED_HEADER = framed(HEADER) + b"\x01"
_FRAMED_LINK = framed(LINK) + b"\x01"


class _Compiled:
    __slots__ = ("envelope", "officer", "person", "tail")

    def __init__(self, schema: EventSchema) -> None:
        self.envelope = _Fields(schema.envelope)
        self.officer = _Fields(schema.officer)
        self.person = _Fields(schema.person)
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


def _commit(
    stack: list[bytes], fields: _Fields, values: Mapping[str, LogValue], salt: bytes, start: int
) -> list[bytes | None]:
    """Push the commitments of `fields` as leaves `start ...` onto a compact range; returns the encoded values."""
    new, tag, get = sha256, TAG, values.get
    encoded: list[bytes | None] = []
    keep, pop, push = encoded.append, stack.pop, stack.append
    found, at, number = 0, start * SALT_BYTES, start
    for name, present, absent, encode, required in fields.rows:
        value = get(name)
        end = at + SALT_BYTES
        if value is None:
            if required:
                raise ValueError(f"log field `{name}` is required")
            keep(None)
            merged = new(tag + salt[at:end] + absent).digest()
        else:
            found += 1
            raw = encode(value)
            keep(raw)
            merged = new(tag + salt[at:end] + present + raw).digest()
        at = end
        bits = number
        while bits & 1:
            merged = new(b"\x01" + pop() + merged).digest()
            bits >>= 1
        push(merged)
        number += 1
    if found != len(values):
        unknown = sorted(name for name in values if name not in fields.names or values[name] is None)
        raise ValueError(f"the event has no field {', '.join(f'`{name}`' for name in unknown)}")
    return encoded


def _json(fields: _Fields, encoded: Sequence[bytes | None]) -> bytes:
    return b"{" + b",".join([name + raw for n, name in fields.by_name if (raw := encoded[n]) is not None]) + b"}"


def _push(stack: list[bytes], size: int, merged: bytes) -> None:
    while size & 1:
        merged = sha256(b"\x01" + stack.pop() + merged).digest()
        size >>= 1
    stack.append(merged)


def _root(stack: list[bytes]) -> bytes:
    root = stack.pop()
    while stack:
        root = sha256(b"\x01" + stack.pop() + root).digest()
    return root


class PreparedRecord:
    """A record without its links. Immutable; `finish` may be called again when a transaction is repeated.

    `subjects` are the keyed names of its person slots, in order: whose chain
    heads `finish` wants as links.
    """

    __slots__ = (
        "_envelope_size",
        "_officer",
        "_persons",
        "_stack",
        "at",
        "envelope",
        "event_id",
        "name",
        "secret",
        "subjects",
    )

    def __init__(
        self,
        event: LogEvent,
        envelope: bytes,
        stack: list[bytes],
        envelope_size: int,
        officer: SlotRecord | None,
        persons: list[tuple[str, bytes, bytes, list[bytes], int, bytes]],
    ) -> None:
        self.event_id = event.id
        self.name = event.name
        self.at: datetime = event.at
        self.envelope = envelope
        self.secret = event.secret
        self._stack = stack
        self._envelope_size = envelope_size
        self._officer = officer
        self._persons = persons
        self.subjects: tuple[str, ...] = tuple(person[0] for person in persons)

    def finish(self, links: Sequence[Link] = ()) -> LogRecord:
        """Give every person slot its link, in the order of `subjects`; without links each is the first of its chain."""
        persons = self._persons
        if links and len(links) != len(persons):
            raise ValueError("a record needs one link per person slot")
        stack, size = self._stack.copy(), self._envelope_size
        slots: list[SlotRecord] = []
        if self._officer is not None:
            slots.append(self._officer)
        for number, (subject, stream, personal, slot_stack, slot_size, salt) in enumerate(persons):
            link = links[number] if links else FIRST_LINK
            leaf = sha256(TAG + salt + _FRAMED_LINK + link_bytes(link)).digest()
            inner = slot_stack.copy()
            _push(inner, slot_size, leaf)
            root = _root(inner)
            _push(stack, size, root)
            size += 1
            slots.append(SlotRecord(PERSON, subject, masked(_fixed_link(link), stream) + personal, root, link))
        root = _root(stack)
        entry = entry_bytes(root)
        return LogRecord(
            self.event_id, self.name, self.at, root, entry, leaf_hash(entry), self.envelope, self.secret, tuple(slots)
        )


def link_bytes(link: Link) -> bytes:
    """`{"prev":[event id, base64 root],"seq":n}`; without `prev` for the first of a chain. ValueError for anything else."""
    if link.seq == 1 and link.prev_event is None and not link.prev_root:
        return b'{"seq":1}'
    if link.seq < 2 or link.prev_event is None or len(link.prev_root) != ROOT_BYTES:
        raise ValueError("a link is the first of its chain or names the event and root before it")
    return b'{"prev":["%b","%b"],"seq":%d}' % (link.prev_event.encode(), b64encode(link.prev_root), link.seq)


def _fixed_link(link: Link) -> bytes:
    prev = (link.prev_event or "").encode()
    return (
        link.seq.to_bytes(8, "big")
        + link.prev_root.ljust(ROOT_BYTES, b"\0")
        + bytes([len(prev)])
        + prev.ljust(64, b"\0")
    )


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

    fields = compiled.envelope
    before, after = compiled.tail[event.officer is not None, len(persons)]
    header = ('{"at":"' + instant_text(event.at) + before + event.id + after).encode()
    size = len(fields.rows) + 1
    salt = salts(event.secret, 0, event.id, size)
    stack = [sha256(TAG + salt[:SALT_BYTES] + _FRAMED_HEADER + header).digest()]
    encoded = _commit(stack, fields, event.values, salt, 1)
    envelope = b'{"fields":' + _json(fields, encoded) + b',"header":' + header + b"}"

    officer = None
    number = 1
    if event.officer is not None:
        slot = event.officer
        fields = compiled.officer
        _check_secret(slot)
        inner: list[bytes] = []
        encoded = _commit(inner, fields, slot.values, salts(slot.secret, number, event.id, len(fields.rows)), 0)
        root = _root(inner)
        personal = _json(fields, encoded)
        stream = seal_stream(slot.secret, number, event.id, len(personal))
        officer = SlotRecord(OFFICER, slot.subject, masked(personal, stream), root)
        _push(stack, size, root)
        size += 1
        number += 1

    prepared: list[tuple[str, bytes, bytes, list[bytes], int, bytes]] = []
    fields = compiled.person
    count = len(fields.rows)
    if not all(slot.subject for slot in persons) or len({slot.subject for slot in persons}) < len(persons):
        raise ValueError("every person slot needs the keyed name of a subject of its own")
    for slot in persons:
        _check_secret(slot)
        salt = salts(slot.secret, number, event.id, count + 1)
        inner = []
        encoded = _commit(inner, fields, slot.values, salt, 0)
        personal = _json(fields, encoded)
        stream = seal_stream(slot.secret, number, event.id, LINK_BYTES + len(personal))
        personal = masked(personal, stream[LINK_BYTES:])
        prepared.append((slot.subject, stream[:LINK_BYTES], personal, inner, count, salt[count * SALT_BYTES :]))
        number += 1
    return PreparedRecord(event, envelope, stack, size, officer, prepared)


def _check_secret(slot: Slot) -> None:
    if not SECRET_BYTES <= len(slot.secret) <= 255:
        raise ValueError("a slot's secret has fewer than 32 bytes or more than 255")


def next_link(record: LogRecord, link: Link) -> Link:
    """What the next record of a chain commits to, after `record` took `link`."""
    return Link(link.seq + 1, EventId(record.event_id), record.root)

"""A record is the tree that its module says: against a second, plain reading of the same words."""

from __future__ import annotations

import contextlib
import json
import random
from base64 import b64encode
from dataclasses import replace
from datetime import datetime
from hashlib import sha256, shake_256
from typing import Any

import pytest

from gateway.audit.commitment import commitment
from gateway.audit.leaf import entry_bytes, entry_root
from gateway.audit.packed import envelope_of, unpacked
from gateway.audit.record import MAX_PERSONS, prepare
from gateway.model.audit import EventName, EventSchema, Link, LogEvent, LogRecord, Slot, SlotRecord
from gateway.model.audit_events import EVENTS
from gateway.model.identifiers import EventId
from tests.support.log_events import event_of, new_id

PEOPLE = (("subject-a", b"a" * 32), ("subject-b", b"b" * 32))


def tree(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01" + tree(hashes[:split]) + tree(hashes[split:])).digest()


def plain(stored: SlotRecord, number: int, secret: bytes, event_id: str, skip: int = 0) -> dict[str, Any]:
    stream = shake_256(b"hutong/seal/v1" + bytes((number, len(secret))) + secret + event_id.encode())
    text = bytes(a ^ b for a, b in zip(stored.sealed, stream.digest(len(stored.sealed)), strict=True))[skip:]
    values = json.loads(text)
    assert text == json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
    assert isinstance(values, dict)
    return values


def plain_root(schema: EventSchema, event: LogEvent, record: LogRecord) -> bytes:
    """The record root, computed the slow way from what is stored."""
    envelope = json.loads(record.envelope)

    def committed(number: int, secret: bytes, names: list[str], values: dict[str, Any]) -> list[bytes]:
        stream = shake_256(b"hutong/salt/v1" + bytes((number, len(secret))) + secret + event.id.encode())
        salt = stream.digest(32 * len(names))
        leaves = []
        for n, name in enumerate(names):
            text = json.dumps(values[name], sort_keys=True, separators=(",", ":")).encode() if name in values else None
            mark = b"\x00" if text is None else b"\x01" + text
            data = salt[32 * n : 32 * n + 32] + len(name).to_bytes(2, "big") + name.encode() + mark
            leaves.append(sha256(b"\x00hutong/field/v1" + data).digest())
        return leaves

    names = ["header", *(field.name for field in schema.envelope)]
    envelope_leaves = committed(0, event.secret, names, {"header": envelope["header"], **envelope["fields"]})
    leaves = [tree(envelope_leaves)]
    number = 1
    if event.officer is not None:
        values = plain(record.slots[0], 1, event.officer.secret, event.id)
        leaves.append(tree(committed(number, event.officer.secret, [f.name for f in schema.officer], values)))
        number += 1
    for slot, stored in zip(event.persons, record.person_slots, strict=True):
        values = plain(stored, number, slot.secret, event.id, skip=105)
        link = stored.link
        assert link is not None
        values["link"] = {"seq": link.seq}
        if link.prev_event is not None:
            values["link"]["prev"] = [link.prev_event, b64encode(link.prev_root).decode()]
        *inner, last = committed(number, slot.secret, [*(f.name for f in schema.person), "link"], values)
        person = sha256(b"\x01" + tree(inner) + last).digest()
        assert person == stored.root
        leaves.append(person)
        number += 1
    return tree(leaves)


@pytest.mark.parametrize("name", EventName)
@pytest.mark.parametrize("officer", [False, True])
def test_the_root_is_the_tree_over_the_commitments_in_the_order_of_the_schema(name: EventName, officer: bool) -> None:
    rng = random.Random(f"{name}/{officer}")
    for people in ((), PEOPLE[:1], PEOPLE):
        event = event_of(name, rng, people=people, officer=officer)
        links = tuple(Link(2, EventId(new_id(rng)), rng.randbytes(32)) for _ in event.persons)
        record = prepare(event).finish(links)
        assert record.root == plain_root(EVENTS[name], event, record)
        assert record.entry == entry_bytes(record.root)
        assert entry_root(record.entry) == record.root
        assert record.leaf_hash == sha256(b"\x00" + record.entry).digest()


def sample(name: EventName = EventName.DELIVERY_SENT, seed: int = 1) -> LogEvent:
    return event_of(name, random.Random(seed), people=PEOPLE, officer=True)


def test_the_stored_json_is_canonical() -> None:
    record = prepare(sample()).finish()
    for raw in (record.envelope, record.opening):
        assert raw == json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", EventName)
@pytest.mark.parametrize("officer", [False, True])
def test_what_a_store_keeps_gives_back_the_opening_byte_for_byte(name: EventName, officer: bool) -> None:
    rng = random.Random(f"{name}/{officer}")
    for people in ((), PEOPLE[:1], PEOPLE):
        event = event_of(name, rng, people=people, officer=officer)
        prepared = prepare(event)
        links = [Link(2, EventId(new_id(rng)), rng.randbytes(32)), *[Link(1)] * 32][: len(event.persons)]
        root, packed = prepared.keep(links)
        record = prepared.finish(links)
        assert (root, unpacked(packed)) == (record.root, record.opening)
        assert envelope_of(packed) == record.envelope
        assert len(packed) < len(record.opening)
        assert prepared.keep() == prepared.keep([Link(1)] * len(event.persons))
        for size in range(len(packed)):
            with contextlib.suppress(ValueError):  # a cut between two slots leaves a shorter opening, never this one
                assert unpacked(packed[:size]) != record.opening


def test_bytes_that_are_no_packed_opening_are_refused() -> None:
    _, packed = prepare(sample()).keep()
    for wrong in (b"", b"\x20", packed[:40], packed + b"\x01", packed + b"\x07" + bytes(36)):
        with pytest.raises(ValueError, match="cut short"):
            unpacked(wrong)
    with pytest.raises(ValueError, match="cut short"):
        envelope_of(packed[:40])


def test_finishing_again_gives_the_same_record_and_another_link_another_root() -> None:
    prepared = prepare(sample())
    assert prepared.finish() == prepared.finish()
    assert prepared.subjects == ("subject-a", "subject-b")
    first, other = Link(1), Link(2, EventId(new_id(random.Random(3))), b"r" * 32)
    assert len({prepared.finish(links).root for links in ((first, first), (first, other), (other, first))}) == 3


def test_every_value_secret_and_link_moves_the_root() -> None:
    event = sample()
    roots = {prepare(event).finish().root}
    required = {field.name for field in EVENTS[event.name].envelope if field.required}
    optional = max(event.values.keys() - required)
    changed = [
        replace(event, secret=b"x" * 32),
        replace(event, id=EventId(new_id(random.Random(9)))),
        replace(event, values={**event.values, "attempt": 7_777}),
        replace(event, values={name: value for name, value in event.values.items() if name != optional}),
        replace(event, persons=event.persons[::-1]),
        replace(event, persons=event.persons[:1]),
        replace(event, officer=None),
        replace(event, persons=(replace(event.persons[0], secret=b"y" * 32), event.persons[1])),
    ]
    roots |= {prepare(one).finish().root for one in changed}
    assert len(roots) == len(changed) + 1


def test_two_slots_under_one_secret_do_not_share_salts() -> None:
    event = sample()
    same = Slot(event.persons[0].values, b"k" * 32, "subject-a")
    record = prepare(replace(event, persons=(same, replace(same, subject="subject-b")))).finish()
    assert record.person_slots[0].root != record.person_slots[1].root


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"values": {}}, "`actor` is required"),
        ({"values": {"name": "x"}}, "is required"),
        ({"secret": b"short"}, "envelope secret"),
        ({"id": "999999201503010016"}, "event id"),
        ({"persons": (Slot({}, b"a" * 32, "s"),)}, "`person` is required"),
        ({"persons": (Slot({"person": "x" * 20}, b"a" * 31, "s"),)}, "slot's secret"),
        ({"persons": (Slot({"person": "x" * 20}, b"a" * 32),)}, "keyed name"),
        ({"persons": (Slot({"person": "x" * 20}, b"a" * 32, "s"),) * 2}, "of its own"),
        ({"at": datetime(2026, 3, 1)}, "offset"),
    ],
)
def test_an_event_that_does_not_fit_its_schema_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        prepare(replace(sample(), **change))


def test_an_unknown_field_and_a_person_where_none_belongs_are_refused() -> None:
    event = sample()
    with pytest.raises(ValueError, match="no field `narrative`"):
        prepare(replace(event, values={**event.values, "narrative": "x"}))
    with pytest.raises(ValueError, match="takes no persons"):
        prepare(replace(sample(EventName.POLICY_ACTIVATED), persons=event.persons))
    with pytest.raises(ValueError, match=f"takes {MAX_PERSONS} persons"):
        prepare(replace(event, persons=event.persons * 17))


@pytest.mark.parametrize(
    "link", [Link(0), Link(2), Link(1, EventId("x" * 20), b"r" * 32), Link(3, EventId("x" * 20), b"short"), Link(-1)]
)
def test_a_link_that_is_neither_first_nor_complete_is_refused(link: Link) -> None:
    event = sample()
    with pytest.raises(ValueError, match="link"):
        prepare(event).finish((link, link))
    with pytest.raises(ValueError, match="one link per person"):
        prepare(event).finish((Link(1),))


def test_absent_and_empty_are_not_the_same_commitment() -> None:
    salt = b"s" * 32
    assert (
        len({commitment(salt, "flags", None), commitment(salt, "flags", b"[]"), commitment(salt, "flag", b"[]")}) == 3
    )


@pytest.mark.parametrize(
    "entry",
    [
        b"", b"{}", entry_bytes(b"r" * 32) + b"\n", entry_bytes(b"r" * 32).replace(b":", b": "), entry_bytes(b"r" * 31),
        b'{"c":"' + b"A" * 42 + b'B=","v":1}', entry_bytes(b"r" * 32).replace(b"1}", b"2}"),
    ],
)  # fmt: skip
def test_an_entry_that_is_not_exactly_ours_is_not_read(entry: bytes) -> None:
    with pytest.raises(ValueError, match="entry"):
        entry_root(entry)

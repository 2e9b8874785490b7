"""Erase one person and the rest of the record goes on telling; the store cannot change a word unseen."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gateway.audit.findings import Wrong
from gateway.audit.opening import Opening, check_envelope, open_slot, read_opening
from gateway.audit.record import prepare
from gateway.model.audit import EventName, Link, LogEvent, LogRecord
from gateway.model.identifiers import EventId
from tests.support.log_events import event_of, new_id

SECRETS = {"subject-a": b"a" * 32, "subject-b": b"b" * 32}


def made(name: EventName = EventName.DELIVERY_SENT, seed: int = 5) -> tuple[LogEvent, LogRecord, Opening]:
    rng = random.Random(seed)
    event = event_of(name, rng, people=tuple(SECRETS.items()), officer=True)
    link = Link(7, EventId(new_id(rng)), rng.randbytes(32))
    record = prepare(event).finish((link, Link(1)) if event.persons else ())
    return event, record, read_opening(record.opening)


@pytest.mark.parametrize("name", EventName)
def test_what_was_logged_is_what_is_read(name: EventName) -> None:
    event, record, opening = made(name)
    check_envelope(opening, record.entry)
    assert opening.event_id == event.id and opening.name is name
    assert event.officer is not None
    assert open_slot(opening, 1, event.officer.secret).values.keys() == event.officer.values.keys()
    for number, (slot, stored) in enumerate(zip(event.persons, record.person_slots, strict=True), 2):
        opened = open_slot(opening, number, slot.secret)
        assert opened.values.keys() == slot.values.keys()
        assert opened.values["person"] == slot.values["person"]
        assert opened.link == stored.link


def test_without_its_secret_a_slot_stays_closed_and_all_else_opens() -> None:
    event, record, opening = made()
    check_envelope(opening, record.entry)
    for secret in (b"x" * 32, SECRETS["subject-b"], record.secret, bytes(32)):
        with pytest.raises(Wrong, match="does not open"):
            open_slot(opening, 2, secret)
    assert open_slot(opening, 3, SECRETS["subject-b"]).values["person"] == event.persons[1].values["person"]


def test_what_is_kept_shows_nothing_of_a_slot_or_of_its_chain() -> None:
    event, record, _ = made()
    personal = [*event.persons[0].values.values(), *event.persons[1].values.values()]
    link = record.person_slots[0].link
    assert link is not None and link.prev_event is not None
    for kept in (record.opening, record.entry, record.envelope):
        for value in (*personal, link.prev_event, "subject-a"):
            if isinstance(value, str) and len(value) > 8:
                assert value.encode() not in kept


def test_every_changed_byte_of_what_is_kept_is_found() -> None:
    event, record, _ = made()
    raw = record.opening
    secrets = {1: event.officer.secret if event.officer else b"", 2: SECRETS["subject-a"], 3: SECRETS["subject-b"]}
    for at in range(0, len(raw), 3):
        for flip in (0x01, 0x20):
            changed = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
            with pytest.raises(Wrong):
                opening = read_opening(changed)
                check_envelope(opening, record.entry)
                for number, secret in secrets.items():
                    open_slot(opening, number, secret)


def test_slots_exchanged_dropped_or_added_are_found() -> None:
    _, record, opening = made()
    a, b, c = opening.slots
    for slots in ((a, c, b), (a, b), (b, c), (a, b, b), (a, b, c, c), ()):
        with pytest.raises(Wrong):
            check_envelope(replace(opening, slots=slots), record.entry)

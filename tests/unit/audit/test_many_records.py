"""The quick check of many records and the one that explains agree, on records as they are and as they were changed."""

from __future__ import annotations

import random

import pytest

from gateway.audit.findings import Wrong
from gateway.audit.many_records import first_unopened
from gateway.audit.opening import check_envelope, read_opening
from gateway.audit.record import prepare
from gateway.model.audit import EventName
from tests.support.log_events import event_of

PEOPLE = (("11" * 32, b"a" * 32), ("22" * 32, b"b" * 32))


def holds(entry: bytes, opening: bytes) -> bool:
    try:
        check_envelope(read_opening(opening), entry)
    except Wrong:
        return False
    return True


@pytest.mark.parametrize("name", list(EventName))
def test_a_record_holds_for_both_and_no_changed_byte_holds_for_either(name: EventName) -> None:
    rng = random.Random(name)
    record = prepare(event_of(name, rng, people=PEOPLE)).finish()
    assert first_unopened([(record.entry, record.opening)]) is None
    for _ in range(60):
        changed = bytearray(record.opening)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(7)
        assert (first_unopened([(record.entry, bytes(changed))]) is None) == holds(record.entry, bytes(changed))


def test_the_first_of_many_is_named() -> None:
    rng = random.Random(1)
    records = [prepare(event_of(EventName.NOTICE_ACCEPTED, rng)).finish() for _ in range(9)]
    pairs = [(one.entry, one.opening) for one in records]
    pairs[6], pairs[4] = (pairs[6][0], pairs[5][1]), (pairs[4][0], pairs[3][1])
    assert first_unopened(pairs) == 4

"""Events of the exchange log for tests: every event of the closed list, with values of its fields' forms."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from gateway.model.audit import FACET_SETS, EventName, Form, LogEvent, LogField, Slot
from gateway.model.audit_events import EVENTS
from gateway.model.identifiers import EventId

START = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)


def new_id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def value_of(field: LogField, rng: random.Random) -> Any:
    """A value that this field takes."""
    if field.choices and field.form is Form.CODES:
        return tuple(sorted(rng.sample(sorted(field.choices), 2)))
    if field.choices:
        return rng.choice(sorted(field.choices))
    match field.form:
        case Form.ID | Form.HANDLE:
            return new_id(rng)
        case Form.DIGEST:
            return f"sha256:{rng.getrandbits(256):064x}"
        case Form.OFFICE:
            return rng.choice(["police.440113", "education.440113.zhongxin", "gateway", "civil_affairs.440113001002"])
        case Form.CODE:
            return rng.choice(["bad-signature", "schema", "too-large", "outcome-7"])
        case Form.CODES:
            return tuple(sorted(rng.sample(["no-onward", "retain-days", "P05", "police.440113"], 2)))
        case Form.FLAGS:
            return ("reused-id", "schema:/persons/0/birth_date")
        case Form.PURPOSE:
            return "P01"
        case Form.BASIS:
            return ("L02", "L20")
        case Form.NOTICE_TYPE:
            return rng.choice(["RPT", "RPT-M", "GRD-PA", "ACC"])
        case Form.REGION:
            return rng.choice(["440113", "440113001", "440113001002"])
        case Form.RULES:
            return ("guard-conflict", "school-safety-terms")
        case Form.FIELDS:
            return ("minor.birth_date", "minor.name")
        case Form.FIELD_FORMS:
            return tuple((f"minor.field_{n}", rng.choice(sorted(FACET_SETS))) for n in range(5))
        case Form.FACTS:
            return (("age_band", "8-11"), ("notice_type", "RPT-M"), ("person.conflict", "yes"))
        case Form.HASH:
            return f"{rng.getrandbits(256):064x}"
        case Form.KEY:
            return "office-key-2026-03"
        case Form.VERSION:
            return "2026-03.1"
        case Form.REFERENCE:
            return (new_id(rng),)
        case Form.COUNT:
            return rng.randrange(1000)
        case Form.FLAG:
            return rng.random() < 0.5
        case Form.INSTANT:
            return START + timedelta(milliseconds=rng.randrange(10**9))
    raise AssertionError(field.form)


def values_of(fields: tuple[LogField, ...], rng: random.Random) -> dict[str, Any]:
    return {field.name: value_of(field, rng) for field in fields if field.required or rng.random() < 0.7}


def person_of(subject: str) -> str:
    return sha256(subject.encode()).hexdigest()[:32]


def event_of(
    name: EventName, rng: random.Random, *, people: tuple[tuple[str, bytes], ...] = (), officer: bool = False
) -> LogEvent:
    """An event with random values. `people` are (subject, log key) pairs, one person slot each where the event has them;
    a subject is the same person in every event."""
    schema = EVENTS[name]
    return LogEvent(
        EventId(new_id(rng)),
        name,
        START + timedelta(milliseconds=rng.randrange(10**10)),
        values_of(schema.envelope, rng),
        rng.randbytes(32),
        tuple(
            Slot({**values_of(schema.person, rng), "person": person_of(subject)}, key, subject)
            for subject, key in people
            if schema.persons
        ),
        Slot(values_of(schema.officer, rng), rng.randbytes(32)) if officer else None,
    )

"""A record is opened by the schema of its own version, and a schema that has been written with never changes in place."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.audit import record
from gateway.audit.many_records import first_unopened
from gateway.audit.opening import check_envelope, read_opening
from gateway.audit.record import committed_names, prepare
from gateway.model.audit import EventSchema
from gateway.model.audit_events import EARLIER, EVENTS, EVERY_VERSION
from tests.support.log_events import event_of

WRITTEN_WITH = Path(__file__).with_name("written_with.txt")


@pytest.mark.parametrize("schema", EARLIER, ids=lambda schema: f"{schema.name}/{schema.version}")
def test_a_record_of_an_earlier_version_still_opens(schema: EventSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    assert schema.version < EVENTS[schema.name].version
    event = event_of(schema.name, random.Random(1))
    known = {field.name for field in schema.envelope}
    event = replace(event, values={name: value for name, value in event.values.items() if name in known})
    monkeypatch.setitem(record._SCHEMAS, schema.name, record._Compiled(schema))
    written = prepare(event).finish()
    check_envelope(read_opening(written.opening), written.entry)
    assert first_unopened([(written.entry, written.opening)]) is None


def test_no_schema_that_logs_were_written_with_has_changed() -> None:
    """Every log that exists holds records of these. A line that would change asks for a new version of its event, with the
    old one among `EARLIER`; a new event or version is a new line."""
    now = {
        f"{name}/{version}: "
        + "; ".join(f"{slot} {','.join(names)}" for slot, names in committed_names(schema).items() if names)
        for (name, version), schema in EVERY_VERSION.items()
    }
    assert now == set(WRITTEN_WITH.read_text("utf-8").splitlines())

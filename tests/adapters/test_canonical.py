"""Do CloudEvents come in and go out in all three modes, with the reporter set apart?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cloudevents.core.bindings.http import (  # another implementation of the specification
    HTTPMessage,
    from_structured,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as ForeignEvent

from adapters.canonical import ADAPTER
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import decode_one, office, release

EVENT = {
    "specversion": "1.0",
    "id": "n-1",
    "source": "urn:hutong:office:police.440113",
    "type": "hutong.notice.RPT-M.v1",
    "subject": "case-1",
    "time": "2026-03-01T10:00:00+08:00",
    "traceid": "t1",
    "data": {"urgency": 2, "reporter": {"name": "报告人", "phone": "13900000000"}, "sealed": {"marker": "1"}},
}


def test_a_structured_event_becomes_a_notice_without_its_reporter():
    notice = decode_one(ADAPTER, json.dumps(EVENT).encode(), "police", "application/cloudevents+json")
    assert (notice.type, notice.native_id, notice.subject, notice.data) == ("RPT-M", "n-1", "case-1", {"urgency": 2})
    assert notice.reporter == {"name": "报告人", "phone": "13900000000"}
    assert notice.sealed == {"marker": "1"}
    assert (notice.gaps, notice.extensions) == ((), {"traceid": "t1"})


def test_a_binary_event_means_the_same():
    headers = {f"ce-{name}": str(value) for name, value in EVENT.items() if name != "data"}
    decoded = ADAPTER.decode(json.dumps(EVENT["data"]).encode(), "application/json", office("police"), headers)
    structured = decode_one(ADAPTER, json.dumps(EVENT).encode(), "police", "application/cloudevents+json")
    assert decoded.items[0] == structured


def test_a_batch_answers_event_by_event():
    batch = [EVENT, {**EVENT, "type": "org.example.other"}, {**EVENT, "data": 1}, 7]
    decoded = ADAPTER.decode(json.dumps(batch).encode(), "application/cloudevents-batch+json", office("police"), {})
    assert decoded.is_batch
    assert [isinstance(item, RefusedItem) for item in decoded.items] == [False, True, True, True]
    assert [item.problems[0].code for item in decoded.items[1:]] == ["unknown-type", "no-data", "not-an-event"]


def test_a_source_that_is_not_the_sender_is_refused():
    decoded = ADAPTER.decode(json.dumps(EVENT).encode(), "application/cloudevents+json", office("health"), {})
    (item,) = decoded.items
    assert isinstance(item, RefusedItem)
    assert [problem.code for problem in item.problems] == ["wrong-source"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a":1,"a":2}', b"\xff\xfe", b"null", b"[" * 100_000])
def test_what_is_no_event_is_refused_with_a_position(raw):
    for media_type in ADAPTER.media_types:
        for item in ADAPTER.decode(raw, media_type, office("police"), {}).items:
            assert isinstance(item, RefusedItem)
            assert item.problems


def test_a_release_goes_out_byte_for_byte_and_opens_with_another_sdk():
    canonical = json.dumps({**EVENT, "data": {"urgency": 2}}, ensure_ascii=False).encode()
    released = replace(release({"urgency": 2}, "RPT-M", "police"), canonical=canonical)
    structured = ADAPTER.encode(released, office("police"), "application/cloudevents+json")
    assert structured.body == canonical
    also = from_structured(
        HTTPMessage({"content-type": structured.media_type}, structured.body), JSONFormat(), ForeignEvent
    )
    assert also.get_data() == {"urgency": 2}
    assert also.get_id() == "n-1"

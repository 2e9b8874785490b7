"""The official Python SDK reads what we write, and we read what it writes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings import http as sdk
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as SdkEvent

from gateway.validation.cloudevent import (
    CloudEvent,
    format_binary,
    format_structured,
    mode_of,
    parse_binary,
    parse_structured,
)

EXAMPLE = Path(__file__).resolve().parents[3] / "schemas/examples/RPT-M/pass-school-report.json"
DATA = json.loads(EXAMPLE.read_text(encoding="utf-8"))["data"]
TIME = "2026-03-01T09:30:00+08:00"
ATTRIBUTES: dict[str, Any] = {
    "id": "JY20260301-7 的第一份",
    "source": "urn:hutong:office:education.440113",
    "type": "hutong.notice.RPT-M.v1",
    "subject": '个案 1 "甲" 100%',
    "datacontenttype": "application/json",
    "dataschema": "urn:hutong:schema:notice:RPT-M:1",
    "deliveryid": "d-1",
}
OURS = CloudEvent(
    id=ATTRIBUTES["id"],
    source=ATTRIBUTES["source"],
    type=ATTRIBUTES["type"],
    subject=ATTRIBUTES["subject"],
    time=TIME,
    datacontenttype=ATTRIBUTES["datacontenttype"],
    dataschema=ATTRIBUTES["dataschema"],
    extensions={"deliveryid": "d-1"},
    data=DATA,
)


def check_theirs(event: Any) -> None:
    attributes = event.get_attributes()
    assert {name: attributes[name] for name in ATTRIBUTES} == ATTRIBUTES
    assert attributes["time"] == datetime.fromisoformat(TIME)
    assert event.get_data() == DATA


def check_ours(event: object) -> None:
    assert isinstance(event, CloudEvent), event
    assert {**event.attributes(), "time": event.instant} == {**OURS.attributes(), "time": OURS.instant}
    assert event.data == DATA


def test_the_sdk_reads_our_structured_form():
    check_theirs(
        sdk.from_http_event(
            sdk.HTTPMessage({"content-type": "application/cloudevents+json"}, format_structured(OURS)), JSONFormat()
        )
    )


def test_the_sdk_reads_our_binary_form():
    headers, body = format_binary(OURS)
    check_theirs(sdk.from_http_event(sdk.HTTPMessage(headers, body), JSONFormat()))


@pytest.mark.parametrize("write", [sdk.to_structured_event, sdk.to_binary_event])
def test_we_read_what_the_sdk_writes(write: Any):
    event = SdkEvent({**ATTRIBUTES, "specversion": "1.0", "time": datetime.fromisoformat(TIME)}, DATA)
    message = write(event)
    headers = {name.lower(): value for name, value in message.headers.items()}
    if mode_of(headers["content-type"]) == "structured":
        check_ours(parse_structured(message.body))
    else:
        check_ours(parse_binary(headers, message.body))


def test_the_older_interface_of_the_sdk_agrees():
    from cloudevents.v1.conversion import to_structured
    from cloudevents.v1.http import from_http
    from cloudevents.v1.http.event import CloudEvent as OlderEvent

    event = from_http({"content-type": "application/cloudevents+json"}, format_structured(OURS))
    assert event.get_data() == DATA
    assert event["subject"] == OURS.subject
    headers, body = to_structured(OlderEvent({**ATTRIBUTES, "specversion": "1.0", "time": TIME}, DATA))
    assert headers["content-type"].startswith("application/cloudevents+json")
    check_ours(parse_structured(body))

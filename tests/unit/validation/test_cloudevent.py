"""CloudEvents 1.0 in its three forms: strict, with places, and nothing lost on the way."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.engines.files.documents import schema_documents
from gateway.validation.cloudevent import (
    CloudEvent,
    Limits,
    Malformed,
    event_type_of,
    format_batch,
    format_binary,
    format_structured,
    mode_of,
    notice_type_of,
    parse_batch,
    parse_binary,
    parse_structured,
)
from tests.support.samples import ROOT, needs_samples

MINIMAL = {
    "specversion": "1.0",
    "id": "n-1",
    "source": "urn:hutong:office:police.440113",
    "type": "hutong.notice.RPT.v1",
}


def structured(**changes: Any) -> CloudEvent | Malformed:
    event = {name: value for name, value in {**MINIMAL, **changes}.items() if value is not ...}
    return parse_structured(json.dumps(event).encode())


def codes(answer: object) -> set[tuple[str, str]]:
    assert isinstance(answer, Malformed), answer
    assert all(problem.remedy for problem in answer.problems)
    return {(problem.code, problem.position) for problem in answer.problems}


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_required_attribute_is_required_and_not_empty(name: str):
    assert codes(structured(**{name: ...})) == {("missing-attribute", f"/{name}")}
    assert codes(structured(**{name: None})) == {("missing-attribute", f"/{name}")}
    assert codes(structured(**{name: ""})) == {("bad-attribute", f"/{name}")}
    assert codes(structured(**{name: 1})) == {("bad-attribute", f"/{name}")}


def test_every_wrong_attribute_is_told_at_once():
    answer = structured(
        specversion="0.3", id=..., time="yesterday", Colour="red", list=[1], big=2**31, subject="a\u0000"
    )
    assert codes(answer) == {
        ("bad-attribute", "/specversion"), ("missing-attribute", "/id"), ("bad-attribute", "/time"),
        ("bad-attribute", "/*"), ("bad-attribute", "/list"), ("bad-attribute", "/big"), ("bad-attribute", "/subject"),
    }  # fmt: skip


def test_extensions_are_kept_with_their_type_and_null_is_absence():
    answer = structured(traceparent="00-1", sampled=True, priority=-3, nothing=None, subject=None)
    assert isinstance(answer, CloudEvent)
    assert answer.extensions == {"traceparent": "00-1", "sampled": True, "priority": -3}
    assert answer.subject is None


def test_base64_data_is_read_and_excludes_data():
    answer = structured(data_base64="eyJhIjoxfQ==", datacontenttype="application/json")
    assert isinstance(answer, CloudEvent)
    assert (answer.data, answer.data_bytes) == ({"a": 1}, None)
    answer = structured(data_base64="AAH/", datacontenttype="application/octet-stream")
    assert isinstance(answer, CloudEvent)
    assert (answer.data, answer.data_bytes) == (None, b"\x00\x01\xff")
    assert codes(structured(data_base64="AAH/", data={})) == {("both-data", "/data_base64")}
    assert codes(structured(data_base64="A H")) == {("bad-base64", "/data_base64")}
    assert codes(structured(data_base64=7)) == {("bad-base64", "/data_base64")}


def test_a_name_given_twice_inside_base64_data_is_found_too():
    twice = "eyJhIjoxLCJhIjoyfQ=="  # {"a":1,"a":2}
    assert codes(structured(data_base64=twice)) == {("duplicate-member", "/data_base64")}


def test_a_batch_answers_item_by_item_with_exact_bytes():
    raw = (
        "[ " + json.dumps(MINIMAL) + ' , {"id": 1},7,\n' + json.dumps({**MINIMAL, "id": "n-2"}, indent=1) + " ]"
    ).encode()
    answer = parse_batch(raw)
    assert isinstance(answer, tuple)
    first, second, third, fourth = answer
    assert isinstance(first, CloudEvent)
    assert isinstance(fourth, CloudEvent)
    assert json.loads(first.raw) == MINIMAL
    assert raw.endswith(fourth.raw + b" ]")
    assert ("bad-attribute", "/1/id") in codes(second)
    assert codes(third) == {("not-an-event", "/2")}
    assert parse_batch(b" [] ") == ()


def test_limits_hold():
    small = Limits(max_bytes=200, max_items=2, max_depth=4, max_attribute=16)
    assert codes(parse_structured(b" " * 201, small)) == {("too-large", "")}
    assert codes(parse_batch(b"[1,2,3]", small)) == {("too-many", "")}
    assert codes(parse_batch(b"[[[[[1]]]]]", small)) == {("too-deep", "")}
    assert codes(parse_binary({}, b"x" * 201, small)) == {("too-large", "")}
    assert ("too-long", "/id") in codes(parse_structured(json.dumps({**MINIMAL, "id": "x" * 17}).encode(), small))
    assert codes(parse_batch(b"{}")) == {("not-a-batch", "")}
    assert codes(parse_structured(b"[]")) == {("not-an-event", "")}


BINARY = [(f"CE-{name}", value) for name, value in MINIMAL.items()]


def test_binary_attributes_come_from_headers_in_any_case():
    answer = parse_binary(
        [*BINARY, ("Content-Type", "application/json; charset=utf-8"), ("ce-note", '"a \\"b\\" %E2%82%AC"')], b'{"a":1}'
    )
    assert isinstance(answer, CloudEvent)
    assert answer.id == "n-1"
    assert answer.data == {"a": 1}
    assert answer.datacontenttype == "application/json; charset=utf-8"
    assert answer.extensions == {"note": 'a "b" €'}


def test_binary_faults_name_the_header():
    assert codes(parse_binary([*BINARY, ("ce-id", "other")], b"")) == {("duplicate-attribute", "ce-id")}
    for value in ("%FF", "%zz", "100%", "\u20ac", "\udcff"):
        assert codes(parse_binary([*BINARY, ("ce-note", value)], b"")) == {("bad-attribute", "ce-note")}
    assert codes(parse_binary([*BINARY, ("ce-datacontenttype", "a/b")], b"")) == {
        ("bad-attribute", "ce-datacontenttype")
    }
    assert codes(parse_binary(BINARY[1:], b"")) == {("missing-attribute", "ce-specversion")}
    assert {code for code, _ in codes(parse_binary(BINARY, b"{"))} == {"not-json"}


@pytest.mark.parametrize(
    ("content_type", "mode"),
    [
        ("application/cloudevents+json", "structured"),
        ("Application/CloudEvents+JSON; charset=UTF-8", "structured"),
        ("application/cloudevents-batch+json", "batch"),
        ("application/cloudevents+avro", "unsupported"),
        ("application/cloudevents+json; charset=gb18030", "unsupported"),
        ("application/json", "binary"),
        ("", "binary"),
    ],
)
def test_the_content_type_tells_the_form(content_type: str, mode: str):
    assert mode_of(content_type) == mode


def test_the_event_type_names_notice_type_and_version():
    assert notice_type_of("hutong.notice.RPT-M.v1") == ("RPT-M", 1)
    assert event_type_of(notice_type_of("hutong.notice.GRD-PA.v12")[0], 12) == "hutong.notice.GRD-PA.v12"
    for other in (
        "hutong.notice.rpt.v1",
        "hutong.notice.RPT",
        "hutong.notice.RPT.v0",
        "x.hutong.notice.RPT.v1",
        "hutong.notice.RPT.v1\n",
    ):
        assert notice_type_of(other) is None


FIT = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=30,
)
EVENTS = st.builds(
    CloudEvent,
    id=FIT,
    source=FIT,
    type=FIT,
    subject=st.none() | FIT,
    time=st.none() | st.just("2026-03-01T09:30:00.123+08:00"),
    datacontenttype=st.just("application/json"),
    extensions=st.dictionaries(st.from_regex(r"x[a-z0-9]{1,10}", fullmatch=True), FIT, max_size=3),
    data=st.dictionaries(FIT, st.integers(-9, 9) | FIT | st.booleans(), min_size=1, max_size=4),
)


def same(left: CloudEvent, right: object) -> bool:
    return isinstance(right, CloudEvent) and (left.attributes(), left.data, left.data_bytes) == (
        right.attributes(), right.data, right.data_bytes,
    )  # fmt: skip


@given(EVENTS)
def test_what_is_written_reads_back_in_every_form(event: CloudEvent):
    assert same(event, parse_structured(format_structured(event)))
    batch = parse_batch(format_batch([event, event]))
    assert isinstance(batch, tuple)
    assert all(same(event, item) for item in batch)
    headers, body = format_binary(event)
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert same(event, parse_binary(headers, body))


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_get_an_answer(raw: bytes):
    parse_structured(raw)
    parse_batch(raw)
    parse_binary({"ce-id": raw.decode("latin-1")}, raw)


@pytest.mark.samples
@needs_samples
def test_naughty_strings_pass_through_or_get_a_place():
    for text in json.loads((ROOT / "hostile/strings/blns.json").read_text(encoding="utf-8")):
        event = CloudEvent("n-1", "urn:x", "t", extensions={"note": text} if text else {}, data={"text": text})
        back = parse_structured(format_structured(event))
        assert same(event, back) or codes(back) == {("bad-attribute", "/note")}


@pytest.mark.samples
@needs_samples
def test_the_conformance_feature_of_the_http_binding_is_read():
    """cloudevents/conformance: the requests in the feature file, all content types of its examples."""
    text = (ROOT / "cloudevents/http-protocol-binding.feature").read_text(encoding="utf-8")
    requests = re.findall(r'Given an HTTP request\s+"""\n(.*?)\n\s+"""', text, re.DOTALL)
    assert len(requests) == 2
    for request, forms in zip(
        requests, re.findall(r"Examples:\n\s+\| contentType +\|\n((?:\s+\|.*\|\n?)+)", text), strict=True
    ):
        for content_type in (line.strip(" |") for line in forms.strip().splitlines()):
            head, _, body = "\n".join(line.strip() for line in request.splitlines()).partition("\n\n")
            headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
            headers["Content-Type"] = content_type
            mode = mode_of(content_type)
            answer = parse_binary(headers, body.encode()) if mode == "binary" else parse_structured(body.encode())
            assert isinstance(answer, CloudEvent)
            assert (answer.id, answer.source, answer.type) == (
                "1234-1234-1234",
                "/mycontext/subcontext",
                "com.example.someevent",
            )
            assert answer.data == {"message": "Hello World!"}


@pytest.mark.samples
@needs_samples
def test_the_conformance_events_are_read_in_both_forms():
    seen = 0
    for name in ("v1.yaml", "v1_minimum.yaml"):
        for case in yaml.load_all((ROOT / "cloudevents" / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader):
            if not case:
                continue
            attributes = dict(case["ContextAttributes"])
            extensions = {key: value.strip() for key, value in attributes.pop("Extensions", {}).items()}
            body = case.get("Data", "").strip()
            value = json.loads(body) if body.startswith("{") else body or None
            media = "text/plain" if isinstance(value, str) else "application/json"
            attributes.pop("datacontenttype", None)
            headers = {f"ce-{key}": value for key, value in {**attributes, **extensions}.items()}
            event = {**attributes, **extensions, "data": value, "datacontenttype": media}
            answers = [parse_structured(json.dumps(event).encode())]
            if case.get("Mode") != "structured":
                answers.append(parse_binary({**headers, "content-type": media}, body.encode()))
            for answer in answers:
                assert isinstance(answer, CloudEvent), answer
                assert answer.extensions == extensions
                assert (answer.data if answer.data_bytes is None else answer.data_bytes.decode()) == value
                seen += 1
    assert seen >= 2


def test_a_formatted_notice_holds_by_the_published_envelope_schema():
    import jsonschema_rs

    documents = schema_documents()
    registry = jsonschema_rs.Registry([(doc["$id"], doc) for doc in documents.values()])
    envelope = jsonschema_rs.Draft202012Validator(documents["envelope.json"], registry=registry)
    event = CloudEvent(
        "n-1", "urn:hutong:office:education.440113.zhongxin-school", "hutong.notice.RPT-M.v1", "c-1",
        "2026-03-01T09:30:00+08:00", "application/json", "urn:hutong:schema:notice:RPT-M:1", {"traceparent": "00"}, {},
    )  # fmt: skip
    envelope.validate(json.loads(format_structured(CloudEvent(**{**_fields(event), "data": {"urgency": 1}}))))
    assert not envelope.is_valid({**MINIMAL, "source": "urn:hutong:office:nobody", "data": {}})


def _fields(event: CloudEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__slots__}

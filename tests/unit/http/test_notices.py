"""What a sender gets for what it sends, over a real socket."""

import json

import pytest

from gateway.http.settings import HttpSettings
from gateway.model.errors import (
    IdempotencyConflict,
    InvalidNotice,
    Problem,
    Tampered,
    TooManyRequests,
    Unavailable,
)
from gateway.ports.translation import RefusedItem
from tests.unit.http.standins import Receipt, StandIn, Submitted, event


async def test_a_signed_notice_gets_its_receipt_and_a_place_to_follow_it(standin):
    status, headers, body = await standin.send(standin.police, event())
    assert status == 202
    assert headers["Location"] == "/v1/notices/notice-0001"
    assert json.loads(body)["type"] == "accepted"
    caller, seen, media_type, passed = standin.submit.calls[0]
    assert (caller.office.id, seen, media_type) == (standin.police.office, event(), "application/cloudevents+json")
    assert "authorization" not in passed


async def test_the_same_bytes_get_the_first_receipt_byte_for_byte(standin):
    first = await standin.send(standin.police, event())
    again = await standin.send(standin.police, event())
    assert again[2] == first[2]
    assert again[1]["Hutong-Replayed"] == "true"
    assert "Hutong-Replayed" not in first[1]


async def test_a_signature_over_other_bytes_is_a_problem_with_a_remedy(standin):
    status, headers, body = await standin.send(
        standin.police, event(), **{"Hutong-Signature": standin.police.sign(b"other")}
    )
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    problem = json.loads(body)
    assert problem["code"] == "bad-signature"
    assert problem["remedy"]


async def test_another_offices_signature_is_not_this_offices(standin):
    status, _, _ = await standin.send(standin.police, event(), **{"Hutong-Signature": standin.health.sign(event())})
    assert status == 400


async def test_a_batch_has_one_answer_per_item_in_order(standin):
    refused = RefusedItem("/1", (Problem("invalid-notice", "/1/data/urgency", "missing", "add it"),))
    standin.submit.answer = Submitted((Receipt(b'{"receipt":"a"}', "n1"), refused), is_batch=True)
    body = b"[{},{}]"
    status, _, answer = await standin.send(
        standin.police, body, **{"Content-Type": "application/cloudevents-batch+json"}
    )
    items = json.loads(answer)
    assert status == 202
    assert [item["status"] for item in items] == [202, 422]
    assert items[0] == {"status": 202, "replayed": False, "receipt": "a"}
    assert (items[1]["position"], items[1]["code"]) == ("/1", "invalid-notice")
    assert items[1]["problems"][0]["position"] == "/1/data/urgency"


async def test_a_single_refused_notice_is_a_problem_of_its_own_status(standin):
    standin.submit.answer = Submitted((RefusedItem("", (Problem("undecodable", "line 1", "not JSON"),)),))
    status, headers, body = await standin.send(standin.police, event())
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert json.loads(body)["problems"][0]["position"] == "line 1"


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [
        (IdempotencyConflict("the id was used before"), 409, None),
        (InvalidNotice("it does not hold", problems=(Problem("x", "/a", "b"),)), 422, None),
        (Unavailable("the store is down"), 503, "2"),
        (TooManyRequests("too many"), 429, "2"),
        (Tampered("a record does not open: 李小测 440113201001011234"), 503, "300"),
        (ZeroDivisionError("李小测 440113201001011234"), 500, "30"),
    ],
)
async def test_each_error_has_one_status_and_says_when_to_come_again(standin, error, status, wait):
    standin.submit.answer = error
    got, headers, body = await standin.send(standin.police, event())
    assert got == status
    assert headers.get("Retry-After") == wait
    assert "440113201001011234" not in body.decode() + standin.lines.getvalue().decode()


async def test_the_sandbox_answers_200_and_no_receipt_is_kept(standin):
    status, _, _ = await standin.send(standin.police, event(), "/v1/notices:check")
    assert status == 200


async def test_a_body_over_the_limit_is_refused_before_it_is_read():
    standin = await StandIn(HttpSettings(max_body_bytes=1000)).start()
    try:
        for body in (event(data={"x": "y" * 2000}), event(data={"x": "y" * 20})):
            status, _, answer = await standin.send(standin.police, body)
            assert status == (413 if len(body) > 1000 else 202), answer
    finally:
        await standin.stop()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "json"}, 415),
        ({"Content-Type": "application/cloudevents+json; charset=gb18030"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "deflate, gzip"}, 415),
        ({"ce-id": "姓名"}, 400),
        ({"Hutong-Officer": "李小测"}, 400),
        ({"Hutong-Officer": "13800000000"}, 400),
        ({"Hutong-Purpose": "anything"}, 400),
    ],
)
async def test_a_header_that_is_not_of_its_form_is_named_and_its_value_is_not_repeated(standin, headers, status):
    got, _, body = await standin.send(standin.police, event(), **headers)
    assert got == status
    for value in headers.values():
        assert not value or value not in body.decode()


async def test_officer_and_purpose_travel_with_the_call(standin):
    await standin.send(standin.police, event(), **{"Hutong-Officer": "desk-7.a3", "Hutong-Purpose": "P01"})
    caller = standin.submit.calls[0][0]
    assert (caller.officer, caller.purpose) == ("desk-7.a3", "P01")


async def test_too_many_items_in_a_batch_are_too_large():
    standin = await StandIn(HttpSettings(max_batch_items=2)).start()
    try:
        kind = {"Content-Type": "application/cloudevents-batch+json"}
        status, _, _ = await standin.send(standin.police, b"[{},{},{}]", **kind)
        assert status == 413
    finally:
        await standin.stop()


@pytest.mark.parametrize("deep", [b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65, b'{"a":[' * 500_00])
async def test_deep_json_is_a_clean_refusal(standin, deep):
    status, _, _ = await standin.send(standin.police, deep)
    assert status == 413
    assert not standin.submit.calls


async def test_brackets_inside_text_do_not_count_as_depth(standin):
    status, _, _ = await standin.send(standin.police, event(data={"text": '[{"\\' * 500}))
    assert status == 202


async def test_when_the_rate_is_used_up_reports_have_a_reserve_and_others_wait():
    standin = await StandIn(HttpSettings(notices_per_second=1.0, burst_notices=8, report_reserve_percent=25)).start()
    try:
        other = event(type="hutong.notice.ASM.v1")
        statuses = [(await standin.send(standin.police, other))[0] for _ in range(8)]
        assert statuses == [202] * 6 + [429] * 2
        assert [(await standin.send(standin.police, event()))[0] for _ in range(3)] == [202, 202, 429]
        assert (await standin.send(standin.health, other))[0] == 202
        standin.clock.advance(seconds=2)
        assert (await standin.send(standin.police, other))[0] == 202
    finally:
        await standin.stop()


async def test_binary_mode_passes_its_attributes_on_in_lower_case(standin):
    headers = {"Content-Type": "application/json", "CE-Id": "n-1", "Ce-Type": "hutong.notice.RPT.v1", "X-Other": "1"}
    await standin.send(standin.police, b"{}", **headers)
    _, _, media_type, passed = standin.submit.calls[0]
    assert media_type == "application/json"
    assert passed == {"content-type": "application/json", "ce-id": "n-1", "ce-type": "hutong.notice.RPT.v1"}

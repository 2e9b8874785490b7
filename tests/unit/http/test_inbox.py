"""What an office gets when it fetches, and what it can say back."""

import asyncio
import base64
import json

import pytest

from gateway.http.app import DRAIN
from gateway.http.settings import HttpSettings
from gateway.model.errors import Unavailable
from tests.unit.http.standins import StandIn, handout


async def get(standin, path, **headers):
    sent = {**await standin.bearer(standin.health), **headers}
    async with standin.client.get(path, headers=sent) as answer:
        return answer.status, answer.headers, await answer.read()


async def post(standin, path, document=None, **headers):
    sent = {**await standin.bearer(standin.health), **headers}
    async with standin.client.post(path, json=document, headers=sent) as answer:
        return answer.status, answer.headers, json.loads(await answer.read() or b"{}")


async def test_a_page_lists_deliveries_with_lease_signature_and_exact_bytes(standin):
    standin.inbox.waiting = [handout(body=b"\x00<xml/>\xff", headers={"ce-id": "d.1"})]
    status, _, body = await get(standin, "/v1/inbox?max=5")
    (item,) = json.loads(body)
    assert status == 200
    assert base64.b64decode(item["data_base64"]) == b"\x00<xml/>\xff"
    assert item["lease_token"] == "lease-delivery-0001"
    assert item["lease_expires_at"] == "2026-03-02T01:01:00.000+00:00"
    assert (item["revision"], item["signature"], item["headers"]) == (1, "e30..c2ln", {"ce-id": "d.1"})


async def test_an_empty_inbox_is_an_empty_list_and_next_is_204(standin):
    assert (await get(standin, "/v1/inbox"))[::2] == (200, b"[]")
    assert (await get(standin, "/v1/inbox/next"))[::2] == (204, b"")


async def test_next_is_the_bare_body_with_lease_and_signature_in_the_headers(standin):
    standin.inbox.waiting = [handout(body=b"<xml/>", headers={"ce-id": "d.1", "Bad\nName": "x", "X-Bad": "a\r\nb"})]
    status, headers, body = await get(standin, "/v1/inbox/next", Accept="application/xml")
    assert (status, body) == (200, b"<xml/>")
    assert headers["Hutong-Delivery"] == "delivery-0001"
    assert headers["Hutong-Lease"] == "lease-delivery-0001"
    assert headers["Hutong-Signature"] == "e30..c2ln"
    assert headers["ce-id"] == "d.1"
    assert "X-Bad" not in headers
    assert standin.inbox.waits[0][0] == "application/xml"


@pytest.mark.parametrize("query", ["max=0", "max=-1", "max=x", "max=１", "wait=-5", "wait=1e9", "max=99999999999"])
async def test_a_parameter_out_of_form_is_named(standin, query):
    status, _, body = await get(standin, f"/v1/inbox?{query}")
    assert status == 400
    assert json.loads(body)["problems"][0]["position"] in ("query max", "query wait")


async def test_more_than_a_page_may_hold_is_cut_to_a_page(standin):
    await get(standin, "/v1/inbox?max=100000")
    assert standin.inbox.waits[0][1] == 100


async def test_a_long_poll_is_asked_in_slices_and_ends_when_something_comes():
    standin = await StandIn(HttpSettings(poll_slice_seconds=0.01)).start()
    try:

        async def later(wait):
            await asyncio.sleep(wait.total_seconds())
            if len(standin.inbox.waits) == 3:
                standin.inbox.waiting = [handout()]

        standin.inbox.on_wait = later
        status, _, body = await get(standin, "/v1/inbox?wait=30")
        assert (status, len(json.loads(body)), len(standin.inbox.waits)) == (200, 1, 3)
        assert all(wait.total_seconds() <= 0.01 for _, _, wait in standin.inbox.waits)
    finally:
        await standin.stop()


async def test_draining_answers_long_polls_empty_finishes_what_runs_and_is_not_ready():
    standin = await StandIn(HttpSettings(poll_slice_seconds=0.05)).start()
    polling = asyncio.Event()

    async def wait_out(wait):
        polling.set()
        await asyncio.sleep(wait.total_seconds())

    standin.inbox.on_wait = wait_out
    async with asyncio.timeout(50):  # and the poll would last sixty seconds
        poll = asyncio.create_task(get(standin, "/v1/inbox/next?wait=60"))
        await polling.wait()
        standin.edge.begin_drain()
        assert (await poll)[0] == 204
        async with standin.client.get("/readyz") as answer:
            assert (answer.status, (await answer.json())["checks"]) == (503, {"draining": "yes"})
            assert answer.headers["Connection"] == "close"
        standin.inbox.waiting = [handout()]
        assert (await get(standin, "/v1/inbox"))[2] == b"[]"

        entered, go_on = asyncio.Event(), asyncio.Event()
        take = standin.submit._take

        async def slow(*call):
            entered.set()
            await go_on.wait()
            return await take(*call)

        standin.submit._take = slow
        sending = asyncio.create_task(standin.send(standin.police, b"{}"))
        await entered.wait()
        stopping = asyncio.create_task(standin.edge.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        go_on.set()
        assert (await sending)[0] == 202
        await stopping
        await standin.client.close()
    assert standin.app[DRAIN].is_draining


async def test_acknowledging_ends_the_lease_with_a_signed_receipt(standin):
    standin.inbox.leases["delivery-0001"] = "lease-1"
    status, _, receipt = await post(standin, "/v1/inbox/delivery-0001/ack", {"lease_token": "lease-1"})
    assert (status, receipt["receipt"]) == (200, "a.b.c")
    assert (await post(standin, "/v1/inbox/delivery-0001/ack", None, **{"Hutong-Lease": "lease-1"}))[0] == 200


async def test_a_late_acknowledgement_is_a_conflict_that_tells_the_state(standin):
    standin.inbox.leases["delivery-0001"] = "lease-2"
    for action in ("ack", "nack"):
        status, _, document = await post(standin, f"/v1/inbox/delivery-0001/{action}", {"lease_token": "lease-1"})
        assert (status, document["code"], document["state"]) == (409, "lease-lost", "due")


async def test_what_is_not_the_callers_is_not_found(standin):
    for path in ("/v1/inbox/delivery-0009/ack", "/v1/inbox/x/ack", "/v1/inbox/%2e%2e%2f%00/nack"):
        assert (await post(standin, path, {"lease_token": "x"}))[0] == 404
    assert (await get(standin, "/v1/notices/n"))[0] == 404
    assert (await get(standin, "/v1/notices/0190a0c0-0000-7000-8000-000000000000"))[0] == 404


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"lease_token": ""},
        {"lease_token": 5},
        {"lease_token": "x y"},
        {"lease_token": "x", "reason": "因为张三不在"},
        {"lease_token": "x", "reason": "UPPER"},
        {"lease_token": "x", "retry_after_seconds": -1},
        {"lease_token": "x", "retry_after_seconds": 1.5},
        {"lease_token": "x", "retry_after_seconds": True},
        {"lease_token": "x", "why": "x"},
        [],
    ],
)
async def test_a_nack_of_another_form_is_refused_without_repeating_it(standin, document):
    standin.inbox.leases["delivery-0001"] = "x"
    status, _, answer = await post(standin, "/v1/inbox/delivery-0001/nack", document)
    assert status == 400
    assert "张三" not in json.dumps(answer, ensure_ascii=False)


@pytest.mark.parametrize(
    ("action", "document", "kind", "data"),
    [
        ("accept", {"data": {"acceptance": {"acceptance_no": "1"}}}, "ACC", {"acceptance": {"acceptance_no": "1"}}),
        ("decline", {"data": {"referral": {"reason": "D1"}}}, "REF-R",
         {"referral": {"answer": "declined", "reason": "D1"}}),
        ("feedback", {"data": {"police": {"status": "filed"}}}, "PFB", {"police": {"status": "filed"}}),
        ("feedback", {"type": "AID", "data": {}}, "AID", {}),
    ],
)  # fmt: skip
async def test_an_answer_becomes_a_notice_of_the_office_in_reply_to_the_delivery(standin, action, document, kind, data):
    status, _, _ = await post(standin, f"/v1/inbox/delivery-0001/{action}", document)
    assert status == 202
    caller, body, media_type, _ = standin.submit.calls[0]
    said = json.loads(body)
    assert media_type == "application/cloudevents+json"
    assert said["source"] == f"urn:hutong:office:{caller.office.id}"
    assert said["type"] == f"hutong.notice.{kind}.v1"
    assert said["data"] == {**data, "in_reply_to": "delivery-0001"}


async def test_the_same_answer_twice_is_one_notice(standin):
    for _ in range(2):
        await post(standin, "/v1/inbox/delivery-0001/accept", {"data": {"acceptance": {"next_step": "N1"}}})
    assert standin.submit.calls[0][1] == standin.submit.calls[1][1]
    await post(standin, "/v1/inbox/delivery-0001/accept", {"id": "own-1"})
    await post(standin, "/v1/inbox/delivery-0001/accept", {}, **{"Idempotency-Key": "own-2"})
    assert [json.loads(call[1])["id"] for call in standin.submit.calls[2:]] == ["own-1", "own-2"]


async def test_accepting_with_the_lease_acknowledges_first_and_a_lost_lease_stops_it(standin):
    standin.inbox.leases["delivery-0001"] = "lease-2"
    status, _, document = await post(standin, "/v1/inbox/delivery-0001/accept", {"lease_token": "lease-1"})
    assert (status, document["code"]) == (409, "lease-lost")
    assert not standin.submit.calls
    assert (await post(standin, "/v1/inbox/delivery-0001/accept", {"lease_token": "lease-2"}))[0] == 202


@pytest.mark.parametrize(
    "document",
    [{"data": []}, {"data": {"in_reply_to": "delivery-0002"}}, {"id": "姓名"}, {"type": "RPT"}, {"type": ["PFB"]}],
)
async def test_an_answer_of_another_form_is_refused(standin, document):
    assert (await post(standin, "/v1/inbox/delivery-0001/feedback", document))[0] == 400
    assert not standin.submit.calls


async def test_a_store_out_of_reach_is_a_retry(standin):
    async def fail(wait):
        raise Unavailable("the store is out of reach")

    standin.inbox.on_wait = fail
    status, headers, _ = await get(standin, "/v1/inbox")
    assert (status, headers["Retry-After"]) == (503, "2")


async def test_a_ticket_that_ran_out_is_voided_and_halves_the_next_page(standin):
    standin.inbox.waiting = [handout("delivery-0001", send_before=1000.0), handout("delivery-0002", send_before=1002.0)]
    _, _, body = await get(standin, "/v1/inbox?max=8")
    assert [item["delivery"] for item in json.loads(body)] == ["delivery-0002"]
    assert standin.inbox.voided == ["delivery-0001"]
    for _ in range(3):
        standin.inbox.waiting = [handout("delivery-0003")]
        await get(standin, "/v1/inbox?max=8")
    assert [limit for _, limit, _ in standin.inbox.waits] == [8, 4, 8, 8]
    standin.inbox.waiting = [handout("delivery-0004", send_before=999.0)]
    assert (await get(standin, "/v1/inbox/next"))[0] == 204


async def test_a_signature_on_an_answer_must_hold_where_there_is_one(standin):
    body = b'{"data":{"acceptance":{"next_step":"N1"}}}'
    for office, status in ((standin.health, 202), (standin.police, 400)):
        order = {
            "order": "POST /v1/inbox/delivery-0001/accept",
            "iat": int(standin.clock.now().timestamp()),
            "jti": "1",
        }
        headers = {"Hutong-Signature": office.sign(body, **order), "Content-Type": "application/json"}
        headers |= await standin.bearer(standin.health)
        async with standin.client.post("/v1/inbox/delivery-0001/accept", data=body, headers=headers) as answer:
            assert answer.status == status

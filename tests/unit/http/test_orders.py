"""An order that an office signed is good for that call, for now and once: whoever has a token replays nothing."""

from __future__ import annotations

import json
from itertools import count

import pytest

HERE, BEFORE = b'{"url":"https://here.example/"}', b'{"url":"https://before.example/"}'
_jtis = count(1)


def order(standin, call="PUT /v1/webhook", **changes):
    said = {"order": call, "iat": int(standin.clock.now().timestamp()), "jti": f"order-{next(_jtis)}"} | changes
    return {name: value for name, value in said.items() if value is not None}


async def put(standin, body, signature, path="/v1/webhook", method="PUT"):
    headers = {"Hutong-Signature": signature, "Content-Type": "application/json"}
    headers |= await standin.bearer(standin.health)
    async with standin.client.request(method, path, data=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_an_order_that_was_given_before_moves_no_releases_back(standin):
    old = standin.health.sign(BEFORE, **order(standin))
    assert (await put(standin, BEFORE, old))[0] == 200
    assert (await put(standin, HERE, standin.health.sign(HERE, **order(standin))))[0] == 200
    status, problem = await put(standin, BEFORE, old)
    assert (status, problem["code"]) == (400, "bad-signature")
    standin.clock.advance(hours=1)
    assert (await put(standin, BEFORE, old))[0] == 400
    assert [url for _, url in standin.webhooks.asked] == ["https://before.example/", "https://here.example/"]


@pytest.mark.parametrize(
    "changes",
    [
        {"order": None}, {"iat": None}, {"jti": None}, {"jti": ""}, {"jti": "x" * 257}, {"iat": "now"}, {"iat": True},
        {"order": "PUT /v1/consents/webhook"}, {"order": "POST /v1/webhook"}, {"iat": 0}, {"iat": 2**32}, {"order": 1},
    ],
)  # fmt: skip
async def test_an_order_names_its_call_its_time_and_itself(standin, changes):
    status, problem = await put(standin, HERE, standin.health.sign(HERE, **order(standin, **changes)))
    assert (status, problem["code"]) == (400, "bad-signature")
    assert problem["remedy"]
    assert standin.webhooks.asked == []


async def test_a_client_that_signs_the_body_alone_is_told_what_is_missing(standin):
    status, problem = await put(standin, HERE, standin.health.sign(HERE))
    assert status == 400
    assert '"order":"PUT /v1/webhook"' in problem["remedy"]
    assert (await put(standin, HERE, standin.health.sign(HERE, **order(standin))))[0] == 200


async def test_what_was_signed_as_a_notice_is_no_order_and_an_order_is_no_notice(standin):
    event = json.dumps({"url": "https://here.example/"}).encode()
    headers = {"Hutong-Signature": standin.health.sign(event, **order(standin, "POST /v1/notices"))}
    status, _, body = await standin.send(standin.health, event, **headers)
    assert (status, json.loads(body)["code"]) == (400, "bad-signature")


async def test_an_order_of_another_call_answers_no_delivery(standin):
    body = b'{"data":{"acceptance":{"next_step":"N1"}}}'
    path = "/v1/inbox/delivery-0001/accept"
    elsewhere = standin.health.sign(body, **order(standin, "POST /v1/inbox/delivery-0002/accept"))
    assert (await put(standin, body, elsewhere, path, "POST"))[0] == 400
    here = standin.health.sign(body, **order(standin, f"POST {path}"))
    assert (await put(standin, body, here, path, "POST"))[0] == 202

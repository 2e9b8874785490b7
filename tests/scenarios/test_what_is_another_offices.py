"""Whatever is another office's answers like what never was, at every door where an id can be named."""

import uuid

import pytest

from gateway.client.agency import Answered
from tests.scenarios.test_answers_to_a_delivery import ACCEPTANCE
from tests.scenarios.test_rows_beside_a_notice import HEALTH, POLICE, send
from tests.support.ledger import ledger
from tests.support.town import CANONICAL, town

STRANGER, SCHOOL = "courts.440113", "education.440113"


async def answer(client, method, path, document=None):
    """Status and problem; what succeeds is no refusal and fails the test."""
    with pytest.raises(Answered) as refused:
        if document is None:
            await client._call(method, path, None, {})
        else:
            await client._signed(method, path, document)
    problem = {name: value for name, value in refused.value.problem.items() if name != "instance"}
    return refused.value.status, problem


async def replied(client, delivery):
    try:
        await client.reply(delivery, "accept", {"data": ACCEPTANCE})
    except Answered as refused:
        return refused.status, refused.problem
    return 202, {}


async def test_what_is_another_offices_is_at_every_door_as_if_it_were_not_there(tmp_path):
    async with town(tmp_path) as whole:
        sent = await send(whole, 1)
        (release,) = await whole.clients[POLICE].pull(accept=CANONICAL)
        taken = await whole.clients[SCHOOL].submit_file(ledger(2), "text/csv")
        lease = {"lease_token": release.lease_token}
        doors = [
            ("GET", f"/v1/notices/{sent}", None),
            ("GET", f"/v1/files/{taken['file']}", None),
            ("GET", f"/v1/files/{taken['file']}/rows", None),
            ("POST", f"/v1/inbox/{release.delivery}/ack", lease),
            ("POST", f"/v1/inbox/{release.delivery}/nack", lease),
            ("POST", f"/v1/inbox/{release.delivery}/accept", lease),
            ("POST", f"/v1/inbox/{release.delivery}/decline", lease),
            ("POST", f"/v1/inbox/{release.delivery}/feedback", lease),
        ]
        named = (sent, taken["file"], release.delivery)
        for client in (whole.clients[STRANGER], whole.clients["police.440100"]):
            for method, path, document in doors:
                absent = path
                for id_ in named:
                    absent = absent.replace(id_, str(uuid.uuid4()))
                told = await answer(client, method, path, document)
                assert told == await answer(client, method, absent, document), path
                assert told[0] in (404, 422), path
            assert (await client.changes())["changes"] == []
            assert (await client.files())["files"] == []
            # a whole answer to it is an answer to nothing, and changes nothing
            told = [await replied(client, delivery) for delivery in (release.delivery, sent, str(uuid.uuid4()))]
            assert told[0] == told[1] == told[2]
        status = await whole.clients[HEALTH].notice(sent)
        assert {one["state"] for one in status["deliveries"]} == {"due"}
        assert await whole.clients[HEALTH].pull() == []
        assert await whole.clients[POLICE].acknowledge(release)

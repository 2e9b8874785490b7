"""A recipient takes a case on, declines or reports back with one call each, and the sender hears of it, signed."""

import json

import pytest

from gateway.client.agency import Answered
from gateway.crypto.detached import DetachedVerifier
from gateway.model.canonical import canonical_json
from gateway.model.errors import BadSignature
from gateway.ports.log_storage import LogQuery
from gateway.services.keep import Keeper
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

SENDER = "police.440100"
ACCEPTANCE = {"acceptance": {"accepted_by": "测试受理单位", "acceptance_no": "受〔2026〕1号", "next_step": "assess"}}
MEASURE = {"measures": [{"code": "A06", "from": "2026-03-02", "executor": "测试执行单位", "outcome": "done"}]}


def report(number: int) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"n-{number}",
            "source": f"urn:hutong:office:{SENDER}",
            "type": "hutong.notice.RPT.v1",
            "subject": f"case-{number}",
            "data": {
                "urgency": 1,
                "purpose": "P01",
                "legal_basis": ["L20"],
                "place": {"region": "440113102005", "school_related": False},
                "report": {"reporter_role": "public", "anonymous": True},
                "persons": [{"ref": "p1", "roles": ["minor"], "age": {"years": 9, "approximate": True}}],
            },
        }
    ).encode()


@pytest.fixture
async def whole(tmp_path):
    async with town(tmp_path) as found:
        yield found
        assert not found.failures()


async def sent(whole, number):
    """A report sent, and what one recipient got of it with the recipient's client."""
    receipt = await whole.clients[SENDER].submit(report(number), CANONICAL)
    for client in whole.clients.values():
        if client.profile.office != SENDER and (items := await client.pull()):
            return receipt["notice"], client, items[0]
    raise AssertionError("nobody got the report")


async def reply(client, item, action, document):
    try:
        return await client.reply(item.delivery, action, document)
    except Answered as refused:
        raise AssertionError(refused.problem) from refused


async def state_of(whole, notice, recipient):
    """The sender's view of one delivery, with the claims of its receipt."""
    sender = whole.clients[SENDER]
    (status,) = [
        one for one in (await sender.notice(notice))["deliveries"] if one["recipient"] == recipient.profile.office
    ]
    return status, await sender.verify_receipt(status["receipt"])


async def logged(whole, event):
    found = await whole.gateway.engines.store.log.search(LogQuery(event=event), None, 100)
    return len(found)


async def test_accepting_ends_the_delivery_and_tells_the_sender_once(whole):
    notice, client, item = await sent(whole, 1)
    words = {"lease_token": item.lease_token, "data": ACCEPTANCE}
    first = await reply(client, item, "accept", words)
    assert await reply(client, item, "accept", words) == first
    status, claims = await state_of(whole, notice, client)
    assert (status["state"], claims["type"]) == ("accepted", "accepted-for-handling")
    assert claims["notice"] == notice
    assert await logged(whole, "delivery_accepted") == 1
    told = [json.loads(item.body)["type"] for item in await whole.clients[SENDER].pull()]
    assert told.count("hutong.notice.ACC.v1") == 1


async def test_declining_without_a_lease_token_ends_the_delivery_as_declined(whole):
    notice, client, item = await sent(whole, 2)
    await reply(client, item, "decline", {"data": {"referral": {"reason": "not_competent"}}})
    status, claims = await state_of(whole, notice, client)
    assert (status["state"], status["reason"], claims["type"]) == ("declined", "declined", "declined")
    assert await logged(whole, "delivery_declined") == 1
    assert await client.pull() == []


async def test_feedback_after_acceptance_is_acted_on_each_time_anew(whole):
    notice, client, item = await sent(whole, 3)
    await reply(client, item, "accept", {"lease_token": item.lease_token, "data": ACCEPTANCE})
    await reply(client, item, "feedback", {"id": "f-1", "type": "PFB", "data": {"police": {"status": "criminal_case"}}})
    await reply(client, item, "feedback", {"id": "f-2", "type": "PFB", "data": {"police": {"status": "closed"}}})
    status, claims = await state_of(whole, notice, client)
    assert (status["state"], claims["type"]) == ("acted-on", "acted-on")
    assert await logged(whole, "delivery_acted_on") == 2


async def test_what_an_office_signed_can_be_proved_later_from_what_is_kept(whole):
    engines, directory = whole.gateway.engines, whole.gateway.services.directories.current
    notice, client, item = await sent(whole, 5)
    said = {"lease_token": item.lease_token, "data": ACCEPTANCE}
    answer = (await reply(client, item, "accept", said))["notice"]
    keeper = Keeper(engines.keys, engines.ids, lambda data: [], lambda parts: {})
    for identifier, office, body in (
        (notice, SENDER, report(5)),
        (answer, client.profile.office, canonical_json(said)),
    ):
        kept = keeper.open_raw(identifier, await engines.store.notices.raw(identifier))
        assert kept.body == body
        keys = directory.signing_keys(office, engines.clock.now())
        is_order = identifier == answer
        signed = DetachedVerifier().verify(kept.jws, kept.body, keys, is_order=is_order)
        assert signed.header.get("order") == (f"POST /v1/inbox/{item.delivery}/accept" if is_order else None)
        with pytest.raises(BadSignature):
            DetachedVerifier().verify(kept.jws, kept.body + b" ", keys, is_order=is_order)


async def test_a_repeated_report_gets_its_first_receipt_with_the_address_to_follow_it(whole):
    client, body = whole.clients[SENDER], report(6)
    headers = {
        "Authorization": f"Bearer {await client.token()}",
        "Content-Type": CANONICAL,
        **client._signature(body),
    }
    seen = []
    for _ in range(2):
        async with client._session.post(f"{client.profile.url}/v1/notices", data=body, headers=headers) as answer:
            seen.append((await answer.read(), answer.headers["Location"], answer.headers.get("Hutong-Replayed")))
    assert seen[0][:2] == seen[1][:2]
    assert [one[2] for one in seen] == [None, "true"]


async def test_the_sender_finds_all_changes_by_cursor_and_each_receipt_verifies(whole):
    sender = whole.clients[SENDER]
    notice, client, item = await sent(whole, 4)
    begun = await sender.changes()
    await reply(client, item, "accept", {"lease_token": item.lease_token, "data": ACCEPTANCE})
    news = await sender.changes(begun["cursor"], wait_seconds=10)
    assert [(one["notice"], one["recipient"], one["state"]) for one in news["changes"]] == [
        (notice, client.profile.office, "acknowledged"), (notice, client.profile.office, "accepted")
    ]  # fmt: skip
    status, _ = await state_of(whole, notice, client)
    assert news["changes"][-1]["receipt"] == status["receipt"]
    assert (await sender.changes(news["cursor"]))["changes"] == []
    assert (await client.changes())["changes"] == []
    with pytest.raises(Answered) as refused:
        await sender.changes("bm90LW91cnM")
    assert refused.value.problem["code"] == "invalid-parameter"

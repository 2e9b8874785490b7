"""A recipient takes a case on, declines or reports back with one call each, and the sender hears of it."""

import json

import pytest

from gateway.client.agency import Answered
from gateway.crypto.detached import sign_detached
from tests.support.town import CANONICAL, town

pytestmark = pytest.mark.slow

SENDER = "police.440100"


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


async def answer(client, delivery: str, action: str, document: dict):
    """The recipient's own call, signed over its exact bytes."""
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json", "Hutong-Signature": sign_detached(client.profile.key, body)}
    return await client._call("POST", f"/v1/inbox/{delivery}/{action}", body, headers)


async def test_accepting_ends_the_delivery_and_tells_the_sender_once(tmp_path):
    async with town(tmp_path) as whole:
        sent = await whole.clients[SENDER].submit(report(1), CANONICAL)
        holders = [client for client in whole.clients.values() if client.profile.office != SENDER]
        found = [(client, item) for client in holders for item in await client.pull()]
        assert found, "somebody got the report"
        client, item = found[0]
        words = {
            "lease_token": item.lease_token,
            "data": {
                "acceptance": {"accepted_by": "测试受理单位", "acceptance_no": "受〔2026〕1号", "next_step": "assess"}
            },
        }
        try:
            first = await answer(client, item.delivery, "accept", words)
        except Answered as refused:
            raise AssertionError(refused.problem) from refused
        assert await answer(client, item.delivery, "accept", words) == first
        states = {
            one["recipient"]: one["state"] for one in (await whole.clients[SENDER].notice(sent["notice"]))["deliveries"]
        }
        assert states[client.profile.office] in ("acknowledged", "accepted")
        told = [json.loads(item.body)["type"] for item in await whole.clients[SENDER].pull()]
        assert told.count("hutong.notice.ACC.v1") == 1
        assert not whole.failures()

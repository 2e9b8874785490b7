"""A notice in CloudEvents' HTTP binary mode: its type and number stand in headers, and the signature covers those too."""

import json

import pytest

from gateway.client.agency import Answered
from gateway.crypto.detached import sign_detached
from tests.support.town import town

SENDER = "police.440100"
BODY = json.dumps(
    {"urgency": 1, "place": {"region": "440113102005"}, "persons": [{"ref": "p1", "roles": ["minor"]}]}
).encode()
HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "binary-1",
    "ce-source": f"urn:hutong:office:{SENDER}",
    "ce-type": "hutong.notice.RPT.v1",
}


async def test_the_signature_covers_the_attributes_in_the_headers(tmp_path):
    async with town(tmp_path) as running_town:
        client = running_town.clients[SENDER]
        key = client.profile.key

        async def push(headers, signature=None):
            return await client.submit(BODY, "application/json", headers, signature)

        signed = {name[3:]: value for name, value in HEADERS.items()}
        unsigned = sign_detached(key, BODY)
        incomplete = sign_detached(key, BODY, {"ce": {"id": "binary-1", "type": "hutong.notice.RPT.v1"}})
        covered = sign_detached(key, BODY, {"ce": signed})
        for headers, signature in (
            (HEADERS, unsigned),
            (HEADERS, incomplete),
            (HEADERS | {"ce-type": "hutong.notice.GRD-W.v1"}, covered),
            (HEADERS | {"ce-id": "binary-2"}, covered),
            (HEADERS | {"ce-subject": "another case"}, covered),
        ):
            with pytest.raises(Answered) as refused:
                await push(headers, signature)
            assert refused.value.status == 400, refused.value.problem
            assert refused.value.problem["code"] == "bad-signature"
            assert "`ce`" in refused.value.remedy

        receipt = await push(HEADERS)  # the client signs the attributes it is given
        again = await push(HEADERS, covered)
        assert (receipt["type"], receipt["id"]) == ("accepted", "binary-1")
        assert again["notice"] == receipt["notice"]
        assert not running_town.failures()

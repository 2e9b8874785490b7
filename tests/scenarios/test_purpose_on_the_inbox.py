"""An office that names a purpose on its inbox gets what was routed for it, and nothing else."""

import json

import pytest

from gateway.client.agency import AgencyClient, Answered
from tests.support.town import CANONICAL, town

POLICE = "police.440113"


async def test_another_purpose_than_the_routed_one_fetches_nothing(tmp_path):
    event = {
        "specversion": "1.0",
        "id": "purpose-1",
        "source": "urn:hutong:office:education.440113",
        "type": "hutong.notice.RPT.v1",
        "data": {"urgency": 1, "place": {"region": "440113102005"}, "persons": [{"ref": "p1", "roles": ["minor"]}]},
    }
    async with town(tmp_path) as running_town:
        await running_town.clients["education.440113"].submit(json.dumps(event).encode(), CANONICAL)
        profile = running_town.clients[POLICE].profile

        async def fetch(purpose):
            async with AgencyClient(profile, officer="desk-1", purpose=purpose) as client:
                return await client.pull(10)

        with pytest.raises(Answered) as refused:
            await fetch("any purpose")
        assert refused.value.problem["code"] == "invalid-parameter"
        assert await fetch("P09") == []
        assert len(await fetch("P02")) == 1

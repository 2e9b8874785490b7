"""The gateway changes the keys it signs with while offices work: nothing stops, and what the old keys signed stays good."""

import json

import jwt
import pytest

from gateway.crypto.signing import from_b64url
from gateway.model.audit import EventName
from gateway.model.errors import InvalidDocument
from gateway.ports.log_storage import LogQuery
from gateway.services.gateway_keys import USES
from gateway.services.roles import RoleMissing
from tests.support.town import CANONICAL, town

SENDER, POLICE = "police.440100", "police.440113"


def report(number: int) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"keys-{number}",
        "source": f"urn:hutong:office:{SENDER}",
        "type": "hutong.notice.RPT.v1",
        "data": {"urgency": 1, "place": {"region": "440113102005"}, "persons": [{"ref": "p1", "roles": ["minor"]}]},
    }
    return json.dumps(event).encode()


def kid_of(receipt: str) -> str:
    return jwt.get_unverified_header(receipt)["kid"]


async def test_keys_are_rotated_while_notices_cross(tmp_path):
    async with town(tmp_path) as running_town:
        services, store = running_town.gateway.services, running_town.gateway.engines.store
        sender, police = running_town.clients[SENDER], running_town.clients[POLICE]
        await services.staff.grant("security-admin", "security-administrator", by="test")

        first = await sender.submit(report(1), CANONICAL)
        (before,) = await police.pull(5)
        with pytest.raises(RoleMissing):
            await services.gateway_keys.rotate("receipts", by="somebody")
        with pytest.raises(InvalidDocument):
            await services.gateway_keys.rotate("log", by="security-admin")
        old = {key.use: key.kid for key in services.gateway_keys.in_use()}
        new = {}
        for use, algorithm in zip(USES, ("EdDSA", "ES256", "EdDSA"), strict=True):
            new[use] = (await services.gateway_keys.rotate(use, algorithm=algorithm, by="security-admin")).kid
        assert not set(new.values()) & set(old.values())

        with pytest.raises(RoleMissing):
            await services.gateway_keys.change_root(by="somebody")
        roots = [await services.gateway_keys.change_root(by="security-admin") for _ in range(2)]

        again = await sender.submit(report(1), CANONICAL)  # with the token of before, answered by the receipt of before
        second = await sender.submit(report(2), CANONICAL)
        assert again["receipt"] == first["receipt"]
        assert (kid_of(first["receipt"]), kid_of(second["receipt"])) == (old["receipts"], new["receipts"])
        for receipt in (first, second):
            assert (await sender.verify_receipt(receipt["receipt"]))["notice"] == receipt["notice"]
        await police.acknowledge(before)  # its lease knows no key
        (after,) = await police.pull(5)  # the client verified the release under the key now in use
        await police.acknowledge(after)

        told = [
            json.loads(one.opening)["envelope"]["fields"]
            for one in await store.log.search(LogQuery(event=EventName.KEY_ROTATED), None, 10)
        ]
        signing = {one["use"]: one["new_key"] for one in told if one["use"] != "root"}
        assert signing == {use: from_b64url(kid).hex() for use, kid in new.items()}
        changed = sorted((one["key"], one["new_key"]) for one in told if one["use"] == "root")
        assert sorted(after for _, after in changed) == sorted(roots)
        assert (roots[0], roots[1]) in changed
        assert not running_town.failures()

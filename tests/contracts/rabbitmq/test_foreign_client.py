"""An office in another language (amqplib, Node's own cryptography) hands in notices and reads encrypted releases.

amqplib is installed by npm into a folder of the test run from the lock file beside this test. Without node and npm, or
where the package cannot be had, the test is skipped and says so.
"""

import asyncio
import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.crypto.signing import b64url
from gateway.model.agency import QueueUse
from tests.scenarios.test_webhooks import report
from tests.support.amqp_office import encryption_pair
from tests.support.amqp_town import POLICE, SENDER, opened, use_queue

HERE = Path(__file__).parent / "javascript"
NODE, NPM = shutil.which("node"), shutil.which("npm")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.services,
    pytest.mark.skipif(NODE is None or NPM is None, reason="node or npm is absent"),
]


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    folder = tmp_path_factory.mktemp("amqplib")
    for name in ("package.json", "package-lock.json", ".npmrc", "office.mjs"):
        shutil.copy(HERE / name, folder / name)
    done = subprocess.run([str(NPM), "ci", "--no-progress"], cwd=folder, capture_output=True, timeout=180)
    if done.returncode != 0:
        pytest.skip("npm could not install amqplib")
    return folder / "office.mjs"


async def office(script, rabbitmq, vhost, client, mode, **more):
    key = client.profile.key
    raw = key.key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    signing = {"kty": "OKP", "crv": "Ed25519", "x": key.public().jwk()["x"], "d": b64url(raw)}
    told = {"mode": mode, "host": rabbitmq.host, "port": rabbitmq.port, "vhost": vhost, "office": client.profile.office,
            "token": await client.token(), "kid": key.kid, "signing": signing, **more}  # fmt: skip
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(str(NODE), str(script), stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        out, err = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), 60)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, err.decode()
    return json.loads(out)


def private_jwk(key, public):
    number = key.private_numbers().private_value.to_bytes(32, "big")
    return {"kty": "EC", "crv": "P-256", "x": public["x"], "y": public["y"], "d": b64url(number)}


async def test_another_language_hands_in_notices_and_reads_releases(tmp_path, rabbitmq, vhost, script):
    key, jwk = encryption_pair()
    async with opened(tmp_path, rabbitmq, vhost) as whole:
        await use_queue(whole, rabbitmq, vhost, SENDER, QueueUse.DOORBELLS)
        await use_queue(whole, rabbitmq, vhost, POLICE, QueueUse.RELEASES, jwk)
        hospital, police = whole.clients[SENDER], whole.clients[POLICE]
        notices = [report(number).decode() for number in range(5)]
        pushed, got = await asyncio.gather(
            office(script, rabbitmq, vhost, hospital, "push", notices=notices),
            office(script, rabbitmq, vhost, police, "consume", count=5, encryption=private_jwk(key, jwk)),
        )
        assert [(one["status"], one["type"]) for one in pushed] == [("202", "hutong.receipt.v1")] * 5
        for one in pushed:
            await hospital.verify_receipt(one["body"]["receipt"])
            (status,) = [
                found
                for found in (await hospital.notice(one["body"]["notice"]))["deliveries"]
                if found["recipient"] == POLICE
            ]
            assert status["state"] == "acknowledged"
        assert [one["acknowledged"] for one in got] == ["200"] * 5
        assert len({one["delivery"] for one in got}) == 5
        for one in got:
            await police._verified(one["signature"], base64.b64decode(one["data_base64"]))

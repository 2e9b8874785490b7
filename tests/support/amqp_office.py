"""An office's own system that speaks AMQP: signs in with a token, hands in notices, reads its inbox."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from uuid import uuid4

import aio_pika
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.crypto.detached import sign_detached
from gateway.crypto.jwe import decrypt
from gateway.crypto.signing import b64url, thumbprint
from gateway.ports.agency_queues import SUBMIT_EXCHANGE, inbox_queue, receipts_queue, submit_queue

CANONICAL = "application/cloudevents+json"
ASK_AGAIN_SECONDS, ANSWER_SECONDS = 5, 60


def encryption_pair():
    """A private P-256 key, and the public JWK to enrol."""
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    x, y = (b64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    return private, {**jwk, "kid": thumbprint(jwk), "use": "enc"}


class AmqpOffice:
    """`client` is the office's HTTP client: it has the office's key and gets its token."""

    def __init__(self, broker, vhost, client, key=None, connect_seconds=60.0):
        self.office, self.client, self._key = client.profile.office, client, key
        self._broker, self._vhost, self._connect_seconds = broker, vhost, connect_seconds
        self._answers: dict[str, asyncio.Future] = {}
        self.inbox: asyncio.Queue = asyncio.Queue()

    async def __aenter__(self):
        await asyncio.wait_for(self._enter(), self._connect_seconds)
        return self

    async def _enter(self):
        self.connection = await aio_pika.connect(
            host=self._broker.host, port=self._broker.port, login=self.office, password=await self.client.token(),
            virtualhost=self._vhost,
        )  # fmt: skip
        self.channel = await self.connection.channel()
        receipts = await self.channel.get_queue(receipts_queue(self.office), ensure=False)
        await receipts.consume(self._answered, no_ack=True)
        self.submit_exchange = await self.channel.get_exchange(SUBMIT_EXCHANGE, ensure=False)

    async def __aexit__(self, *_):
        with suppress(Exception):
            await asyncio.wait_for(self.connection.close(), self._connect_seconds)

    async def _answered(self, message):
        waiting = self._answers.pop(message.correlation_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    async def say(self, body, content_type=CANONICAL, kind="", headers=None, **others):
        """Publish, and the message that comes back; asked again with the same bytes, as `docs/amqp.md` tells a client."""
        name, answer = uuid4().hex, asyncio.get_running_loop().create_future()
        self._answers[name] = answer
        message = aio_pika.Message(
            body, content_type=content_type, type=kind or None, headers=headers or {}, correlation_id=name,
            delivery_mode=2, **others,
        )  # fmt: skip
        async with asyncio.timeout(ANSWER_SECONDS):
            while not answer.done():
                await self.submit_exchange.publish(message, submit_queue(self.office))
                await asyncio.wait({answer}, timeout=ASK_AGAIN_SECONDS)
        return answer.result()

    async def submit(self, body, content_type=CANONICAL, **headers):
        signed = {"Hutong-Signature": sign_detached(self.client.profile.key, body), **headers}
        return await self.say(body, content_type, headers=signed)

    async def acknowledge(self, item):
        document = {"delivery": item["delivery"], "lease_token": item["lease_token"]}
        return await self.say(json.dumps(document).encode(), "application/json", "hutong.acknowledge.v1")

    async def read_inbox(self, prefetch=50):
        """Begin to take what comes into the inbox, unacknowledged to the broker, into `inbox`."""
        channel = await self.connection.channel()
        await channel.set_qos(prefetch_count=prefetch)
        queue = await channel.get_queue(inbox_queue(self.office), ensure=False)
        await queue.consume(self.inbox.put)

    async def next(self, seconds=60.0):
        return await asyncio.wait_for(self.inbox.get(), seconds)

    def open(self, message):
        """The handout inside an encrypted release."""
        return json.loads(decrypt(self._key, message.body))

    def open_text(self, locked: str):
        return json.loads(decrypt(self._key, locked.encode()))

"""A whole gateway with every office of the pilot area enrolled, in this process, on a real socket."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from io import BytesIO

from gateway.assembly import create, running
from gateway.client.agency import Answered, Profile
from gateway.config import (
    DeliverySettings,
    LimitSettings,
    LogSettings,
    PostgresSettings,
    RabbitSettings,
    ServerSettings,
    Settings,
)
from gateway.crypto.signing import new_signing_key
from gateway.model.agency import Office, Webhook
from gateway.model.identifiers import parse_office_id
from gateway.simulation.pilot_area import AROUND, EIGHT, EVERY_OBLIGATION
from tests.support.patient_client import PatientClient

CANONICAL = "application/cloudevents+json"


class Town:
    """A running gateway with every office of the pilot area, each with a client."""

    def __init__(self, gateway, clients, lines):
        self.gateway, self.clients, self.lines = gateway, clients, lines

    async def send(self, office: str, body: bytes, media_type: str = CANONICAL) -> int:
        """The status the office was answered with; whatever was refused says why and how to mend it."""
        try:
            await self.clients[office].submit(body, media_type)
        except Answered as refused:
            assert refused.problem["code"], refused.problem
            assert refused.remedy
            return refused.status
        return 202

    def failures(self) -> list[dict]:
        self.gateway.engines.events.flush()
        lines = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [line for line in lines if line["event"] in ("request_failed", "connection_failed", "library_line")]


@asynccontextmanager
async def town(
    folder, *, clock=None, rabbitmq=None, port=0, postgres="", limits=None, log=None, webhooks=None, **delivery
):
    """`delivery` overrides delivery settings, `limits` limits; a `clock` takes the system clock's place; `rabbitmq` are its settings;
    `postgres` is the address of an empty database, and makes the gateway the first node of a cluster; `webhooks` says where
    an office is called from the beginning."""
    settings = Settings(
        name="test.hutong.example",
        directory=folder / "data",
        key_directory=folder / "keys",
        server=ServerSettings(port=port, leave_seconds=0.01),
        limits=LimitSettings(**{"notices_per_second": 100_000, "burst_notices": 100_000, **(limits or {})}),
        delivery=DeliverySettings(**delivery),
        rabbitmq=rabbitmq or RabbitSettings(),
        log=log or LogSettings(),
        storage="postgres" if postgres else "embedded",
        postgres=PostgresSettings(address=postgres, connections=4),
    )
    lines, clients = BytesIO(), {}
    await create(settings, by="test")
    async with running(settings, log_stream=lines, clock=clock) as gateway:
        for one in (*EIGHT, *AROUND):
            key = new_signing_key()
            office = Office(
                id=parse_office_id(one.id),
                name_zh=one.name_zh,
                adapter=one.adapter,
                media_type=gateway.documents.adapters[one.adapter].media_types[0],
                keys=(gateway.services.enrol.key(key.public().jwk()),),
                accepts_obligations=frozenset(EVERY_OBLIGATION),
                attributes=one.attributes,
                webhook=Webhook(webhooks[one.id]) if webhooks and one.id in webhooks else None,
            )
            await gateway.services.enrol.add(office, by="test")
            profile = Profile(office.id, gateway.url, key)
            clients[one.id] = await PatientClient(gateway.engines.store.log, profile).__aenter__()
        try:
            yield Town(gateway, clients, lines)
        finally:
            for client in clients.values():
                await client.__aexit__(None, None, None)

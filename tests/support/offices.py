"""One more office for a running town, and what it gets."""

from __future__ import annotations

import json

from gateway.client.agency import AgencyClient, Profile
from gateway.crypto.signing import new_signing_key
from gateway.model.agency import Office, Webhook
from gateway.model.identifiers import parse_office_id
from gateway.simulation.pilot_area import EVERY_OBLIGATION
from tests.support.patient_client import PatientClient


async def join(
    whole, office: str, webhook: str | None = None, officer: str = "o-1", **attributes: str
) -> PatientClient:
    """Enrol an office that speaks the canonical format; its client still has to be entered."""
    key, enrol = new_signing_key(), whole.gateway.services.enrol
    await enrol.add(
        Office(
            id=parse_office_id(office),
            name_zh=f"测试单位 {office}",
            keys=(enrol.key(key.public().jwk()),),
            accepts_obligations=frozenset(EVERY_OBLIGATION),
            attributes=attributes,
            webhook=None if webhook is None else Webhook(webhook),
        ),
        by="test",
    )
    profile = Profile(parse_office_id(office), whole.gateway.url, key)
    return PatientClient(whole.gateway.engines.store.log, profile, officer=officer)


async def received(client: AgencyClient) -> list[tuple[str, dict]]:
    """Everything that waits for a canonical office, acknowledged, as (type, event)."""
    found = []
    while items := await client.pull():
        for item in items:
            event = json.loads(item.body)
            found.append((event["type"].split(".")[2], event))
            await client.acknowledge(item)
    return found

"""What does an agency's own system do? It writes its own format, sends, fetches, reads, acknowledges.

It knows nothing of the gateway's inside: it goes through the agency's side of the
API like any other client, and reads what it gets in its own format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.formats import FormatChoice
from gateway.client.agency import AgencyClient, Inbound
from gateway.model.agency import Office
from gateway.model.canonical import canonical_json
from gateway.model.identifiers import NoticeType, office_urn
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import Adapter
from gateway.validation.cloudevent import notice_type_of


@dataclass(frozen=True, slots=True)
class Received:
    """One release as the agency's system read it: `data` are the fields it understood, `native` the bytes it got."""

    type: str
    reference: str
    case: str
    data: Mapping[str, Any]
    native: bytes
    content_type: str


@dataclass(slots=True)
class AgencySystem:
    """One simulated system. `adapter` stands for its own reader and writer of its format."""

    office: Office
    client: AgencyClient
    adapter: Adapter
    received: list[Received] = field(default_factory=list)
    sent: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    async def send(
        self, step: str, notice_type: str, data: Mapping[str, Any], *, number: str, subject: str, at: datetime
    ) -> Mapping[str, Any]:
        """Write a notice in the system's own format, push it, keep the receipt."""
        body, media_type = self.write(notice_type, data, number=number, subject=subject, at=at)
        receipt: Mapping[str, Any] = await self.client.submit(body, media_type)
        self.sent[step] = receipt
        return receipt

    def write(
        self, notice_type: str, data: Mapping[str, Any], *, number: str, subject: str, at: datetime
    ) -> tuple[bytes, str]:
        if isinstance(self.adapter, MappedAdapter | FormatChoice):
            encoded = self.adapter.write_native(data, Outgoing(NoticeType(notice_type), number, subject, at))
            return encoded.body, encoded.media_type
        event = {
            "specversion": "1.0",
            "id": number,
            "source": office_urn(self.office.id),
            "type": f"hutong.notice.{notice_type}.v1",
            "subject": subject,
            "time": at.isoformat(),
            "datacontenttype": "application/json",
            "data": data,
        }
        return canonical_json(event), "application/cloudevents+json"

    async def fetch(self) -> list[Received]:
        """Fetch everything that waits, read it, acknowledge it."""
        fetched: list[Received] = []
        while inbound := await self.client.pull(limit=20):
            for item in inbound:
                fetched.append(self.read(item))
                await self.client.acknowledge(item)
        self.received += fetched
        return fetched

    def read(self, item: Inbound) -> Received:
        reference = f"{item.delivery}.{item.revision}"
        if item.content_type.startswith("application/cloudevents"):
            event = orjson.loads(item.body)
            kind = notice_type_of(event["type"])
            assert kind is not None, "a release is a notice"
            return Received(kind[0], reference, event["subject"], event["data"], item.body, item.content_type)
        first = self.adapter.decode(item.body, item.content_type, self.office, {}).items[0]
        assert isinstance(first, SubmittedNotice), "an agency's system reads what was written for it"
        return Received(first.type, reference, first.subject, first.data, item.body, item.content_type)

    def last(self, notice_type: str) -> Received:
        """The newest notice of a type; a story that needs one that did not come stops here."""
        return next(item for item in reversed(self.received) if item.type == notice_type)

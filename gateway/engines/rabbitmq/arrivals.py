"""What does a message of a queue say, as the agency queues port understands it?"""

from __future__ import annotations

from aio_pika.abc import AbstractIncomingMessage

from gateway.model.identifiers import OfficeId, parse_office_id
from gateway.ports.agency_queues import Arrived, Returned

LEASE_HEADER = "hutong-lease-digest"


def arrived(office: OfficeId, message: AbstractIncomingMessage) -> Arrived:
    headers = {
        name.lower(): value
        for name, value in (message.headers or {}).items()
        if isinstance(value, str) and name.isascii()
    }
    return Arrived(
        office,
        message.body,
        message.content_type or "",
        message.type or "",
        headers,
        message.user_id or "",
        message.message_id or "",
    )


def returned(message: AbstractIncomingMessage) -> Returned | None:
    """None for what is no release of ours."""
    key = message.routing_key or ""
    lease = (message.headers or {}).get(LEASE_HEADER)
    why = (message.headers or {}).get("x-first-death-reason")
    try:
        office = parse_office_id(key.removeprefix("inbox."))
    except ValueError:
        return None
    if not isinstance(lease, str) or not message.message_id:
        return None
    return Returned(office, message.message_id, lease, str(why))

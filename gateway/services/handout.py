"""What is one release under a lease, and how is it written down for whoever fetches it?

The same document stands in a page of `GET /v1/inbox` and, encrypted, in an office's queue.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gateway.model.identifiers import DeliveryId
from gateway.services.enforce import Sendable


@dataclass(frozen=True, slots=True)
class Handout:
    """One release under a lease. `signature` is a detached JWS over exactly `body`. Must be on the wire before `send_before` (monotonic)."""

    delivery: DeliveryId
    revision: int
    lease_token: str
    lease_expires_at: datetime
    media_type: str
    body: bytes
    signature: str
    headers: Mapping[str, str]
    send_before: float


class HandoutLike(Protocol):
    @property
    def delivery(self) -> DeliveryId: ...
    @property
    def revision(self) -> int: ...
    @property
    def lease_token(self) -> str: ...
    @property
    def lease_expires_at(self) -> datetime: ...
    @property
    def media_type(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def signature(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def send_before(self) -> float:
        """The end of its ticket on the monotonic clock: the first byte leaves before it, or not at all."""
        ...


def handout_of(made: Sendable) -> Handout:
    delivery = made.delivery
    assert delivery.lease_token is not None
    assert delivery.lease_expires_at is not None
    return Handout(
        delivery=delivery.id,
        revision=made.release.revision,
        lease_token=delivery.lease_token,
        lease_expires_at=delivery.lease_expires_at,
        media_type=made.encoded.media_type,
        body=made.encoded.body,
        signature=made.signature,
        headers=made.encoded.headers,
        send_before=made.send_before,
    )


def listed(handout: HandoutLike) -> dict[str, Any]:
    document: dict[str, Any] = {
        "delivery": handout.delivery,
        "revision": handout.revision,
        "lease_token": handout.lease_token,
        "lease_expires_at": instant_text(handout.lease_expires_at),
        "content_type": handout.media_type,
        "data_base64": base64.b64encode(handout.body).decode("ascii"),
        "signature": handout.signature,
    }
    if handout.headers:
        document["headers"] = dict(handout.headers)
    return document


def instant_text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")

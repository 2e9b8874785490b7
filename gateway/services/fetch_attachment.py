"""May this office have this document, now?

A document is fetched under the lease of the delivery whose release names it, and only while the decision made at that
moment would still name it to that recipient: the release is decided and projected anew (`enforce`), and the right to send
is in the log before the first byte.

Absent, erased, not addressed to the caller and not shown to it are one answer, and take the same decision.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.model.agency import Caller
from gateway.model.delivery import Delivery
from gateway.model.errors import LeaseLost, NotFound
from gateway.model.identifiers import DeliveryId
from gateway.ports.clock import Clock
from gateway.ports.storage import DeliveryStorage
from gateway.services.attachments import Attachments
from gateway.services.documents import is_digest
from gateway.services.enforce import Enforce, Leave, NotSent, Way

_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document on its way out. The first of `content` must be on the wire before `leave.send_before`."""

    size: int
    content: AsyncIterator[bytes]
    leave: Leave


class FetchAttachment:
    def __init__(
        self, *, attachments: Attachments, deliveries: DeliveryStorage, enforce: Enforce, clock: Clock
    ) -> None:
        self._attachments, self._deliveries, self._enforce, self._clock = attachments, deliveries, enforce, clock

    async def __call__(self, caller: Caller, delivery_id: DeliveryId, lease_token: str, digest: str) -> Fetched:
        """Decide, log and open one document for the holder of a delivery's lease.

        Raises NotFound whatever the reason the caller may not have it, LeaseLost when the lease of its own delivery is over.
        """
        delivery = await self._deliveries.delivery(delivery_id)
        if delivery is None or delivery.recipient != caller.office.id or not is_digest(digest):
            raise _absent()
        now = self._clock.now()
        if delivery.lease_token != lease_token or (delivery.lease_expires_at or now) <= now:
            raise _lost(delivery)
        opened = await self._attachments.opened(delivery.sender, digest)
        name = self._attachments.name(delivery.sender, digest)
        leave = await self._enforce.document(
            delivery, Way("pull", _MEDIA_TYPE, caller.officer), digest, name, is_there=opened is not None
        )
        if isinstance(leave, NotSent):
            raise _lost(delivery) if leave.reason == "stale-lease" else _absent()
        if opened is None:
            raise _absent()
        return Fetched(opened.size, opened.content, leave)

    async def unused(self, delivery_id: DeliveryId, leave: Leave) -> None:
        """The ticket ran out before the first byte: nothing was sent, and the log says so."""
        delivery = await self._deliveries.delivery(delivery_id)
        if delivery is not None:
            await self._enforce.unused(delivery, leave)


def _absent() -> NotFound:
    return NotFound(
        "no such attachment for this caller", remedy="name a digest that your release of the delivery shows"
    )


def _lost(delivery: Delivery) -> LeaseLost:
    return LeaseLost("the lease is over", state=delivery.state.value, remedy="pull the delivery again")

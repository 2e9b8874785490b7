"""Which deliveries gave an office a relay handle?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.engines.sql.transaction import Readers
from gateway.engines.sql.values import millis, text_of
from gateway.model.identifiers import DeliveryId, OfficeId
from gateway.ports.relay_storage import KnownHandle

if TYPE_CHECKING:
    from gateway.crypto.scatter import Scatter

MOST = 8  # one handle in so many deliveries of a case; older ones say no more


class SqlRelays:
    """RelayStorage on either store."""

    def __init__(self, readers: Readers, scatter: Scatter) -> None:
        self._readers, self._scatter = readers, scatter

    async def handles(self, office: OfficeId, handle: bytes, now: datetime) -> Sequence[KnownHandle]:
        values = (office, handle, millis(now), MOST)
        rows = await self._readers.ask(lambda sql: sql.all("relay_handles", values))
        return [KnownHandle(DeliveryId(text_of(self._scatter.scatter(id_))), path) for id_, path in rows]

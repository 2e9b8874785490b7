"""A gateway without a message broker: no office has queues, and nothing waits in any."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from gateway.model.agency import QueueUse
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.agency_queues import Desk, Release


class NoQueues:
    """The agency queues port where there is no broker. Offices with queues cannot be enrolled here."""

    @property
    def is_up(self) -> bool:
        return False

    async def run(self, desk: Desk) -> None:
        await asyncio.Event().wait()

    async def serve(self, offices: Mapping[OfficeId, QueueUse]) -> None:
        if offices:
            raise _none()

    async def ring(self, office: OfficeId) -> None:
        raise _none()

    async def put(
        self, office: OfficeId, release: Release, expires: timedelta, begin_within: float | None = None
    ) -> None:
        raise _none()

    async def purge(self, office: OfficeId) -> None:
        """There is nothing to purge, and nothing that could still be read."""

    async def disconnect(self, office: OfficeId) -> int:
        return 0


def _none() -> Unavailable:
    return Unavailable("this gateway has no message broker", remedy="set rabbitmq.addresses")

"""An office's client on a machine that may stand still for longer than a ticket lives."""

from __future__ import annotations

import json

from gateway.client.agency import AgencyClient, Answered, Inbound, Profile
from gateway.ports.log_storage import LogQuery, LogStorage

DUE_AGAIN_SECONDS = 30  # for what is due a second after its ticket ran out; the poll ends when it comes


class PatientClient(AgencyClient):
    """An office that asks again: what ran out of its ticket's time is waited for, and nothing else is."""

    def __init__(self, log: LogStorage, profile: Profile, *, officer: str = "") -> None:
        super().__init__(profile, officer=officer)
        self._log = log

    async def pull(self, limit: int = 20, wait_seconds: int = 0, accept: str = "") -> list[Inbound]:
        known, items = await self._ran_out(), []
        while True:
            items += await super().pull(limit - len(items), wait_seconds, accept)
            before, known = known, await self._ran_out()
            if known == before or len(items) == limit:
                return items
            wait_seconds = DUE_AGAIN_SECONDS

    async def attachment(self, inbound: Inbound, digest: str) -> bytes:
        known = await self._ran_out()
        while True:
            try:
                return await super().attachment(inbound, digest)
            except Answered:
                before, known = known, await self._ran_out()
                if known == before:
                    raise

    async def _ran_out(self) -> set[int]:
        """The records that say that a ticket of this office's ran out."""
        voided = await self._log.search(LogQuery(event="ticket_voided"), None, 200)
        fields = {record.index: json.loads(record.opening)["envelope"]["fields"] for record in voided}
        mine = {"recipient": self.profile.office, "why": "expired"}
        return {index for index, told in fields.items() if mine.items() <= told.items()}

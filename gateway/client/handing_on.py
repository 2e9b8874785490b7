"""How does a release get from the gateway into a system that takes it over MLLP, and when is the gateway told that it has?

One at a time: connected first, then fetched, handed on, and acknowledged when the
system has said that it has it. A crash in between leaves a lease that runs out; the
release comes again and is the same message under the same number, unless what may
be seen of it changed meanwhile. Nothing is kept here. The gateway gives the next notice of a case only when the one before is acknowledged
or given up, so the order in a case is the system's too.

1. The system is away: nothing is fetched, so nothing is disclosed in vain.
2. It says that it has the message (AA, CA): acknowledged.
3. It says no (AE, CE, AR, CR) or nothing: given back with the reason, which the sender's and the gateway's log shows; it is due again
   after the gateway's pause, and a dead letter after its last attempt. After AR, CR and silence all others wait as well, up to a minute:
   nothing was wrong with the message.
4. What is no HL7 goes into the folder for releases, or back with `not-hl7` where there is none.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.client.agency import AgencyClient, Answered, Inbound
from gateway.client.agent import Shelf, Tell, acknowledge, keep_fetching
from gateway.model.errors import Refusal, Unavailable

HL7 = "application/hl7-v2"
_MESSAGE_IS_WRONG = frozenset({"AE", "CE"})


class Answer(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def is_taken(self) -> bool: ...


class System(Protocol):
    async def connect(self) -> None:
        """Raises Unavailable while nobody is there."""
        ...

    async def send(self, message: bytes) -> Answer:
        """Raises Unavailable when nobody can say whether it was taken, Refusal for what cannot be sent at all."""
        ...


class HandOn:
    """`shelf` takes what is no HL7; without one it is given back."""

    def __init__(self, client: AgencyClient, system: System, shelf: Shelf | None, accept: str, tell: Tell) -> None:
        self._client, self._system, self._shelf, self._accept, self._tell = client, system, shelf, accept, tell

    async def follow(self) -> None:
        """Go on until cancelled; an outage of either side makes it wait longer, up to a minute."""
        await keep_fetching(self.once, "handing_on_waits", self._tell)

    async def once(self, wait_seconds: int = 0) -> int:
        """Fetch one release and hand it on; how many came.

        Raises Unavailable when the system or the gateway is away, or the system took nothing though nothing was wrong.
        """
        await self._system.connect()
        fetched = await self._client.pull(1, wait_seconds, self._accept)
        for release in fetched:
            await self._hand_on(release)
        return len(fetched)

    async def _hand_on(self, release: Inbound) -> None:
        if not release.content_type.startswith(HL7):
            await self._put_away(release)
            return
        try:
            answer = await self._system.send(release.body)
        except Unavailable:
            await self._give_back(release, "no-answer")
            raise
        except Refusal:
            await self._give_back(release, "not-mllp")
            return
        if answer.is_taken:
            await acknowledge(self._client, release, self._tell)
            return
        await self._give_back(release, f"hl7-{answer.code.lower()}", answer.error)
        if answer.code not in _MESSAGE_IS_WRONG:
            raise Unavailable(
                f"the MLLP listener does not take messages now: {answer.code}", remedy="look into its log"
            )

    async def _put_away(self, release: Inbound) -> None:
        if self._shelf is None:
            await self._give_back(release, "not-hl7")
            return
        await asyncio.to_thread(self._shelf.put, release)
        await acknowledge(self._client, release, self._tell)

    async def _give_back(self, release: Inbound, reason: str, error: str = "") -> None:
        self._tell(
            "release_given_back", delivery=release.delivery, revision=release.revision, reason=reason, error=error
        )
        try:
            await self._client.give_back(release, reason)
        except Answered as late:  # the lease ran out, and it is due by itself
            self._tell("release_acknowledged_late", delivery=release.delivery, status=late.status)

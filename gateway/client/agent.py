"""What does an agent do all day on the agency's side, and what does it do after a fall?

Three loops under one task group: the MLLP listener answers by itself, the drop
folder is looked into every few seconds, releases are fetched by long poll (into a folder here, over MLLP in `handing_on`). An
outage makes the loops wait longer, up to a minute, and never ends them. All state
is in the folders, so starting again after a crash is starting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from gateway.client.agency import AgencyClient, Answered, Inbound
from gateway.model.errors import HutongError, Unavailable

LONGEST_WAIT_SECONDS = 60.0
POLL_SECONDS = 20

Tell = Callable[..., None]


class Drop(Protocol):
    async def look(self) -> Any: ...


class Shelf(Protocol):
    def put(self, release: Inbound) -> Any:
        """On disk when it returns."""
        ...


async def follow_drop(drop: Drop, every_seconds: float, tell: Tell) -> None:
    """Look again and again; ends only by Tampered or cancellation."""
    wait = every_seconds
    while True:
        try:
            await drop.look()
            wait = every_seconds
        except Unavailable as out:
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            tell("drop_unavailable", reason=out.message, wait_seconds=wait)
        await asyncio.sleep(wait)


async def fetch_once(client: AgencyClient, shelf: Shelf, accept: str, tell: Tell, wait_seconds: int = 0) -> int:
    """Fetch one page, put it on disk, acknowledge each; how many came. A lease that ran out comes again by itself."""
    fetched: Sequence[Inbound] = await client.pull(20, wait_seconds, accept)
    for release in fetched:
        await asyncio.to_thread(shelf.put, release)
        await acknowledge(client, release, tell)
    return len(fetched)


async def acknowledge(client: AgencyClient, release: Inbound, tell: Tell) -> None:
    """The release is with its system. Where the lease has run out meanwhile it comes again."""
    try:
        await client.acknowledge(release)
    except Answered as late:
        tell("release_acknowledged_late", delivery=release.delivery, status=late.status)
    else:
        tell("release_fetched", delivery=release.delivery, revision=release.revision)


async def follow_inbox(client: AgencyClient, shelf: Shelf, accept: str, tell: Tell) -> None:
    await keep_fetching(lambda seconds: fetch_once(client, shelf, accept, tell, seconds), "inbox_unavailable", tell)


async def keep_fetching(once: Callable[[int], Awaitable[object]], trouble: str, tell: Tell) -> None:
    """Do `once` with a long poll again and again, until cancelled; an outage is told as `trouble`, and waited for."""
    wait = 1.0
    while True:
        try:
            await once(POLL_SECONDS)
            wait = 1.0
        except (Unavailable, Answered, OSError) as failed:
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            reason = failed.message if isinstance(failed, HutongError) else type(failed).__name__
            tell(trouble, reason=reason, wait_seconds=wait)
            await asyncio.sleep(wait)

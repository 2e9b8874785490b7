"""Where is kept through which handles an office may send a message on?

A handle is written in the transaction that discloses it (`Disclosure.relays`). Kept are a keyed digest of it, the
delivery and the place of the value in the notice: never the value, which is looked up anew, by a new decision, each
time a message comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.model.identifiers import DeliveryId, OfficeId


@dataclass(frozen=True, slots=True)
class KnownHandle:
    """One handle as a delivery gave it out. `path` is the schema's path of the value behind it."""

    delivery: DeliveryId
    path: str


class RelayStorage(Protocol):
    async def handles(self, office: OfficeId, handle: bytes, now: datetime) -> Sequence[KnownHandle]:
        """The deliveries that gave this office this handle (32 bytes, keyed) and whose time runs at `now`, newest first.

        Empty for a handle that was never given to this office: another office's handle is none.
        Erasing a person forgets the handles of every notice that names the person.
        """
        ...

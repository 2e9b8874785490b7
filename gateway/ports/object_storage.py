"""Where are the bytes of attachments kept, apart from the notices that name them?

Objects are large, written once, and named by whoever keeps them with a keyed name that tells nothing. Each is encrypted
under a data key of its own, whose id stands beside it: destroying the key erases the object, wherever a copy of it is.

An object that was put is an *upload*: it lapses unless it is kept. `keep` may come first; what is put later under that
name is kept from the start.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import NewType, Protocol

from gateway.model.identifiers import KeyId
from gateway.ports.keys import DataKey

ObjectName = NewType("ObjectName", str)  # 64 hex digits


@dataclass(frozen=True, slots=True)
class StoredObject:
    """`size` counts the bytes of the plain content."""

    name: ObjectName
    key: KeyId
    size: int


class ObjectStorage(Protocol):
    async def put(self, name: ObjectName, key: DataKey, content: AsyncIterable[bytes]) -> StoredObject:
        """Encrypt and store; durable when it returns. Takes the place of what had the name.

        What `content` raises is raised, and then nothing was stored. Raises Unavailable when it cannot be written.
        """
        ...

    async def find(self, name: ObjectName) -> StoredObject | None:
        """What has this name now. Raises Tampered for a file that is none of ours, Unavailable when out of reach."""
        ...

    def read(self, found: StoredObject, secret: bytes) -> AsyncIterator[bytes]:
        """The plain content in pieces, in order, each authenticated before it is given out.

        Raises Tampered at the first piece that was changed, moved or cut off, FileNotFoundError never: what is gone
        is Tampered too.
        """
        ...

    async def keep(self, name: ObjectName) -> bool:
        """Let the object of this name, now or later, not lapse. True when it is there now. Durable when it returns."""
        ...

    async def delete(self, name: ObjectName) -> None:
        """Remove the object and its mark. What is not there is no error. Durable when it returns; raises Unavailable."""
        ...

    async def kept(self, after: ObjectName | None, limit: int, before: datetime) -> list[StoredObject]:
        """Up to `limit` kept objects that were put before an instant, by name, from after the given one.

        What is none of ours is left out, and so are marks of what has not come. Raises Unavailable.
        """
        ...

    async def lapse(self, before: datetime) -> list[StoredObject]:
        """Remove uploads put before that instant that nobody kept; returns them, so that their keys can be destroyed."""
        ...

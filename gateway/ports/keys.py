"""Where do keys live, apart from the data they open?

Data keys are made durably in batches ahead of need: a key that `take` hands out
survives any crash, so content is never sealed under a key that is gone.
Destroying a key erases everything sealed under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.crypto.signing import SigningKey
from gateway.model.identifiers import KeyId


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """A 256-bit content key. Its repr shows only the id."""

    id: KeyId
    secret: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.id})"


class KeyStore(Protocol):
    def take(self, count: int) -> Sequence[DataKey]:
        """Fresh data keys from the durable stock; never waits on the disk. Raises Unavailable when the stock is empty."""
        ...

    def open(self, key: KeyId) -> bytes | None:
        """The secret of a key, or None once it is destroyed. Raises Unavailable when the store is out of reach."""
        ...

    async def destroy(self, keys: Sequence[KeyId]) -> None:
        """Durable when it returns: no copy is left in file, journal or free pages of this store."""
        ...

    def secret(self, name: str) -> bytes:
        """A named 256-bit secret of this gateway, made on first use: aliases, pseudonyms, handles, lanes."""
        ...

    def knows_secret(self, name: str) -> bool:
        """Whether this named secret was made already."""
        ...

    def signing_key(self, purpose: str) -> SigningKey:
        """The current signing key for `receipts`, `releases`, `tokens` or `log`."""
        ...

    def use_signing_key(self, purpose: str, key: SigningKey) -> None:
        """Sign with `key` from now on, durable when it returns. The private part of the one before is destroyed, its
        public part stays. Raises Unavailable when the store is out of reach."""
        ...

    def verification_keys(self) -> Sequence[dict[str, object]]:
        """Public JWKs of all signing keys, the retired included: old signatures stay verifiable. A list to publish: it says
        of none for what it may sign now. Reading it, a store that several nodes share sees what another changed."""
        ...


@dataclass(frozen=True, slots=True)
class RootChange:
    """A change of the root key that is prepared. What the log calls the old one and the new one: 64 hexadecimal digits that
    say nothing of either."""

    before: str
    after: str


class RootKeys(Protocol):
    """What the key store itself is opened with. Whatever is interrupted, the old root key or the new one opens it."""

    def prepare(self) -> RootChange:
        """Make the new root key; the old one still opens.

        Raises InvalidDocument where it cannot be changed, Unavailable while another node changes it.
        """
        ...

    def change(self, change: RootChange) -> None:
        """From here on the new one alone opens, durably. Raises Unavailable when the key store is out of reach."""
        ...

    def drop(self, change: RootChange) -> None:
        """Let go of what was prepared. After `change` this does nothing."""
        ...

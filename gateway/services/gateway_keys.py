"""How does the gateway change a key it signs with, while it runs?

The keys of receipts, releases and tokens. Changing one destroys the private part of the one before; the public part stays
published at `/.well-known/jwks.json`, so that everything it signed verifies as before. The steps:

1. make the new key, in memory alone.
2. the log: which key is followed by which, and by whose hand. A crash here leaves a record of a key that never signs.
3. put it in use, durably. This node signs with it from its next signature on, every other node of a cluster as soon as
   it sees that the key store changed, which is before the next notice it opens.

The root key, which opens the key store, is changed in the same order: made, in the log, put in use. It is
named there by a digest that says nothing of it.

The log names keys by the thumbprint of RFC 7638 in hexadecimal digits. The keys of the log itself are notes' keys, with a
life of their own (`hutong log trust`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gateway.crypto.signing import from_b64url, new_signing_key
from gateway.model.audit import EventName
from gateway.model.errors import InvalidDocument
from gateway.ports.clock import Clock
from gateway.ports.keys import KeyStore, RootKeys
from gateway.ports.log_storage import LogStorage
from gateway.services.roles import Role, StaffDirectory, require
from gateway.services.tell import Teller

USES = ("receipts", "releases", "tokens")
ALGORITHMS = ("EdDSA", "ES256")


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """`kid` as in `/.well-known/jwks.json`."""

    use: str
    kid: str
    algorithm: str


class GatewayKeys:
    def __init__(
        self, *, keys: KeyStore, root: RootKeys, log: LogStorage, staff: StaffDirectory, teller: Teller, clock: Clock
    ) -> None:
        self._keys, self._root, self._log, self._staff = keys, root, log, staff
        self._teller, self._clock = teller, clock
        self._turn = asyncio.Lock()  # so that the log tells one chain of keys

    def in_use(self) -> list[KeyInUse]:
        return [self._in_use(use) for use in USES]

    async def rotate(self, use: str, *, algorithm: str = "EdDSA", by: str) -> KeyInUse:
        """Sign with a fresh key from now on. Takes a security administrator.

        Raises RoleMissing, InvalidDocument for what is no use or algorithm, Unavailable when log or key store are away.
        """
        await require(self._staff, by, Role.SECURITY_ADMINISTRATOR)
        if use not in USES or algorithm not in ALGORITHMS:
            raise InvalidDocument(
                f"a key signs one of {', '.join(USES)}, with one of {', '.join(ALGORITHMS)}",
                remedy="see `hutong key rotate --help`",
            )
        async with self._turn:
            before, new = self._keys.signing_key(use), new_signing_key(algorithm)
            told = {"key": from_b64url(before.kid).hex(), "new_key": from_b64url(new.kid).hex(), "use": use}
            await self._log.append([self._teller.event(EventName.KEY_ROTATED, self._clock.now(), told, officer=by)])
            await asyncio.to_thread(self._keys.use_signing_key, use, new)
            return self._in_use(use)

    async def change_root(self, *, by: str) -> str:
        """Open the key store with another root key from now on; answers its name in the log. Takes a security administrator.

        Raises RoleMissing, InvalidDocument where it cannot be changed, Unavailable when log or key store are away: then the old
        one opens it.
        """
        await require(self._staff, by, Role.SECURITY_ADMINISTRATOR)
        async with self._turn:
            change = await asyncio.to_thread(self._root.prepare)
            try:
                told = {"key": change.before, "new_key": change.after, "use": "root"}
                await self._log.append([self._teller.event(EventName.KEY_ROTATED, self._clock.now(), told, officer=by)])
                await asyncio.to_thread(self._root.change, change)
            finally:
                self._root.drop(change)
            return change.after

    def _in_use(self, use: str) -> KeyInUse:
        key = self._keys.signing_key(use)
        return KeyInUse(use, key.kid, key.algorithm)

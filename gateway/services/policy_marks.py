"""Was this pack put in force by this gateway, or by whoever writes the database?

Which pack is in force, what it says and who approved it are rows. Whoever could write them, without a key, could let a pack
decide that nobody approved. So a mark for each pack that this gateway puts in force, or takes on for a later instant, is in the
key store, apart from the data, before the transaction that says so. In force is the newest activation with a mark whose
documents are those of its hash; another one counts for nothing and an operator is told. While one is said to be in force that
has no mark, ordinary deliveries wait (`Policies.waits`). After a crash between mark and transaction an approved pack has its
mark and is not in force.

Packs that were in force before there were marks get theirs once, as they stand, at the first start. One that a node of an older
release activates beside this one, or that is newer than a restored copy of the keys, has none: a security administrator
activates it once more.
"""

from __future__ import annotations

from gateway.model.identifiers import PolicyHash
from gateway.policy.life import PolicyState
from gateway.ports.keys import KeyStore
from gateway.ports.registry_storage import PolicyStorage

MARK = "policies-are-marked"


class PolicyMarks:
    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def put(self, pack: PolicyHash) -> None:
        self._keys.secret(_name(pack))

    def holds(self, pack: PolicyHash) -> bool:
        return self._keys.knows_secret(_name(pack))

    async def begin(self, storage: PolicyStorage, region: str) -> None:
        """Mark what was in force, or is to be, before there were marks; once for a store and its keys."""
        if self._keys.knows_secret(MARK):
            return
        for activation in await storage.activations(region):
            self.put(activation.policy)
        for version in await storage.lives():
            if version.state is PolicyState.EFFECTIVE:
                self.put(version.policy)
        self._keys.secret(MARK)


def _name(pack: PolicyHash) -> str:
    return f"policy {pack}"

"""Which offices are there now, and with which keys do they sign?

A snapshot, rebuilt when the directory's epoch moves; every transaction that was
prepared under an older one is prepared again, so a suspension bites at its commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.crypto.signing import VerifyKey, verify_key
from gateway.geography.competent import CompetentOffices
from gateway.geography.divisions import DivisionTree
from gateway.model.agency import Office, OfficeState
from gateway.model.errors import HutongError, Unavailable
from gateway.model.geography import Directory, Jurisdiction
from gateway.model.identifiers import OfficeId
from gateway.ports.registry_storage import DirectoryStorage
from gateway.ports.storage import Epochs
from gateway.services.directory_seal import doubted


@dataclass(frozen=True, slots=True)
class DirectorySnapshot:
    """All offices at one epoch. Of the `doubted` nobody vouches for the entry in the database."""

    epochs: Epochs
    offices: Mapping[OfficeId, Office]
    doubted: frozenset[OfficeId]
    finder: CompetentOffices
    _keys: Mapping[OfficeId, Mapping[str, tuple[VerifyKey, datetime, datetime | None]]] = field(repr=False)

    def signing_keys(self, office: OfficeId, at: datetime) -> Callable[[str], VerifyKey | None]:
        """Find a key of this office by kid, if it was the office's to sign with at that instant."""
        keys = self._keys.get(office, {})

        def find(kid: str) -> VerifyKey | None:
            found = keys.get(kid)
            if found is None:
                return None
            key, not_before, not_after = found
            return key if not_before <= at and (not_after is None or at < not_after) else None

        return find


class Directories:
    """Holds the current snapshot; `refresh` re-reads it, which every change of the directory calls for."""

    def __init__(
        self,
        storage: DirectoryStorage,
        tree: DivisionTree,
        jurisdictions: Sequence[Jurisdiction] = (),
        *,
        holds: Callable[[Office], bool],
    ) -> None:
        """`holds` says whether an entry is the one this gateway wrote."""
        self._storage, self._tree, self._holds = storage, tree, holds
        self._jurisdictions = tuple(jurisdictions)
        self._current: DirectorySnapshot | None = None
        self._looks, self._shown = 0, 0  # how many looks began, and which of them was shown last
        self._before_policy_epoch: Callable[[], Awaitable[None]] | None = None
        self._before_consent_epoch: Callable[[], Awaitable[None]] | None = None

    def follow_policies(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Call this before a new policy epoch is shown: nothing may be decided under a new epoch by an older pack."""
        self._before_policy_epoch = refresh

    def follow_findings(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Call this before a new consent epoch is shown: nothing may be decided under it by older findings on persons."""
        self._before_consent_epoch = refresh

    @property
    def current(self) -> DirectorySnapshot:
        if self._current is None:
            raise RuntimeError("the directory was not read yet: await refresh() at start-up")
        return self._current

    async def refresh(self) -> DirectorySnapshot:
        """Raises Unavailable alone: when the store is out of reach, or with its cause for what another node stored and this one
        cannot read, a pack of a newer release or a changed row. Whoever sends a report then tries again, at another node."""
        try:
            return await self._look()
        except Unavailable:
            raise
        except HutongError as unread:
            remedy = "see the node's event log; bring it to the release of the others"
            raise Unavailable("this node cannot read what was changed", remedy=remedy) from unread

    async def _look(self) -> DirectorySnapshot:
        self._looks += 1
        look = self._looks
        epochs = await self._storage.epochs()
        known = self._current
        if self._before_policy_epoch is not None and (known is None or known.epochs.policy != epochs.policy):
            await self._before_policy_epoch()
        if self._before_consent_epoch is not None and (known is None or known.epochs.consent != epochs.consent):
            await self._before_consent_epoch()
        if self._current is not None and look < self._shown:
            return self._current  # a look that began later has read what is newer
        if self._current is not None and self._current.epochs.directory == epochs.directory:
            self._shown = look
            self._current = replace(self._current, epochs=epochs)
            return self._current
        stored = await self._storage.offices()
        unvouched = frozenset(office.id for office in stored if not self._holds(office))
        offices = {office.id: doubted(office) if office.id in unvouched else office for office in stored}
        if self._current is not None and look < self._shown:
            return self._current
        keys = {
            office.id: {
                key.kid: (verify_key(key.jwk), key.not_before, key.not_after)
                for key in office.keys
                if key.use == "sig" and office.state is not OfficeState.COMPROMISED
            }
            for office in offices.values()
        }
        directory = Directory(offices, self._jurisdictions, str(epochs.directory))
        finder = CompetentOffices(self._tree, directory)
        self._shown = look
        self._current = DirectorySnapshot(epochs, offices, unvouched, finder, keys)
        return self._current

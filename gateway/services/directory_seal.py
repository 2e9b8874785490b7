"""Is an office's entry in the database the one that this gateway wrote?

What an office may sign with, where it is called and whether it is suspended are rows of the database. Whoever can write
there, without a key, could give an office another key and read its inbox. So each entry in force is sealed: an HMAC
under a secret of the key store, apart from the data. An entry whose seal does not fit is *doubted*: it stays in the
directory, without keys, webhook or queue and as compromised, so that nothing is taken from it or told to it, and what is
due goes to the office above (`geography.competent`), until it is enrolled anew with its key. Versions that are no longer in force are kept without
their seal, so that none of them can be put back; the log holds the digest of each entry.

Entries from before there were seals are sealed once, as they stand, at the first start: whether somebody had changed them before
is beyond a seal. The mark that it was done is in the key store as well:

1. each entry is stored again with its seal, with its log record. A crash: the next start does it again.
2. the mark. From here an entry without a seal is doubted.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import datetime
from typing import Any

from gateway.crypto.sealing import keyed_digest
from gateway.model.agency import Office, OfficeState
from gateway.model.audit import EventName, LogValue
from gateway.model.canonical import canonical_json
from gateway.ports.clock import Clock
from gateway.ports.keys import KeyStore
from gateway.ports.registry_storage import DirectoryStorage
from gateway.services.tell import Teller

SECRET, MARK = "directory", "directory-is-sealed"
_OUTSIDE = frozenset({"seal", "directory_version"})


class DirectorySeal:
    def __init__(self, keys: KeyStore) -> None:
        self._keys, self._secret = keys, keys.secret(SECRET)

    def sealed(self, office: Office) -> Office:
        return replace(office, seal=self._of(office))

    def holds(self, office: Office) -> bool:
        return hmac.compare_digest(office.seal, self._of(office))

    async def begin(self, storage: DirectoryStorage, teller: Teller, clock: Clock) -> None:
        """Seal what was stored before there were seals; once for a store and its keys."""
        if self._keys.knows_secret(MARK):
            return
        for office in await storage.offices():
            now = clock.now()
            told: dict[str, LogValue | None] = {"office": office.id, "changed": ("seal",), "entry": digest(office)}
            record = teller.event(EventName.OFFICE_CHANGED, now, told)
            await storage.put_office(self.sealed(office), now, (record,))
        self._keys.secret(MARK)

    def _of(self, office: Office) -> str:
        return keyed_digest(self._secret, _text(office)).hex()


def doubted(office: Office) -> Office:
    """What is left of an entry that nobody vouches for: who it is said to be."""
    return Office(
        office.id, office.name_zh, office.name_en, OfficeState.COMPROMISED, office.adapter, office.media_type,
        directory_version=office.directory_version,
    )  # fmt: skip


def digest(office: Office) -> str:
    """SHA-256 of an entry, for the log."""
    return hashlib.sha256(_text(office)).hexdigest()


def _text(office: Office) -> bytes:
    return canonical_json(_members(office))


def _members(entry: Any) -> dict[str, Any]:
    """The members that differ from their defaults: a member that entries get later changes no older one."""
    found = {}
    for one in fields(entry):
        value = getattr(entry, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        if one.name not in _OUTSIDE and (default is MISSING or value != default):
            found[one.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _members(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value.isoformat() if isinstance(value, datetime) else value

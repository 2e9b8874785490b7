"""How is the root key changed, so that whatever crash finds the key store open under the old one or the new?

With a root key in a file:

1. The new one is in `root.key.new`, durably. A crash leaves it there, opening nothing; the next change begins anew.
2. (The service: the change is in the log.)
3. The key-encryption key is wrapped under the new one, in one transaction. From here on the old one opens nothing. A start
   finds that `root.key` does not open the store while `root.key.new` does, and goes on with step 4.
4. `root.key.new` takes the name `root.key`, durably.

Nothing beneath changes, so no key is made, lost or destroyed, and nodes that have the store open notice nothing.

A passphrase is not changed here: it opens the private keys of the log's checkpoints too, which every running node reads again when
a hold begins.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from gateway.engines.file_drop.durable import sync_folder
from gateway.engines.files.keystore import FileKeyStore, open_key_store
from gateway.engines.files.root_key import KEY_BYTES, RootKey, RootKeyFile
from gateway.model.errors import InvalidDocument, Unavailable
from gateway.ports.keys import RootChange

NEW = ".new"


@dataclass(frozen=True, slots=True)
class _Prepared(RootChange):
    root: RootKey
    salt: bytes
    handles: list[int]  # the lock of the new file, until it is let go of


class FileRootKeys:
    """The root key of one key store, as it is now."""

    def __init__(self, keys: FileKeyStore, root: RootKey) -> None:
        self._keys, self._root = keys, root

    def prepare(self) -> RootChange:
        """Step 1. Raises InvalidDocument where the store is opened with a passphrase, Unavailable while another node changes the
        root key."""
        if not isinstance(self._root, RootKeyFile):
            raise InvalidDocument(
                "this key store is opened with a passphrase, and so are the log's keys: it cannot be changed yet",
                remedy="see ops/runbooks/rotate-keys.md",
            )
        salt = secrets.token_bytes(16)
        handle = self._new_file(self._root)
        new = RootKeyFile(_new(self._root))
        return _Prepared(_name(self._keys.root_salt()), _name(salt), new, salt, [handle])

    def change(self, change: RootChange) -> None:
        """Steps 3 and 4. Raises Unavailable when the key store is out of reach: then the old one opens it."""
        assert isinstance(change, _Prepared)
        assert isinstance(self._root, RootKeyFile)
        try:
            self._keys.change_root(change.root, change.salt)
            _take_its_place(self._root)
        finally:
            self.drop(change)

    def drop(self, change: RootChange) -> None:
        """Let go of what was prepared; a second call does nothing."""
        if isinstance(change, _Prepared) and change.handles:
            os.close(change.handles.pop())

    def _new_file(self, root: RootKeyFile) -> int:
        if not self._keys.opens_with(root):
            _take_its_place(root)  # a change ended between steps 3 and 4, and this node was running
        handle = os.open(_new(root), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
            os.pwrite(handle, secrets.token_bytes(KEY_BYTES), 0)
            os.fsync(handle)
        except BlockingIOError as busy:
            os.close(handle)
            raise Unavailable("another node is changing the root key", remedy="wait for it") from busy
        except BaseException:
            os.close(handle)
            raise
        sync_folder(root.path.parent)
        return handle


def open_under_either(directory: Path, root: RootKey, *, is_shared: bool = False) -> FileKeyStore:
    """Open the key store as `open_key_store` does, and finish a change of the root key that was broken off after step 3."""
    try:
        return open_key_store(directory, root, is_shared=is_shared)
    except InvalidDocument:
        if not isinstance(root, RootKeyFile) or not _new(root).is_file():
            raise
        store = open_key_store(directory, RootKeyFile(_new(root)), is_shared=is_shared)
    _take_its_place(root)
    return store


def _new(root: RootKeyFile) -> Path:
    return root.path.with_name(root.path.name + NEW)


def _take_its_place(root: RootKeyFile) -> None:
    try:
        _new(root).replace(root.path)
    except FileNotFoundError:
        if not root.path.is_file():
            raise
        return  # another node was first
    sync_folder(root.path.parent)


def _name(salt: bytes) -> str:
    """What the log calls a root key: it says nothing of the key, and each change gives another."""
    return hashlib.sha256(salt).hexdigest()

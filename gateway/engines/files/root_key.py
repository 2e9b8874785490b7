"""With what is the key store opened?

With a root key that is not in it: 32 bytes in a file of their own (0600, ours), or a
passphrase from the environment, stretched by scrypt (RFC 7914) with the store's salt.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.model.errors import InvalidDocument, Unavailable

KEY_BYTES = 32
_SCRYPT_COST = 1 << 16  # with blocks of 8: 64 MiB and about a fifth of a second, once at start-up
_LEAST_PASSPHRASE = 16


class RootKey(Protocol):
    def key(self, salt: bytes) -> bytes:
        """The 256-bit key that wraps the key-encryption key. `salt` is the store's own."""
        ...


def check_private(path: Path, *, directory: bool = False) -> None:
    """InvalidDocument unless the path is ours and closed to everyone else; Unavailable when it is not there."""
    try:
        found = path.lstat()
    except FileNotFoundError as absent:
        raise Unavailable(f"`{path.name}` is not there", remedy="make the keys with `hutong init`") from absent
    right = stat.S_ISDIR(found.st_mode) if directory else stat.S_ISREG(found.st_mode)
    if not right:
        raise InvalidDocument(f"`{path.name}` is not a {'folder' if directory else 'plain file'}")
    if found.st_uid != os.geteuid():
        raise InvalidDocument(f"`{path.name}` belongs to another user", remedy="give it to the gateway's own user")
    if found.st_mode & 0o077:
        mode = "0700" if directory else "0600"
        raise InvalidDocument(f"`{path.name}` is open to others", remedy=f"set its mode to {mode}")


@dataclass(frozen=True, slots=True)
class RootKeyFile:
    """A root key in a file. The file is checked each time it is read."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> RootKeyFile:
        """Make a fresh root key; FileExistsError when there is a file already."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_bytes(KEY_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        return cls(path)

    def key(self, salt: bytes) -> bytes:
        check_private(self.path)
        found = self.path.read_bytes()
        if len(found) != KEY_BYTES:
            raise InvalidDocument(f"`{self.path.name}` does not hold a root key of {KEY_BYTES} bytes")
        return found


@dataclass(frozen=True, slots=True)
class RootPassphrase:
    """A root key made from a passphrase; its repr doesn't show it."""

    passphrase: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.passphrase) < _LEAST_PASSPHRASE:
            raise InvalidDocument(f"the passphrase has fewer than {_LEAST_PASSPHRASE} characters")

    def key(self, salt: bytes) -> bytes:
        return Scrypt(salt=salt, length=KEY_BYTES, n=_SCRYPT_COST, r=8, p=1).derive(self.passphrase.encode())

"""Where do the private keys that sign checkpoints lie? Two PEM files in a folder only their owner can read.

`<name>.ed25519.pem` and `<name>.mldsa44.pem`, PKCS #8, encrypted where a passphrase is given.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gateway.audit.checkpoint import Sign
from gateway.audit.note import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519, NoteKey
from gateway.engines.file_drop.durable import sync_folder
from gateway.model.errors import InvalidDocument

Private = Ed25519PrivateKey | MLDSA44PrivateKey


@dataclass(frozen=True, slots=True, repr=False)
class NoteSigningKey:
    """A private key with the name and type under which it signs."""

    key: NoteKey
    private: Private

    @property
    def sign(self) -> Sign:
        return self.private.sign

    def __repr__(self) -> str:
        return f"NoteSigningKey({self.key.name}, type {self.key.type})"


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.ed25519.pem", folder / f"{name}.mldsa44.pem"


def make_note_keys(folder: Path, name: str, passphrase: bytes | None = None) -> None:
    """Make both keys. InvalidDocument when there are keys already: they are never overwritten."""
    for path, made in _made(folder, name, passphrase):
        if not made:
            raise InvalidDocument(f"`{path.name}` is there already", remedy="keys are rotated, never overwritten")


def ensure_note_keys(folder: Path, name: str, passphrase: bytes | None = None) -> None:
    """Make whichever of the two keys is missing. Of several nodes that do so at once one makes each key, and all go on with it;
    a node that died between the two is no hindrance."""
    for _ in _made(folder, name, passphrase):
        pass


def _made(folder: Path, name: str, passphrase: bytes | None) -> Iterator[tuple[Path, bool]]:
    """Each key file, and whether it was made here. It appears whole or not at all, and replaces nothing."""
    kinds: tuple[Callable[[], Private], ...] = (Ed25519PrivateKey.generate, MLDSA44PrivateKey.generate)
    for path, make in zip(_files(folder, name), kinds, strict=True):
        if path.exists():
            yield path, False
            continue
        protection = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        pem = make().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
        handle, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(unfinished, path)
            except FileExistsError:
                yield path, False
                continue
            sync_folder(folder)
        finally:
            Path(unfinished).unlink()
        yield path, True


def load_note_keys(
    folder: Path, name: str, signs_as: str, passphrase: bytes | None = None, *, is_log: bool = False
) -> tuple[NoteSigningKey, ...]:
    """The Ed25519 and the ML-DSA-44 key, under the note name `signs_as`: a log's, or a witness's."""
    kinds = (ED25519 if is_log else COSIGNATURE_ED25519, COSIGNATURE_MLDSA44)
    found: list[NoteSigningKey] = []
    for path, kind in zip(_files(folder, name), kinds, strict=True):
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), passphrase)
        except (OSError, ValueError, TypeError) as broken:
            raise InvalidDocument(
                f"`{path.name}` cannot be opened", remedy="check the passphrase and the file"
            ) from broken
        if not isinstance(private, Ed25519PrivateKey | MLDSA44PrivateKey):
            raise InvalidDocument(f"`{path.name}` is a key of another kind")
        found.append(NoteSigningKey(NoteKey(signs_as, kind, private.public_key().public_bytes_raw()), private))
    return tuple(found)

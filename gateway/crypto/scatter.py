"""How can an id be time-ordered inside and random outside?

A keyed permutation of 16-byte values (one block of AES-256, FIPS 197). The store
keeps the ordered side, so that new rows land beside each other; partners see the
scattered side, which tells neither time nor neighbours to anyone without the key.
Any 16 bytes have a counterpart: an id made elsewhere works, it is only not ordered.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

ID_BYTES = 16
KEY_BYTES = 32


class Scatter:
    """A permutation of 16-byte values. `scatter` and `gather` undo each other; safe to call from any thread."""

    def __init__(self, key: bytes) -> None:
        """`key` is 32 random bytes; ValueError for another length."""
        if len(key) != KEY_BYTES:
            raise ValueError("the key has 32 bytes")
        # One block at a time: ECB here is the bare permutation, not a way to encrypt text.
        self._cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305
        self._local = threading.local()

    def scatter(self, ordered: bytes) -> bytes:
        return self._contexts()[0].update(_block(ordered))

    def gather(self, scattered: bytes) -> bytes:
        return self._contexts()[1].update(_block(scattered))

    def gather_all(self, scattered: Sequence[bytes]) -> list[bytes]:
        """`gather` for each of several values, at the cost of little more than one."""
        whole = self._contexts()[1].update(b"".join(map(_block, scattered)))
        return [whole[at : at + ID_BYTES] for at in range(0, len(whole), ID_BYTES)]

    def _contexts(self) -> tuple[CipherContext, CipherContext]:
        try:
            return self._local.contexts  # type: ignore[no-any-return]
        except AttributeError:
            self._local.contexts = (self._cipher.encryptor(), self._cipher.decryptor())
            return self._local.contexts  # type: ignore[no-any-return]


def _block(value: bytes) -> bytes:
    if len(value) != ID_BYTES:
        raise ValueError("an id has 16 bytes")
    return value

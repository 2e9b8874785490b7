"""How is content kept so that only its key opens it, and only in its place?

AES-256-GCM with a random 96-bit nonce in front. A data key seals few messages
(one person's segments), far below the 2**32 at which random nonces grow risky
(NIST SP 800-38D 8.3). The additional data names the place, so a piece moved
elsewhere does not open.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.model.errors import Tampered

NONCE_BYTES = 12
_BLOCK_BYTES = 64  # of SHA-256
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


def seal(key: bytes, nonce: bytes, text: bytes, place: bytes) -> bytes:
    """`nonce` is fresh and random, 12 bytes; it travels in front of the ciphertext."""
    return nonce + AESGCM(key).encrypt(nonce, text, place)


def unseal(key: bytes, sealed: bytes, place: bytes) -> bytes:
    """Raises Tampered when key, place or a bit is wrong."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
    except (InvalidTag, ValueError) as broken:
        raise Tampered("stored content does not open with its key", remedy="restore the content or its key") from broken


def keyed_digest(secret: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA-256 over parts, each with its length in front, so that no two lists of parts collide.

    Written out (RFC 2104) over two plain hashes: a notice takes a dozen of these, and the library's one-shot call
    gives up the interpreter's lock each time, which costs many times the hash beside a busy writer thread.
    """
    message = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
    key = secret if len(secret) <= _BLOCK_BYTES else hashlib.sha256(secret).digest()
    key = key.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(key.translate(_INNER_PAD) + message).digest()
    return hashlib.sha256(key.translate(_OUTER_PAD) + inner).digest()


def digest(*parts: bytes) -> bytes:
    """SHA-256 over parts with their lengths; for public or random bytes only, never for personal values."""
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()

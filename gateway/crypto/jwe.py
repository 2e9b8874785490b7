"""How are bytes locked so that one office alone opens them?

Compact JWE (RFC 7516) with ECDH-ES in direct mode over P-256 (RFC 7518 4.6) and A256GCM: a fresh key pair for each
message, so that no two messages share a key. The header names the office's key; the broker between sees lengths and
that name, nothing else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.crypto.compact import read_object
from gateway.crypto.signing import b64url, from_b64url
from gateway.model.canonical import canonical_json
from gateway.model.errors import Tampered

ALGORITHM, ENCRYPTION = "ECDH-ES", "A256GCM"
_COORDINATE = 32
_KEY_BITS = 256
_NONCE, _TAG = 12, 16


def encryption_key(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    """The public P-256 key of a JWK. ValueError for any other."""
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or "d" in jwk:
        raise ValueError("not a public P-256 key")
    x, y = (int.from_bytes(from_b64url(str(jwk[name])), "big") for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def encrypt(jwk: Mapping[str, Any], text: bytes, content_type: str) -> bytes:
    """Lock `text` for the holder of the key; `content_type` says what it is once opened."""
    theirs, ours = encryption_key(jwk), ec.generate_private_key(ec.SECP256R1())
    numbers = ours.public_key().public_numbers()
    x, y = (b64url(number.to_bytes(_COORDINATE, "big")) for number in (numbers.x, numbers.y))
    header = {
        "alg": ALGORITHM, "enc": ENCRYPTION, "kid": str(jwk["kid"]), "cty": content_type,
        "epk": {"kty": "EC", "crv": "P-256", "x": x, "y": y},
    }  # fmt: skip
    protected = b64url(canonical_json(header)).encode("ascii")
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(_derived(ours.exchange(ec.ECDH(), theirs))).encrypt(nonce, text, protected)
    parts = (protected, b"", *(b64url(part).encode("ascii") for part in (nonce, sealed[:-_TAG], sealed[-_TAG:])))
    return b".".join(parts)


def decrypt(key: ec.EllipticCurvePrivateKey, locked: bytes) -> bytes:
    """What an office's side does. Raises Tampered for anything that this key does not open."""
    try:
        protected, empty, *rest = locked.decode("ascii").split(".")
        header = read_object(from_b64url(protected))
        nonce, text, tag = map(from_b64url, rest)
        if len(nonce) != _NONCE or len(tag) != _TAG or not isinstance(header["epk"], dict):
            raise ValueError("parts of another size or kind")
        if empty or header["alg"] != ALGORITHM or header["enc"] != ENCRYPTION or "zip" in header or "crit" in header:
            raise ValueError("a header that is not understood")
        theirs = encryption_key(header["epk"])
        return AESGCM(_derived(key.exchange(ec.ECDH(), theirs))).decrypt(nonce, text + tag, protected.encode("ascii"))
    except (ValueError, KeyError, TypeError, InvalidTag) as broken:
        raise Tampered("the message does not open with this key") from broken


def _derived(shared: bytes) -> bytes:
    """Concat KDF (NIST SP 800-56A 5.8.1) with SHA-256, one round: party info empty, the algorithm is the content's."""
    name = ENCRYPTION.encode()
    info = len(name).to_bytes(4, "big") + name + bytes(4) + bytes(4) + _KEY_BITS.to_bytes(4, "big")
    return hashlib.sha256((1).to_bytes(4, "big") + shared + info).digest()

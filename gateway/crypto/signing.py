"""With which keys do we and the offices sign?

The `international` suite: Ed25519 (`EdDSA`, RFC 8037) and ECDSA P-256 (`ES256`,
RFC 7518 3.4). A key knows its own algorithm, so a header can never choose a
weaker one; a new suite adds classes here and touches nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from gateway.model.canonical import canonical_json

_ES256 = ec.ECDSA(hashes.SHA256())
_P256_BYTES = 32


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_b64url(text: str) -> bytes:
    """Strict: ValueError for padding, foreign characters or spare bits (RFC 7515 2, RFC 4648 3.5)."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64url(raw) != text:
        raise ValueError("not canonical base64url")
    return raw


class VerifyKey(Protocol):
    """A public key; `algorithm` is its one JOSE algorithm."""

    @property
    def kid(self) -> str: ...

    @property
    def algorithm(self) -> str: ...

    def is_signed(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature over exactly these bytes is this key's."""
        ...

    def jwk(self) -> dict[str, Any]: ...


class SigningKey(Protocol):
    @property
    def kid(self) -> str: ...

    @property
    def algorithm(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...

    def public(self) -> VerifyKey: ...

    def private_bytes(self) -> bytes:
        """PKCS #8 DER, for a key store alone."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519VerifyKey:
    kid: str
    key: ed25519.Ed25519PublicKey
    algorithm: str = field(default="EdDSA", init=False)

    def is_signed(self, signature: bytes, message: bytes) -> bool:
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> dict[str, Any]:
        raw = self.key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw), "kid": self.kid, "alg": "EdDSA", "use": "sig"}


@dataclass(frozen=True, slots=True)
class P256VerifyKey:
    kid: str
    key: ec.EllipticCurvePublicKey
    algorithm: str = field(default="ES256", init=False)

    def is_signed(self, signature: bytes, message: bytes) -> bool:
        if len(signature) != 2 * _P256_BYTES:
            return False
        r, s = int.from_bytes(signature[:_P256_BYTES], "big"), int.from_bytes(signature[_P256_BYTES:], "big")
        try:
            self.key.verify(encode_dss_signature(r, s), message, _ES256)
        except InvalidSignature:
            return False
        return True

    def jwk(self) -> dict[str, Any]:
        numbers = self.key.public_numbers()
        x, y = (b64url(n.to_bytes(_P256_BYTES, "big")) for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid, "alg": "ES256", "use": "sig"}


@dataclass(frozen=True, slots=True, repr=False)
class Ed25519SigningKey:
    kid: str
    key: ed25519.Ed25519PrivateKey
    algorithm: str = field(default="EdDSA", init=False)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)

    def public(self) -> VerifyKey:
        return Ed25519VerifyKey(self.kid, self.key.public_key())

    def private_bytes(self) -> bytes:
        return _pkcs8(self.key)


@dataclass(frozen=True, slots=True, repr=False)
class P256SigningKey:
    kid: str
    key: ec.EllipticCurvePrivateKey
    algorithm: str = field(default="ES256", init=False)

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(message, _ES256))
        return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")

    def public(self) -> VerifyKey:
        return P256VerifyKey(self.kid, self.key.public_key())

    def private_bytes(self) -> bytes:
        return _pkcs8(self.key)


def _pkcs8(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The JWK thumbprint (RFC 7638), SHA-256: what we use as `kid` for keys that come without one."""
    members = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y")}[jwk["kty"]]
    digest = hashes.Hash(hashes.SHA256())
    digest.update(canonical_json({name: jwk[name] for name in members}))
    return b64url(digest.finalize())


def new_signing_key(algorithm: str = "EdDSA") -> SigningKey:
    """A fresh key of the `international` suite, named by its thumbprint."""
    if algorithm == "EdDSA":
        ed = ed25519.Ed25519PrivateKey.generate()
        return Ed25519SigningKey(thumbprint(Ed25519VerifyKey("", ed.public_key()).jwk()), ed)
    if algorithm == "ES256":
        p256 = ec.generate_private_key(ec.SECP256R1())
        return P256SigningKey(thumbprint(P256VerifyKey("", p256.public_key()).jwk()), p256)
    raise ValueError("supported algorithms are EdDSA and ES256")


def load_signing_key(pkcs8: bytes, kid: str | None = None) -> SigningKey:
    """A key from PKCS #8, DER or PEM. ValueError for any other kind of key."""
    is_pem = pkcs8.lstrip().startswith(b"-----")
    load = serialization.load_pem_private_key if is_pem else serialization.load_der_private_key
    key = load(pkcs8, None)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Ed25519SigningKey(kid or thumbprint(Ed25519VerifyKey("", key.public_key()).jwk()), key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return P256SigningKey(kid or thumbprint(P256VerifyKey("", key.public_key()).jwk()), key)
    raise ValueError("supported keys are Ed25519 and P-256")


def read_public_jwk(text: bytes) -> dict[str, Any]:
    """The public JWK that a key file holds: a JWK (RFC 7517), or PEM as `openssl pkey -pubout` writes it. ValueError for
    anything else, and for a private key: that stays with its office."""
    if text.lstrip().startswith(b"{"):
        jwk: dict[str, Any] = json.loads(text)
        return jwk
    if b"PRIVATE KEY" in text:
        raise ValueError("this is a private key, which stays with its office")
    key = serialization.load_pem_public_key(text)
    if isinstance(key, ed25519.Ed25519PublicKey):
        whole = Ed25519VerifyKey("", key).jwk()
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        whole = P256VerifyKey("", key).jwk()
    else:
        raise ValueError("supported keys are Ed25519 and P-256")
    return {name: whole[name] for name in ("kty", "crv", "x", "y") if name in whole}


def verify_key(jwk: Mapping[str, Any]) -> VerifyKey:
    """A public key from a JWK. ValueError for private parts, other kinds, or an `alg` that is not the key's own."""
    if "d" in jwk or "k" in jwk:
        raise ValueError("a public key must not hold private parts")
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ("verify",)):
        raise ValueError("the key is not meant to verify signatures")
    try:
        kid = str(jwk.get("kid") or thumbprint(jwk))
        key: VerifyKey
        match jwk["kty"], jwk["crv"]:
            case "OKP", "Ed25519":
                key = Ed25519VerifyKey(kid, ed25519.Ed25519PublicKey.from_public_bytes(from_b64url(jwk["x"])))
            case "EC", "P-256":
                x, y = (_coordinate(jwk[name]) for name in ("x", "y"))
                key = P256VerifyKey(kid, ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())
            case _:
                raise ValueError("supported keys are OKP/Ed25519 and EC/P-256")
    except (KeyError, TypeError) as broken:
        raise ValueError("the key lacks a member or has one of the wrong type") from broken
    if jwk.get("alg", key.algorithm) != key.algorithm:
        raise ValueError("`alg` does not fit the kind of key")
    return key


def _coordinate(text: str) -> int:
    """A P-256 coordinate: exactly 32 bytes (RFC 7518 6.2.1.2)."""
    raw = from_b64url(text)
    if len(raw) != _P256_BYTES:
        raise ValueError("a P-256 coordinate has 32 bytes")
    return int.from_bytes(raw, "big")

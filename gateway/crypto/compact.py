"""Who says this, in a token that carries its own text?

Compact JWS (RFC 7515 7.1): receipts, client assertions and access tokens. Reading
and verifying are two steps, so that the caller finds the key in its own directory;
nothing in a header (`jwk`, `jku`, `x5c`) ever names the key to trust.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.crypto.signing import SigningKey, VerifyKey, b64url, from_b64url
from gateway.model.canonical import canonical_json

MAX_COMPACT_CHARS = 8192


@dataclass(frozen=True, slots=True)
class Compact:
    """A compact JWS as read; nothing in it is to be believed before `is_signed_by` said so."""

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes

    def is_signed_by(self, key: VerifyKey) -> bool:
        """Whether this key signed it with the key's own algorithm."""
        return self.header["alg"] == key.algorithm and key.is_signed(self.signature, self.signing_input)

    def claims(self) -> Mapping[str, Any]:
        """The payload as a JWT claims set. ValueError when it is not one JSON object without repeated members."""
        return read_object(self.payload)


def read_compact(text: str) -> Compact:
    """Take a compact JWS apart.

    ValueError for anything else: other serialisations, extensions that must be understood (`crit`), an unencoded or
    absent payload, spare bits, repeated members. Texts over 8,192 characters are not looked at.
    """
    if len(text) > MAX_COMPACT_CHARS or not text.isascii():
        raise ValueError("not a compact JWS")
    parts = text.split(".")
    if len(parts) != 3 or not all(parts):
        raise ValueError("not a compact JWS")
    header = read_object(from_b64url(parts[0]))
    if not isinstance(header.get("alg"), str) or "crit" in header or "b64" in header or "zip" in header:
        raise ValueError("a header that is not understood")
    signing_input = f"{parts[0]}.{parts[1]}".encode("ascii")
    return Compact(header, from_b64url(parts[1]), signing_input, from_b64url(parts[2]))


def sign_compact(key: SigningKey, payload: bytes, protected: Mapping[str, Any] | None = None) -> str:
    """Sign a payload; `protected` adds members to the protected header (`typ`)."""
    header = b64url(canonical_json({**(protected or {}), "alg": key.algorithm, "kid": key.kid}))
    signing_input = f"{header}.{b64url(payload)}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode('ascii')))}"


def read_object(raw: bytes) -> dict[str, Any]:
    """One JSON object in UTF-8 without repeated members, NaN or endless nesting; ValueError for all else."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError as deep:
        raise ValueError("nested too deeply") from deep
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("duplicate member")
    return made


def _no_constant(_: str) -> Any:
    raise ValueError("not a JSON number")

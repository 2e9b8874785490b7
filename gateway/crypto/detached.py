"""Who signed exactly these bytes?

A detached JWS with an unencoded payload: RFC 7515 appendix F and RFC 7797
(`b64` false), compact form `header..signature`, as in the `Hutong-Signature`
header. The signature is over `ASCII(header) || "." || payload`. Parsed headers are
kept by their text, because an office uses the same few all day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.crypto.compact import read_object
from gateway.crypto.signing import SigningKey, VerifyKey, b64url, from_b64url
from gateway.model.canonical import canonical_json
from gateway.model.errors import BadSignature

MAX_HEADER_CHARS = 8192
_KEPT_HEADERS = 4096
_UNDERSTOOD = frozenset({"alg", "b64", "crit", "kid", "typ", "iat", "cty", "ce"})
ORDER = frozenset({"order", "jti"})  # what only the signature of a call has, which is good for that call once


@dataclass(frozen=True, slots=True)
class Signed:
    """`header` is the protected header, `key` the key that signed."""

    header: Mapping[str, Any]
    key: VerifyKey


def sign_detached(key: SigningKey, payload: bytes, protected: Mapping[str, Any] | None = None) -> str:
    """Sign the payload bytes; `protected` adds members to the protected header (`typ`, `iat`, `ce`)."""
    return DetachedSigner(key, protected).sign(payload)


class DetachedSigner:
    """Signs many payloads under one protected header."""

    def __init__(self, key: SigningKey, protected: Mapping[str, Any] | None = None) -> None:
        header = {**(protected or {}), "alg": key.algorithm, "b64": False, "crit": ["b64"], "kid": key.kid}
        self._key = key
        self._header = b64url(canonical_json(header))
        self._prefix = self._header.encode("ascii") + b"."

    def sign(self, payload: bytes) -> str:
        return f"{self._header}..{b64url(self._key.sign(self._prefix + payload))}"


class CurrentSigner:
    """Signs with whichever key is in use at that moment."""

    def __init__(self, key_of: Callable[[], SigningKey], protected: Mapping[str, Any] | None = None) -> None:
        self._key_of, self._protected = key_of, protected
        self._key = key_of()
        self._signer = DetachedSigner(self._key, protected)

    def sign(self, payload: bytes) -> str:
        key = self._key_of()
        if key is not self._key:
            self._key, self._signer = key, DetachedSigner(key, self._protected)
        return self._signer.sign(payload)


class DetachedVerifier:
    """Verifies detached signatures against keys that the caller finds by `kid`."""

    def __init__(self) -> None:
        self._headers: dict[str, Mapping[str, Any]] = {}

    def verify(
        self, jws: str, payload: bytes, key_of: Callable[[str], VerifyKey | None], *, is_order: bool = False
    ) -> Signed:
        """Raises BadSignature, with the reason and its remedy, for anything that is not a valid signature by a known key, and
        for the signature of an order where no order `is_order`."""
        if len(jws) > MAX_HEADER_CHARS:
            raise BadSignature("the signature header is too long", remedy="send a compact detached JWS")
        parts = jws.split(".")
        if len(parts) != 3 or parts[1]:
            raise BadSignature("not a detached compact JWS", remedy="send `header..signature` (RFC 7515 appendix F)")
        header = self._headers.get(parts[0]) or self._read(parts[0], is_order=is_order)
        key = key_of(header["kid"])
        if key is None:
            raise BadSignature(
                "the key is not known for this office", remedy="register the key or use its registered kid"
            )
        if header["alg"] != key.algorithm:
            raise BadSignature("`alg` does not fit the key", remedy="sign with the algorithm of the registered key")
        try:
            signature = from_b64url(parts[2])
        except ValueError:
            signature = b""  # never valid, and takes the same path as a wrong one
        if not key.is_signed(signature, parts[0].encode("ascii") + b"." + payload):
            raise BadSignature(
                "the signature does not fit the body", remedy="sign the exact bytes of the body as they are sent"
            )
        return Signed(header, key)

    def _read(self, text: str, *, is_order: bool) -> Mapping[str, Any]:
        try:
            header = read_object(from_b64url(text))
        except ValueError as broken:
            raise BadSignature("the protected header is not base64url JSON", remedy="see RFC 7515 4") from broken
        if not isinstance(header.get("kid"), str) or not isinstance(header.get("alg"), str):
            raise BadSignature("the protected header lacks `alg` or `kid`", remedy="name algorithm and key")
        if header.get("b64") is not False or header.get("crit") != ["b64"]:
            raise BadSignature(
                "the payload must be signed unencoded",
                remedy='put `"b64":false,"crit":["b64"]` in the header (RFC 7797)',
            )
        if not header.keys() <= (_UNDERSTOOD | ORDER if is_order else _UNDERSTOOD):
            raise BadSignature("the protected header has members that are not understood", remedy="leave them out")
        if "ce" not in header and not is_order:  # with attributes of one notice or order in it, it comes once
            if len(self._headers) >= _KEPT_HEADERS:
                self._headers.clear()
            self._headers[text] = header
        return header

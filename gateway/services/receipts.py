"""What do we promise, in a form that still convinces a court when we are gone?

A receipt is a compact JWS of its own (RFC 7515), typed, naming the notice and
the digest of the bytes it answers. It names no place in the log. Each verifies alone
against the keys published at `/.well-known/jwks.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from gateway.crypto.signing import SigningKey, b64url
from gateway.model.canonical import canonical_json
from gateway.model.identifiers import GATEWAY_URN, NoticeId, OfficeId, office_urn


class ReceiptKind(StrEnum):
    """The ladder, from transport to deed."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"
    HANDLING = "accepted-for-handling"
    DECLINED = "declined"
    ACTED_ON = "acted-on"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    UNDELIVERED = "undelivered"  # not so far: every try failed, a person of the gateway looks
    SUPERSEDED = "superseded"


BATCH = "batch"  # what ties the answer to a batch to its bytes; no step of the ladder


@lru_cache(16)
def _prefix(algorithm: str, kid: str) -> str:
    header = canonical_json({"alg": algorithm, "kid": kid, "typ": "hutong-receipt+jwt"})
    return b64url(header) + "."


class ReceiptMaker:
    """Signs receipts with the key that is in use at that moment; `name` is the gateway's own name, the issuer. `say` puts
    what an adapter says of a gap into the languages of those who read it."""

    def __init__(self, key_of: Callable[[], SigningKey], name: str, say: Callable[[str], str]) -> None:
        self._key_of, self._issuer, self._say = key_of, f"{GATEWAY_URN}:{name}", say

    def sign(self, kind: ReceiptKind, to: OfficeId, at: datetime, claims: Mapping[str, Any]) -> str:
        return self._sign(kind.value, to, at, claims)

    def batch(self, to: OfficeId, at: datetime, body: bytes, answer: bytes) -> str:
        """Ties the answer to a batch, byte for byte, to the bytes that were sent.

        The receipt of one of its notices names that notice alone, for it is the same receipt whatever batch brings it.
        """
        told = {"body_sha256": hashlib.sha256(body).hexdigest(), "answer_sha256": hashlib.sha256(answer).hexdigest()}
        return self._sign(BATCH, to, at, told)

    def _sign(self, kind: str, to: OfficeId, at: datetime, claims: Mapping[str, Any]) -> str:
        body = canonical_json(
            {
                "iss": self._issuer,
                "aud": office_urn(to),
                "iat": int(at.timestamp()),
                "at": at.isoformat(timespec="milliseconds"),
                "type": kind,
                **claims,
            }
        )
        key = self._key_of()
        signing_input = _prefix(key.algorithm, key.kid) + b64url(body)
        return f"{signing_input}.{b64url(key.sign(signing_input.encode('ascii')))}"

    def accepted(
        self,
        to: OfficeId,
        at: datetime,
        notice: NoticeId,
        native_id: str,
        body: bytes,
        *,
        flags: tuple[str, ...] = (),
        gaps: Sequence[Mapping[str, str]] = (),
    ) -> bytes:
        """The body of a 202, canonical JSON: stored with the notice and repeated byte for byte."""
        told: dict[str, Any] = {"notice": notice, "id": native_id, "body_sha256": hashlib.sha256(body).hexdigest()}
        if flags:
            told["flags"] = list(flags)
        if gaps:
            told["gaps"] = self.gaps(gaps)
        receipt = self.sign(ReceiptKind.ACCEPTED, to, at, told)
        return canonical_json({**told, "type": ReceiptKind.ACCEPTED.value, "receipt": receipt})

    def gaps(self, gaps: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
        """What of a notice was not taken over, as its sender reads it."""
        return [{**gap, "message": self._say(gap["message"])} for gap in gaps]

    def file(self, to: OfficeId, at: datetime, told: Mapping[str, Any]) -> bytes:
        """The body of a 202 for a bulk file: it names the file and the digest of its bytes, and covers all its rows."""
        receipt = self.sign(ReceiptKind.ACCEPTED, to, at, told)
        return canonical_json({**told, "type": ReceiptKind.ACCEPTED.value, "receipt": receipt})

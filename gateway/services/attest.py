"""Who vouches for the bytes of a notice, and how is that proved years later?

The office's detached JWS (RFC 7515 appendix F, RFC 7797) is kept beside the exact bytes it covers, sealed with them:
opened, both verify against the key the office had in the directory at that time. Where an office answered a delivery
with a signed call, what it signed is that call, not the notice the gateway wrote from it.

As kept: four bytes of version, the length of the JWS in four bytes, the JWS, and the bytes. In a batch one signature
covers all items; an item keeps its own content without it, since the whole would outlive the erasure of a person in it.
An office that wants every notice provable alone sends it alone.
"""

from __future__ import annotations

from dataclasses import dataclass

_VERSION = b"HTR1"
_HEAD = 8


@dataclass(frozen=True, slots=True)
class Attestation:
    """`by` is the log's word: the office's `signature`, or the `gateway` alone. `said` are the signed bytes where they
    are not the notice's own."""

    by: str
    jws: str = ""
    said: bytes | None = None


BY_GATEWAY = Attestation("gateway")


@dataclass(frozen=True, slots=True)
class AsReceived:
    """The bytes as they came, and the detached JWS over exactly them (empty when none covers them alone)."""

    body: bytes
    jws: str


def pack(body: bytes, attestation: Attestation) -> bytes:
    jws = attestation.jws.encode("ascii")
    said = attestation.said if attestation.said is not None else body
    return b"%b%b%b%b" % (_VERSION, len(jws).to_bytes(4, "big"), jws, said)


def unpack(kept: bytes) -> AsReceived:
    """Raises ValueError for what `pack` did not make."""
    if kept[:4] != _VERSION:
        raise ValueError("these are no bytes as received")
    end = _HEAD + int.from_bytes(kept[4:_HEAD], "big")
    return AsReceived(kept[end:], kept[_HEAD:end].decode("ascii"))

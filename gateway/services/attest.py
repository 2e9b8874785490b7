"""Who vouches for the bytes of a notice, and how is that proved years later?

The office's detached JWS (RFC 7515 appendix F, RFC 7797) is kept beside the exact bytes it covers, sealed with them:
opened, both verify against the key the office had in the directory at that time. Where an office answered a delivery
with a signed call, what it signed is that call, not the notice the gateway wrote from it.

As kept: four bytes of version, the length of the JWS in four bytes, the JWS, and the bytes. In a batch one signature
covers all items; an item keeps its own content without it, since the whole would outlive the erasure of a person in it.
An office that wants every notice provable alone sends it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.crypto.detached import Signed
from gateway.model.errors import BadSignature
from gateway.validation.cloudevent import mode_of

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


def hold_attributes(signed: Signed, media_type: str, headers: Mapping[str, str]) -> None:
    """In binary mode the notice's type, number and sender stand in `ce-` headers, outside the body that is signed: the
    protected header then repeats every one of them in `ce`, by its name and exactly as it stands in its header (DESIGN 3).

    `headers` have names in lower case. Raises BadSignature when one is missing there, or other.
    """
    attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    if attributes and mode_of(media_type) == "binary" and signed.header.get("ce") != attributes:
        raise BadSignature(
            "the signature does not cover the CloudEvents attributes of the headers",
            remedy="put every ce- header, without its prefix and with its exact value, into `ce` of the protected header",
        )


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

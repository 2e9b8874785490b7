"""How is one field committed to, so that it tells nothing until it is opened?

A commitment is a leaf in the sense of RFC 6962:

    SHA-256(0x00 "hutong/field/v1" salt[32] u16(len name) name value)
    value = 0x00 when absent, 0x01 and canonical JSON when present

The salts of one slot come from SHAKE-256 over the slot's secret; a second stream
with a tag of its own seals what is stored of the slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256, shake_256

from gateway.audit.merkle import node_hash, root_of

ROOT_BYTES = 32
TAG = b"\x00hutong/field/v1"
SALT_TAG = b"hutong/salt/v1"
SEAL_TAG = b"hutong/seal/v1"
SALT_BYTES = 32
ABSENT = b"\x00"
SECRET_BYTES = 32

LINK_BYTES = 8 + ROOT_BYTES + 1 + 64  # a link of fixed length: number, root, length of the event id, event id


@lru_cache(1024)
def framed(name: str) -> bytes:
    """The name inside a commitment: two bytes of length, then ASCII."""
    raw = name.encode("ascii")
    return len(raw).to_bytes(2, "big") + raw


def salts(secret: bytes, slot: int, event_id: str, count: int) -> bytes:
    """`count` salts of 32 bytes for slot number `slot` (0: the envelope, 1: the first slot ...)."""
    stream = shake_256(SALT_TAG + bytes((slot, len(secret))) + secret + event_id.encode())
    return stream.digest(SALT_BYTES * count)


def seal_stream(secret: bytes, slot: int, event_id: str, size: int) -> bytes:
    """The key stream for what is stored of a slot."""
    return shake_256(SEAL_TAG + bytes((slot, len(secret))) + secret + event_id.encode()).digest(size)


def masked(data: bytes, stream: bytes) -> bytes:
    """The exclusive or of two strings of one length."""
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


def commitment(salt: bytes, name: str, value: bytes | None) -> bytes:
    """`value` is canonical JSON, None for an absent field."""
    return sha256(TAG + salt + framed(name) + (ABSENT if value is None else b"\x01" + value)).digest()


def slot_root(leaves: Sequence[bytes], has_link: bool) -> bytes:
    """Root of a group of commitments in order. A link, the last one, is the right child over all the others."""
    return node_hash(root_of(leaves[:-1]), leaves[-1]) if has_link else root_of(leaves)

"""How does a store keep the opening of a record in two thirds of its bytes, and give back exactly those bytes?

The opening (`LogRecord.opening`) is canonical JSON, with base64 for all that is
random. Packed, it is the same parts in the same order as plain bytes:

    u8 size of the secret, secret, u32 size of the envelope, envelope (canonical JSON)
    then until the end, a slot each: u8 kind (0 officer, 1 person), root[32], u32 size of what is sealed, sealed

Nothing is lost: every opening has one packed form, and `unpacked` gives it back byte by byte.
"""

from __future__ import annotations

from binascii import b2a_base64
from struct import Struct

from gateway.model.audit import OFFICER, PERSON, ROOT_BYTES

_KINDS = (OFFICER, PERSON)
_SIZE = Struct(">I")
_SLOT = Struct(f">B{ROOT_BYTES}sI")


def pack_start(secret: bytes, envelope: bytes) -> bytes:
    """The part before the slots. A secret has at most 255 bytes."""
    return b"%c%b%b%b" % (len(secret), secret, _SIZE.pack(len(envelope)), envelope)


def pack_slot(kind: str, root: bytes, sealed: bytes) -> bytes:
    """One slot; `root` has 32 bytes."""
    return _SLOT.pack(_KINDS.index(kind), root, len(sealed)) + sealed


def envelope_of(packed: bytes) -> bytes:
    """The envelope alone, canonical JSON. ValueError when the bytes are cut short."""
    return _start_of(packed)[1]


def unpacked(packed: bytes) -> bytes:
    """The opening, byte for byte. ValueError for bytes that are not a packed opening."""
    secret, envelope, at = _start_of(packed)
    slots = []
    while at < len(packed):
        if len(packed) < at + _SLOT.size:
            raise ValueError("a packed opening is cut short")
        kind, root, size = _SLOT.unpack_from(packed, at)
        at += _SLOT.size + size
        if kind >= len(_KINDS) or at > len(packed):
            raise ValueError("a packed opening is cut short")
        sealed = packed[at - size : at]
        slots.append(
            b'{"kind":"%b","root":"%b","sealed":"%b"}' % (_KINDS[kind].encode(), _base64(root), _base64(sealed))
        )
    return b'{"envelope":%b,"secret":"%b","slots":[%b]}' % (envelope, _base64(secret), b",".join(slots))


def _start_of(packed: bytes) -> tuple[bytes, bytes, int]:
    """Secret, envelope, and where the slots begin."""
    start = 1 + packed[0] if packed else 0
    if not packed or len(packed) < start + _SIZE.size:
        raise ValueError("a packed opening is cut short")
    end = start + _SIZE.size + _SIZE.unpack_from(packed, start)[0]
    if end > len(packed):
        raise ValueError("a packed opening is cut short")
    return packed[1:start], packed[start + _SIZE.size : end], end


def _base64(raw: bytes) -> bytes:
    return b2a_base64(raw, newline=False)

"""How do ids, instants and small structures look inside the store?

Ids are UUID text outside and 16 bytes inside; delivery ids are also gathered into
their ordered form (`gateway.crypto.scatter`). Instants are whole milliseconds UTC.
Sealed segments of one notice are packed into one value:

    count of persons, then each: ref, person id (16)
    then until the end, each: flag + person id (16) if any, compartment, key, ciphertext

where ref, compartment and key are text with a byte of length in front, and the
ciphertext has four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from gateway.model.delivery import DeliveryState
from gateway.model.identifiers import KeyId, PersonId
from gateway.ports.storage import PersonLink, SealedSegment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
ID_BYTES = 16

# The states as stored. Partial indexes name these numbers: open ones are 0..2, those that hold up a lane 0 and 1.
STATE_NUMBERS: Mapping[DeliveryState, int] = {
    DeliveryState.HELD: 0,
    DeliveryState.DUE: 1,
    DeliveryState.DEAD_LETTER: 2,
    DeliveryState.ACKNOWLEDGED: 3,
    DeliveryState.ACCEPTED: 4,
    DeliveryState.DECLINED: 5,
    DeliveryState.REFUSED: 6,
    DeliveryState.WITHDRAWN: 7,
    DeliveryState.EXPIRED: 8,
    DeliveryState.SUPERSEDED: 9,
    DeliveryState.ACTED_ON: 10,
}
STATES: tuple[DeliveryState, ...] = tuple(sorted(STATE_NUMBERS, key=STATE_NUMBERS.__getitem__))
HELD, DUE, DEAD = 0, 1, 2


@lru_cache(maxsize=8192)
def blob_of(text: str) -> bytes:
    """The 16 bytes of an id in its one spelling (lower-case UUID); ValueError for any other text, without quoting it."""
    try:
        blob = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        blob = b""
    if len(blob) != ID_BYTES or len(text) != 36 or text[8::5][:4] != "----" or text != text.lower():
        raise ValueError("an id of the store is a lower-case UUID")
    return blob


def known_blob(text: str) -> bytes | None:
    """Like `blob_of`, but None for what can't be an id: nothing is stored under it."""
    try:
        return blob_of(text)
    except ValueError:
        return None


def text_of(blob: bytes) -> str:
    h = blob.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def millis(at: datetime) -> int:
    """Milliseconds since 1970; ValueError for an instant without a zone."""
    if at.tzinfo is None:
        raise ValueError("an instant needs its zone")
    return (at - _EPOCH) // _MS


def instant(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def head_of(key: bytes) -> int:
    """The first eight bytes of a key as the signed number under which it is indexed; the whole key is compared afterwards."""
    return int.from_bytes(key[:8], "big", signed=True)


@lru_cache(maxsize=512)
def _short(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw


def pack_content(persons: Sequence[PersonLink], segments: Sequence[SealedSegment]) -> bytes:
    """ValueError when a ref, compartment or key is longer than 255 bytes, or there are more than 255 persons."""
    parts = [bytes((len(persons),))]
    push = parts.append
    for link in persons:
        push(_short(link.ref) + blob_of(link.person))
    for segment in segments:
        person, key, text = segment.person, segment.key.encode(), segment.ciphertext
        start = b"\0" if person is None else b"\1" + blob_of(person)
        push(b"%b%b%c%b%b" % (start, _short(segment.compartment), len(key), key, len(text).to_bytes(4, "big")))
        push(text)
    return b"".join(parts)


def unpack_content(content: bytes) -> tuple[dict[str, PersonId], tuple[SealedSegment, ...]]:
    """What `pack_content` packed: persons by ref, and the segments."""
    at = 1
    persons: dict[str, PersonId] = {}
    for _ in range(content[0]):
        ref, at = _read_short(content, at)
        persons[ref] = PersonId(text_of(content[at : at + ID_BYTES]))
        at += ID_BYTES
    segments: list[SealedSegment] = []
    while at < len(content):
        person = None
        if content[at]:
            person = PersonId(text_of(content[at + 1 : at + 1 + ID_BYTES]))
            at += ID_BYTES
        compartment, at = _read_short(content, at + 1)
        key, at = _read_short(content, at)
        size = int.from_bytes(content[at : at + 4], "big")
        at += 4
        segments.append(SealedSegment(person, compartment, KeyId(key), content[at : at + size]))
        at += size
    return persons, tuple(segments)


def _read_short(content: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + content[at]
    return content[at + 1 : end].decode(), end


SUBJECT_BYTES = 32


def subject_blob(subject: str) -> bytes:
    """The keyed name of a person as stored: 32 bytes. ValueError for one that is not 32 bytes in hex."""
    blob = bytes.fromhex(subject)
    if len(blob) != SUBJECT_BYTES:
        raise ValueError("the keyed name of a subject has 32 bytes")
    return blob

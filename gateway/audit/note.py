"""Which text was signed, and by whom? The C2SP signed-note format, byte by byte.

A note is a text that ends in a newline, an empty line, and signature lines:
em dash, blank, key name, blank, base64 of key id and signature. A key is known
by its name *and* its id; both must match, and a matching line whose signature
fails rejects the whole note. Lines of unknown keys are ignored by design, which
is how a national algorithm's line can stand beside the others.

Key ids: the first four bytes of SHA-256(name, newline, type byte, public key).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from gateway.audit.ed25519 import verify_ed25519
from gateway.audit.findings import Unreadable, Wrong, decode_base64

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_MLDSA44 = 0x06
KEY_BYTES = {ED25519: 32, COSIGNATURE_ED25519: 32, COSIGNATURE_MLDSA44: 1312}

MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 100
_DASH = "\u2014".encode()
_LINE = re.compile(_DASH + rb" ([^ +\n]+) ([A-Za-z0-9+/=]+)")
_VKEY = re.compile(rb"([^ +\n]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """`raw` is the line as it stood, newline included."""

    name: str
    key_id: bytes
    signature: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """`text` ends in its newline."""

    text: bytes
    signatures: tuple[SignatureLine, ...]

    @property
    def raw(self) -> bytes:
        return self.text + b"\n" + b"".join(line.raw for line in self.signatures)


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key with its name. `type` is the signature type byte."""

    name: str
    type: int
    key: bytes

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.type, self.key)

    @property
    def label(self) -> str:
        """Name and id, which together mean one key."""
        return f"{self.name}+{self.key_id.hex()}"

    @property
    def vkey(self) -> str:
        return f"{self.label}+{b64encode(bytes([self.type]) + self.key).decode()}"


def key_id(name: str, kind: int, key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def check_name(name: str) -> str:
    """A key name: not empty, no white space of any script, no plus, no control characters."""
    if not name or "+" in name or any(char.isspace() or ord(char) < 0x20 for char in name):
        raise Unreadable("not a key name")
    return name


def parse_vkey(text: str) -> NoteKey:
    """Read `<name>+<id in hex>+<base64 of type and key>`; Unreadable when the id is not that of the key."""
    match = _VKEY.fullmatch(text.encode())
    if match is None:
        raise Unreadable("not a verifier key")
    name = check_name(match[1].decode())
    raw = decode_base64(match[3])
    if not raw or KEY_BYTES.get(raw[0]) != len(raw) - 1:
        raise Unreadable("a verifier key of an unknown type")
    key = NoteKey(name, raw[0], raw[1:])
    if key.key_id.hex().encode() != match[2]:
        raise Unreadable("the id of a verifier key does not belong to the key")
    return key


def parse_note(raw: bytes) -> Note:
    """Read a note without trusting it. Unreadable for any byte out of place."""
    if len(raw) > MAX_NOTE_BYTES:
        raise Unreadable("a note of more than a megabyte")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise Unreadable("a note that is not UTF-8") from None
    if any(byte < 0x20 and byte != 0x0A for byte in raw):
        raise Unreadable("a note with control characters")
    text, middle, tail = raw.rpartition(b"\n\n")
    if not middle or not tail.endswith(b"\n"):
        raise Unreadable("a note without signatures")
    lines = tail[:-1].split(b"\n")
    if len(lines) > MAX_SIGNATURES:
        raise Unreadable("a note with too many signatures")
    return Note(text + b"\n", tuple(parse_signature_line(line + b"\n") for line in lines))


def parse_signature_line(raw: bytes) -> SignatureLine:
    match = _LINE.fullmatch(raw[:-1])
    if match is None or not raw.endswith(b"\n"):
        raise Unreadable("not a signature line")
    try:
        name = check_name(match[1].decode())
    except UnicodeDecodeError:
        raise Unreadable("a key name that is not UTF-8") from None
    blob = decode_base64(match[2])
    if len(blob) < 5:
        raise Unreadable("a signature line without a signature")
    return SignatureLine(name, blob[:4], blob[4:], raw)


def signature_line(name: str, identifier: bytes, signature: bytes) -> bytes:
    return _DASH + b" " + check_name(name).encode() + b" " + b64encode(identifier + signature) + b"\n"


def verified_text(note: Note, keys: Iterable[NoteKey]) -> bytes:
    """The text, if a known key of type Ed25519 signed it. Wrong when none did, or when a known key's line fails."""
    known = {(key.name, key.key_id): key for key in keys if key.type == ED25519}
    signed = False
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if not verify_ed25519(key.key, line.signature, note.text):
            raise Wrong(f"the signature of `{line.name}` does not hold")
        signed = True
    if not signed:
        raise Wrong("no known key signed this note")
    return note.text

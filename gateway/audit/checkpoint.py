"""Which tree did the log sign, and who saw it when?

C2SP tlog-checkpoint v1.0.0: origin, size, root. Signatures after tlog-cosignature
v1.1.0: an Ed25519 line of the log (type 0x01) over the text, and timestamped
cosignatures, Ed25519 (0x04) over `cosignature/v1`, the time and the text, and
ML-DSA-44 (0x06) over a structure that binds cosigner, origin, size and root. The
log's own ML-DSA line is a cosignature under its origin's name.

A checkpoint has no time of its own; time comes from cosignatures.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.audit.ed25519 import Unavailable44, can_verify_mldsa44, verify_ed25519, verify_mldsa44
from gateway.audit.findings import MAX_SIZE, Unreadable, Wrong, decimal, decode_base64
from gateway.audit.merkle import EMPTY_ROOT
from gateway.audit.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    NoteKey,
    SignatureLine,
    parse_note,
    signature_line,
)

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`extensions` are opaque lines without newline; this gateway writes none."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> bytes:
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A valid line: whose, and the POSIX second it states (None for a plain signature)."""

    key: NoteKey
    at: int | None
    line: bytes


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read the text of a note as a checkpoint. Written again it gives the same bytes."""
    lines = text.split(b"\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise Unreadable("a checkpoint has at least three lines, none of them empty")
    try:
        origin = lines[0].decode()
        extensions = tuple(line.decode() for line in lines[3:-1])
    except UnicodeDecodeError:
        raise Unreadable("a checkpoint that is not UTF-8") from None
    checkpoint = Checkpoint(origin, decimal(lines[1]), decode_base64(lines[2], 32), extensions)
    if checkpoint.text != text:
        raise Unreadable("a checkpoint that is not in its one spelling")
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise Wrong("an empty tree with the root of another")
    return checkpoint


def cosigned_message(key: NoteKey, checkpoint: Checkpoint, at: int) -> bytes:
    """The bytes that a cosignature of this key covers."""
    if not 0 <= at <= MAX_SIZE:
        raise Unreadable("a cosignature's time is out of range")
    if key.type == COSIGNATURE_ED25519:
        return b"cosignature/v1\ntime %d\n" % at + checkpoint.text
    name, origin = key.name.encode(), checkpoint.origin.encode()
    if not 1 <= len(name) <= 255 or not 1 <= len(origin) <= 255:
        raise Unreadable("a name longer than 255 bytes")
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(name)]), name, at.to_bytes(8, "big"),
            bytes([len(origin)]), origin, bytes(8), checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )  # fmt: skip


def sign_checkpoint(checkpoint: Checkpoint, key: NoteKey, sign: Sign, at: int = 0) -> bytes:
    """One signature line. `at` is a POSIX second for the timestamped types, 0 for none."""
    if key.type == ED25519:
        return signature_line(key.name, key.key_id, sign(checkpoint.text))
    return signature_line(key.name, key.key_id, at.to_bytes(8, "big") + sign(cosigned_message(key, checkpoint, at)))


def signed_note(checkpoint: Checkpoint, lines: Sequence[bytes]) -> bytes:
    return checkpoint.text + b"\n" + b"".join(lines)


def check_line(line: SignatureLine, key: NoteKey, checkpoint: Checkpoint) -> Cosignature:
    """Wrong when the signature does not hold. Raises Unavailable44 for ML-DSA-44 where it cannot be checked."""
    if key.type == ED25519:
        if not verify_ed25519(key.key, line.signature, checkpoint.text):
            raise Wrong(f"the signature of `{key.name}` does not hold")
        return Cosignature(key, None, line.raw)
    at = int.from_bytes(line.signature[:8], "big")
    if len(line.signature) < 8 or at > MAX_SIZE:
        raise Wrong(f"the cosignature of `{key.name}` has no time")
    message = cosigned_message(key, checkpoint, at)
    verify = verify_ed25519 if key.type == COSIGNATURE_ED25519 else verify_mldsa44
    if not verify(key.key, line.signature[8:], message):
        raise Wrong(f"the cosignature of `{key.name}` does not hold")
    return Cosignature(key, at, line.raw)


def check_lines(note: Note, checkpoint: Checkpoint, keys: Iterable[NoteKey]) -> tuple[Cosignature, ...]:
    """The lines of known keys, all valid. Wrong when a known key's line fails.

    Lines of unknown keys are left out, and so are ML-DSA-44 lines where they cannot be checked (`unchecked_keys`).
    """
    known = {(key.name, key.key_id): key for key in keys}
    valid: list[Cosignature] = []
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        try:
            valid.append(check_line(line, key, checkpoint))
        except Unavailable44:
            continue
    return tuple(valid)


def unchecked_keys(note: Note, keys: Iterable[NoteKey]) -> tuple[NoteKey, ...]:
    """The known keys whose lines this machine cannot check: ML-DSA-44 where `cryptography` is missing."""
    if can_verify_mldsa44():
        return ()
    present = {(line.name, line.key_id) for line in note.signatures}
    return tuple(key for key in keys if key.type == COSIGNATURE_MLDSA44 and (key.name, key.key_id) in present)


def open_checkpoint(raw: bytes, keys: Iterable[NoteKey]) -> tuple[Checkpoint, Note, tuple[Cosignature, ...]]:
    """Read a checkpoint that one of `keys` signed under its origin's name.

    Wrong when no key of that name signed it; the other keys' valid lines come with it.
    """
    note = parse_note(raw)
    checkpoint = parse_checkpoint(note.text)
    lines = check_lines(note, checkpoint, keys)
    if not any(line.key.name == checkpoint.origin for line in lines):
        raise Wrong("no known key of the log signed this checkpoint")
    return checkpoint, note, lines

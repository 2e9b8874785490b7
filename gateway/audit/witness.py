"""May a witness put its name under this checkpoint? C2SP tlog-witness v1.0.0, as a pure step.

A witness remembers, for each log, the last checkpoint it cosigned, whole, with
the log's own signatures. A new one must be signed by the log, start where the
witness stands, and continue that tree. What a log signed and cannot be continued
is evidence: two notes that prove a fork to anybody.

`consider` decides; the caller then advances its store by compare-and-set, durably,
and only then signs and answers:

    200 cosigned · 400 malformed, or an old size above the new · 403 no trusted
    signature · 404 unknown log · 409 another old size (with ours), or another
    root at the same size · 422 the proof does not hold
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.audit.checkpoint import Checkpoint, Cosignature, check_lines, parse_checkpoint
from gateway.audit.findings import Unreadable, Wrong, decimal
from gateway.audit.note import Note, NoteKey, parse_note
from gateway.audit.proof import verify_consistency
from gateway.audit.proof_text import MAX_PATH, parse_hashes

SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"
MAX_REQUEST_BYTES = 64 * 1024  # 63 hashes, and 16 lines of the largest signatures


@dataclass(frozen=True, slots=True)
class Seen:
    """The last checkpoint cosigned for a log: `note` is the log's, whole. Size 0 and no note before the first."""

    size: int = 0
    root: bytes = b""
    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    old_size: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: Note


@dataclass(frozen=True, slots=True)
class Refusal:
    """`evidence` is a note that the log signed and that contradicts the one seen: keep both."""

    status: int
    body: bytes
    content_type: str = TEXT_TYPE
    evidence: bytes = b""


@dataclass(frozen=True, slots=True)
class Advance:
    """Store `seen` for the origin if it still stands at `old_size`, then cosign `checkpoint`. A repetition stores nothing new."""

    origin: str
    old_size: int
    seen: Seen
    checkpoint: Checkpoint


def request_bytes(old_size: int, path: Sequence[bytes], note: bytes) -> bytes:
    """The body of `add-checkpoint`, also what goes on a removable medium."""
    return b"".join((b"old %d\n" % old_size, *(b64encode(one) + b"\n" for one in path), b"\n", note))


def parse_request(raw: bytes) -> Request:
    """Unreadable for anything but an old size, at most 63 hashes, an empty line and a checkpoint."""
    if len(raw) > MAX_REQUEST_BYTES:
        raise Unreadable("a request larger than any that is needed")
    head, middle, note_raw = raw.partition(b"\n\n")
    lines = head.split(b"\n")
    if not middle or not lines[0].startswith(b"old ") or len(lines) > 1 + MAX_PATH:
        raise Unreadable("not a request to cosign")
    note = parse_note(note_raw)
    return Request(decimal(lines[0].removeprefix(b"old ")), parse_hashes(lines[1:]), parse_checkpoint(note.text), note)


def origin_of(raw: bytes) -> str | None:
    """The origin that a request is about, or None where it cannot be read."""
    try:
        return parse_request(raw).checkpoint.origin
    except (Unreadable, Wrong):
        return None


def monitoring_path(origin: str) -> str:
    """Where the last cosigned checkpoint of a log is served."""
    return f"{sha256(origin.encode()).hexdigest()}/checkpoint"


def _refused(status: int, text: str, evidence: bytes = b"") -> Refusal:
    return Refusal(status, text.encode() + b"\n", evidence=evidence)


def consider(raw: bytes, keys: Sequence[NoteKey], seen: Seen) -> Advance | Refusal:
    """Decide on one request. `keys` are the trusted keys of the request's origin, none for an unknown log."""
    try:
        request = parse_request(raw)
    except Unreadable as cause:
        return _refused(400, str(cause))
    except Wrong as cause:
        return _refused(422, str(cause))
    checkpoint = request.checkpoint
    trusted = [key for key in keys if key.name == checkpoint.origin]
    if not trusted:
        return _refused(404, "unknown log")
    try:
        signed: tuple[Cosignature, ...] = check_lines(request.note, checkpoint, trusted)
    except (Wrong, Unreadable) as cause:
        return _refused(403, str(cause))
    if not signed:
        return _refused(403, "no trusted key of this log signed the checkpoint")
    if request.old_size > checkpoint.size:
        return _refused(400, "the old size is larger than the checkpoint")
    if checkpoint.size == seen.size and seen.note and checkpoint.root != seen.root:
        return _refused(409, "another root was signed at this size", request.note.raw)
    if request.old_size != seen.size:
        return Refusal(409, b"%d\n" % seen.size, SIZE_TYPE)
    if checkpoint.size == seen.size or seen.size == 0:
        if request.path:
            return _refused(422, "a proof where none is due")
    elif not verify_consistency(seen.size, checkpoint.size, seen.root, checkpoint.root, request.path):
        return _refused(422, "the proof does not hold", request.note.raw)
    # what the log itself signed is kept; lines of others in the request are not ours to vouch for
    note = checkpoint.text + b"\n" + b"".join(line.line for line in signed)
    return Advance(checkpoint.origin, seen.size, Seen(checkpoint.size, checkpoint.root, note), checkpoint)

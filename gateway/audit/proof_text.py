"""How does a proof travel as one text file? C2SP tlog-proof v1 (draft), and consistency proofs as lines of base64.

An inclusion proof with its checkpoint, verifiable offline:

    c2sp.org/tlog-proof@v1
    index <n>
    <base64 hash>...

    <checkpoint>
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.audit.findings import Unreadable, decimal, decode_base64

HEADER = b"c2sp.org/tlog-proof@v1"
MAX_PATH = 63


@dataclass(frozen=True, slots=True)
class ProofText:
    """`extra` is not covered by any proof. `checkpoint` is the note, unread."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    @property
    def raw(self) -> bytes:
        lines = [HEADER]
        if self.extra is not None:
            lines.append(b"extra " + b64encode(self.extra))
        lines += [b"index %d" % self.index, *map(b64encode, self.path), b""]
        return b"\n".join(lines) + b"\n" + self.checkpoint


def parse_proof(raw: bytes) -> ProofText:
    head, middle, checkpoint = raw.partition(b"\n\n")
    lines = head.split(b"\n")
    if not middle or lines[0] != HEADER or len(lines) < 2:
        raise Unreadable("not a proof")
    extra = None
    if lines[1].startswith(b"extra "):
        extra = decode_base64(lines.pop(1).removeprefix(b"extra "))
    if len(lines) < 2 or not lines[1].startswith(b"index "):
        raise Unreadable("a proof without an index")
    return ProofText(decimal(lines[1].removeprefix(b"index ")), parse_hashes(lines[2:]), checkpoint, extra)


def parse_hashes(lines: Sequence[bytes]) -> tuple[bytes, ...]:
    """Lines of base64, at most 63, each one hash."""
    if len(lines) > MAX_PATH:
        raise Unreadable("a proof of more than 63 hashes")
    return tuple(decode_base64(line, 32) for line in lines)

"""Cosign what continues, refuse what does not, and remember before answering.

Durable steps: evidence of a fork is kept before it is refused; a checkpoint is
stored by compare-and-set before it is signed. Two requests at once: one advances,
the other is told the size that stands (409) and comes again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.audit.checkpoint import Sign, sign_checkpoint
from gateway.audit.note import NoteKey
from gateway.audit.witness import SIZE_TYPE, TEXT_TYPE, Refusal, consider, origin_of
from gateway.ports.clock import Clock
from gateway.ports.witness_storage import WitnessStorage


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    content_type: str = TEXT_TYPE


class NoteSigner(Protocol):
    """A private key of a type that signs checkpoints, with its public half and name."""

    @property
    def key(self) -> NoteKey: ...

    @property
    def sign(self) -> Sign: ...


class Witness:
    """`logs` are the trusted keys by origin. Blocking: run it in a thread where an event loop waits."""

    def __init__(
        self, store: WitnessStorage, signers: Sequence[NoteSigner], logs: Mapping[str, Sequence[NoteKey]], clock: Clock
    ) -> None:
        if any(signer.key.key in {key.key for keys in logs.values() for key in keys} for signer in signers):
            raise ValueError("a witness's key is the key of a log: it would vouch for itself")
        self._store = store
        self._signers = signers
        self._logs = logs
        self._clock = clock

    def add_checkpoint(self, raw: bytes) -> Reply:
        """Answer one request as tlog-witness says; the same bytes over HTTP and from a removable medium."""
        origin = origin_of(raw)
        seen = self._store.seen(origin or "")
        found = consider(raw, self._logs.get(origin or "", ()), seen)
        at = int(self._clock.now().timestamp())
        if isinstance(found, Refusal):
            if found.evidence and origin is not None:
                self._store.keep_evidence(origin, found.evidence, seen.note, at)
            return Reply(found.status, found.body, found.content_type)
        if not self._store.advance(found.origin, found.old_size, found.seen):
            return Reply(409, b"%d\n" % self._store.seen(found.origin).size, SIZE_TYPE)
        lines = b"".join(sign_checkpoint(found.checkpoint, one.key, one.sign, at) for one in self._signers)
        self._store.keep_cosignatures(found.origin, found.checkpoint.size, lines, at)
        return Reply(200, lines)

    def checkpoint_of(self, origin: str) -> bytes | None:
        """The last cosigned checkpoint of a log, for monitors."""
        return self._store.cosigned(origin)

    @property
    def origins(self) -> Sequence[str]:
        return sorted(self._logs)

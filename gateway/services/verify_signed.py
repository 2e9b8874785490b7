"""Do the signed heads and the witnesses' lines in the store still say what was signed?

Offline a reader holds a checkpoint of his own; here it is the store's own tables that are read back: every note of this
generation under the log's keys and against the tree, every witness's line under the key of the trust policy, and that
the checkpoint which the caller knows of is there (a node that was killed between the guard and the note knows of none). What is found names the first leaf that no sound signature
vouches for any more: the size of the sound checkpoint before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway.audit.checkpoint import open_checkpoint
from gateway.audit.findings import Unreadable, Wrong
from gateway.audit.note import NoteKey, parse_note
from gateway.audit.trust import TrustPolicy
from gateway.model.errors import Tampered
from gateway.ports.log_storage import Head, LogStorage
from gateway.services.log_tree import LogTree
from gateway.services.verify_log import Verified, verify_log

PAGE = 500


async def verify_everything(
    log: LogStorage, origin: str, trust: TrustPolicy, signed: Head | None, *, processes: int | None = None
) -> Verified:
    """Records, leaves, tiles and head, then what was signed of them. Where the head alone is wrong, the leaf named is the first
    that no checkpoint vouches for."""
    found = await verify_log(log, processes=processes)
    if not found.is_verified and found.reason != "root-differs":
        return found
    broken, vouched = await _verify_signed(log, origin, trust, signed, found.size)
    if not found.is_verified:
        return replace(found, first_bad=vouched)
    return broken or found


async def _verify_signed(
    log: LogStorage, origin: str, trust: TrustPolicy, signed: Head | None, size: int
) -> tuple[Verified | None, int]:
    """The first that does not hold, and up to where signatures vouch for the log."""
    head, tree, good, seen = await log.head(), LogTree(log), 0, -1

    def bad(reason: str) -> Verified:
        return Verified(False, head.size, head.root, good, reason)

    while notes := await log.checkpoints(seen, PAGE):
        lines = await asyncio.gather(*[log.cosigned(at) for at, _, _ in notes])  # together: each alone is a journey
        wrongs = await asyncio.to_thread(_wrongs, notes, lines, origin, trust)
        for (at, root, _), wrong in zip(notes, wrongs, strict=True):
            seen = at
            if at > size:
                return None, good  # signed while we looked
            if wrong:
                return bad(wrong), good
            try:
                if await tree.root(at) != root:
                    return bad("checkpoint-of-another-tree"), good
            except (Tampered, ValueError):
                return bad("tile-missing"), good
            good = at
    if signed is not None and signed.size <= size and await log.checkpoint(signed.size) is None:
        return bad("checkpoint-missing"), good
    return None, good


def _wrongs(
    notes: Sequence[tuple[int, bytes, bytes]],
    lines: Sequence[Sequence[tuple[str, bytes]]],
    origin: str,
    trust: TrustPolicy,
) -> list[str | None]:
    """Of each note what does not hold of it, if anything."""
    return [
        _first_wrong(at, root, note, given, origin, trust) for (at, root, note), given in zip(notes, lines, strict=True)
    ]


def _first_wrong(
    size: int, root: bytes, note: bytes, lines: Sequence[tuple[str, bytes]], origin: str, trust: TrustPolicy
) -> str | None:
    try:
        logs = _logs_of(parse_note(note).text.split(b"\n", 1)[0].decode(), origin, trust)
        checkpoint = open_checkpoint(note, logs)[0]
    except (Wrong, Unreadable, UnicodeDecodeError):
        return "checkpoint-does-not-hold"
    if (checkpoint.size, checkpoint.root) != (size, root):
        return "checkpoint-does-not-hold"
    witnesses = {key.label: key for key in trust.witnesses.values()}
    for label, line in lines:
        # a witness that is not in the policy any more cannot be asked; one that is must have signed
        if label in witnesses and not is_sound(note, line, logs, witnesses[label]):
            return "cosignature-does-not-hold"
    return None


def _logs_of(said: str, origin: str, trust: TrustPolicy) -> list[NoteKey]:
    """The log's keys under the name that a note says: of this generation, or of an earlier one (the same keys, another name)."""
    if said == origin:
        return list(trust.logs)
    base, _, number = origin.rpartition("/")
    before, _, earlier = said.rpartition("/")
    if before != base or not number.isdecimal() or not earlier.isdecimal() or int(earlier) >= int(number):
        raise Wrong("a checkpoint of another log")
    return [replace(key, name=said) for key in trust.logs]


def is_sound(note: bytes, line: bytes, logs: Sequence[NoteKey], witness: NoteKey) -> bool:
    """Whether this line is the witness's signature under the note."""
    try:
        return any(one.key == witness for one in open_checkpoint(note + line, [*logs, witness])[2])
    except (Wrong, Unreadable):
        return False

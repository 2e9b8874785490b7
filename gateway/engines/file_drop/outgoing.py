"""How do files dropped by an agency's system become notices, exactly once, whatever dies in between?

    DIR/arrive   the system writes here: under a temporary name and renames, or with a signature beside
    DIR/claim    the agent has taken it; what is here is tried until it is answered
    DIR/done     accepted, with `<name>.receipt.json`
    DIR/failed   refused, with `<name>.problem.json`; nobody tries again by itself

The durable steps, and what a crash after each leaves behind:

1. rename arrive -> claim: the file is in claim and is tried at the next start.
2. push, receipt verified: still in claim; the same bytes again give the same receipt.
3. the receipt (or the problem) on disk: still in claim; pushed again, the same is written again.
4. rename claim -> done (or failed): finished; a signature left in arrive follows when the name comes again.

A file is whole when its detached signature `<name>.jws` (over the exact bytes, by
a key of the office) is beside it and verifies, or, where signatures are not
required, when its size, time and inode have not changed between two looks that
are `settle_seconds` apart. Temporary names (`.x`, `~x`, `*.part`, `*.tmp`) are never
looked at. A signature made elsewhere is passed on, so the gateway sees who signed.
Names of files may hold names of children: they are never told or logged.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.engines.file_drop.durable import (
    Stamp,
    UnsafeFile,
    is_safe_name,
    move_durably,
    read_plain,
    stamp_of,
    sync_folder,
    write_durably,
)
from gateway.model.canonical import canonical_json
from gateway.model.errors import Problem, Refusal, Unavailable
from gateway.ports.submission import Push, Pushed

SIGNATURE = ".jws"
RECEIPT, PROBLEM = ".receipt.json", ".problem.json"
TEMPORARY = (".part", ".tmp", ".partial", ".filepart", ".crdownload", SIGNATURE, RECEIPT, PROBLEM)
HIDDEN = ".~"
MAX_SIGNATURE_BYTES = 8192
MAX_SILENCES = 3

Verify = Callable[[str, bytes], str]
Explain = Callable[[Refusal], Mapping[str, Any]]
Tell = Callable[..., None]


@dataclass(frozen=True, slots=True)
class DropSettings:
    """`media_type` tells it from a file's name and bytes."""

    media_type: Callable[[str, bytes], str]
    settle_seconds: float = 2.0
    max_file_bytes: int = 64 * 1024 * 1024
    requires_signature: bool = False


@dataclass(slots=True)
class Counts:
    accepted: int = 0
    refused: int = 0
    waiting: int = 0


@dataclass(slots=True)
class FileDrop:
    """One drop folder. `verify(jws, body)` answers the media type the signer named (or nothing), or raises Refusal.

    `explain` gives the document that stands beside a file which never went to the gateway. `monotonic` is a clock that
    only runs forward, in seconds.
    """

    directory: Path
    push: Push
    verify: Verify
    explain: Explain
    monotonic: Callable[[], float]
    tell: Tell
    settings: DropSettings
    _seen: dict[str, tuple[Stamp, float]] = field(default_factory=dict)
    _left_alone: int = 0

    def __post_init__(self) -> None:
        for name in ("arrive", "claim", "done", "failed"):
            (self.directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(self.directory)

    def folder(self, name: str) -> Path:
        return self.directory / name

    async def look(self) -> Counts:
        """Take what is whole, try what is taken.

        Raises Unavailable when the gateway, or the disk, took none of the files or none of `MAX_SILENCES` one after
        another: look again later. A single file that cannot be taken holds up no other. Raises Tampered: a person has
        to look.
        """
        counts, silences = Counts(), 0
        last: Unavailable | None = None
        for name in [*self._names("claim"), *self._names("arrive")]:
            try:
                if not (self.folder("claim") / name).exists() and not self._claim(name):
                    counts.waiting += 1
                    continue
                await self._answer(name, counts)
                silences = 0
            except (Unavailable, OSError) as out:
                counts.waiting += 1
                silences += 1
                last = out if isinstance(out, Unavailable) else _disk(out)
                if silences == MAX_SILENCES:
                    break
        if last is not None and (silences == MAX_SILENCES or not counts.accepted + counts.refused):
            raise last
        return counts

    def _names(self, folder: str) -> list[str]:
        """Names of plain files, oldest first; never a path, a link or a temporary name."""
        found: list[tuple[int, str]] = []
        left_alone = 0
        try:
            with os.scandir(self.folder(folder)) as entries:
                for entry in entries:
                    if entry.name[0] in HIDDEN or entry.name.lower().endswith(TEMPORARY):
                        continue
                    stamp = stamp_of(Path(entry.path)) if is_safe_name(entry.name) else None
                    if stamp is None:
                        left_alone += 1
                    else:
                        found.append((stamp.changed_ns, entry.name))
        except OSError as broken:
            raise _disk(broken) from broken
        if folder == "arrive" and left_alone != self._left_alone:
            self._left_alone = left_alone
            self.tell("drop_left_alone", entries=left_alone)  # a name too long, a link, a folder: a person has to look
        return [name for _, name in sorted(found)]

    def _claim(self, name: str) -> bool:
        arrived, claimed = self.folder("arrive") / name, self.folder("claim") / name
        stamp = stamp_of(arrived)
        if stamp is None or claimed.exists():
            return False
        signature = self._signature(name)
        if signature and self._is_of_an_earlier(name, arrived, signature):
            signature = None
        if signature is None and self.settings.requires_signature:
            return False  # its signature may come later
        if not (signature is not None and self._is_signed(arrived, signature)) and not self._is_settled(name, stamp):
            return False
        self._seen.pop(name, None)
        move_durably(arrived, claimed)
        return True

    def _is_settled(self, name: str, stamp: Stamp) -> bool:
        known = self._seen.get(name)
        now = self.monotonic()
        if known is None or known[0] != stamp:
            self._seen[name] = (stamp, now)
            return self.settings.settle_seconds <= 0
        return now - known[1] >= self.settings.settle_seconds

    def _signature(self, name: str) -> str | None:
        """The detached signature of a file; None where there is none. It stays in `arrive` until the file is answered."""
        beside = self.folder("arrive") / (name + SIGNATURE)
        if stamp_of(beside) is None:
            return None
        try:
            return read_plain(beside, MAX_SIGNATURE_BYTES)[0].decode("ascii").strip()
        except (UnsafeFile, OSError, UnicodeDecodeError):
            return ""

    def _is_of_an_earlier(self, name: str, arrived: Path, signature: str) -> bool:
        """A signature that came late, or was left by a crash, belongs to the file of that name that is done. It follows
        it there, or the next file of that name would be taken for a forged one."""
        done = self.folder("done") / name
        if stamp_of(done) is None or self._is_signed(arrived, signature) or not self._is_signed(done, signature):
            return False
        move_durably(self.folder("arrive") / (name + SIGNATURE), done.with_name(name + SIGNATURE))
        return True

    def _is_signed(self, path: Path, signature: str) -> bool:
        try:
            self.verify(signature, read_plain(path, self.settings.max_file_bytes)[0])
        except (Refusal, OSError):
            return False  # not whole yet, or wrong: once it is settled, the answer says which
        return True

    async def _answer(self, name: str, counts: Counts) -> None:
        path = self.folder("claim") / name
        signature = self._signature(name)
        try:
            body, stamp = read_plain(path, self.settings.max_file_bytes)
            media_type = self.settings.media_type(name, body)
            if signature is not None:
                media_type = self.verify(signature, body) or media_type
            elif self.settings.requires_signature:
                raise Refusal("the file has no signature", remedy="put its detached JWS beside it")
            pushed = await self.push(body, media_type, signature)
        except Refusal as refused:
            problem = Problem(refused.code, "", refused.message, refused.remedy)
            pushed, body, stamp = Pushed(canonical_json(dict(self.explain(refused))), (), (problem,)), b"", None
        digest = hashlib.sha256(body).hexdigest() if body else ""
        if stamp is not None and stamp_of(path) != stamp:
            self.tell("drop_changed_while_read")
            counts.waiting += 1
            return  # a late writer: the whole file goes at the next look
        self._finish(name, pushed, digest)
        counts.accepted += pushed.is_accepted
        counts.refused += not pushed.is_accepted

    def _finish(self, name: str, pushed: Pushed, digest: str) -> None:
        home = self.folder("done" if pushed.is_accepted else "failed")
        claimed = self.folder("claim") / name
        kept = self._free_name(home, name, claimed, digest)
        write_durably(home / f"{kept}{RECEIPT if pushed.is_accepted else PROBLEM}", pushed.document)
        move_durably(claimed, home / kept)
        beside = self.folder("arrive") / (name + SIGNATURE)
        if stamp_of(beside) is not None:
            move_durably(beside, home / (kept + SIGNATURE))
        told: dict[str, Any] = {"digest": digest[:16]}
        if pushed.is_accepted:
            self.tell("drop_accepted", notices=list(pushed.notices), **told)
        else:
            self.tell("drop_refused", code=pushed.problems[0].code, **told)

    def _free_name(self, home: Path, name: str, claimed: Path, digest: str) -> str:
        """The same name again with the same bytes is the same file; with other bytes it gets its digest added."""
        there = home / name
        if stamp_of(there) is None:
            return name
        try:
            same = hashlib.sha256(read_plain(there, self.settings.max_file_bytes)[0]).hexdigest() == digest
        except (UnsafeFile, OSError):
            same = False
        return name if same else f"{Path(name).stem[:120]}~{digest[:12] or 'unread'}{Path(name).suffix[:20]}"


def _disk(broken: OSError) -> Unavailable:
    """A folder that is full or may not be written is an outage: everything stays where it is until it can."""
    reason = errno.errorcode.get(broken.errno or 0, "disk")
    return Unavailable(f"the folder cannot be used: {reason}", remedy="make room, or let the agent write there")

"""The journals of forensic holds: folders beside the keys, each a whole log that the offline verifier reads as it lies there.

    holds/1/start           the leaf of the gateway's log that is leaf 0 here
    holds/1/tile/...        entries and hashes (C2SP tlog-tiles)
    holds/1/records.jsonl   the records, every slot closed (hutong-records/v1)
    holds/1/checkpoint      the signed note, written last
    holds/1/joined          there once the gateway's log names size and root

Durable steps of `extend`: tiles and records, each on disk; then the note, renamed into
place; then the unfinished tiles of the note before are removed. A crash leaves files behind the
note that are written again. Whoever opens a journal hashes all of it and compares it with the note.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from gateway.audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, signed_note
from gateway.audit.export import first_line, record_line
from gateway.audit.findings import Unreadable, Wrong, decimal
from gateway.audit.merkle import EMPTY_ROOT, HASH_BYTES, Edge, leaf_hash
from gateway.audit.record import names_by_version
from gateway.audit.tiles import ENTRIES, WIDTH, decode_bundle, encode_bundle, tile_path, tiles_of
from gateway.audit.whole_log import verify_log
from gateway.engines.file_drop.durable import sync_folder, write_durably
from gateway.engines.files.note_keys import NoteSigningKey
from gateway.model.errors import Tampered
from gateway.ports.log_storage import Head

_START, _CHECKPOINT, _RECORDS, _JOINED = "start", "checkpoint", "records.jsonl", "joined"
_REMEDY = "keep the folder as evidence and let a person look"

# Origin and signing keys of the n-th journal, from 1.
Signers = Callable[[int], tuple[str, Sequence[NoteSigningKey]]]


class FileHoldJournal:
    def __init__(self, folder: Path, origin: str, signers: Sequence[NoteSigningKey]) -> None:
        self._folder, self._origin, self._signers = folder, origin, signers

    @property
    def name(self) -> str:
        return f"hold-{self._folder.name}"

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def vkeys(self) -> Sequence[str]:
        return [one.key.vkey for one in self._signers]

    @property
    def place(self) -> str:
        return str(self._folder)

    @property
    def start(self) -> int:
        try:
            return decimal((self._folder / _START).read_bytes().removesuffix(b"\n"))
        except (OSError, Unreadable) as broken:
            raise Tampered("the start of a hold's journal cannot be read", remedy=_REMEDY) from broken

    @property
    def is_joined(self) -> bool:
        return (self._folder / _JOINED).exists()

    def head(self) -> Head:
        checkpoint = self._signed()
        try:
            verify_log(self._read, checkpoint)
        except (Wrong, Unreadable) as broken:
            raise Tampered("a hold's journal is not the one that was signed", remedy=_REMEDY) from broken
        return Head(checkpoint.size, checkpoint.root)

    def extend(self, after: int, entries: Sequence[bytes], openings: Sequence[bytes], at: datetime) -> Head:
        with _alone(self._folder.parent):
            signed = self._signed()
            if signed.size != after or not entries:
                return Head(signed.size, signed.root)
            edge, tail = self._edge(after)
            tiles = {tile_path(tile.level, tile.index): tile.data for tile in edge.extend([*map(leaf_hash, entries)])}
            bundled, first = [*tail, *entries], after // WIDTH
            for level, index, width in tiles_of(edge.size):
                if width < WIDTH:
                    tiles[tile_path(level, index, width)] = edge.partial(level)
                if level == 0 and index >= first:
                    part = bundled[(index - first) * WIDTH :][:width]
                    tiles[tile_path(ENTRIES, index, width)] = encode_bundle(part)
            self._write(tiles)
            self._write_records(after, openings)
            checkpoint = Checkpoint(self._origin, edge.size, edge.root())
            lines = [sign_checkpoint(checkpoint, one.key, one.sign, int(at.timestamp())) for one in self._signers]
            write_durably(self._folder / _CHECKPOINT, signed_note(checkpoint, lines))
            self._remove_unfinished(after, edge.size)
            return Head(checkpoint.size, checkpoint.root)

    def join(self) -> None:
        write_durably(self._folder / _JOINED, b"")

    def _signed(self) -> Checkpoint:
        try:
            raw = (self._folder / _CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return Checkpoint(self._origin, 0, EMPTY_ROOT)
        try:
            checkpoint, _, lines = open_checkpoint(raw, [one.key for one in self._signers])
        except (Wrong, Unreadable) as broken:
            raise Tampered("the note of a hold's journal does not hold", remedy=_REMEDY) from broken
        if checkpoint.origin != self._origin or len(lines) < len(self._signers):
            raise Tampered("the note of a hold's journal is not signed by its keys", remedy=_REMEDY)
        return checkpoint

    def _read(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except OSError:
            raise Unreadable(f"`{path}` is missing or cannot be read") from None

    def _edge(self, size: int) -> tuple[Edge, Sequence[bytes]]:
        """The right side as signed, and the entries of the unfinished bundle."""
        rows: dict[int, bytes] = {}
        for level, index, width in tiles_of(size):
            if width < WIDTH:
                rows[level] = self._read(tile_path(level, index, width))
        levels = max(1, (size.bit_length() + 7) // 8)
        upper = b"".join(
            bytes([len(row) // HASH_BYTES]) + row for row in (rows.get(level, b"") for level in range(1, levels))
        )
        last = rows.get(0, b"")
        edge = Edge.load(size, [last[n : n + HASH_BYTES] for n in range(0, len(last), HASH_BYTES)], upper)
        width = size % WIDTH
        return edge, decode_bundle(self._read(tile_path(ENTRIES, size // WIDTH, width))) if width else ()

    def _write(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self._folder / name
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True, mode=0o700)
                for above in path.parent.relative_to(self._folder).parents:
                    sync_folder(self._folder / above)
            write_durably(path, data)

    def _write_records(self, after: int, openings: Sequence[bytes]) -> None:
        """Append behind the lines of what was signed; what a crash left behind them is cut off."""
        handle = os.open(self._folder / _RECORDS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "r+b") as file:
            if not after:  # nothing is signed yet: a first line that a crash cut short is written anew
                file.truncate()
                file.write(first_line(names_by_version()))
            elif not file.readline().endswith(b"\n"):
                raise Tampered("records of a hold's journal are missing", remedy=_REMEDY)
            for _ in range(after):
                if not file.readline().endswith(b"\n"):
                    raise Tampered("records of a hold's journal are missing", remedy=_REMEDY)
            file.truncate()
            file.writelines(record_line(after + n, opening, {}) for n, opening in enumerate(openings))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._folder)

    def _remove_unfinished(self, old: int, new: int) -> None:
        kept = set(tiles_of(new))
        for level, index, width in tiles_of(old):
            if width < WIDTH and (level, index, width) not in kept:
                (self._folder / tile_path(level, index, width)).unlink(missing_ok=True)
                if level == 0:
                    (self._folder / tile_path(ENTRIES, index, width)).unlink(missing_ok=True)


class FileHoldJournals:
    """`folder` is made with the first journal."""

    def __init__(self, folder: Path, signers: Signers) -> None:
        self._folder, self._signers = folder, signers

    def all(self) -> Sequence[FileHoldJournal]:
        return [self._journal(number) for number in self._numbers()]

    def begin(self, start: int) -> FileHoldJournal:
        self._folder.mkdir(exist_ok=True, mode=0o700)
        with _alone(self._folder):
            number = self._next()
            journal = self._journal(number)
            making = self._folder / f".{number}.making"
            making.mkdir(exist_ok=True, mode=0o700)
            write_durably(making / _START, b"%d\n" % start)
            making.rename(self._folder / str(number))
            sync_folder(self._folder)
        return journal

    def following(self) -> tuple[str, Sequence[str]]:
        origin, signers = self._signers(self._next())
        return origin, [one.key.vkey for one in signers]

    def _numbers(self) -> Sequence[int]:
        if not self._folder.is_dir():
            return []
        return sorted(int(one.name) for one in self._folder.iterdir() if one.name.isascii() and one.name.isdigit())

    def _next(self) -> int:
        return max(self._numbers(), default=0) + 1

    def _journal(self, number: int) -> FileHoldJournal:
        return FileHoldJournal(self._folder / str(number), *self._signers(number))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time, also where several nodes share the folder."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

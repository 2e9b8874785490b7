"""How is a gateway's folder copied while it runs, and put back?

A copy is one folder: databases (through SQLite's own online copy, one commit of each), small files, and a manifest with
the digest of every file, written last: a copy without its manifest is none. Data and keys are copied apart, never into
one folder: a copy of the data alone opens nothing, and a copy of the keys lives seven days at most, for an erasure is
complete only when the last of them is gone. The root key, which opens the key store, is in neither: where it is a file, it is
copied once, by itself, to a third place, or whoever finds a copy of the keys has the keys. A copy of the keys takes no stock along: a data key is handed out once, by the
store or by what was put back of it, never by both.

Putting back is refused over anything that is there. A gateway whose data was put back finds at its start that it signed
more than it holds, and enters the forensic hold (`hutong hold`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from gateway.config import OBJECTS
from gateway.engines.file_drop.durable import sync_folder, write_durably
from gateway.engines.files.key_file import KEYS_FILE, forget_stock
from gateway.engines.files.lock import LOCK_FILE
from gateway.engines.files.objects import KEPT, PARTIAL, UPLOADS
from gateway.engines.files.root_change import NEW as NEW_ROOT
from gateway.model.errors import InvalidDocument, Tampered, Unavailable

MANIFEST = "manifest.json"
FORMAT = "hutong-backup/v1"
DATA, KEYS, ROOT = "data", "keys", "root-key"
ROOT_KEY_FILE = "root.key"  # as `RootKeyFile` is kept beside the keys
_ROOT_KEYS = frozenset({ROOT_KEY_FILE, ROOT_KEY_FILE + NEW_ROOT})  # while it is being changed there are two
KEYS_LIFE = timedelta(days=7)
_DATABASE_MARK = b"SQLite format 3\0"
_LEFT_OUT = frozenset({LOCK_FILE, "admin.sock", MANIFEST})
_JOURNALS = ("-wal", "-shm", "-journal")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Copy:
    """`log_size` is how many records the copied log has (data alone). `keep_until`: destroy it by then (keys alone)."""

    kind: str
    made_at: datetime
    files: dict[str, str]
    log_size: int | None = None
    keep_until: datetime | None = None


def make_copy(source: Path, target: Path, kind: str, at: datetime) -> Copy:
    """Copy a folder of a gateway, running or not, into a new folder; durable when it returns.

    Raises Unavailable when there is nothing to copy, InvalidDocument when the target holds anything already.
    """
    if not source.is_dir():
        raise Unavailable("there is nothing to back up", remedy="see `directory` and `key_directory` of the settings")
    if target.exists() and any(target.iterdir()):
        raise InvalidDocument("the folder is not empty", remedy="give each backup a folder of its own")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.chmod(0o700)
    files, log_size = {}, None
    for path in _files(source):
        name = path.relative_to(source).as_posix()
        if (name in _ROOT_KEYS) is not (kind == ROOT) or path.name in _LEFT_OUT or name.endswith((*_JOURNALS, PARTIAL)):
            continue
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            if _is_database(path):
                _copy_database(path, place)
                if kind == KEYS and name == KEYS_FILE:
                    forget_stock(place)
                    _sync(place)
                log_size = _log_size(place) if kind == DATA else None
            else:
                _copy_file(path, place)
        except FileNotFoundError:
            if path.parent != source / OBJECTS / UPLOADS:
                raise
            continue  # kept meanwhile, and copied as such; or lapsed
        files[name] = _digest(place)
    if not files:
        raise Unavailable("there is nothing to back up", remedy="see `directory` and `key_directory` of the settings")
    copy = Copy(kind, at, files, log_size, at + KEYS_LIFE if kind == KEYS else None)
    write_durably(target / MANIFEST, _document(copy))
    sync_folder(target.parent)
    return copy


def read_copy(folder: Path) -> Copy:
    """The manifest of a copy, every file compared with it. Raises Tampered for what differs or is missing."""
    try:
        told: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
        copy = Copy(
            told["kind"],
            datetime.fromisoformat(told["made_at"]),
            told["files"],
            told.get("log_size"),
            datetime.fromisoformat(told["keep_until"]) if "keep_until" in told else None,
        )
        is_ours = told["format"] == FORMAT
    except FileNotFoundError as missing:
        raise InvalidDocument(
            "this folder is no whole backup", remedy="a backup ends with its manifest.json"
        ) from missing
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as broken:
        raise Tampered("the manifest cannot be read") from broken
    if not is_ours:
        raise InvalidDocument("a backup of another format", remedy="use the release that made it")
    for name, digest in copy.files.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file() or _digest(path) != digest:
            raise Tampered("a file of the backup is not as it was written", remedy="use another backup")
    return copy


def put_back(folder: Path, target: Path, kind: str) -> Copy:
    """Put a checked copy where a gateway's folder was; durable when it returns.

    Raises InvalidDocument for a copy of another kind, or when there is anything at the target.
    """
    copy = read_copy(folder)
    if copy.kind != kind:
        raise InvalidDocument(f"this is a backup of {copy.kind}", remedy=f"give a backup of {kind}")
    there = {one.name for one in target.iterdir()} - {LOCK_FILE} if target.exists() else set()
    if kind == ROOT:  # the keys and their root key come one after the other
        there &= _ROOT_KEYS
    elif kind == KEYS and ROOT_KEY_FILE not in copy.files:
        there -= _ROOT_KEYS
    if there:
        raise InvalidDocument("there is something in the folder already", remedy="move it away first, never over it")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.chmod(0o700)
    for name in copy.files:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy_file(folder / name, place)
    sync_folder(target)
    return copy


def _files(source: Path) -> Iterator[Path]:
    """All files, the documents last: a notice in the copied database names none that is not copied.

    Uploads before what is kept, each looked for only then: what is kept in between is found there.
    """
    folders = (source / OBJECTS / UPLOADS, source / OBJECTS / KEPT)
    yield from sorted(one for one in source.rglob("*") if _is_plain(one) and one.parent not in folders)
    for folder in folders:
        yield from sorted(one for one in folder.glob("*") if _is_plain(one))


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _document(copy: Copy) -> bytes:
    told: dict[str, Any] = {
        "format": FORMAT,
        "kind": copy.kind,
        "made_at": copy.made_at.isoformat(),
        "files": copy.files,
    }
    if copy.log_size is not None:
        told["log_size"] = copy.log_size
    if copy.keep_until is not None:
        told["keep_until"] = copy.keep_until.isoformat()
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_DATABASE_MARK)) == _DATABASE_MARK


def _copy_database(source: Path, target: Path) -> None:
    """One commit of the database, as one file without a journal, checked."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    reading = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
    writing = sqlite3.connect(target, isolation_level=None)
    try:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
        if writing.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise Tampered("the copied database does not hold", remedy="check the disk; see `hutong log verify`")
    except sqlite3.Error as broken:
        raise Unavailable("the database cannot be copied now", remedy="try again") from broken
    finally:
        reading.close()
        writing.close()
    _sync(target)


def _log_size(path: Path) -> int | None:
    with sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True) as reading:
        try:
            row = reading.execute("SELECT size FROM log_head").fetchone()
        except sqlite3.OperationalError:
            return None
    reading.close()
    return None if row is None else int(row[0])


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reading:
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as writing:
            shutil.copyfileobj(reading, writing, _CHUNK)
            writing.flush()
            os.fsync(writing.fileno())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

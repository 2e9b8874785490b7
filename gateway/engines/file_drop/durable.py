"""When is a file on disk, and which files may be touched at all?

Only plain files directly in a folder we were given, by a name without a path,
opened without following links. What is written is on disk before anybody is told.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from gateway.model.errors import Refusal

_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,200}")


class UnsafeFile(Refusal):
    """Not a plain file of this folder: a link, a device, a path."""

    code = "unsafe-file"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells whether a file changed: size in bytes, time of change in ns, inode."""

    size: int
    changed_ns: int
    inode: int


def is_safe_name(name: str) -> bool:
    """A name that is no path, is not hidden, and can stand beside its receipt."""
    return _NAME.fullmatch(name) is not None and name[0] not in ".~" and len(os.fsencode(name)) <= 200


def stamp_of(path: Path) -> Stamp | None:
    """None when it is no plain file with one name: a writer that links and unlinks is not done yet."""
    try:
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        return None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


def read_plain(path: Path, max_bytes: int) -> tuple[bytes, Stamp]:
    """The bytes and what they were read of. Raises UnsafeFile for links and for more than `max_bytes`, OSError otherwise."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise UnsafeFile("not a plain file")
        if found.st_size > max_bytes:
            raise UnsafeFile("the file is larger than the agent takes", remedy="split it")
        with os.fdopen(os.dup(handle), "rb") as file:
            body = file.read(max_bytes + 1)
        after = os.fstat(handle)
    finally:
        os.close(handle)
    if len(body) > max_bytes:
        raise UnsafeFile("the file is larger than the agent takes", remedy="split it")
    return body, Stamp(after.st_size, after.st_mtime_ns, after.st_ino)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, body: bytes) -> None:
    """Whole or not at all, and on disk when this returns. Replaces what stands there."""
    part = path.with_name(f".{path.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def move_durably(source: Path, target: Path) -> None:
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)

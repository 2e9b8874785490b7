"""The monotonic guard: one small file apart from the database, written anew and renamed at each signature.

hutong-signed/v1        the format
<generation>            which log of this gateway, from 1
<size> and <root>       one line each, absent until something was signed
"""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

from gateway.audit.findings import Unreadable, decimal, decode_base64
from gateway.model.errors import InvalidDocument, Tampered
from gateway.ports.log_storage import Head

_FIRST_LINE = b"hutong-signed/v1"
_REMEDY = "stop signing and let two security administrators look"


class FileCheckpointGuard:
    """Must be made once with `create`; a lost guard is not replaced by an empty one."""

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        """`is_shared`: other nodes write it too, so it is read anew each time."""
        self._path, self._is_shared = path, is_shared
        self._last: Head | None = None
        self._generation: int | None = None
        if not path.is_file():
            raise Tampered("the record of the last signed tree is missing", remedy=_REMEDY)

    @classmethod
    def create(cls, path: Path) -> FileCheckpointGuard:
        """InvalidDocument when there is one already."""
        if path.exists():
            raise InvalidDocument("there is a record of the last signed tree already")
        _write(path, _FIRST_LINE + b"\n1\n")
        return cls(path)

    @property
    def generation(self) -> int:
        return self._read()[0]

    def last(self) -> Head | None:
        return self._read()[1]

    def begin_anew(self) -> None:
        generation, last = self._read()
        if last is not None:
            _write(self._path.with_name(f"{self._path.name}.{generation}"), self._path.read_bytes())
        _write(self._path, b"%b\n%d\n" % (_FIRST_LINE, generation + 1))
        self._last = self._generation = None

    def _read(self) -> tuple[int, Head | None]:
        lines = self._path.read_bytes().split(b"\n")
        try:
            match lines:
                case [first, generation, b""] if first == _FIRST_LINE:
                    return decimal(generation), None
                case [first, generation, size, root, b""] if first == _FIRST_LINE:
                    return decimal(generation), Head(decimal(size), decode_base64(root, 32))
        except Unreadable:
            pass
        raise Tampered("the record of the last signed tree cannot be read", remedy=_REMEDY)

    def advance(self, head: Head) -> None:
        if self._is_shared:
            self._last = self._generation = None
        last = self._last or self.last()
        if last is not None and (head.size < last.size or (head.size == last.size and head.root != last.root)):
            raise Tampered("a larger or another tree was signed before", remedy=_REMEDY)
        if last != head:
            generation = self._generation or self.generation
            _write(self._path, b"%b\n%d\n%d\n%b\n" % (_FIRST_LINE, generation, head.size, b64encode(head.root)))
            self._generation = generation
        self._last = head


def _write(path: Path, data: bytes) -> None:
    making = path.with_name(path.name + ".making")
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""How are attachments kept as encrypted files?

One file an object, in `uploads/` until it is kept, then in `kept/`. A file is written under a temporary name, flushed,
and takes its name when it is whole; a crash leaves a temporary file that nobody reads and `lapse` removes. The
content is cut into pieces of 64 KiB, each sealed with AES-256-GCM under the object's own key, with the piece's number
and whether it is the last as nonce (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): a piece
that is changed, moved, repeated or cut off does not open. A key seals one object, so the nonces never repeat.

    "hutong/object/v1\n" u16 length of key id, key id, u64 plain size, pieces

An empty file in `kept/` is a mark: kept before it came.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.engines.file_drop.durable import sync_folder
from gateway.model.errors import Tampered, Unavailable
from gateway.model.identifiers import KeyId
from gateway.ports.keys import DataKey
from gateway.ports.object_storage import ObjectName, StoredObject

MAGIC = b"hutong/object/v1\n"
PIECE_BYTES = 64 * 1024
TAG_BYTES = 16
PARTIAL = ".part"
UPLOADS, KEPT = "uploads", "kept"


class FileObjects:
    """Objects below one folder of this machine, or of storage that all nodes share."""

    def __init__(self, folder: Path, reserve_bytes: int = 0) -> None:
        """`reserve_bytes` of the disk are left to others: with less room nothing more is put."""
        self._reserve_bytes = reserve_bytes
        self._uploads, self._kept = folder / UPLOADS, folder / KEPT
        for each in (self._uploads, self._kept):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def put(self, name: ObjectName, key: DataKey, content: AsyncIterable[bytes]) -> StoredObject:
        if self._reserve_bytes and shutil.disk_usage(self._uploads).free < self._reserve_bytes:
            raise Unavailable("there is too little room for documents", retry_after=timedelta(minutes=5))
        partial = self._uploads / f"{name}.{secrets.token_hex(8)}{PARTIAL}"
        try:
            with await asyncio.to_thread(partial.open, "xb") as file:
                size = await _write(file, name, key, content)
                await asyncio.to_thread(self._publish, partial, name)
        except OSError as error:
            raise Unavailable("the attachment could not be written") from error
        finally:
            partial.unlink(missing_ok=True)
        return StoredObject(name, key.id, size)

    def _publish(self, partial: Path, name: ObjectName) -> None:
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        home = self._kept if (self._kept / name).exists() else self._uploads
        partial.replace(home / name)
        sync_folder(home)

    async def find(self, name: ObjectName) -> StoredObject | None:
        return await asyncio.to_thread(self._find, name)

    def _find(self, name: ObjectName) -> StoredObject | None:
        for home in (self._kept, self._uploads):
            found = _header(home / name, name)
            if found is not None:
                return found
        return None

    async def read(self, found: StoredObject, secret: bytes) -> AsyncIterator[bytes]:
        path = next((home / found.name for home in (self._kept, self._uploads) if (home / found.name).exists()), None)
        pieces = iter(()) if path is None else _opened(path, found, secret)
        count = 0
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            count += len(piece)
            yield piece
        if path is None or count != found.size:
            raise _broken()

    async def keep(self, name: ObjectName) -> bool:
        return await asyncio.to_thread(self._keep, name)

    def _keep(self, name: ObjectName) -> bool:
        kept, upload = self._kept / name, self._uploads / name
        try:
            if kept.exists() and kept.stat().st_size:
                return True
            if upload.exists():
                with suppress(FileNotFoundError):  # somebody else kept it meanwhile
                    upload.replace(kept)
            else:
                kept.touch(mode=0o600)
            sync_folder(self._kept)
            return kept.stat().st_size > 0
        except OSError as error:
            raise Unavailable("the attachments are out of reach") from error

    async def delete(self, name: ObjectName) -> None:
        await asyncio.to_thread(self._delete, name)

    def _delete(self, name: ObjectName) -> None:
        try:
            for home in (self._kept, self._uploads):
                (home / name).unlink(missing_ok=True)
                sync_folder(home)
        except OSError as error:
            raise Unavailable("the attachment could not be removed") from error

    async def kept(self, after: ObjectName | None, limit: int, before: datetime) -> list[StoredObject]:
        return await asyncio.to_thread(self._listed, after or "", limit, before.timestamp())

    def _listed(self, after: str, limit: int, before: float) -> list[StoredObject]:
        found: list[StoredObject] = []
        try:
            names = sorted(path.name for path in self._kept.iterdir() if path.name > after)
        except OSError as error:
            raise Unavailable("the attachments are out of reach") from error
        for name in names:
            path = self._kept / name
            with suppress(FileNotFoundError, Tampered):  # gone meanwhile, or told where it is read
                if path.stat().st_mtime < before and (one := _header(path, ObjectName(name))) is not None:
                    found.append(one)
            if len(found) >= limit:
                break
        return found

    async def lapse(self, before: datetime) -> list[StoredObject]:
        return await asyncio.to_thread(self._lapse, before.timestamp())

    def _lapse(self, before: float) -> list[StoredObject]:
        gone = []
        try:
            for path in self._uploads.iterdir():
                # kept or finished meanwhile; or what is none of ours, or damaged, and holds up no other
                with suppress(FileNotFoundError, Tampered):
                    if not path.is_file() or path.stat().st_mtime >= before:
                        continue
                    found = None if path.suffix == PARTIAL else _header(path, ObjectName(path.name))
                    path.unlink()
                    if found is not None:
                        gone.append(found)
        except OSError as error:
            raise Unavailable("the attachments are out of reach") from error
        return gone


async def _write(file: BinaryIO, name: ObjectName, key: DataKey, content: AsyncIterable[bytes]) -> int:
    """Header and sealed pieces; the size in the header is known last and written last."""
    id_ = key.id.encode()
    start = MAGIC + len(id_).to_bytes(2, "big") + id_
    cipher = AESGCM(key.secret)
    file.write(start + bytes(8))
    held, number, size = bytearray(), 0, 0
    async for part in content:
        held += part
        size += len(part)
        while len(held) > PIECE_BYTES:  # the last piece is known only at the end
            piece = bytes(held[:PIECE_BYTES])
            del held[:PIECE_BYTES]
            await asyncio.to_thread(file.write, _sealed(cipher, name, number, piece, is_last=False))
            number += 1
    await asyncio.to_thread(file.write, _sealed(cipher, name, number, bytes(held), is_last=True))
    file.seek(len(start))
    file.write(size.to_bytes(8, "big"))
    file.flush()
    return size


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _sealed(cipher: AESGCM, name: ObjectName, number: int, piece: bytes, *, is_last: bool) -> bytes:
    return cipher.encrypt(_nonce(number, is_last=is_last), piece, name.encode())


def _header(path: Path, name: ObjectName) -> StoredObject | None:
    """What a file says of itself; None where there is none, or a mark alone."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC) + 2)
            if not start:
                return None
            if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 2:
                raise _broken()
            id_ = file.read(int.from_bytes(start[len(MAGIC) :], "big"))
            return StoredObject(name, KeyId(id_.decode("ascii")), int.from_bytes(file.read(8), "big"))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise _broken() from error
    except OSError as error:
        raise Unavailable("the attachments are out of reach") from error


def _opened(path: Path, found: StoredObject, secret: bytes) -> Iterator[bytes]:
    cipher = AESGCM(secret)
    try:
        with path.open("rb") as file:
            file.seek(len(MAGIC) + 2 + len(found.key) + 8)
            number, piece = 0, file.read(PIECE_BYTES + TAG_BYTES)
            while piece:
                after = file.read(PIECE_BYTES + TAG_BYTES)
                yield cipher.decrypt(_nonce(number, is_last=not after), piece, found.name.encode())
                number, piece = number + 1, after
    except (InvalidTag, ValueError, FileNotFoundError) as error:
        raise _broken() from error
    except OSError as error:
        raise Unavailable("the attachments are out of reach") from error


def _broken() -> Tampered:
    return Tampered("a stored attachment does not open with its key", remedy="restore the attachment or its key")

"""What shape has the file of keys, and what opens it?

`keys.db` holds salt and key-encryption key (wrapped under the root key), and under that
every other key, wrapped with AES-256-GCM and bound to its name. `keystore` says how the
keys are used.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.crypto.sealing import NONCE_BYTES
from gateway.engines.file_drop.durable import sync_folder
from gateway.engines.files.root_key import RootKey, check_private
from gateway.engines.queries import load
from gateway.model.errors import InvalidDocument, Tampered

KEYS_FILE = "keys.db"
QUERIES = load("gateway.engines.files", "keystore.sql")
_APPLICATION_ID = 0x4855544B  # "HUTK"
_VERSION = 1


def create_key_store(directory: Path, root: RootKey) -> None:
    """Make a new key store in `directory` (made too, 0700, if absent). InvalidDocument when there is one already."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_private(directory, directory=True)
    path = directory / KEYS_FILE
    if path.exists():
        raise InvalidDocument("there is a key store already", remedy="open it, or choose another directory")
    salt, kek = secrets.token_bytes(16), secrets.token_bytes(32)
    wrapped = wrap(AESGCM(root.key(salt)), kek, b"kek")
    making = directory / f"{KEYS_FILE}.making"
    for stale in (making, Path(f"{making}-wal"), Path(f"{making}-shm")):
        stale.unlink(missing_ok=True)
    os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = connect(making)
    try:
        schema = resources.files("gateway.engines.files").joinpath("keystore_schema.sql").read_text("utf-8")
        connection.executescript(f"BEGIN;\n{schema}\nCOMMIT;")
        connection.execute(QUERIES["set_property"], ("salt", salt))
        connection.execute(QUERIES["set_property"], ("kek", wrapped))
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_VERSION}")
        empty_journal(connection)
    finally:
        connection.close()
    making.rename(path)
    sync_folder(directory)


def forget_stock(copy: Path) -> None:
    """In a copy of a key store that nobody has open: what was in stock there, the store it was copied from has handed out since."""
    connection = connect(copy, "DELETE")
    try:
        connection.execute(QUERIES["drop_property"], ("stock",))
    finally:
        connection.close()


def connect(path: Path, journal: str = "WAL") -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=15)
    for setting in (f"journal_mode={journal}", "synchronous=FULL", "secure_delete=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def read_kek(connection: sqlite3.Connection, root: RootKey) -> bytes:
    try:
        shape = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        if shape != [_APPLICATION_ID, _VERSION]:
            raise InvalidDocument("the file is not a key store of this release")
        salt, wrapped = (connection.execute(QUERIES["property"], (name,)).fetchone()[0] for name in ("salt", "kek"))
    except (sqlite3.DatabaseError, TypeError) as broken:
        raise InvalidDocument("the file is not a key store") from broken
    try:
        return unwrap(AESGCM(root.key(salt)), wrapped, b"kek")
    except Tampered as wrong:
        raise InvalidDocument(
            "this root key does not open the key store", remedy="use the one it was made with"
        ) from wrong


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def empty_journal(connection: sqlite3.Connection) -> None:
    """Copy the journal into the file and cut it to nothing. DatabaseError when somebody else's reading prevents it."""
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise sqlite3.OperationalError("the journal of the key store could not be emptied")


def wrap(with_key: AESGCM, secret: bytes, place: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + with_key.encrypt(nonce, secret, place)


def unwrap(with_key: AESGCM, wrapped: bytes, place: bytes) -> bytes:
    try:
        return with_key.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], place)
    except (InvalidTag, ValueError) as broken:
        raise Tampered("a stored key does not open", remedy="restore the key store") from broken

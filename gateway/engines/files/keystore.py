"""Where are the keys, when they live in a file?

In `keys.db` (`key_file` has its shape), a database of its own in a folder apart from
the data, so that the two are backed up apart.

Data keys are made durably in batches and handed out from memory:

1. A batch is committed. A crash leaves its keys in the file, never handed out: a few
   hundred kilobytes, nothing else.
2. Keys of it are handed out. A crash now loses none: they are in the file.
3. A clean end writes down where the stock began, so that the rest is used next time;
   that note is removed, durably, before the first of them is handed out again.

Destroying overwrites and deletes the row, copies the journal into the file and cuts it
to nothing, and drops the caches. What a disk keeps of blocks that a file system gave up
is outside of this; so the folder belongs on an encrypted volume.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.crypto.signing import SigningKey, load_signing_key, new_signing_key
from gateway.engines.files.key_file import (
    KEYS_FILE,
    QUERIES,
    connect,
    empty_journal,
    read_kek,
    transaction,
    unwrap,
    wrap,
)
from gateway.engines.files.lock import OwnerLock
from gateway.engines.files.root_key import RootKey, check_private
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, Unavailable
from gateway.model.identifiers import KeyId
from gateway.ports.keys import DataKey

PURPOSES = frozenset({"receipts", "releases", "tokens", "log"})
_BATCH = 4096
_LOW_WATER = 2048
_KEPT_OPEN = 16_384
_ID_BYTES = 16

Result = TypeVar("Result")


class FileKeyStore:
    """KeyStore in one file. All methods may be called from any thread; one process owns the store, or the nodes of one
    cluster share it: then each makes batches of its own, and forgets what it knows when another has changed the file."""

    def __init__(self, lock: OwnerLock, connection: sqlite3.Connection, kek: bytes, *, is_shared: bool = False) -> None:
        """Use `open_key_store`."""
        self._is_shared = is_shared
        self._seen_version = -1
        self._lock = lock
        self._connection = connection
        self._kek = kek
        self._cipher = AESGCM(kek)
        self._turn = threading.RLock()  # the connection; held while the disk works
        self._stock_turn = threading.Lock()  # stock and open keys; never held while the disk works
        self._stock: deque[DataKey] = deque()
        self._last_key = 0
        self._open_keys: OrderedDict[KeyId, bytes] = OrderedDict()
        self._secrets: dict[str, bytes] = {}
        self._signing: dict[str, SigningKey] = {}
        self._is_closed = False
        self._refill_wanted = threading.Event()
        self.stock_refilled = threading.Event()  # set after every batch, for whoever waits for keys
        self._refiller = threading.Thread(target=self._refill_when_low, name="key-stock", daemon=True)

    def close(self) -> None:
        """Write down what is left of the stock, and forget all keys. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._refill_wanted.set()
        self._refiller.join()
        with self._turn:
            if self._stock and not self._is_shared:
                self._connection.execute(QUERIES["set_property"], ("stock", bytes.fromhex(self._stock[0].id)))
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._stock.clear()
            self._open_keys.clear()
            self._secrets.clear()
            self._signing.clear()
        self._lock.release()

    def testing_only_abandon(self) -> None:
        """End as if the process had died: nothing is written down."""
        self._is_closed = True
        self._refill_wanted.set()
        self._refiller.join()
        with self._turn:
            self._connection.close()
        self._lock.release()

    # The port.

    def take(self, count: int) -> Sequence[DataKey]:
        with self._stock_turn:
            if len(self._stock) < count:
                self._refill_wanted.set()
                raise Unavailable("no data keys are in stock")
            taken = [self._stock.popleft() for _ in range(count)]
            is_low = len(self._stock) < _LOW_WATER
        if is_low:
            self._refill_wanted.set()
        for key in taken:
            self._remember(key.id, key.secret)
        return taken

    def open(self, key: KeyId) -> bytes | None:
        if self._is_shared:
            self._guarded(self._look_for_changes)
        with self._stock_turn:
            known = self._open_keys.get(key)
            if known is not None:
                self._open_keys.move_to_end(key)
                return known
        try:
            blob = bytes.fromhex(key)
        except ValueError:
            return None

        def read() -> bytes | None:
            row = self._connection.execute(QUERIES["data_key"], (blob,)).fetchone()
            if row is None:
                return None
            found = unwrap(self._cipher, row[0], b"data " + blob)
            self._remember(key, found)
            return found

        return self._guarded(read)

    async def destroy(self, keys: Sequence[KeyId]) -> None:
        await asyncio.to_thread(self._guarded, lambda: self._destroy(keys))

    def secret(self, name: str) -> bytes:
        known = self._secrets.get(name)
        if known is not None:
            return known

        def read() -> bytes:
            place = b"secret " + name.encode()
            row = self._connection.execute(QUERIES["named_secret"], (name,)).fetchone()
            if row is None:
                with transaction(self._connection):  # another node may have been first
                    row = self._connection.execute(QUERIES["named_secret"], (name,)).fetchone()
                    if row is None:
                        made = wrap(self._cipher, secrets.token_bytes(32), place)
                        self._connection.execute(QUERIES["add_named_secret"], (name, made))
                        row = (made,)
            found = unwrap(self._cipher, row[0], place)
            self._secrets[name] = found
            return found

        return self._guarded(read)

    def knows_secret(self, name: str) -> bool:
        return self._guarded(lambda: self._connection.execute(QUERIES["named_secret"], (name,)).fetchone() is not None)

    def signing_key(self, purpose: str) -> SigningKey:
        known = self._signing.get(purpose)
        if known is not None:
            return known
        if purpose not in PURPOSES:
            raise ValueError(f"a signing key is for one of {', '.join(sorted(PURPOSES))}")

        def read() -> SigningKey:
            row = self._connection.execute(QUERIES["current_signing_key"], (purpose,)).fetchone()
            if row is None:
                return self._keep_signing_key(purpose, new_signing_key(), only_first=True)
            key = load_signing_key(unwrap(self._cipher, row[1], b"sign " + row[0].encode()), row[0])
            self._signing[purpose] = key
            return key

        return self._guarded(read)

    def verification_keys(self) -> Sequence[dict[str, object]]:
        def read() -> list[dict[str, object]]:
            if self._is_shared:
                self._look_for_changes()
            return [json.loads(row[0]) for row in self._connection.execute(QUERIES["public_keys"])]

        return self._guarded(read)

    def use_signing_key(self, purpose: str, key: SigningKey) -> None:
        if purpose not in PURPOSES:
            raise ValueError(f"a signing key is for one of {', '.join(sorted(PURPOSES))}")
        self._guarded(lambda: self._keep_signing_key(purpose, key))

    # Beyond the port.

    def root_salt(self) -> bytes:
        """What the root key in use is stretched with; no secret."""
        return self._guarded(lambda: bytes(self._connection.execute(QUERIES["property"], ("salt",)).fetchone()[0]))

    def opens_with(self, root: RootKey) -> bool:
        """Whether this root key opens the store now."""
        try:
            return self._guarded(lambda: read_kek(self._connection, root)) == self._kek
        except InvalidDocument:
            return False

    def change_root(self, new: RootKey, salt: bytes) -> None:
        """Wrap the key-encryption key under another root key; the old one opens nothing from then on (`root_change`)."""

        def write() -> None:
            wrapped = wrap(AESGCM(new.key(salt)), self._kek, b"kek")
            with transaction(self._connection):
                self._connection.execute(QUERIES["set_property"], ("salt", salt))
                self._connection.execute(QUERIES["set_property"], ("kek", wrapped))
            empty_journal(self._connection)

        self._guarded(write)

    @property
    def stock(self) -> int:
        """How many data keys can be taken now, for metrics."""
        return len(self._stock)

    # Inside.

    def _look_for_changes(self) -> None:
        """Forget the keys that are open when another node wrote to the file: it may have destroyed or replaced one of them."""
        version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        if version != self._seen_version:
            self._seen_version = version
            self._signing.clear()
            with self._stock_turn:
                self._open_keys.clear()

    def _begin(self) -> None:
        row = self._connection.execute(QUERIES["property"], ("stock",)).fetchone()
        if row is not None and self._is_shared:
            self._connection.execute(QUERIES["drop_property"], ("stock",))
        elif row is not None:
            rest = self._connection.execute(QUERIES["unused_data_keys"], (row[0],)).fetchall()
            self._connection.execute(QUERIES["drop_property"], ("stock",))
            self._stock.extend(
                DataKey(KeyId(id_.hex()), unwrap(self._cipher, wrapped, b"data " + id_)) for id_, wrapped in rest
            )
        if len(self._stock) < _LOW_WATER:
            self._refill()
        self._refiller.start()

    def _refill_when_low(self) -> None:
        while True:
            self._refill_wanted.wait()
            self._refill_wanted.clear()
            if self._is_closed:
                return
            try:
                while len(self._stock) < _LOW_WATER and not self._is_closed:
                    self._refill()
            except sqlite3.Error:
                continue  # the stock shrinks; `take` asks again and says so when it is empty

    def _refill(self) -> None:
        with self._turn:
            # beneath the milliseconds a random part, so that two nodes never make the same id
            apart = secrets.randbits(66) << 13 if self._is_shared else 0
            first = max(self._last_key + 1, time.time_ns() // 1_000_000 << 80 | apart)
            ids = [(first + n).to_bytes(_ID_BYTES, "big") for n in range(_BATCH)]
            fresh = [(id_, secrets.token_bytes(32)) for id_ in ids]
            rows = [(id_, wrap(self._cipher, secret, b"data " + id_)) for id_, secret in fresh]
            with transaction(self._connection):
                self._connection.executemany(QUERIES["add_data_keys"], rows)
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._last_key = first + _BATCH - 1
            with self._stock_turn:
                self._stock.extend(DataKey(KeyId(id_.hex()), secret) for id_, secret in fresh)
        self.stock_refilled.set()

    def _destroy(self, keys: Sequence[KeyId]) -> None:
        blobs = []
        for key in keys:
            try:
                blobs.append((bytes.fromhex(key),))
            except ValueError:
                continue  # not a key of this store: nothing is kept under it
        self._forget(keys)
        with transaction(self._connection):
            self._connection.executemany(QUERIES["overwrite_data_key"], blobs)
        with transaction(self._connection):
            self._connection.executemany(QUERIES["delete_data_key"], blobs)
        empty_journal(self._connection)
        self._forget(keys)  # once more: somebody may have opened one meanwhile

    def _forget(self, keys: Sequence[KeyId]) -> None:
        gone = set(keys)
        for key in gone:
            self._open_keys.pop(key, None)
        with self._stock_turn:
            if any(key.id in gone for key in self._stock):
                self._stock = deque(key for key in self._stock if key.id not in gone)

    def _keep_signing_key(self, purpose: str, key: SigningKey, *, only_first: bool = False) -> SigningKey:
        wrapped = wrap(self._cipher, key.private_bytes(), b"sign " + key.kid.encode())
        with transaction(self._connection):
            row = (
                self._connection.execute(QUERIES["current_signing_key"], (purpose,)).fetchone() if only_first else None
            )
            if row is not None:  # another node was first
                return load_signing_key(unwrap(self._cipher, row[1], b"sign " + row[0].encode()), row[0])
            self._connection.execute(QUERIES["retire_signing_key"], (purpose,))
            jwk = canonical_json(key.public().jwk())
            self._connection.execute(QUERIES["add_signing_key"], (key.kid, purpose, jwk, wrapped))
        empty_journal(self._connection)
        self._signing[purpose] = key
        return key

    def _remember(self, key: KeyId, secret: bytes) -> None:
        with self._stock_turn:
            self._open_keys[key] = secret
            while len(self._open_keys) > _KEPT_OPEN:
                self._open_keys.popitem(last=False)

    def _guarded(self, work: Callable[[], Result]) -> Result:
        with self._turn:
            if self._is_closed:
                raise Unavailable("the key store is closed")
            try:
                return work()
            except sqlite3.Error as broken:
                raise Unavailable("the key store is out of reach") from broken


def open_key_store(directory: Path, root: RootKey, *, is_shared: bool = False) -> FileKeyStore:
    """Open an existing key store and become its owner; a first batch of keys is in stock when it returns.

    `is_shared`: be one of the nodes that have it open, on storage that they share (which has to keep POSIX locks). The
    file then has a rollback journal, since a write-ahead log needs memory that two machines do not have in common.

    Raises Unavailable when there is none or another process owns it, InvalidDocument when folder or file are
    open to others, of another shape, or not of this root key.
    """
    check_private(directory, directory=True)
    check_private(directory / KEYS_FILE)
    lock = OwnerLock(directory, is_shared=is_shared)
    try:
        connection = connect(directory / KEYS_FILE, "TRUNCATE" if is_shared else "WAL")
        try:
            store = FileKeyStore(lock, connection, read_kek(connection, root), is_shared=is_shared)
            store._begin()
        except BaseException:
            connection.close()
            raise
    except BaseException:
        lock.release()
        raise
    return store

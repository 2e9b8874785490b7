"""How does a gateway outgrow its machine? The part of the composition root that moves it from its own store to a cluster's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.config import PostgresSettings, Settings
from gateway.engines.files.lock import OwnerLock
from gateway.engines.postgres.move import copy_store, put_aside
from gateway.engines.postgres.store import PostgresStore
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.system.clock import SystemClock
from gateway.model.errors import InvalidDocument, Tampered
from gateway.ports.log_storage import LogStorage
from gateway.services.verify_log import Verified, verify_log


@dataclass(frozen=True, slots=True)
class Moved:
    rows: int
    records: int
    root: bytes


async def move(settings: Settings, address: str, password: str) -> Moved:
    """Copy the embedded store into an empty database, verify the log on both sides, and put the embedded one aside.

    The gateway must be stopped. Whatever goes wrong before the end leaves the embedded store as it was. Raises Tampered
    when the log does not verify on either side, Unavailable when the store is in use or the database away.
    """
    if settings.is_clustered:
        raise InvalidDocument("this gateway is clustered already", remedy="nothing is to be moved")
    clock = SystemClock()
    url = replace(PostgresSettings(address=address), password=password).url
    embedded = SqliteStore.open(settings.directory, clock)
    try:
        before = await _verified(embedded.log, "embedded")
    finally:
        await embedded.close()
    lock = OwnerLock(settings.directory)
    try:
        rows = await copy_store(settings.directory, url)
        clustered = await PostgresStore.open(url, clock, readers=2)
        try:
            after = await _verified(clustered.log, "clustered")
        finally:
            await clustered.close()
        if (before.size, before.root) != (after.size, after.root):
            raise Tampered("the log is another one after the copy", remedy="drop the database and move again")
        put_aside(settings.directory)
    finally:
        lock.release()
    return Moved(rows, after.size, after.root)


async def _verified(log: LogStorage, which: str) -> Verified:
    found = await verify_log(log)
    if not found.is_verified:
        raise Tampered(f"the {which} log does not verify ({found.reason})", remedy="see `hutong log verify`")
    return found

"""Which shape has a store, and how does it get the one this code wants?

The shape is `user_version`: twice the number of the last migration, less one while
only its first half (`before`) was run. Each half is one transaction with the number
it leads to, so a crash leaves a whole step done or not begun. A store is made on
request alone; a shape of newer code that took away what this code needs, or a file
that isn't one of our stores, is refused.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from pathlib import Path

from gateway.engines.file_drop.durable import sync_folder
from gateway.engines.migrations import OLDEST_CODE, Step, check_not_newer, shape_as_property, steps_in
from gateway.engines.sqlite.connection import APPLICATION_ID, open_writer
from gateway.model.errors import InvalidDocument, Unavailable

STORE_FILE = "store.db"


def steps() -> tuple[Step, ...]:
    """All halves of this engine's migrations in order; `version` is the `user_version` it leads to."""
    return steps_in("gateway.engines.sqlite.migrations")


def create_store(directory: Path) -> None:
    """Make a new, empty store in `directory` (made too, 0700, if absent). Raises InvalidDocument when there is one already."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / STORE_FILE
    if path.exists():
        raise InvalidDocument("there is a store already", remedy="open it, or choose another directory")
    making = directory / f"{STORE_FILE}.making"
    for stale in (making, Path(f"{making}-wal"), Path(f"{making}-shm")):
        stale.unlink(missing_ok=True)
    os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = open_writer(making)
    try:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        _run(connection, 0)
        connection.execute("INSERT INTO property VALUES ('delivery-order', ?)", (secrets.token_bytes(32),))
        connection.execute("INSERT INTO property VALUES ('store-id', ?)", (secrets.token_bytes(16),))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    making.rename(path)
    sync_folder(directory)


def migrate_store(directory: Path, *, only_before: bool = False) -> int:
    """Bring an existing store to this code's shape and return its version; does nothing when it has it.

    `only_before` runs no `after` half that is last, so that older code goes on working beside.
    Raises InvalidDocument for a shape of newer code or a foreign file, Unavailable when there is no store.
    """
    path = directory / STORE_FILE
    if not path.exists():
        raise Unavailable("there is no store in this directory", remedy="make one with `hutong init`")
    connection = open_existing(path)
    try:
        _run(connection, check_shape(connection), len(steps()) - 1 if only_before else len(steps()))
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def open_existing(path: Path) -> sqlite3.Connection:
    """Open a database that should be a store; InvalidDocument when the file is no database, Unavailable when it can't be read."""
    try:
        return open_writer(path)
    except sqlite3.OperationalError as unreachable:
        raise Unavailable("the store is out of reach") from unreachable
    except sqlite3.DatabaseError as broken:
        raise InvalidDocument("the file is not a store") from broken


def check_shape(connection: sqlite3.Connection) -> int:
    """The version of an open store; InvalidDocument when it is not ours or newer code took away what this needs."""
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner != APPLICATION_ID:
        raise InvalidDocument("the file is a database, but not a store of this gateway")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(steps()):
        row = connection.execute("SELECT value FROM property WHERE name = ?", (OLDEST_CODE,)).fetchone()
        check_not_newer(version, len(steps()), None if row is None else row[0])
    return version


def _run(connection: sqlite3.Connection, version: int, last: int | None = None) -> None:
    for step in steps()[version:last]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(step.sql):
                connection.execute(statement)
            if step.takes_away:
                values = (OLDEST_CODE, shape_as_property(step.version))
                connection.execute("INSERT OR REPLACE INTO property VALUES (?, ?)", values)
            connection.execute(f"PRAGMA user_version={step.version}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise


def _statements(script: str) -> list[str]:
    """Single statements of a script (a trigger counts as one): `executescript` would end our transaction."""
    found, text = [], ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found

"""The witness's memory in one SQLite file.

Durable steps, in order: `advance` commits before the caller signs. A crash between
the two leaves a checkpoint stored and not answered; the log asks again with the old
size it knows, is told ours (409), and asks for the same checkpoint once more.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from gateway.audit.witness import Seen
from gateway.model.errors import InvalidDocument

_TABLES = """
CREATE TABLE IF NOT EXISTS seen (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL,
  lines BLOB NOT NULL DEFAULT x'', cosigned_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL, signed BLOB NOT NULL, seen BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS evidence_once ON evidence (origin, signed, seen);
CREATE TRIGGER IF NOT EXISTS evidence_stays BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence stays'); END;
CREATE TRIGGER IF NOT EXISTS never_back BEFORE UPDATE OF size ON seen WHEN NEW.size < OLD.size
BEGIN SELECT RAISE(ABORT, 'a witness does not go back'); END;
"""


class SqliteWitnessStore:
    """`WitnessStorage` in a file that must exist unless `create` is asked for: a lost memory is not replaced by an empty one."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.is_file():
            raise InvalidDocument("the witness has no store here", remedy="make one with `hutong witness init`")
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        self._connection.close()

    def seen(self, origin: str) -> Seen:
        with self._lock:
            row = self._connection.execute("SELECT size, root, note FROM seen WHERE origin = ?", (origin,)).fetchone()
        return Seen(*row) if row else Seen()

    def advance(self, origin: str, old_size: int, seen: Seen) -> bool:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                row = self._connection.execute("SELECT size, root FROM seen WHERE origin = ?", (origin,)).fetchone()
                size, root = row or (0, None)
                holds = size == old_size and (root is None or seen.size > size or seen.root == root)
                if holds and (row is None or seen.size > size):
                    self._connection.execute(
                        "INSERT INTO seen (origin, size, root, note) VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
                        " SET size = excluded.size, root = excluded.root, note = excluded.note, lines = x'', cosigned_at = NULL",
                        (origin, seen.size, seen.root, seen.note),
                    )
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        return holds

    def keep_cosignatures(self, origin: str, size: int, lines: bytes, at: int) -> None:
        with self._lock:
            self._connection.execute(
                "UPDATE seen SET lines = ?, cosigned_at = ? WHERE origin = ? AND size = ?", (lines, at, origin, size)
            )

    def cosigned(self, origin: str) -> bytes | None:
        with self._lock:
            row = self._connection.execute("SELECT note, lines FROM seen WHERE origin = ?", (origin,)).fetchone()
        return row[0] + row[1] if row else None

    def keep_evidence(self, origin: str, signed: bytes, seen: bytes, at: int) -> None:
        with self._lock:
            self._connection.execute(
                "INSERT OR IGNORE INTO evidence (origin, signed, seen, at) VALUES (?, ?, ?, ?)",
                (origin, signed, seen, at),
            )

    def evidence(self) -> Sequence[tuple[str, bytes, bytes, int]]:
        with self._lock:
            return self._connection.execute("SELECT origin, signed, seen, at FROM evidence ORDER BY id").fetchall()

    def logs(self) -> Sequence[tuple[str, int]]:
        with self._lock:
            return self._connection.execute("SELECT origin, size FROM seen ORDER BY origin").fetchall()

"""How is the database file opened, and where can a test make it fail?

WAL with synchronous=FULL: a commit that returned is on the disk. Pages of 8 KiB,
because content rows are a few KiB. `secure_delete` zeroes what is deleted, so what
is erased is gone from free pages too. Checkpoints never happen inside a commit.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from gateway.engines.sql.transaction import Keys

PAGE_BYTES = 8192
APPLICATION_ID = 0x48555430  # "HUT0"

# Called with the name of a durable step before it happens and, for a commit, after it; raises to make it fail.
FaultPoint = Callable[[str], None]


def no_fault(step: str) -> None:
    """Nothing fails on purpose."""


def open_writer(path: Path, cache_mib: int = 128) -> sqlite3.Connection:
    """The one connection that writes. The caller begins and ends transactions; any thread may use it, one at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5, cached_statements=512)
    for setting in (
        f"page_size={PAGE_BYTES}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        "wal_autocheckpoint=0",
        f"cache_size=-{cache_mib * 1024}",
    ):
        connection.execute(f"PRAGMA {setting}")
    return connection


def open_reader(path: Path, cache_mib: int = 16) -> sqlite3.Connection:
    """A connection that can't write and sees whole commits alone."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=5
    )
    connection.execute("PRAGMA query_only=ON")
    connection.execute(f"PRAGMA cache_size=-{cache_mib * 1024}")
    return connection


_VALUES = re.compile(r"VALUES (\([?, ]+\))(?=;?\s*$)")
_MOST_ROWS = 128  # of 13 columns at most: far below SQLite's 32,766 variables


@lru_cache(1024)
def _repeated(query: str, times: int) -> str | None:
    """An INSERT of one row of variables as an INSERT of several; None for any other query."""
    found = _VALUES.search(query)
    if found is None:
        return None
    start, end = found.span(1)
    return query[:start] + ", ".join([query[start:end]] * times) + query[end:]


class Statements:
    """Runs named queries on one connection, past the fault point."""

    asks_together = False  # a question costs no journey: one after the other is cheapest

    def __init__(
        self, connection: sqlite3.Connection, queries: Mapping[str, str], fault: FaultPoint = no_fault
    ) -> None:
        self._connection = connection
        self._queries = queries
        self._fault = fault

    def run(self, name: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> sqlite3.Cursor:
        self._fault(name)
        return self._connection.execute(self._queries[name], values)

    def many(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a query for each row. Rows to be inserted go in few statements of many rows: between two steps of a
        statement the interpreter's lock changes hands, and that costs more than the insert."""
        self._fault(name)
        query, left = self._queries[name], list(rows)
        start = 0
        while start < len(left):
            size = min(1 << (len(left) - start).bit_length() - 1, _MOST_ROWS)  # powers of two: few texts, kept prepared
            text = _repeated(query, size)
            if text is None:
                self._connection.executemany(query, left)
                return
            self._connection.execute(text, list(chain.from_iterable(left[start : start + size])))
            start += size

    def insert_all(self, tables: Sequence[tuple[str, Sequence[tuple[Any, ...]]]]) -> None:
        for name, rows in tables:
            if rows:
                self.many(name, rows)

    def all(self, name: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.run(name, values).fetchall()

    def all_of_keys(self, name: str, keys: Iterable[bytes]) -> list[tuple[Any, ...]]:
        """The blobs that a query gathers for keys it takes end to end (`:keys`, `:size`, `:count`); one statement for each length they have."""
        by_size: dict[int, list[bytes]] = {}
        for key in keys:
            by_size.setdefault(len(key), []).append(key)
        found: list[tuple[Any, ...]] = []
        for size, same in by_size.items():
            rows = self.gathered(name, {"keys": b"".join(sorted(same)), "size": size, "count": len(same)})
            found += [tuple(map(bytes.fromhex, row)) for row in rows]
        return found

    def together(
        self, questions: Sequence[tuple[str, Mapping[str, Any] | Sequence[Any] | Keys]]
    ) -> list[list[tuple[Any, ...]]]:
        return [
            self.all_of_keys(name, asked.keys) if isinstance(asked, Keys) else self.all(name, asked)
            for name, asked in questions
        ]

    def gathered(self, name: str, values: Mapping[str, Any] | Sequence[Any]) -> list[Any]:
        """What a query gathers into the JSON array of its one row. For many rows on the writer: each row that is fetched
        gives up the interpreter's lock, and next to a busy event loop each return of it is waited for."""
        row = self.one(name, values)
        found: list[Any] = [] if row is None else orjson.loads(row[0])
        return found

    def one(self, name: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self.run(name, values).fetchone()
        return row

    def bare(self, sql: str) -> None:
        """A transaction statement: BEGIN, SAVEPOINT, RELEASE, ROLLBACK."""
        self._connection.execute(sql)

"""How are questions answered beside the writer?

A few threads, each with a read-only connection of its own. A question sees the last
commit that returned before it was asked, and never waits for the writer.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.engines.sqlite.connection import FaultPoint, Statements, no_fault, open_reader
from gateway.model.errors import Unavailable

Answer = TypeVar("Answer")


class Readers:
    """A small pool of read connections."""

    def __init__(
        self, path: Path, queries: Mapping[str, str], threads: int = 2, testing_only_fault: FaultPoint = no_fault
    ) -> None:
        self._path = path
        self._queries = queries
        self._fault = testing_only_fault
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store-reader")
        self._is_closed = False

    async def ask(self, question: Callable[[Statements], Answer]) -> Answer:
        """Run a question in a reader thread, inside one read transaction. Raises Unavailable when the store is out of reach."""
        if self._is_closed:
            raise Unavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._ask, question)

    def _ask(self, question: Callable[[Statements], Answer]) -> Answer:
        try:
            sql = self._statements()
            sql.bare("BEGIN")
            try:
                return question(sql)
            finally:
                sql.bare("COMMIT")
        except sqlite3.Error as broken:
            raise Unavailable("the store is out of reach") from broken

    def _statements(self) -> Statements:
        found: Statements | None = getattr(self._local, "statements", None)
        if found is None:
            connection = open_reader(self._path)
            with self._lock:
                self._open.append(connection)
            found = self._local.statements = Statements(connection, self._queries, self._fault)
        return found

    def close(self) -> None:
        self._is_closed = True
        self._pool.shutdown(wait=True)
        for connection in self._open:
            connection.close()
        self._open.clear()

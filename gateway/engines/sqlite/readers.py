"""How are questions answered beside the writer?

A few threads, each with a read-only connection of its own. A question sees the last
commit that returned before it was asked, and never waits for the writer. What is asked in
one turn of the event loop goes to a thread together, in one read transaction: to change
threads costs more than most questions.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway.engines.sqlite.connection import FaultPoint, Statements, no_fault, open_reader
from gateway.model.errors import Unavailable

Answer = TypeVar("Answer")

MOST_TOGETHER = 16  # more questions of one turn are shared out among the threads


@dataclass(slots=True)
class _Asked:
    question: Callable[[Statements], Any]
    future: asyncio.Future[Any]
    outcome: Any = None


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
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Asked]] = {}
        self._is_closed = False

    async def ask(self, question: Callable[[Statements], Answer]) -> Answer:
        """Run a question in a reader thread, inside one read transaction. Raises Unavailable when the store is out of reach."""
        if self._is_closed:
            raise Unavailable("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        gathered = self._gathered.get(loop)
        if gathered is None:
            gathered = self._gathered[loop] = []
            loop.call_soon(self._hand_over, loop)
        gathered.append(_Asked(question, future))
        return await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        gathered = self._gathered.pop(loop)
        for start in range(0, len(gathered), MOST_TOGETHER):
            together = gathered[start : start + MOST_TOGETHER]
            try:
                self._pool.submit(self._answer, together, loop)
            except RuntimeError:  # closed between question and turn
                for one in together:
                    one.outcome = Unavailable("the store is closed")
                _resolve(together)

    def _answer(self, together: list[_Asked], loop: asyncio.AbstractEventLoop) -> None:
        try:
            sql = self._statements()
            sql.bare("BEGIN")
            try:
                for one in together:
                    one.outcome = _outcome(one.question, sql)
            finally:
                sql.bare("COMMIT")
        except sqlite3.Error:
            for one in together:
                one.outcome = Unavailable("the store is out of reach")
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, together)

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


def _outcome(question: Callable[[Statements], Any], sql: Statements) -> Any:
    """The answer, or the exception that goes to the caller whose question it was."""
    try:
        return question(sql)
    except sqlite3.Error:
        return Unavailable("the store is out of reach")
    except Exception as error:  # noqa: BLE001 - goes to the caller whose question it is
        return error


def _resolve(together: list[_Asked]) -> None:
    for one in together:
        if one.future.done():
            continue  # its caller gave up
        if isinstance(one.outcome, BaseException):
            one.future.set_exception(one.outcome)
        else:
            one.future.set_result(one.outcome)

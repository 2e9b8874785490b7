"""How are questions answered beside the writer?

On a few connections of its own, in read transactions that see whole commits alone. What is asked in one turn of the event loop
goes together in one of them; more than a few are shared out among several. A question sees every commit that returned
before it was asked, on whichever node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg

from gateway.engines.postgres import crossing
from gateway.engines.postgres.connection import AWAY, FaultPoint, connect, no_fault, unavailable
from gateway.engines.postgres.dialect import Query
from gateway.engines.postgres.statements import Statements
from gateway.model.errors import Unavailable

Answer = TypeVar("Answer")

MOST_TOGETHER = 16
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@dataclass(slots=True)
class _Asked:
    question: Callable[[Any], Any]
    future: asyncio.Future[Any]


@dataclass(slots=True)
class Readers:
    url: str
    queries: Mapping[str, Query]
    most: int = 8  # connections
    fault: FaultPoint = no_fault
    _idle: list[asyncpg.Connection] = field(default_factory=list)
    _free: asyncio.Semaphore = field(init=False)
    _gathered: list[_Asked] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _is_closed: bool = False

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.most)

    async def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """Run a question inside one read transaction. Raises Unavailable when the store is out of reach."""
        if self._is_closed:
            raise Unavailable("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append(_Asked(question, future))
        return await future

    async def close(self) -> None:
        """Answer what was asked, then end."""
        self._is_closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)
        for connection in self._idle:
            connection.terminate()
        self._idle.clear()

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        for start in range(0, len(gathered), MOST_TOGETHER):
            task = asyncio.create_task(self._answer(gathered[start : start + MOST_TOGETHER]), name="store-reader")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, together: list[_Asked]) -> None:
        async with self._free:
            connection = None
            try:
                connection = await self._connection()
                await self._answer_on(connection, together)
            except Exception as error:  # noqa: BLE001 - goes to the callers: whom nobody answers waits for ever
                if connection is not None:
                    connection.terminate()
                is_away = isinstance(error, (*AWAY, Unavailable))
                for one in together:
                    if not one.future.done():
                        one.future.set_exception(unavailable(error) if is_away else error)
            else:
                self._idle.append(connection)

    async def _connection(self) -> asyncpg.Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await connect(self.url, only_reads=True)

    async def _answer_on(self, connection: asyncpg.Connection, together: list[_Asked]) -> None:
        sql = Statements(connection, self.queries, self.fault)
        await connection.execute(_BEGIN)
        for one in together:
            if not one.future.done():
                await self._answer_one(connection, sql, one)
        await connection.execute("ROLLBACK")

    async def _answer_one(self, connection: asyncpg.Connection, sql: Statements, one: _Asked) -> None:
        try:
            answer = await crossing.run(lambda: one.question(sql))
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - goes to the caller whose question it is
            if not one.future.done():
                one.future.set_exception(error)
            if isinstance(error, asyncpg.PostgresError):  # which ended the transaction for the others
                await connection.execute("ROLLBACK")
                await connection.execute(_BEGIN)
        else:
            if not one.future.done():
                one.future.set_result(answer)

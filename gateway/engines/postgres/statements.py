"""Runs named queries on one connection, past the fault point, for code that waits in `crossing.run`.

The same verbs as the embedded engine's statements. Rows to be inserted go in one statement over `unnest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg

from gateway.engines.postgres.connection import FaultPoint, no_fault
from gateway.engines.postgres.crossing import wait
from gateway.engines.postgres.dialect import Query, asked_in_one, in_one
from gateway.engines.sql.transaction import Keys

Row = tuple[Any, ...]


class Answered:
    """What one statement gave: its rows, and how many rows it changed."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Row], rowcount: int) -> None:
        self._rows, self.rowcount = rows, rowcount

    def fetchone(self) -> Row | None:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Row]:
        return self._rows


_PREPARED: WeakKeyDictionary[Any, dict[str | tuple[str, ...], Any]] = WeakKeyDictionary()


class Statements:
    asks_together = True  # each question is a journey to the server

    def __init__(
        self, connection: asyncpg.Connection, queries: Mapping[str, Query], fault: FaultPoint = no_fault
    ) -> None:
        self._connection, self._queries, self._fault = connection, queries, fault
        self._prepared = _PREPARED.setdefault(connection, {})  # statements live as long as their connection

    def run(self, name: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> Answered:
        self._fault(name)
        return wait(self._run(name, values))

    async def _run(self, name: str, values: Mapping[str, Any] | Sequence[Any]) -> Answered:
        query = self._queries[name]
        statement = await self._statement(name, query.text)
        rows = await statement.fetch(*query.arguments(values))
        return Answered([tuple(row) for row in rows], _count(statement.get_statusmsg()))

    def many(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a query for each row; rows to be inserted go in one statement."""
        query = self._queries[name]
        if query.is_insert:
            self.insert_all([(name, list(rows))])
            return
        self._fault(name)
        if left := list(rows):
            wait(self._connection.executemany(query.text, left))

    def insert_all(self, tables: Sequence[tuple[str, Sequence[Sequence[Any]]]]) -> None:
        """One statement for all: each table but the last is filled in a clause of its own."""
        for name, _ in tables:
            self._fault(name)
        filled = [(name, rows) for name, rows in tables if rows]
        if filled:
            wait(self._insert_all(filled))

    async def _insert_all(self, tables: Sequence[tuple[str, Sequence[Sequence[Any]]]]) -> None:
        names = tuple(name for name, _ in tables)
        statement = self._prepared.get(names)
        if statement is None:
            clauses, count = list[str](), 0
            for name in names:
                one = await self._statement(name, self._queries[name].text)
                types = [kind.name for kind in one.get_parameters()]
                clauses.append(self._queries[name].of_rows(types, count))
                count += len(types)
            statement = await self._statement(names, in_one(clauses))
        columns = [column for _, rows in tables for column in zip(*rows, strict=True)]
        await statement.fetch(*map(list, columns))

    def together(self, questions: Sequence[tuple[str, Mapping[str, Any] | Sequence[Any] | Keys]]) -> list[list[Row]]:
        for name, _ in questions:
            self._fault(name)
        return wait(self._together(questions))

    async def _together(
        self, questions: Sequence[tuple[str, Mapping[str, Any] | Sequence[Any] | Keys]]
    ) -> list[list[Row]]:
        names = ("together", *(name for name, _ in questions))
        statement = self._prepared.get(names)
        if statement is None:
            statement = await self._statement(names, asked_in_one([self._queries[name] for name, _ in questions]))
        values = [
            value
            for name, asked in questions
            for value in ([sorted(asked.keys)] if isinstance(asked, Keys) else self._queries[name].arguments(asked))
        ]
        return [[tuple(row) for row in rows] for rows in await statement.fetchrow(*values)]

    def all(self, name: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[Row]:
        return self.run(name, values).fetchall()

    def all_of_keys(self, name: str, keys: Iterable[bytes]) -> list[Row]:
        """The rows of a query that takes an array of keys."""
        return self.run(name, (sorted(keys),)).fetchall()

    def one(self, name: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> Row | None:
        return self.run(name, values).fetchone()

    def bare(self, sql: str) -> None:
        """A transaction statement: BEGIN, SAVEPOINT, RELEASE, ROLLBACK."""
        wait(self._connection.execute(sql))

    async def _statement(self, name: str | tuple[str, ...], text: str) -> Any:
        statement = self._prepared.get(name)
        if statement is None:
            statement = self._prepared[name] = await self._connection.prepare(text)
        return statement


def _count(status: str) -> int:
    """How many rows a statement touched, from its completion tag: `INSERT 0 3`, `UPDATE 1`."""
    last = status.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0

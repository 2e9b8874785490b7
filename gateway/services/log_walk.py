"""Walk through what several searches of the log find, as one, newest first."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from gateway.audit.opening import Opening, read_opening
from gateway.ports.log_storage import LogQuery, LogStorage, StoredRecord

ROWS = 1000
PAGE = 500

Opened = tuple[StoredRecord, Opening]


class Span(Protocol):
    """From when, until when, and before which leaf."""

    @property
    def since(self) -> datetime | None: ...

    @property
    def until(self) -> datetime | None: ...

    @property
    def before(self) -> int | None: ...


class LogWalk:
    def __init__(self, log: LogStorage) -> None:
        self._log = log

    async def page(
        self, queries: Iterable[LogQuery], asked: Span, fits: Callable[[Opening], bool] = lambda opening: True
    ) -> tuple[list[Opened], int | None]:
        """The newest `ROWS` records that any of the queries finds and that fit, and before which leaf to go on if there are more."""
        walks = [
            self.all(replace(one, since=one.since or asked.since, until=asked.until), asked.before) for one in queries
        ]
        found: list[Opened] = []
        async for record in _merged(walks):
            opening = read_opening(record.opening)
            if not fits(opening):
                continue
            if len(found) == ROWS:
                return found, found[-1][0].index
            found.append((record, opening))
        return found, None

    async def all(self, query: LogQuery, before: int | None) -> AsyncIterator[StoredRecord]:
        """Everything a query finds, newest first."""
        while page := await self._log.search(query, before, PAGE):
            for record in page:
                yield record
            if len(page) < PAGE:
                return
            before = page[-1].index


async def _merged(walks: Sequence[AsyncIterator[StoredRecord]]) -> AsyncIterator[StoredRecord]:
    """Several walks as one, newest first, each record once."""
    heads: list[tuple[int, int, StoredRecord]] = []
    for number, walk in enumerate(walks):
        if (record := await anext(walk, None)) is not None:
            heads.append((-record.index, number, record))
    heapq.heapify(heads)
    last = None
    while heads:
        place, number, record = heads[0]
        if place != last:
            yield record
        last = place
        following = await anext(walks[number], None)
        if following is None:
            heapq.heappop(heads)
        else:
            heapq.heapreplace(heads, (-following.index, number, following))

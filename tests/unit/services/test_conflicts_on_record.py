"""What many ask of a person's notices at once is looked up once: a node that has just started would drown in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest

from gateway.model.errors import Unavailable
from gateway.services.conflicts import ConflictsOnRecord

NOTICES = [(f"notice-{number}", "RPT-M") for number in range(50)]


class Storage:
    """The two questions that are asked of the store. Says how often each notice was loaded."""

    def __init__(self) -> None:
        self.loaded: Counter[str] = Counter()
        self.is_away = False

    async def notices_of(self, person, limit):
        return NOTICES[:limit]

    async def load(self, notice):
        self.loaded[notice] += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable("the store is out of reach")


async def test_each_notice_is_loaded_once_however_many_ask_at_once():
    storage = Storage()
    record = ConflictsOnRecord(storage, None, None, SimpleNamespace(of=lambda person: (person,)))
    assert set(await asyncio.gather(*(record.of("person") for _ in range(20)))) == {frozenset()}
    assert storage.loaded == dict.fromkeys(dict(NOTICES), 1)


async def test_a_store_that_is_away_is_asked_again():
    storage = Storage()
    record = ConflictsOnRecord(storage, None, None, SimpleNamespace(of=lambda person: (person,)))
    storage.is_away = True
    for failed in await asyncio.gather(*(record.of("person") for _ in range(3)), return_exceptions=True):
        assert isinstance(failed, Unavailable)
    storage.is_away = False
    with pytest.raises(asyncio.CancelledError):
        asking = asyncio.ensure_future(record.of("person"))
        waiting = asyncio.ensure_future(record.of("person"))
        await asyncio.sleep(0)
        asking.cancel()
        await asking
    assert await waiting == frozenset(), "one who goes away takes nothing from the others"

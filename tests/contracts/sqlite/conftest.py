"""An open, empty embedded store for the behaviour suites."""

from __future__ import annotations

import pytest

from gateway.engines.sqlite.store import SqliteStore
from tests.support.stored import SetClock, Units


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
async def store(tmp_path, clock):
    SqliteStore.create(tmp_path / "store")
    opened = SqliteStore.open(tmp_path / "store", clock, cache_mib=8)
    yield opened
    await opened.close()


@pytest.fixture
def units(store, clock):
    return Units(clock, store.delivery_ids)

"""The log of one gateway, and its clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.publishing.signing_log import Gateway
from tests.support.stored import SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def gateway(tmp_path: Path, clock: SetClock) -> AsyncIterator[Gateway]:
    made = Gateway.new(tmp_path / "gateway", clock)
    yield made
    await made.store.close()

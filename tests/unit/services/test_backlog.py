"""What waits is counted once for those who read the metrics together, and not told where it cannot be known."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.storage import Backlog
from gateway.services import backlog as room
from gateway.services.backlog import KEPT, Backlogs
from tests.support.stored import SetClock

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
POLICE, SCHOOL = OfficeId("police.999999"), OfficeId("education.999999")


class Store:
    """Counts how often it was asked; `answer` is what waits, or what is raised, or None: it does not answer."""

    def __init__(self):
        self.asked = 0
        self.answer = {
            POLICE: Backlog(3, 2, NOW - timedelta(minutes=5), NOW - timedelta(hours=1), 1, {"unreachable": 4}),
            SCHOOL: Backlog(due=1, oldest_due_at=NOW - timedelta(minutes=7)),
        }

    async def waiting(self, now):
        self.asked += 1
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def told(backlogs):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in backlogs.collect()
        for sample in family.samples
    }


async def test_all_offices_are_counted_together_and_none_is_named():
    backlogs = Backlogs(Store(), SetClock(NOW))
    assert told(backlogs) == {}
    await backlogs.recount()
    assert told(backlogs) == {
        ("hutong_deliveries", "due"): 4,
        ("hutong_deliveries", "leased"): 2,
        ("hutong_deliveries", "held"): 1,
        ("hutong_deliveries", "dead-letter"): 4,
        ("hutong_deliveries_oldest_seconds", "due"): 420,
        ("hutong_deliveries_oldest_seconds", "leased"): 3600,
        ("hutong_offices_waiting",): 2,
    }


async def test_many_readers_cost_one_count_until_it_is_old():
    store, clock = Store(), SetClock(NOW)
    backlogs = Backlogs(store, clock)
    await asyncio.gather(*(backlogs.recount() for _ in range(20)))
    assert store.asked == 1
    clock.forward(KEPT)
    await backlogs.recount()
    assert store.asked == 2
    clock.forward(timedelta(hours=-1))  # a clock set back must not keep an old count for an hour
    await backlogs.recount()
    assert store.asked == 3


@pytest.mark.parametrize("trouble", [Unavailable("away"), None])
async def test_what_cannot_be_known_now_is_not_told_as_it_was(monkeypatch, trouble):
    monkeypatch.setattr(room, "PATIENCE_SECONDS", 0.01)
    store, clock = Store(), SetClock(NOW)
    backlogs = Backlogs(store, clock)
    await backlogs.recount()
    store.answer = trouble
    clock.forward(KEPT)
    await backlogs.recount()
    assert told(backlogs) == {}

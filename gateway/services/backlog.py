"""What waits at this gateway, for whom, and for how long?

Counted in the store when somebody asks: an operator (`hutong backlog`), or a reader of the metrics, for whom what was counted
some seconds ago will do. Whom it waits for is told to operators alone; the metrics name no office.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.clock import Clock
from gateway.ports.storage import Backlog, DeliveryStorage

KEPT = timedelta(seconds=10)  # what was counted since is not counted again for the metrics
PATIENCE_SECONDS = 2.0  # that the metrics wait for a busy store


class Backlogs(Collector):
    """Every node of a cluster counts the same store: take the greatest, never the sum."""

    def __init__(self, deliveries: DeliveryStorage, clock: Clock) -> None:
        self._deliveries, self._clock = deliveries, clock
        self._counted: Mapping[OfficeId, Backlog] | None = None
        self._at: datetime | None = None
        self._counting = asyncio.Lock()

    async def by_office(self) -> Mapping[OfficeId, Backlog]:
        """What waits now, of every office for which something does."""
        return await self._deliveries.waiting(self._clock.now())

    async def recount(self) -> None:
        """Count for `collect`, unless that was done a moment ago. A store out of reach or too busy leaves nothing to tell."""
        async with self._counting:
            now = self._clock.now()
            if self._at is not None and now - KEPT < self._at <= now:
                return
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    self._counted = await self._deliveries.waiting(now)
            except (Unavailable, TimeoutError):
                self._counted = None
            self._at = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if self._counted is None or self._at is None:
            return
        all_of_them = self._counted.values()
        count = GaugeMetricFamily("hutong_deliveries", "Deliveries that are not over, by state", labels=("state",))
        count.add_metric(("due",), sum(one.due for one in all_of_them))
        count.add_metric(("leased",), sum(one.leased for one in all_of_them))
        count.add_metric(("held",), sum(one.held for one in all_of_them))
        count.add_metric(("dead-letter",), sum(one.dead_letters for one in all_of_them))
        yield count
        text = "Seconds since the longest waiting delivery became due: of those that may be fetched, and of those under a lease"
        oldest = GaugeMetricFamily("hutong_deliveries_oldest_seconds", text, labels=("state",))
        oldest.add_metric(("due",), self._age(one.oldest_due_at for one in all_of_them))
        oldest.add_metric(("leased",), self._age(one.oldest_leased_at for one in all_of_them))
        yield oldest
        waiting = sum(bool(one.due or one.leased) for one in all_of_them)
        yield GaugeMetricFamily("hutong_offices_waiting", "Offices for which something is due or leased", waiting)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()

    def _age(self, instants: Iterable[datetime | None]) -> float:
        assert self._at is not None
        known = [one for one in instants if one is not None]
        return max((self._at - min(known)).total_seconds(), 0.0) if known else 0.0

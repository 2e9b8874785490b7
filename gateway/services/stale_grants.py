"""Which permits has nobody needed for a while? A grant that is not used is too broad (DOMAIN 8.3, 8.7).

Read from the exchange log: the permits that stand in no disclosure's reasons since a given
instant. A permit younger than that is left out, for it had no chance yet. The reading is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.audit.opening import read_opening
from gateway.model.audit import EventName
from gateway.policy.compiled import Policy
from gateway.policy.rules import Rule, RuleKind
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogQuery, LogStorage
from gateway.services.facts import china_day
from gateway.services.tell import Teller

PAGE = 1000
DEFAULT_DAYS = 90


class StaleGrants:
    def __init__(self, *, policy: Callable[[], Policy], log: LogStorage, teller: Teller, clock: Clock) -> None:
        self._policy, self._log, self._teller, self._clock = policy, log, teller, clock

    async def __call__(self, days: int = DEFAULT_DAYS, *, by: str) -> tuple[Rule, ...]:
        """The permits in force for `days` at least that no disclosure of these days rested on, by id."""
        since = self._clock.now() - timedelta(days=days)
        used = await self._used(since)
        stale = [
            rule
            for rule in self._policy().rules
            if rule.kind is RuleKind.PERMIT and rule.valid_from <= china_day(since) and rule.id not in used
        ]
        await self._log.append([self._teller.report_read(self._clock.now(), "stale-grants", len(stale), by)])
        return tuple(sorted(stale, key=lambda rule: rule.id))

    async def _used(self, since: datetime) -> set[str]:
        used: set[str] = set()
        query, before = LogQuery(event=EventName.DISCLOSURE_DECIDED, since=since), None
        while page := await self._log.search(query, before, PAGE):
            for record in page:
                used.update(read_opening(record.opening).fields.get("because", ()))
            before = page[-1].index
        return used

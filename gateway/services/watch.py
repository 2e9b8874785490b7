"""What looks wrong in what was logged? The signals of DOMAIN 8.4: volume, off-hours, repeated denials, sealed questions.

Looked at once a minute over the committed log, so a signal rests on nothing but proved
events and costs the exchange nothing. A signal is raised once per office and window, as an event
and as a count for the metrics. What a sealed record could answer is counted whether or not there is one. Whoever begins to
look (a node that starts, or takes the duty over) begins one window back, so that a restart hides nothing, and raises no
signal again that stands there already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.audit.opening import read_opening
from gateway.config import LogSettings
from gateway.model.audit import EventName, LogValue
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogStorage, StoredRecord
from gateway.services.facts import CHINA
from gateway.services.tell import Teller

PAGE = 4096
OFF_FROM, OFF_UNTIL = 22, 6  # hours by China's clock

VOLUME, OFF_HOURS, DENIALS, SEALED, LOG_READS = (
    "volume",
    "off-hours",
    "repeated-denials",
    "sealed-questions",
    "log-reads",
)
_DENIALS = frozenset(
    {
        EventName.NOTICE_REFUSED,
        EventName.DELIVERY_WITHHELD,
        EventName.MESSAGE_REFUSED,
        EventName.EMERGENCY_ACCESS_REFUSED,
        EventName.STAFF_SIGN_IN_REFUSED,
    }
)
_READS = frozenset({EventName.LOG_READ, EventName.LOG_EXPORTED, EventName.LOG_REPORT_MADE, EventName.CONTENT_READ})
_WATCHED = frozenset({EventName.DISCLOSURE_DECIDED, EventName.SEALED_QUESTION_COUNTED, *_DENIALS, *_READS})


class WatchMetrics(Collector):
    """Signals raised, by kind. No office is a label."""

    def __init__(self) -> None:
        self.raised: Counter[str] = Counter()
        self.behind = 0

    def collect(self) -> Iterator[Metric]:
        raised = CounterMetricFamily("hutong_anomalies", "Anomaly signals raised, by kind", labels=("signal",))
        for signal in (VOLUME, OFF_HOURS, DENIALS, SEALED, LOG_READS):
            raised.add_metric((signal,), self.raised[signal])
        yield raised
        yield GaugeMetricFamily("hutong_watch_behind_records", "Log records not looked at yet", self.behind)


class Watch:
    def __init__(self, *, settings: LogSettings, log: LogStorage, teller: Teller, clock: Clock) -> None:
        self._settings, self._log, self._teller, self._clock = settings, log, teller, clock
        self._limits = {
            VOLUME: settings.alarm_disclosures,
            OFF_HOURS: settings.alarm_off_hours,
            DENIALS: settings.alarm_denials,
            SEALED: settings.alarm_sealed_questions,
            LOG_READS: settings.alarm_log_reads,
        }
        self._next: int | None = None
        self._window: datetime | None = None
        self._counts: Counter[tuple[str, str]] = Counter()
        self._told: set[tuple[str, str]] = set()
        self.metrics = WatchMetrics()

    async def __call__(self) -> int:
        """Look at what is new; returns how many signals were raised. The first call begins one window before now."""
        head = (await self._log.head()).size
        if self._next is None:
            self._next = await self._first(head)
        raised = 0
        while self._next < head:
            records = await self._log.records(self._next, min(self._next + PAGE, head))
            for record in records:
                if record.name in _WATCHED:
                    raised += await self._look(record)
            self._next = min(self._next + PAGE, head)
        self.metrics.behind = (await self._log.head()).size - self._next
        return raised

    async def _first(self, head: int) -> int:
        """The first record of the last window; what was raised in it is remembered."""
        since = self._clock.now() - timedelta(minutes=self._settings.watch_minutes)
        low, high = 0, head
        while low < high:
            middle = (low + high) // 2
            record = await self._log.record_at(middle)
            if record is not None and record.at < since:
                low = middle + 1
            else:
                high = middle
        for start in range(low, head, PAGE):
            for record in await self._log.records(start, min(start + PAGE, head)):
                if record.name == EventName.ANOMALY_DETECTED:
                    fields = read_opening(record.opening).fields
                    self._told.add((str(fields["signal"]), str(fields["office"])))
        return low

    async def _look(self, record: StoredRecord) -> int:
        window = timedelta(minutes=self._settings.watch_minutes)
        if self._window is None:
            self._window = record.at
        elif record.at >= self._window + window:
            self._window = record.at
            self._counts.clear()
            self._told.clear()
        raised = 0
        for signal, office, count in _signals(record):
            place = signal, office
            self._counts[place] += count
            if self._counts[place] > self._limits[signal] and place not in self._told:
                self._told.add(place)
                await self._raise(signal, office, self._counts[place], self._window, self._window + window)
                raised += 1
        return raised

    async def _raise(self, signal: str, office: str, count: int, since: datetime, until: datetime) -> None:
        self.metrics.raised[signal] += 1
        values: dict[str, LogValue | None] = {
            "signal": signal,
            "office": office,
            "count": count,
            "expected": self._limits[signal],
            "from": since,
            "until": until,
        }
        await self._log.append([self._teller.event(EventName.ANOMALY_DETECTED, self._clock.now(), values)])


def _signals(record: StoredRecord) -> Iterator[tuple[str, str, int]]:
    fields = read_opening(record.opening).fields
    actor = str(fields["actor"])
    if record.name == EventName.DISCLOSURE_DECIDED:
        recipient = str(fields["recipient"])
        yield VOLUME, recipient, 1
        hour = record.at.astimezone(CHINA).hour
        if hour >= OFF_FROM or hour < OFF_UNTIL:
            yield OFF_HOURS, recipient, 1
    elif record.name in _DENIALS:
        yield DENIALS, str(fields.get("recipient", actor)), 1
    elif record.name == EventName.SEALED_QUESTION_COUNTED:
        yield SEALED, actor, int(fields["count"])
    elif record.name in _READS:
        yield LOG_READS, actor, 1

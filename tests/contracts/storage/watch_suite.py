"""Each anomaly signal of DOMAIN 8.4 is an event and a metric: raised over the limit, once in a window, not at the limit."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from gateway.audit.opening import read_opening
from gateway.audit.record import prepare
from gateway.config import LogSettings
from gateway.engines.system.ids import SystemIds
from gateway.model.audit import EventName, LogEvent
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import LogQuery
from gateway.services.tell import Teller
from gateway.services.watch import Watch
from tests.support.log_events import event_of, new_id

OFFICE = "police.440113"
LIMIT = 3
DAY, NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC), datetime(2026, 3, 1, 15, tzinfo=UTC)  # 10:00 and 23:00 in China


class _Secrets:
    """The two secrets that a teller asks for."""

    def secret(self, name: str) -> bytes:
        return name.encode().ljust(32, b".")


def logged(name: EventName, at: datetime, rng: random.Random):
    made = event_of(name, rng)
    values = {**made.values, "actor": OFFICE}
    if "recipient" in values:
        values["recipient"] = OFFICE
    if name is EventName.SEALED_QUESTION_COUNTED:
        values["count"] = 1
    return prepare(LogEvent(EventId(new_id(rng)), name, at, values, rng.randbytes(32)))


class WatchSuite:
    @pytest.mark.parametrize(
        ("signal", "name", "start"),
        [
            ("volume", EventName.DISCLOSURE_DECIDED, DAY),
            ("off-hours", EventName.DISCLOSURE_DECIDED, NIGHT),
            ("repeated-denials", EventName.NOTICE_REFUSED, DAY),
            ("repeated-denials", EventName.DELIVERY_WITHHELD, DAY),
            ("sealed-questions", EventName.SEALED_QUESTION_COUNTED, DAY),
            ("log-reads", EventName.LOG_READ, DAY),
        ],
    )
    async def test_over_the_limit_a_signal_is_raised_once_as_event_and_metric(self, store, clock, signal, name, start):
        limits = {
            "alarm_disclosures": 1000, "alarm_off_hours": 1000, "alarm_denials": LIMIT, "alarm_sealed_questions": LIMIT, "alarm_log_reads": LIMIT,
        } | ({"alarm_disclosures": LIMIT} if signal == "volume" else {"alarm_off_hours": LIMIT})  # fmt: skip
        watch = Watch(
            settings=LogSettings(**limits), log=store.log, teller=Teller(_Secrets(), SystemIds(clock)), clock=clock
        )
        rng = random.Random(signal)
        clock.at = start
        assert await watch() == 0
        for number in range(LIMIT + 3):
            await store.log.append([logged(name, start + timedelta(seconds=number), rng)])
            assert await watch() == (1 if number == LIMIT else 0)
        (record,) = await store.log.search(LogQuery(event=EventName.ANOMALY_DETECTED), None, 10)
        told = read_opening(record.opening).fields
        assert (told["signal"], told["office"], told["count"], told["expected"]) == (signal, OFFICE, LIMIT + 1, LIMIT)
        (metric,) = (one for one in watch.metrics.collect() if one.name == "hutong_anomalies")
        assert {one.labels["signal"] for one in metric.samples if one.value} == {signal}

    async def test_whoever_takes_the_watch_over_counts_the_whole_window_and_raises_nothing_twice(self, store, clock):
        settings, rng = LogSettings(alarm_denials=LIMIT), random.Random(7)
        teller = Teller(_Secrets(), SystemIds(clock))

        def watching() -> Watch:
            return Watch(settings=settings, log=store.log, teller=teller, clock=clock)

        old = DAY - timedelta(minutes=settings.watch_minutes, seconds=1)
        await store.log.append([logged(EventName.NOTICE_REFUSED, old, rng)])
        clock.at = DAY
        first = watching()
        for number in range(LIMIT):
            await store.log.append([logged(EventName.NOTICE_REFUSED, DAY + timedelta(seconds=number), rng)])
            assert await first() == 0
        clock.at = DAY + timedelta(seconds=LIMIT)
        assert await watching()() == 0, "the one before the window does not count"
        await store.log.append([logged(EventName.NOTICE_REFUSED, clock.at, rng)])
        assert await watching()() == 1, "the restart hid nothing"
        assert await watching()() == 0, "what was raised stands in the log"

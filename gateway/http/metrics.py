"""What is counted at the edge, and how is it shown to Prometheus?

Plain integers on the hot path, turned into metric families only when somebody reads them. Labels are route names,
statuses and codes from closed lists; no office, no peer, no id.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class EdgeMetrics(Collector):
    """Requests by route and status, their time, problems by code, strangers."""

    def __init__(self, strangers: Callable[[], int]) -> None:
        self._strangers = strangers
        self._requests: dict[tuple[str, int], int] = {}
        self._problems: dict[str, int] = {}
        self._times: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        self.in_flight = 0

    def observe(self, route: str, status: int, seconds: float, code: str | None) -> None:
        place = (route, status)
        self._requests[place] = self._requests.get(place, 0) + 1
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = [0] * (len(_BOUNDS) + 1)
        times[bisect_left(_BOUNDS, seconds)] += 1
        self._sums[route] = self._sums.get(route, 0.0) + seconds
        if code is not None:
            self._problems[code] = self._problems.get(code, 0) + 1

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("hutong_http_requests", "Requests answered", labels=("route", "status"))
        for (route, status), count in sorted(self._requests.items()):
            requests.add_metric((route, str(status)), count)
        yield requests
        problems = CounterMetricFamily("hutong_http_problems", "Problems answered, by code", labels=("code",))
        for code, count in sorted(self._problems.items()):
            problems.add_metric((code,), count)
        yield problems
        seconds = HistogramMetricFamily("hutong_http_request_seconds", "Time to answer", labels=("route",))
        for route, times in sorted(self._times.items()):
            total, buckets = 0, []
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), times, strict=True):
                total += count
                buckets.append((bound, float(total)))
            seconds.add_metric((route,), buckets, self._sums[route])
        yield seconds
        yield GaugeMetricFamily("hutong_http_in_flight", "Requests being answered", self.in_flight)
        yield CounterMetricFamily(
            "hutong_http_unauthenticated", "Requests without valid credentials", self._strangers()
        )

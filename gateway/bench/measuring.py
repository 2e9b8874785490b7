"""What is a measurement, and when does it hold its gate?

A row compares what was measured with a yardstick of the same minute: in each round both are measured, one after the
other, and the median of the rounds' ratios counts. Absolute figures are kept beside it and mean little elsewhere.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """Where a ratio should be. `is_least`: at least gate and ambition; otherwise at most. None: reported alone."""

    gate: float | None
    ambition: float | None
    is_least: bool = True

    def meets(self, ratio: float, bound: float | None) -> bool | None:
        if bound is None:
            return None
        return ratio >= bound if self.is_least else ratio <= bound

    def text(self, bound: float | None) -> str:
        return "" if bound is None else f"{'≥' if self.is_least else '≤'} {bound:g}"


def at_least(gate: float, ambition: float) -> Target:
    return Target(gate, ambition)


def at_most(gate: float | None, ambition: float | None = None) -> Target:
    return Target(gate, ambition, is_least=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. `rounds` are the ratios, `raw` absolute figures with their unit in the name."""

    name: str
    zh: str
    en: str
    yardstick: str
    target: Target
    rounds: Sequence[float] = ()
    raw: Mapping[str, float] = field(default_factory=dict)
    skipped: str = ""

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.rounds) if self.rounds else None

    @property
    def is_held(self) -> bool | None:
        """Whether the gate holds; None where nothing was measured or nothing is asked."""
        return None if self.ratio is None else self.target.meets(self.ratio, self.target.gate)

    def document(self) -> dict[str, Any]:
        ratio, target = self.ratio, self.target
        return {
            "name": self.name,
            "zh": self.zh,
            "en": self.en,
            "yardstick": self.yardstick,
            "ratio": None if ratio is None else round(ratio, 3),
            "rounds": [round(one, 3) for one in self.rounds],
            "gate": target.gate,
            "ambition": target.ambition,
            "relation": "at-least" if target.is_least else "at-most",
            "held": self.is_held,
            "reached": None if ratio is None else target.meets(ratio, target.ambition),
            "raw": {name: round(value, 3) for name, value in self.raw.items()},
            "skipped": self.skipped,
        }


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time a measurement may take. `tell` shows progress to whoever waits."""

    rounds: int = 3
    seconds: float = 4.0
    is_quick: bool = False
    tell: Callable[[str], None] = lambda _text: None


Measure = Callable[[Effort], Awaitable[Sequence[Row]]]


def cpu_each(work: Callable[[], Any], seconds: float = 0.15) -> float:
    """CPU seconds of one call in a tight loop, at least `seconds` long."""
    count, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds:
        work()
        count += 1
    return spent / count


def alternated(work: Callable[[], Any], yard: Callable[[], Any], effort: Effort) -> tuple[list[float], float, float]:
    """Ratios of CPU time of two calls, measured in alternation, and the median microseconds of each."""
    seconds = 0.05 if effort.is_quick else 0.2
    pairs = [(cpu_each(work, seconds), cpu_each(yard, seconds)) for _ in range(effort.rounds)]
    ours, theirs = zip(*pairs, strict=True)
    return [a / b for a, b in pairs], statistics.median(ours) * 1e6, statistics.median(theirs) * 1e6


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of every figure over the rounds."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]} if rounds else {}

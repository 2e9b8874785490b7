"""When is a failed delivery tried again, and when is it given up?

Exponential back-off with equal jitter: the delay doubles with every attempt up to a
ceiling, and its upper half is random, so that deliveries which failed together do not
come back together. An office that names a time of its own gets it, within the ceiling.

>>> Backoff().delay(attempts=3, random=0.0)
datetime.timedelta(seconds=10)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first` is the full delay after the first attempt; `most` the longest; after `attempts` tries it is a dead letter.

    With the defaults twenty tries take five to ten and a half hours: long enough for a night's
    maintenance of a small office, short enough that a person looks the same day.
    """

    first: timedelta = timedelta(seconds=5)
    most: timedelta = timedelta(hours=1)
    attempts: int = 20

    def __post_init__(self) -> None:
        if not timedelta(0) < self.first <= self.most or self.attempts < 1:
            raise ValueError("back-off needs 0 < first <= most and at least one attempt")

    def is_exhausted(self, attempts: int) -> bool:
        return attempts >= self.attempts

    def delay(self, attempts: int, random: float, asked: timedelta | None = None) -> timedelta:
        """How long to wait after the attempt of this number (1, 2 ...).

        `random` is a number in [0, 1). `asked` is what the office wished (Retry-After); the wait is at
        least that, cut at `most`. Total for any number of attempts.
        """
        if attempts < 1 or not 0 <= random < 1:
            raise ValueError("attempts count from 1, random lies in [0, 1)")
        doublings = min(attempts - 1, 62)
        full = min(self.first.total_seconds() * 2**doublings, self.most.total_seconds())
        wait = timedelta(seconds=full / 2 * (1 + random))
        return wait if asked is None else max(wait, min(asked, self.most))

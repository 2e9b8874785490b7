"""Which queues have handed messages to somebody who does not have them?

A quorum queue (seen with RabbitMQ 3.10; told of later versions too) hands a message over through its member on the reader's
broker. When that member does not run, or the reader is gone and the queue was not told, the message counts as handed over
and nobody holds it: it comes to nobody else, and with one active consumer nothing after it does.

What queue and channel count is some seconds old and not of the same instant, and while messages flow a queue always counts
a little more than its readers hold. So it is looked at while nothing flows: messages are stranded when over several looks
nothing of the queue was acknowledged, and at each it counted more as handed over than its readers held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from gateway.engines.rabbitmq.management import CheckedOut

LOOKS = 4


class Stranded:
    """What was seen of queues over time, through every change of the connection."""

    def __init__(self, looks: int = LOOKS) -> None:
        self._looks = looks
        self._seen: dict[str, deque[CheckedOut]] = {}
        self._remedies: dict[str, int] = {}

    def look(self, counts: Mapping[str, CheckedOut]) -> Mapping[str, int]:
        """Take in what was counted now; returns how many messages at least are stranded, by queue."""
        ill = {name: one for name, one in counts.items() if one.out > one.held}
        for name in self._seen.keys() | self._remedies.keys():
            if name not in ill:
                self._seen.pop(name, None)
                self._remedies.pop(name, None)
        found = {}
        for name, one in ill.items():
            seen = self._seen.setdefault(name, deque(maxlen=self._looks))
            if seen and seen[-1].acknowledged != one.acknowledged:
                seen.clear()
            seen.append(one)
            if len(seen) == self._looks:
                found[name] = min(each.out - each.held for each in seen)
        return found

    def begin_remedy(self, name: str) -> int:
        """Begin to look anew at a queue for which something is done; returns how often something was before, in vain."""
        self._seen.pop(name, None)
        before = self._remedies.get(name, 0)
        self._remedies[name] = before + 1
        return before

"""What did an office's own system send that no rule of its adapter could map, and how often?

Read from the log and the sealed headers of the newest notices: codes and native positions, never a value, so that whoever
keeps the adapter sees which field wants a rule. Rows of a register and repeated groups count as one place. The reading is
logged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.audit.opening import read_opening
from gateway.model.audit import EventName
from gateway.model.errors import Tampered
from gateway.model.identifiers import NoticeId, OfficeId
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogQuery, LogStorage
from gateway.ports.storage import NoticeStorage
from gateway.services.keep import Keeper
from gateway.services.tell import Teller

PAGE = 500
MOST_NOTICES = 5_000
MOST_LOOKED_AT = 50_000
MOST_ROWS = 200
_WHICH_ONE = re.compile(r"^(?:(?:sheet [^,]*, )?row|line|message) [0-9]+(?:, | )?")
_NUMBER = re.compile(r"\[[0-9]+\]|(?<=/)[0-9]+(?=/|$)")


@dataclass(frozen=True, slots=True)
class Place:
    """One native position, in whichever row or repetition it stands, with what is said of it."""

    code: str
    position: str
    target: str


@dataclass(slots=True)
class Unmapped:
    """`counts`: place -> how many gaps, and the newest. `is_cut`: there were more notices than are looked at."""

    notices: int = 0
    counts: dict[Place, tuple[int, datetime]] = field(default_factory=dict)
    is_cut: bool = False


def place_of(position: str) -> str:
    """The position without which row, line, message or repetition it is.

    >>> place_of("sheet 三月, row 12, column 班号"), place_of("/REQUEST/BODY/SHR[2]/CSRQ"), place_of("line 3 /data/wcnzn/0/xm")
    ('column 班号', '/REQUEST/BODY/SHR[]/CSRQ', '/data/wcnzn/[]/xm')
    """
    return _NUMBER.sub("[]", _WHICH_ONE.sub("", position)) or position


class UnmappedFields:
    def __init__(
        self, *, log: LogStorage, notices: NoticeStorage, keeper: Keeper, teller: Teller, clock: Clock
    ) -> None:
        self._log, self._notices, self._keeper, self._teller, self._clock = log, notices, keeper, teller, clock

    async def __call__(self, office: OfficeId, days: int, *, by: str) -> Unmapped:
        """Of the last `days`, newest first, at most MOST_NOTICES with gaps. Raises Unavailable."""
        found, before = Unmapped(), None
        query = LogQuery(event=EventName.NOTICE_ACCEPTED, office=office, since=self._clock.now() - timedelta(days=days))
        looked_at = 0
        while not found.is_cut and (page := await self._log.search(query, before, PAGE)):
            for record in page:
                fields = read_opening(record.opening).fields
                if not fields.get("gaps"):
                    continue
                if found.notices == MOST_NOTICES:
                    found.is_cut = True
                    break
                found.notices += 1
                await self._count(NoticeId(str(fields["notice"])), record.at, found)
            before, looked_at = page[-1].index, looked_at + len(page)
            found.is_cut = found.is_cut or looked_at >= MOST_LOOKED_AT
        await self._log.append([self._teller.report_read(self._clock.now(), "unmapped", len(found.counts), by)])
        return found

    async def _count(self, notice: NoticeId, at: datetime, found: Unmapped) -> None:
        stored = await self._notices.load(notice)
        try:
            gaps = () if stored is None else self._keeper.header(stored).get("gaps", ())
        except Tampered:
            return  # told where the notice is read for itself; here it is one of many
        for gap in gaps:
            place = Place(gap["code"], place_of(gap["position"]), gap.get("target", ""))
            count, newest = found.counts.get(place, (0, at))
            found.counts[place] = count + 1, max(newest, at)

"""Who has taken the parents' place, where the notice at hand does not say it?

A judgment that revoked a guardianship, or a long-term guardian, is told once, in a notice of its own (GRD-*); a later referral
of the child may say nothing of it, and the parents' consent would stand behind that. So the newest notice of the
guardianship's course that names the child speaks beside the one at hand (DOMAIN 3.6, K3). Found by the person, and by
whoever two officers found to be the same (`Kin`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from gateway.model.consent import ConsentRules
from gateway.model.identifiers import NoticeId, PersonId
from gateway.model.notice import JsonObject
from gateway.ports.storage import NoticeStorage, StoredNotice
from gateway.services.conflicts import LOOKED_AT
from gateway.services.keep import OpenedNotice
from gateway.services.kin import Kin

_COURSE = "GRD-"
_REMEMBERED = 2048


def stated_track(data: JsonObject) -> str | None:
    """The guardianship track as a notice tells it, in capitals; None where it does not, or does not know."""
    guardianship = data.get("guardianship")
    status = guardianship.get("status") if isinstance(guardianship, dict) else None
    return status.upper() if isinstance(status, str) and status != "unknown" else None


class GuardianshipOnRecord:
    """Notices never change, so what one says of the track is remembered (a code, no content)."""

    def __init__(self, notices: NoticeStorage, open_notice: Callable[[StoredNotice], OpenedNotice], kin: Kin) -> None:
        self._notices, self._open, self._kin = notices, open_notice, kin
        self._said: OrderedDict[NoticeId, str | None] = OrderedDict()

    async def track(self, child: PersonId, data: JsonObject, rules: ConsentRules) -> str | None:
        """The track that counts for who has a say: what the notice at hand states, or what is on record; where one of the two
        replaced the parents, that one. Raises Unavailable when the store is out of reach, Tampered where a notice of the
        course is no longer what was stored: it may be the one that replaced them."""
        own = stated_track(data)
        if own in rules.replaced_in:
            return own
        recorded = [found for one in self._kin.of(child) if (found := await self._newest(one)) is not None]
        return next((one for one in recorded if one in rules.replaced_in), own or next(iter(recorded), None))

    async def _newest(self, person: PersonId) -> str | None:
        for notice, kind in await self._notices.notices_of(person, LOOKED_AT):
            if kind.startswith(_COURSE) and (said := await self._said_by(notice)) is not None:
                return said
        return None

    async def _said_by(self, notice: NoticeId) -> str | None:
        if notice not in self._said:
            stored = await self._notices.load(notice)
            self._said[notice] = None if stored is None else stated_track(self._open(stored).data)
            if len(self._said) > _REMEMBERED:
                self._said.popitem(last=False)
        return self._said[notice]

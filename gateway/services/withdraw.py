"""How does a sender take back what is still on its way?"""

from __future__ import annotations

from datetime import datetime

from gateway.model.audit import EventName
from gateway.model.delivery import OPEN_STATES
from gateway.model.identifiers import NoticeId, OfficeId
from gateway.ports.storage import NoticeStorage
from gateway.services.recall import Recall
from gateway.services.tell import Teller


class Withdraw:
    """`recall` takes back what waits unread in the recipients' queues."""

    def __init__(self, *, notices: NoticeStorage, teller: Teller, recall: Recall) -> None:
        self._notices, self._teller, self._recall = notices, teller, recall

    async def __call__(self, notice: NoticeId, by_notice: NoticeId, sender: OfficeId, at: datetime) -> None:
        """Mark a notice as withdrawn and end its open deliveries, with a record for each. Doing it again changes nothing."""
        summary = await self._notices.summary(notice)
        if summary is None:
            return
        open_ones = [status for status in summary.deliveries if status.state in OPEN_STATES]
        records = [
            self._teller.event(
                EventName.NOTICE_WITHDRAWN,
                at,
                {"notice": notice, "by_notice": by_notice, "deliveries": len(open_ones)},
                actor=sender,
            ),
            *(
                self._teller.event(
                    EventName.DELIVERY_WITHDRAWN,
                    at,
                    {
                        "delivery": status.delivery,
                        "notice": notice,
                        "recipient": status.recipient,
                        "by_notice": by_notice,
                    },
                    actor=sender,
                )
                for status in open_ones
            ),
        ]
        # marked also where everything was delivered: an emergency or a handle may ask for it later
        await self._notices.withdraw(notice, at, "withdrawn", records)
        if open_ones:
            await self._recall((status.recipient for status in open_ones), "notice-withdrawn", may_follow=True)

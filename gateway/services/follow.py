"""What may the sender know of the way its notice has gone?

The state of each delivery, with a signed receipt for every end: delivered,
accepted for handling, declined, refused, expired, withdrawn. Whatever was not sent by the
caller answers exactly like what never was.
"""

from __future__ import annotations

from typing import Any

from gateway.model.agency import Caller
from gateway.model.delivery import DeliveryState, DeliveryStatus
from gateway.model.errors import NotFound
from gateway.model.identifiers import NoticeId
from gateway.ports.storage import NoticeStorage
from gateway.services.receipts import ReceiptKind, ReceiptMaker

_RECEIPTS = {
    DeliveryState.ACKNOWLEDGED: ReceiptKind.DELIVERED,
    DeliveryState.ACCEPTED: ReceiptKind.HANDLING,
    DeliveryState.DECLINED: ReceiptKind.DECLINED,
    DeliveryState.REFUSED: ReceiptKind.REFUSED,
    DeliveryState.EXPIRED: ReceiptKind.EXPIRED,
    DeliveryState.WITHDRAWN: ReceiptKind.WITHDRAWN,
}


class Follow:
    def __init__(self, *, notices: NoticeStorage, receipts: ReceiptMaker) -> None:
        self._notices, self._receipts = notices, receipts

    async def notice(self, caller: Caller, notice: NoticeId) -> dict[str, Any]:
        """Raises NotFound for everything that is not the caller's own, in one form."""
        summary = await self._notices.summary(notice)
        if summary is None or summary.sender != caller.office.id:
            raise NotFound("no such notice", remedy="use the notice id of your receipt")
        return {
            "notice": summary.id,
            "type": summary.type,
            "received_at": summary.received_at.isoformat(timespec="milliseconds"),
            "flags": list(summary.flags),
            "deliveries": [self._status(caller, summary.id, status) for status in summary.deliveries],
        }

    def _status(self, caller: Caller, notice: NoticeId, status: DeliveryStatus) -> dict[str, Any]:
        told: dict[str, Any] = {
            "recipient": status.recipient,
            "state": status.state.value,
            "updated_at": status.updated_at.isoformat(timespec="milliseconds"),
        }
        if kind := _RECEIPTS.get(status.state):
            claims = {"notice": notice, "recipient": status.recipient}
            told["receipt"] = self._receipts.sign(kind, caller.office.id, status.updated_at, claims)
        return told

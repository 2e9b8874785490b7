"""What did a recipient do with what it got, and when did it destroy it?

A use is recorded (政务数据共享条例第29条), a disposal confirmed (第27条); both are log events of the
delivery they are about, answered with a signed receipt.
"""

from __future__ import annotations

from datetime import datetime

from gateway.model.agency import Caller
from gateway.model.audit import EventName, LogValue
from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, NotFound
from gateway.model.identifiers import DeliveryId
from gateway.ports.clock import Clock
from gateway.ports.log_storage import LogStorage
from gateway.ports.storage import DeliveryStorage
from gateway.services.receipts import ReceiptKind, ReceiptMaker
from gateway.services.tell import Teller, about

METHODS = frozenset({"deleted", "destroyed", "returned", "storage-only"})
USES = frozenset({"read", "handled", "printed", "passed-on", "corrected"})


class RecordUse:
    def __init__(
        self, *, deliveries: DeliveryStorage, log: LogStorage, receipts: ReceiptMaker, teller: Teller, clock: Clock
    ) -> None:
        self._deliveries, self._log = deliveries, log
        self._receipts, self._teller, self._clock = receipts, teller, clock

    async def __call__(
        self, caller: Caller, delivery_id: DeliveryId, kind: str, what: str, at: datetime | None
    ) -> bytes:
        """Record one use or disposal of a release the caller got; `what` is a code of USES or METHODS.

        Raises NotFound for what was never handed to the caller, InvalidDocument for a wrong code or a time to come.
        """
        delivery = await self._deliveries.delivery(delivery_id)
        if delivery is None or delivery.recipient != caller.office.id or delivery.attempts == 0:
            raise NotFound("no such delivery", remedy="use the delivery id of a release you got")
        now = self._clock.now()
        happened = now if at is None else at
        known = METHODS if kind == "disposal" else USES
        if kind not in ("use", "disposal") or what not in known:
            raise InvalidDocument("the kind or its code is not known", remedy=f"one of: {', '.join(sorted(known))}")
        if happened > now:
            raise InvalidDocument("this has not happened yet", remedy="send `at` as the time of the act")
        values: dict[str, LogValue | None] = dict(about(delivery))
        if kind == "disposal":
            name = EventName.DISPOSAL_CONFIRMED
            values["method"] = what
        else:
            name = EventName.USAGE_RECEIPT_RECORDED
            values |= {"use": what, "purpose": delivery.purpose, "used_at": happened}
        record = self._teller.event(name, now, values, actor=caller.office.id, officer=caller.officer)
        await self._log.append([record])
        receipt = self._receipts.sign(
            ReceiptKind.ACTED_ON, caller.office.id, now, {"delivery": delivery.id, "kind": kind, "code": what}
        )
        return canonical_json({"delivery": delivery.id, "kind": kind, "code": what, "receipt": receipt})

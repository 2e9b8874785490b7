"""Is a delivery the one that was made when its notice was accepted?

To whom a notice goes, for which purpose, on which basis and as what stands in rows of the database, and so do its type, case and
sender: whoever can write there, without a key, could send a notice to another office, or let it be decided on as something
else. So the sealed header of a notice holds a digest for each delivery it was accepted with, and enforcement refuses a delivery
that is not among them. A delivery of emergency access comes later: its grant is what it rests on, and that is sealed too
(`emergency.is_granted`). Notices from before have no such member in their header, and go as they did.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.crypto.sealing import digest
from gateway.model.delivery import Delivery, NewDelivery
from gateway.model.identifiers import CaseId, NoticeType, OfficeId
from gateway.model.notice import JsonObject
from gateway.services.facts import ON_DUTY

MEMBER = "deliveries"
_DIGEST_BYTES = 16  # of a second preimage, which is all that would help


def as_made(
    deliveries: Iterable[NewDelivery], kind: NoticeType, case: CaseId, sender: OfficeId, urgency: int
) -> dict[str, str]:
    """What the header of a notice says of its deliveries, by id."""
    return {str(one.id): _digest(one, kind, case, sender, urgency) for one in deliveries}


def is_as_made(header: JsonObject, delivery: Delivery) -> bool:
    if MEMBER not in header or delivery.role == ON_DUTY:
        return True
    stands = _digest(delivery, delivery.notice_type, delivery.case, delivery.sender, delivery.urgency)
    return bool(header[MEMBER].get(str(delivery.id)) == stands)


def _digest(one: NewDelivery | Delivery, kind: NoticeType, case: CaseId, sender: OfficeId, urgency: int) -> str:
    said = (one.id, one.recipient, one.purpose, one.rule, one.role, kind, case, sender, str(urgency), *one.legal_basis)
    return digest(*(part.encode() for part in said)).hex()[: 2 * _DIGEST_BYTES]

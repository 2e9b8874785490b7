"""What is a delivery, and which states does it pass?

A delivery is one notice for one recipient (DOMAIN 3.4). Its id is random, so
two recipients cannot join what they got. `held` waits for a person; `due` will
be tried; a live lease says that somebody is trying now. Everything else is an end,
except that a dead letter may be driven again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.model.identifiers import CaseId, DeliveryId, NoticeId, NoticeType, OfficeId


class DeliveryState(StrEnum):
    HELD = "held"
    DUE = "due"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"  # the recipient has taken the case on
    DECLINED = "declined"
    ACTED_ON = "acted-on"  # the recipient has told what it did, at least once
    REFUSED = "refused"  # policy lets nothing go to this recipient
    DEAD_LETTER = "dead-letter"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


OPEN_STATES: frozenset[DeliveryState] = frozenset({DeliveryState.HELD, DeliveryState.DUE, DeliveryState.DEAD_LETTER})


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery as routed. `overtakes` is true for urgency 2, withdrawals and corrections: they wait for no predecessor.

    `lane` names (recipient, case), see `lane_of`; order is kept inside a lane.
    """

    id: DeliveryId
    recipient: OfficeId
    purpose: str
    legal_basis: tuple[str, ...]
    rule: str
    role: str
    lane: bytes
    overtakes: bool
    expires_at: datetime
    state: DeliveryState = DeliveryState.DUE
    hold_reason: str = ""
    fallback_level: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as stored. `revision` counts different projections; `attempts` counts leases that led to a disclosure, and tries that failed before one."""

    id: DeliveryId
    notice: NoticeId
    notice_type: NoticeType
    case: CaseId
    sender: OfficeId
    recipient: OfficeId
    purpose: str
    legal_basis: tuple[str, ...]
    rule: str
    role: str
    state: DeliveryState
    urgency: int
    attempts: int
    revision: int
    release_digest: bytes | None
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    lease_token: str | None = None
    lease_expires_at: datetime | None = None
    reason: str = ""
    fallback_level: int = 0
    is_behind_parked: bool = False  # a predecessor in its lane was parked as a dead letter


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """How far one delivery is, and as what it was routed."""

    delivery: DeliveryId
    recipient: OfficeId
    state: DeliveryState
    attempts: int
    updated_at: datetime
    reason: str = ""
    purpose: str = ""
    legal_basis: tuple[str, ...] = ()
    rule: str = ""
    role: str = ""


_CASE_PART = 12  # of an id in the order of time (UUIDv7): the instant and the counter
_LANE_BYTES = 16


def lane_of(case: CaseId, keyed: bytes) -> bytes:
    """The lane of one recipient in one case; `keyed` is a keyed digest of both.

    It begins like the case's id, so that a store that orders lanes by their bytes keeps those of one time beside each
    other: with bare digests every delivery would touch a page of its own. Stays inside the gateway, as the case's id does.
    """
    return bytes.fromhex(case.replace("-", ""))[:_CASE_PART] + keyed[: _LANE_BYTES - _CASE_PART]

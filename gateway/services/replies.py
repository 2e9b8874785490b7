"""What does a notice say of the delivery that it answers?

An acceptance takes the case on; a referral answer takes it on or declines it (a redirection declines, with a proposal);
feedback tells what was done. Everything else answers nothing: it is a notice of its own in the same case.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.model.audit import EventName, LogValue
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.identifiers import NoticeId, NoticeType
from gateway.model.notice import SubmittedNotice
from gateway.ports.storage import ReplyMove
from gateway.services.tell import Teller, about

_EVENTS = {
    DeliveryState.ACCEPTED: EventName.DELIVERY_ACCEPTED,
    DeliveryState.DECLINED: EventName.DELIVERY_DECLINED,
    DeliveryState.ACTED_ON: EventName.DELIVERY_ACTED_ON,
}
_FEEDBACK = frozenset({NoticeType("PFB"), NoticeType("AID")})
_REFERRAL_ANSWERS = {
    "accepted": DeliveryState.ACCEPTED,
    "declined": DeliveryState.DECLINED,
    "redirected": DeliveryState.DECLINED,
}


def reply_move(
    notice: SubmittedNotice, answered: Delivery, by_notice: NoticeId, at: datetime, teller: Teller, officer: str = ""
) -> ReplyMove | None:
    """The move that this answer implies, with its log record; None when it implies none."""
    state = _implied(notice)
    if state is None or not _names(notice.data.get("in_reply_to"), answered):
        return None
    told: dict[str, LogValue | None] = {**about(answered), "by_notice": by_notice}
    reason = ""
    if state is DeliveryState.DECLINED:
        reason = "redirected" if _answer(notice) == "redirected" else "declined"
        told["reason"] = reason
    if state is DeliveryState.ACTED_ON:
        measures = notice.data.get("measures")
        told["measures"] = len(measures) if isinstance(measures, list) and measures else None
    record = teller.event(_EVENTS[state], at, told, actor=notice.sender, officer=officer)
    return ReplyMove(answered.id, state, (record,), reason)


def _implied(notice: SubmittedNotice) -> DeliveryState | None:
    if notice.type == "ACC":
        return DeliveryState.ACCEPTED
    if notice.type in _FEEDBACK:
        return DeliveryState.ACTED_ON
    return _REFERRAL_ANSWERS.get(str(_answer(notice))) if notice.type == "REF-R" else None


def _answer(notice: SubmittedNotice) -> Any:
    referral = notice.data.get("referral")
    return referral.get("answer") if isinstance(referral, dict) else None


def _names(reference: object, delivery: Delivery) -> bool:
    """Whether a reference means this delivery: its id, or a release of it (`<delivery>.<revision>`)."""
    return isinstance(reference, str) and reference.split(".", 1)[0] == delivery.id

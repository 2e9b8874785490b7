"""Which query could a sealed record answer, and who is not even put through to its owner?

Looked at by the question alone, so that the answer cannot depend on whether there is such a record.
"""

from __future__ import annotations

from gateway.model.audit import LogValue
from gateway.model.identifiers import NoticeType, agency_of
from gateway.model.notice import SubmittedNotice
from gateway.policy.safeguards import SealedQuestions

QUERY = NoticeType("QRY")


def counted_question(notice: SubmittedNotice, rules: SealedQuestions) -> dict[str, LogValue | None] | None:
    """What the log is told of a question that a sealed record could answer; None for every other notice."""
    question = notice.data.get("query", {}).get("question") if notice.type == QUERY else None
    if question not in rules.questions:
        return None
    return {
        "question": str(question).replace("_", "-"),
        "count": 1,
        "purpose": notice.data.get("purpose"),
        "basis": tuple(sorted(notice.data.get("legal_basis", ()))),
    }


def stays_here(notice: SubmittedNotice, rules: SealedQuestions) -> bool:
    """Whether the gateway answers by itself, so that the owner is never asked."""
    return counted_question(notice, rules) is not None and agency_of(notice.sender) not in rules.may_ask

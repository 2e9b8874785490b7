"""What was agreed, by whom, for what, until when, and on what evidence?

A consent record is never edited: giving, refusing and withdrawing add to it, so what held at any instant can be told
later. A withdrawal ends what follows and leaves what went before lawful (PIPL 15); it starts notices to everybody
who received on the strength of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.model.identifiers import FieldId, OfficeId


class GiverKind(StrEnum):
    """`schemas/codes/giver_kind.yaml`."""

    GUARDIAN = "guardian"
    MINOR = "minor"
    GUARDIAN_OF_RECORD = "guardian_of_record"
    COURT = "court"
    OTHER = "other"


class Answer(StrEnum):
    GIVEN = "given"
    REFUSED = "refused"


class Standing(StrEnum):
    """What the giver's word was worth when it was recorded: authority and conflict at the event (DOMAIN K2, L11)."""

    ENTITLED = "entitled"
    MAY_REFUSE = "may-refuse"
    CONFLICTED = "conflicted"
    NOT_ENTITLED = "not-entitled"


@dataclass(frozen=True, slots=True)
class Consent:
    """One answer of one giver. Instants are aware.

    A yes covers only the purposes and recipients it names (PIPL 14, 23); a no without them means all. Recipients
    are office ids or agency names. `fields` None means all the purpose needs. `until` is exclusive, None for no
    end. `withdrawn_at` ends a yes, or lifts a no.
    """

    id: str
    child: str
    giver: str
    giver_kind: GiverKind
    answer: Answer
    standing: Standing
    at: datetime
    purposes: frozenset[str]
    recipients: frozenset[str]
    text_version: str
    evidence: str
    fields: frozenset[FieldId] | None = None
    until: datetime | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastDisclosure:
    """One entry of the disclosure ledger: who got what on which consents. `rests_on` is empty for statutory duties."""

    recipient: OfficeId
    purpose: str
    at: datetime
    rests_on: frozenset[str]


def withdraw(consent: Consent, at: datetime) -> Consent:
    """End a yes or lift a no from `at` on. A second withdrawal changes nothing; one before the answer is a ValueError."""
    if at < consent.at:
        raise ValueError("a consent cannot be withdrawn before it was given")
    if consent.withdrawn_at is not None and consent.withdrawn_at <= at:
        return consent
    return replace(consent, withdrawn_at=at)


def to_be_told(consent: Consent, disclosures: Iterable[PastDisclosure]) -> tuple[OfficeId, ...]:
    """Who must stop using what they got: recipients of disclosures that rested on this consent and on no other basis.

    Sorted, each once. A disclosure that also rested on a consent still in force is listed all the same: the
    recipient has to know that one of its grounds is gone.
    """
    return tuple(sorted({one.recipient for one in disclosures if consent.id in one.rests_on}))


def to_document(consent: Consent) -> dict[str, Any]:
    """Plain JSON for storage; sets sorted, absent members left out."""
    document: dict[str, Any] = {
        "id": consent.id,
        "child": consent.child,
        "giver": consent.giver,
        "giver_kind": consent.giver_kind.value,
        "answer": consent.answer.value,
        "standing": consent.standing.value,
        "at": consent.at.isoformat(),
        "purposes": sorted(consent.purposes),
        "recipients": sorted(consent.recipients),
        "text_version": consent.text_version,
        "evidence": consent.evidence,
    }
    if consent.fields is not None:
        document["fields"] = sorted(consent.fields)
    for name, instant in (("until", consent.until), ("withdrawn_at", consent.withdrawn_at)):
        if instant is not None:
            document[name] = instant.isoformat()
    return document


def from_document(document: Mapping[str, Any]) -> Consent:
    """Raises KeyError or ValueError, without values, when the document is not one of `to_document`'s."""
    try:
        return Consent(
            id=document["id"],
            child=document["child"],
            giver=document["giver"],
            giver_kind=GiverKind(document["giver_kind"]),
            answer=Answer(document["answer"]),
            standing=Standing(document["standing"]),
            at=_instant(document["at"]),
            purposes=frozenset(document["purposes"]),
            recipients=frozenset(document["recipients"]),
            text_version=document["text_version"],
            evidence=document["evidence"],
            fields=frozenset(map(FieldId, document["fields"])) if "fields" in document else None,
            until=_instant(document["until"]) if "until" in document else None,
            withdrawn_at=_instant(document["withdrawn_at"]) if "withdrawn_at" in document else None,
        )
    except (ValueError, TypeError):
        raise ValueError("a stored consent record is malformed") from None


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant has an offset")
    return at

"""Who may say yes or no for this child at this instant?

By age (DOMAIN 4.4, L11, L12): below 14, or of unknown age, a guardian consents (PIPL 31) and from 8 on the child's
own no is heard as well; from 14 the child consents and guardians are told, unless in conflict; from 18 nobody else
has a say. By guardianship track (DOMAIN 3.6, K3): a parent or other guardian without conflict, then the temporary
guardian of record, then a court-appointed guardian, then nobody, which leaves statutory duties and emergencies alone.
The ages and the order are the pack's (`policies/consent.yaml`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum

from gateway.consent.conflict import Conflict
from gateway.model.consent import BY_LAW, ConsentRules


class Capacity(IntEnum):
    """What the child itself can say. An unknown age counts as below 14 and, for the child's no, as 8 or more."""

    NONE = 0  # below 8
    VIEW = 1  # 8 to 13: its no counts
    CONSENT = 2  # 14 to 17: its yes and its no
    FULL = 3  # 18 and over


class AuthorityKind(StrEnum):
    """`schemas/codes/consent_authority_kind.yaml`, and the child itself."""

    MINOR = "minor"
    PARENT = "parent"
    OTHER_GUARDIAN = "other_guardian"
    TEMPORARY_GUARDIAN = "temporary_guardian"
    COURT_APPOINTED = "court_appointed"
    CIVIL_AFFAIRS = "civil_affairs"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may have authority over the child. `id` is what consent records name them by."""

    id: str
    kind: AuthorityKind
    conflict: Conflict = Conflict.UNKNOWN
    is_available: bool = True  # not missing, detained, gravely ill


@dataclass(frozen=True, slots=True)
class Authority:
    """`may_consent`: one yes of these is enough. `may_refuse`: one no of these is enough. `inform`: to be told.

    `kind` is what recipients may be told about it (field 50).
    """

    kind: AuthorityKind
    may_consent: frozenset[str]
    may_refuse: frozenset[str]
    inform: frozenset[str] = frozenset()


def years_at(birth: date, at: date) -> int:
    """Completed years; somebody born on 29 February completes a year on 1 March of a common year."""
    return at.year - birth.year - ((at.month, at.day) < (birth.month, birth.day))


def capacity(years: int | None, rules: ConsentRules = BY_LAW) -> Capacity:
    """By completed years; None (unknown) counts as below 14, with the child's no heard."""
    if years is None:
        return Capacity.VIEW
    if years < rules.view_heard_from:
        return Capacity.NONE
    if years < rules.own_consent_from:
        return Capacity.VIEW
    return Capacity.CONSENT if years < rules.majority else Capacity.FULL


def authority(
    child: str,
    years: int | None,
    track: str | None,
    candidates: Iterable[Candidate],
    rules: ConsentRules = BY_LAW,
) -> Authority:
    """Who has a say at one instant. `track` is a code of `guardianship_status`, in any case; None when unknown.

    A candidate in conflict has no say at all, yes or no. Where the conflict is unknown their yes counts for nothing
    and their no counts: doubt never opens.
    """
    able = capacity(years, rules)
    if able is Capacity.FULL:
        return Authority(AuthorityKind.MINOR, frozenset({child}), frozenset({child}))
    clear = [one for one in candidates if one.conflict is not Conflict.YES and _stands(one, track, rules)]
    guardians = frozenset(one.id for one in clear if one.conflict is Conflict.NO)
    if able is Capacity.CONSENT:
        return Authority(AuthorityKind.MINOR, frozenset({child}), frozenset({child}), guardians)
    speaking = [one for one in clear if one.is_available]
    there = {one.kind for one in speaking if one.conflict is Conflict.NO}
    rank = next((rank for rank in rules.ranks if there.intersection(rank)), ())
    first = next((AuthorityKind(kind) for kind in rank if kind in there), AuthorityKind.NONE)
    may_consent = frozenset(one.id for one in speaking if one.kind in rank and one.conflict is Conflict.NO)
    may_refuse = may_consent | {one.id for one in speaking if one.conflict is Conflict.UNKNOWN}
    if able is Capacity.VIEW:
        may_refuse |= {child}
    return Authority(first, may_consent, frozenset(may_refuse))


def _stands(one: Candidate, track: str | None, rules: ConsentRules) -> bool:
    """After a revocation the parents' say is over unless they were restored."""
    return not (track is not None and track.upper() in rules.replaced_in and one.kind is AuthorityKind.PARENT)

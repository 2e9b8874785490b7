"""Is somebody who speaks for the child, or would receive its data, on the other side?

The guardian rules K1 to K6 of DOMAIN 5.6, over the persons of a notice and what is on record about them. A guardian
in conflict can neither give, refuse nor withdraw consent (K2); an unknown conflict counts as one for sexual harm (H1)
and the circumstances M1 to M3 until two officers have cleared it (K6), and is `unknown` to the policy otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

GRAVE_FLAGS: frozenset[str] = frozenset({"M1", "M2", "M3"})
_ON_TRIAL: frozenset[str] = frozenset({"revocation_pending", "revoked", "REVOCATION_PENDING", "REVOKED"})


class Conflict(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why there is a conflict, for the person who looks. Codes, never names."""

    IS_INFRINGER = "is-infringer"
    LIVES_WITH_INFRINGER = "lives-with-infringer"
    ACTS_FOR_INFRINGER = "acts-for-infringer"
    UNDER_ORDER = "under-protection-order"
    WARNED = "warning-letter"
    REVOCATION = "revocation"
    SUSPECTED = "suspected-in-open-report"
    UNKNOWN_IN_GRAVE_HARM = "unknown-in-grave-harm"
    ACCUSED_INSTITUTION = "accused-institution"
    EMPLOYS_INFRINGER = "employs-infringer"


# What other cases and notices say of a person already counts; the notice itself is looked at here.
ON_RECORD: frozenset[Reason] = frozenset(
    {Reason.ACTS_FOR_INFRINGER, Reason.UNDER_ORDER, Reason.WARNED, Reason.REVOCATION, Reason.SUSPECTED}
)


@dataclass(frozen=True, slots=True)
class Clearing:
    """Two officers found that an unknown conflict is none (K6). Reversible: from `reversed_at` it clears nothing."""

    guardian: str
    officers: tuple[str, str]
    reason: str
    at: datetime
    reversed_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Never when one officer stands for both, or no reason is given."""
        if self.officers[0] == self.officers[1] or not all(self.officers) or not self.reason.strip():
            return False
        return self.at <= at and (self.reversed_at is None or at < self.reversed_at)


@dataclass(frozen=True, slots=True)
class Finding:
    conflict: Conflict
    reasons: tuple[Reason, ...] = field(default=())


def is_grave(data: Mapping[str, Any]) -> bool:
    """Whether the notice tells of sexual harm or of M1 to M3."""
    harm = data.get("harm")
    if not isinstance(harm, Mapping):
        return False
    types, flags = _texts(harm.get("types")), _texts(harm.get("m_flags"))
    return any(code.startswith("H1") for code in types) or not GRAVE_FLAGS.isdisjoint(flags)


def guardian_conflicts(
    data: Mapping[str, Any],
    *,
    on_record: Mapping[str, frozenset[Reason]] | None = None,
    clearings: Iterable[Clearing] = (),
    at: datetime,
) -> dict[str, Finding]:
    """For each guardian or carer of the notice, by `ref`, whether they are in conflict at `at`. Total for plain JSON.

    `on_record` gives reasons from other notices of the case (`ON_RECORD`), `clearings` the officers' findings,
    which lift an unknown conflict but never a known one. Somebody without a `ref` is not in the answer, so the
    caller's "not found" must mean unknown.
    """
    persons = [person for person in _list(data.get("persons")) if isinstance(person, Mapping)]
    infringers = [person for person in persons if "infringer" in _texts(person.get("roles"))]
    cleared = {one.guardian for one in clearings if one.holds(at)}
    grave = is_grave(data)
    found: dict[str, Finding] = {}
    for person in persons:
        ref = person.get("ref")
        if not isinstance(ref, str) or not {"guardian", "carer"} & set(_texts(person.get("roles"))):
            continue
        reasons = _reasons(person, infringers, data) | (on_record or {}).get(ref, frozenset()) & ON_RECORD
        if reasons:
            finding = Finding(Conflict.YES, tuple(sorted(reasons)))
        elif ref in cleared:
            finding = Finding(Conflict.NO)
        elif _is_unknown(person, infringers, data, grave=grave):
            finding = Finding(Conflict.YES, (Reason.UNKNOWN_IN_GRAVE_HARM,)) if grave else Finding(Conflict.UNKNOWN)
        else:
            finding = Finding(Conflict.NO)
        # the same ref borne twice: the worse of the two holds for both
        found[ref] = finding if ref not in found or _worse(finding, found[ref]) else found[ref]
    return found


def notice_conflict(findings: Mapping[str, Finding]) -> Conflict:
    """The conflict of the notice as a whole: yes if any guardian is in conflict, unknown if any may be."""
    states = {finding.conflict for finding in findings.values()}
    if Conflict.YES in states:
        return Conflict.YES
    return Conflict.UNKNOWN if Conflict.UNKNOWN in states else Conflict.NO


def institution_conflict(
    data: Mapping[str, Any], *, school_code: str | None = None, employs: frozenset[str] = frozenset()
) -> Finding:
    """Whether a recipient institution is accused (K5): the school of the matter, or who employs an infringer.

    `school_code` is the recipient's own, None when it is no school; `employs` are refs of infringers on its staff,
    as declared or found. School-related harm at the child's own school is a conflict; where it is not said whether
    the harm is school-related, it is unknown.
    """
    infringers = {
        ref
        for person in _list(data.get("persons"))
        if isinstance(person, Mapping)
        and "infringer" in _texts(person.get("roles"))
        and isinstance(ref := person.get("ref"), str)
    }
    if employs & infringers:
        return Finding(Conflict.YES, (Reason.EMPLOYS_INFRINGER,))
    if school_code is None:
        return Finding(Conflict.NO)
    schools = {
        person["school"].get("code")
        for person in _list(data.get("persons"))
        if isinstance(person, Mapping) and isinstance(person.get("school"), Mapping)
    }
    if school_code not in schools:
        return Finding(Conflict.NO)
    place = data.get("place")
    related = place.get("school_related") if isinstance(place, Mapping) else None
    if related is True:
        return Finding(Conflict.YES, (Reason.ACCUSED_INSTITUTION,))
    if related is False or not _harm_told(data):
        return Finding(Conflict.NO)
    return Finding(Conflict.UNKNOWN)


def staff_prompts(data: Mapping[str, Any], *, name: str, phone: str = "", address: str = "") -> tuple[str, ...]:
    """Reasons to ask an officer whether they are related to somebody in the notice (K5): a prompt, never a decision.

    Codes only: `same-surname` (the first character), `same-phone`, `same-address`.
    """
    prompts: set[str] = set()
    for person in _list(data.get("persons")):
        if not isinstance(person, Mapping):
            continue
        other, residence = person.get("name"), person.get("residence")
        if name and isinstance(other, str) and other[:1] == name[:1]:
            prompts.add("same-surname")
        if phone and person.get("phone") == phone:
            prompts.add("same-phone")
        if address and isinstance(residence, Mapping) and residence.get("address") == address:
            prompts.add("same-address")
    return tuple(sorted(prompts))


def _reasons(
    person: Mapping[str, Any], infringers: Iterable[Mapping[str, Any]], data: Mapping[str, Any]
) -> frozenset[Reason]:
    found: set[Reason] = set()
    ref = person["ref"]
    if "infringer" in _texts(person.get("roles")):
        found.add(Reason.IS_INFRINGER)
    for infringer in infringers:
        other = infringer.get("ref")
        if infringer.get("is_guardian") is True and _may_be_same(person, infringer):
            found.add(Reason.IS_INFRINGER)
        if other != ref and (other in _texts(person.get("lives_with")) or ref in _texts(infringer.get("lives_with"))):
            found.add(Reason.LIVES_WITH_INFRINGER)
        if any(person.get(name) is not None and person.get(name) == infringer.get(name) for name in ("key", "id_no")):
            found.add(Reason.IS_INFRINGER)
    order, track = data.get("order"), data.get("guardianship")
    if isinstance(order, Mapping) and order.get("respondent") == ref:
        found.add(Reason.UNDER_ORDER)
    if isinstance(track, Mapping) and track.get("status") in _ON_TRIAL and "infringer" in _texts(person.get("roles")):
        found.add(Reason.REVOCATION)
    return frozenset(found)


def _may_be_same(person: Mapping[str, Any], infringer: Mapping[str, Any]) -> bool:
    """An infringer said to be a guardian without a guardian's record of their own: any guardian not told apart by
    relation, sex or name may be meant."""
    for name in ("relation", "sex", "name"):
        ours, theirs = person.get(name), infringer.get(name)
        if ours is not None and theirs is not None and ours != theirs:
            return False
    return True


def _is_unknown(
    person: Mapping[str, Any], infringers: list[Mapping[str, Any]], data: Mapping[str, Any], *, grave: bool
) -> bool:
    """Harm by nobody named, by somebody unidentified, or by somebody of whom it is not said whether they are a guardian.

    Of an infringer who is a guardian too, and of anybody in grave harm, it must also be said that the two do not live
    together.
    """
    if not infringers:
        return _harm_told(data)
    for infringer in infringers:
        is_guardian = infringer.get("is_guardian") is True or "guardian" in _texts(infringer.get("roles"))
        if infringer.get("unidentified") is True or not (is_guardian or infringer.get("is_guardian") is False):
            return True
        if (grave or is_guardian) and "lives_with" not in person and "lives_with" not in infringer:
            return True
    return False


def _harm_told(data: Mapping[str, Any]) -> bool:
    harm = data.get("harm")
    return isinstance(harm, Mapping) and bool(_texts(harm.get("types")) or _texts(harm.get("m_flags")))


def _worse(one: Finding, other: Finding) -> bool:
    order = (Conflict.NO, Conflict.UNKNOWN, Conflict.YES)
    return order.index(one.conflict) > order.index(other.conflict)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]

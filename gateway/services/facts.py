"""What may a decision about this delivery look at?

The information point. Everything is gathered anew for each attempt: the office as it
is now, the child's age today, the place and kind of the matter, conflicts. What cannot be
told is left out, which means "any of its values" to the policy: less
knowledge never shows more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from gateway.model.agency import Office, OfficeState
from gateway.model.audit import Slot
from gateway.model.delivery import Delivery
from gateway.model.identifiers import DivisionCode
from gateway.model.notice import JsonObject
from gateway.policy.compile import Policy
from gateway.policy.facts import Facts, facts
from gateway.ports.storage import NoticeStorage
from gateway.services.directory import Directories
from gateway.services.keep import OpenedNotice
from gateway.services.tell import Teller
from gateway.validation.age import possible_age_bands

CHINA = timezone(timedelta(hours=8))

_FAMILIES = {
    "H1": "sexual", "H2": "violence", "H4": "neglect", "H5": "trafficking", "H6": "exploitation", "H7": "bullying",
    "H8": "unnatural_injury",
}  # fmt: skip
_BASIS_STRENGTH = ("statutory_duty", "emergency", "agreement", "consent")

Value = str | Collection[str] | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts of one attempt, and the log slots of the persons it is about."""

    facts: Facts
    slots: tuple[Slot, ...]


class FactGatherer:
    def __init__(
        self,
        *,
        policy: Callable[[], Policy],
        directories: Directories,
        notices: NoticeStorage,
        teller: Teller,
    ) -> None:
        self._policy, self._directories, self._notices, self._teller = policy, directories, notices, teller

    async def __call__(self, opened: OpenedNotice, delivery: Delivery, recipient: Office, now: datetime) -> Gathered:
        policy, day = self._policy(), china_day(now)
        data = opened.data
        people: list[Mapping[str, Any]] = [dict(person) for person in data.get("persons", ())]
        values: dict[str, Value] = {
            "recipient_agency": recipient.agency,
            "recipient_level": self._level(recipient.division),
            "relation_to_place": self._relation(recipient.division, data, day),
            "recipient_role": delivery.role or "copy",
            "purpose": delivery.purpose,
            "legal_basis_kind": self._basis_kind(policy, delivery.legal_basis),
            "notice_type": delivery.notice_type,
            "category": _category(data, people),
            "urgency": str(delivery.urgency),
            "consent": None,
            "age_band": _minors_bands(people, day),
            "conflict": _conflict(people, data),
            "track": _track(data),
            "agreement": "in_force" if recipient.agreements else "none",
            "own_subject": await self._own_subject(delivery, recipient, people),
            "emergency": "no",
            "suspended": "no" if recipient.state is OfficeState.ACTIVE else "yes",
            "contract": _contract(recipient, day),
            "approval": "none",
            "sealed": "none",
        }
        values["consent"] = "not_needed" if values["legal_basis_kind"] in ("statutory_duty", "emergency") else "none"
        known = {name: value for name, value in values.items() if name in policy.vocabulary.facts}
        persons = {str(person.get("ref")): _personal(person) for person in people}
        gathered = facts(policy.vocabulary, known, accepts=recipient.accepts_obligations, persons=persons)
        slots = self._teller.slots(opened.persons.values(), people, delivery.case, day)
        return Gathered(gathered, slots)

    def _level(self, division: DivisionCode) -> str:
        if len(division) == 12:
            return "village"
        if len(division) == 9:
            return "township"
        if division.endswith("0000"):
            return "province"
        return "city" if division.endswith("00") else "county"

    def _relation(self, division: DivisionCode, data: JsonObject, day: date) -> str | None:
        """Where the recipient stands to the child's place: the incident, or else where the child lives."""
        place = _place_of(data)
        if place is None:
            return None
        finder = self._directories.current.finder
        if place == division:
            return "own"
        above_place = finder.line(place, day)
        if not above_place:
            return None
        if division in above_place:
            county = next((code for code in above_place if len(code) == 6 and not code.endswith("00")), None)
            return "own" if division == county else "above"
        return "below" if above_place[0] in finder.line(division, day) else "other"

    def _basis_kind(self, policy: Policy, basis: Iterable[str]) -> str | None:
        bases = policy.vocabulary.legal_bases
        kinds = {bases[code].kind for code in basis if code in bases}
        return next((kind for kind in _BASIS_STRENGTH if kind in kinds), None)

    async def _own_subject(self, delivery: Delivery, recipient: Office, people: Iterable[Mapping[str, Any]]) -> str:
        """Whether the recipient already has to do with this child: its pupil, or somebody it reported itself."""
        school = recipient.attributes.get("school_code")
        if school and any(school == person.get("school", {}).get("code") for person in people):
            return "yes"
        summaries = await self._notices.summarise(delivery.case)
        return "yes" if any(summary.sender == recipient.id for summary in summaries) else "no"


def china_day(now: datetime) -> date:
    """The day on which something happens, by China's clock."""
    return now.astimezone(CHINA).date()


def _minors_bands(people: Iterable[Mapping[str, Any]], day: date) -> frozenset[str] | None:
    """Every band that a minor of the notice may be in; None where there is no minor."""
    found: frozenset[str] = frozenset()
    for person in people:
        if "minor" in person.get("roles", ()):
            found |= possible_age_bands(person, day)
    return found or None


def _track(data: JsonObject) -> str | None:
    """The guardianship track as the notice tells it; unknown where it does not."""
    status = data.get("guardianship", {}).get("status")
    return status.upper() if isinstance(status, str) and status != "unknown" else None


def _place_of(data: JsonObject) -> str | None:
    region = data.get("place", {}).get("region")
    if isinstance(region, str):
        return region
    for person in data.get("persons", ()):
        if "minor" in person.get("roles", ()):
            residence = person.get("residence", {}).get("region")
            if isinstance(residence, str):
                return residence
    return None


def _category(data: JsonObject, people: Iterable[Mapping[str, Any]]) -> Value:
    types = data.get("harm", {}).get("types", ())
    families = {_FAMILIES.get(str(code)[:2], "other_harm") for code in types}
    if {"M1", "M2", "M3"} & set(data.get("harm", {}).get("m_flags", ())):
        families.add("sexual")
    if families:
        return families
    return "difficulty" if any(person.get("difficulty") for person in people) else "none"


def _conflict(people: Iterable[Mapping[str, Any]], data: JsonObject) -> str | None:
    """DOMAIN 5.6 K1 and K6: an infringer who is a guardian; unknown where there is harm and nobody is named."""
    infringers = [person for person in people if "infringer" in person.get("roles", ())]
    if any("guardian" in person["roles"] or person.get("is_guardian") is True for person in infringers):
        return "guardian"
    if not data.get("harm", {}).get("types") and not infringers:
        return "none"
    known = infringers and all(person.get("is_guardian") is False for person in infringers)
    return "none" if known else None


def _personal(person: Mapping[str, Any]) -> dict[str, Value]:
    roles = person.get("roles", ())
    if "infringer" in roles:
        conflict: str | None = "yes"
    else:
        conflict = None if "guardian" in roles else "no"
    return {"person.minor": "yes" if "minor" in roles else "no", "person.conflict": conflict}


def _contract(recipient: Office, day: date) -> str:
    until = recipient.attributes.get("contract_until")
    if until is None:
        return "none"
    return "in_force" if day <= date.fromisoformat(until) else "ended"

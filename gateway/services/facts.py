"""What may a decision about this delivery look at?

The information point. Everything is gathered anew for each attempt: the office as it
is now, the child's age today, the place and kind of the matter, conflicts. What cannot be
told is left out, which means "any of its values" to the policy: less
knowledge never shows more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

from gateway.consent.conflict import (
    Clearing,
    Conflict,
    Finding,
    guardian_conflicts,
    institution_conflict,
    is_grave,
    notice_conflict,
)
from gateway.consent.coverage import ConsentState
from gateway.model.agency import Office, OfficeState
from gateway.model.audit import Slot
from gateway.model.delivery import Delivery
from gateway.model.identifiers import CaseId, DivisionCode, EventId
from gateway.model.notice import JsonObject
from gateway.policy.compiled import Policy
from gateway.policy.facts import Facts, facts
from gateway.ports.storage import NoticeStorage
from gateway.services.conflicts import ConflictsOnRecord, Reasons, own_school
from gateway.services.consents import Consents, Covered
from gateway.services.directory import Directories
from gateway.services.guardianship import stated_track
from gateway.services.keep import OpenedNotice
from gateway.services.kin import Kin
from gateway.services.tell import Teller
from gateway.validation.age import possible_age_bands

CHINA = timezone(timedelta(hours=8))

_FAMILIES = {
    "H1": "sexual", "H2": "violence", "H4": "neglect", "H5": "trafficking", "H6": "exploitation", "H7": "bullying",
    "H8": "unnatural_injury",
}  # fmt: skip
_BASIS_STRENGTH = ("statutory_duty", "emergency", "agreement", "consent")

_CONFLICT: Mapping[Conflict, str | None] = {Conflict.YES: "guardian", Conflict.NO: "none", Conflict.UNKNOWN: None}
_OF_PERSON: Mapping[Conflict, str | None] = {Conflict.YES: "yes", Conflict.NO: "no", Conflict.UNKNOWN: None}
_OF_RECIPIENT = _OF_PERSON
NOT_NEEDED = Covered(ConsentState.NOT_NEEDED)
ON_DUTY = "duty"  # the role in which emergency access is routed

# What is told by the content of a notice, and counts for nothing where that is in doubt.
_TOLD_BY_CONTENT = (
    "relation_to_place", "category", "consent", "age_band", "conflict", "recipient_conflict", "track", "own_subject",
)  # fmt: skip

# Notices that an office may send about a child it only heard of: they make nobody its own pupil or patient.
_TELLS_NOTHING_OF_ITS_OWN = frozenset({"QRY", "ANS", "COR", "CON", "WDR", "BGN", "ESC", "STATS"})

Value = str | Collection[str] | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts of one attempt, the log slots of the persons it is about, and the events of the consents it rests on.
    `against` is what other notices said by then against its guardians, by `ref`."""

    facts: Facts
    slots: tuple[Slot, ...]
    consents: tuple[EventId, ...] = ()
    against: Mapping[str, Reasons] = field(default_factory=dict)


class FactGatherer:
    """Hot path: pure but for the case's summary, notices naming an identified guardian, or for a school its pupil, officers' findings on guardians of
    whom nothing is known, and, only where consent is the one basis, the children's consent records."""

    def __init__(
        self,
        *,
        policy: Callable[[], Policy],
        directories: Directories,
        notices: NoticeStorage,
        conflicts: ConflictsOnRecord,
        consents: Consents,
        emergencies: Callable[[Delivery, datetime], Awaitable[bool]],
        clearings: Callable[[OpenedNotice, Mapping[str, Finding], CaseId], Awaitable[Sequence[Clearing]]],
        kin: Kin,
        teller: Teller,
    ) -> None:
        self._policy, self._directories, self._notices, self._teller = policy, directories, notices, teller
        self._conflicts, self._consents, self._emergencies = conflicts, consents, emergencies
        self._clearings, self._kin = clearings, kin

    async def __call__(self, opened: OpenedNotice, delivery: Delivery, recipient: Office, now: datetime) -> Gathered:
        policy, day = self._policy(), china_day(now)
        as_told: list[Mapping[str, Any]] = [dict(person) for person in opened.data.get("persons", ())]
        people = self._kin.as_one(as_told, opened.persons)
        data: JsonObject = opened.data if people is as_told else {**opened.data, "persons": people}
        on_record = await self._conflicts.of_guardians(opened, people)
        findings = guardian_conflicts(data, on_record=on_record, at=now)
        if cleared := await self._clearings(opened, findings, delivery.case):
            findings = guardian_conflicts(data, on_record=on_record, clearings=cleared, at=now)
        basis = self._basis_kind(policy, delivery.legal_basis)
        emergency = False
        if delivery.role == ON_DUTY:
            emergency = await self._emergencies(delivery, now)
            basis = basis if emergency else "none"  # what was granted for two hours rests on nothing afterwards
        covered = NOT_NEEDED if basis != "consent" else await self._consents.behind(
            opened, delivery, people, findings, now, day
        )  # fmt: skip
        values: dict[str, Value] = {
            "recipient_agency": recipient.agency,
            "recipient_level": level_of(recipient.division),
            "relation_to_place": self._relation(recipient.division, data, day),
            "recipient_role": delivery.role or "copy",
            "purpose": delivery.purpose,
            "legal_basis_kind": basis,
            "notice_type": delivery.notice_type,
            "category": _category(data, people),
            "urgency": str(delivery.urgency),
            "consent": None if covered.state is ConsentState.UNKNOWN else covered.state.value,
            "age_band": _minors_bands(people, day),
            "conflict": _CONFLICT[notice_conflict(findings) if findings else _without_guardians(people, data)],
            "recipient_conflict": await self._of_recipient(opened, people, own_school(recipient)),
            "track": stated_track(data),
            "agreement": agreement_of(recipient, policy, delivery.purpose, day),
            "own_subject": await self._own_subject(delivery, recipient, people),
            "emergency": "yes" if emergency else "no",
            "suspended": "no" if recipient.state is OfficeState.ACTIVE else "yes",
            "contract": contract_of(recipient, day),
            "approval": "none",
            "sealed": "none",
        }
        known = {name: value for name, value in values.items() if name in policy.vocabulary.facts}
        persons = {str(person.get("ref")): _personal(person, findings) for person in people}
        if opened.is_doubted:
            known, persons = {**known, **{name: None for name in _TOLD_BY_CONTENT if name in known}}, {}
        gathered = facts(policy.vocabulary, known, accepts=recipient.accepts_obligations, persons=persons)
        slots = self._teller.slots(opened.persons.values(), as_told, delivery.case, day)
        return Gathered(gathered, slots, covered.events, on_record)

    async def is_accused_since(self, gathered: Gathered, opened: OpenedNotice, recipient: Office) -> bool:
        """Whether a notice that came only after these facts were gathered speaks against a guardian (K1 to K6), or accuses the
        recipient, which is a school (K5)."""
        people = self._kin.as_one([dict(person) for person in opened.data.get("persons", ())], opened.persons)
        against = await self._conflicts.of_guardians(opened, people)
        if any(reasons - gathered.against.get(ref, frozenset()) for ref, reasons in against.items()):
            return True
        school, known = own_school(recipient), gathered.facts
        if school is None or "recipient_conflict" not in known or known.value("recipient_conflict") == "yes":
            return False
        return await self._conflicts.accuse(school, opened, people)

    async def _of_recipient(
        self, opened: OpenedNotice, people: Iterable[Mapping[str, Any]], school: str | None
    ) -> str | None:
        found = institution_conflict(opened.data, school_code=school).conflict
        if school is not None and found is not Conflict.YES and await self._conflicts.accuse(school, opened, people):
            found = Conflict.YES
        return _OF_RECIPIENT[found]

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
        """Whether the recipient already has to do with this child: its pupil, or somebody it told of itself."""
        school = recipient.attributes.get("school_code")
        if school and any(school == person.get("school", {}).get("code") for person in people):
            return "yes"
        summaries = await self._notices.summarise(delivery.case)
        told = (one for one in summaries if one.type not in _TELLS_NOTHING_OF_ITS_OWN)
        return "yes" if any(summary.sender == recipient.id for summary in told) else "no"


def level_of(division: DivisionCode) -> str:
    """The level of an office by the length and zeros of its division code, in the words of the policy."""
    if len(division) == 12:
        return "village"
    if len(division) == 9:
        return "township"
    if division.endswith("0000"):
        return "province"
    return "city" if division.endswith("00") else "county"


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


def _without_guardians(people: Iterable[Mapping[str, Any]], data: JsonObject) -> Conflict:
    """Nobody is named as guardian: an infringer said to be one is, and where that is not said it stays unknown (K6)."""
    infringers = [person for person in people if "infringer" in person.get("roles", ())]
    if any(person.get("is_guardian") is True for person in infringers):
        return Conflict.YES
    if all(person.get("is_guardian") is False for person in infringers) and (
        infringers or not data.get("harm", {}).get("types")
    ):
        return Conflict.NO
    return Conflict.YES if is_grave(data) else Conflict.UNKNOWN


def _personal(person: Mapping[str, Any], findings: Mapping[str, Finding]) -> dict[str, Value]:
    """Whether this person is on the other side: an infringer is, a guardian or carer by K1 to K6, anybody else not."""
    roles = person.get("roles", ())
    if "infringer" in roles:
        conflict: str | None = "yes"
    elif {"guardian", "carer"} & set(roles):
        finding = findings.get(str(person.get("ref")))
        conflict = None if finding is None else _OF_PERSON[finding.conflict]
    else:
        conflict = "no"
    return {"person.minor": "yes" if "minor" in roles else "no", "person.conflict": conflict}


def agreement_of(recipient: Office, policy: Policy, purpose: str | None, day: date) -> str:
    """Whether an agreement stands behind what an office gets for a purpose on a day, in the words of the policy."""
    agreements, named = policy.document.agreements, recipient.agreements
    return "in_force" if agreements.in_force(recipient.id, recipient.division, named, purpose, day) else "none"


def contract_of(recipient: Office, day: date) -> str:
    """Whether a contractor's contract runs on a day, in the words of the policy."""
    until = recipient.attributes.get("contract_until")
    if until is None:
        return "none"
    return "in_force" if day <= date.fromisoformat(until) else "ended"

"""Which places does a notice name, and on which day did what it tells of happen?"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TypeGuard

from gateway.model.geography import Place, PlaceKind
from gateway.model.notice import JsonObject, ValidNotice
from gateway.model.routing import NO_CASE, CaseContext
from gateway.policy.stated import member, people

_LONGEST_CODE = 12


def places_of(notice: ValidNotice, case: CaseContext = NO_CASE) -> tuple[Place, ...]:
    """The places a notice names, then those the case knows, then the sender's division. Codes are unchecked text."""
    data = notice.notice.data
    found: list[Place] = []
    region = member(data, "place").get("region")
    if _may_be_code(region):
        found.append(_place(PlaceKind.INCIDENT, region))
    for person in people(data):
        roles = person.get("roles")
        if not isinstance(roles, list):
            continue
        if "minor" in roles:
            for kind, name in _MINORS_PLACES:
                where = person.get(name)
                if isinstance(where, dict):
                    region = where.get("region")
                    if _may_be_code(region):
                        found.append(_place(kind, region))
        elif "guardian" in roles:
            region = member(person, "residence").get("region")
            if _may_be_code(region):
                found.append(_place(PlaceKind.GUARDIAN_RESIDENCE, region))
    found.extend(case.places)
    if case.owner is not None:
        found.append(_place(PlaceKind.HANDLING, case.owner.split(".", 2)[1]))
    parts = notice.notice.sender.split(".", 2)
    if len(parts) > 1:
        found.append(_place(PlaceKind.SENDER, parts[1]))
    return tuple(found)


@lru_cache(maxsize=16_384)
def _place(kind: PlaceKind, code: str) -> Place:
    """One object per place, so that asking for it again compares by identity."""
    return Place(kind, code)


def _may_be_code(region: object) -> TypeGuard[str]:
    """Longer text is no division code, and answers are remembered by what was asked."""
    return isinstance(region, str) and len(region) <= _LONGEST_CODE


_MINORS_PLACES = (
    (PlaceKind.PRESENT, "placement"),
    (PlaceKind.RESIDENCE, "residence"),
    (PlaceKind.REGISTERED, "registered"),
)


def event_day(data: JsonObject, on: date) -> date:
    """The day of the event, never after `on`. A partial date counts as its first day; none or a broken one as `on`."""
    for name in ("occurred_at", "discovered_at"):
        text = data.get(name)
        if isinstance(text, str):
            day = _day(text[:10])
            if day is not None:
                return min(day, on)
    return on


_PARTIAL_TAILS = {4: "-01-01", 7: "-01", 10: ""}


@lru_cache(maxsize=4096)
def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text + _PARTIAL_TAILS.get(len(text), "?"))
    except ValueError:
        return None

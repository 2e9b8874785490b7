"""Which office is competent for a matter at a place, and how was it found?

DOMAIN 6.3, over a frozen `Directory`:

1. The governing place: the first kind of place the matter asks for that the
   table knows (`GOVERNING`), as of the event and carried forward to today.
2. Look for the agency's office, most specific code first. Below the level the
   matter belongs to (`HOME`), only a jurisdiction map row or an office's own
   `scope` counts: a township's civil affairs desk doesn't start a temporary
   guardianship because the child lives there.
3. None: one step up the reporting tree and again, up to the city. Where a line
   has no city (a municipality's district, a county the province runs itself),
   up to the province. `fallback_level` counts the steps above home.
4. Found, but in conflict, suspended or compromised: one level up, and there
   the search may go one step past the city.
5. Still none: nobody is competent; the city's civil affairs office and the
   coordinator are told, and the city's 110 centre is named for urgency 2.
6. The trace says all of it in codes and office ids.

Total: whatever the codes are, `competent` answers and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from gateway.geography.divisions import DivisionTree
from gateway.model.agency import Office, OfficeState
from gateway.model.geography import (
    Competence,
    Directory,
    Division,
    Jurisdiction,
    Level,
    Matter,
    Place,
    PlaceKind,
    SteppedOver,
)
from gateway.model.identifiers import AgencyName, DivisionCode, OfficeId

POLICE = AgencyName("police")
CIVIL_AFFAIRS = AgencyName("civil_affairs")
COORDINATOR = AgencyName("coordinator")

_INCIDENT, _PRESENT, _RESIDENCE = PlaceKind.INCIDENT, PlaceKind.PRESENT, PlaceKind.RESIDENCE
_REGISTERED, _GUARDIAN, _HANDLING = PlaceKind.REGISTERED, PlaceKind.GUARDIAN_RESIDENCE, PlaceKind.HANDLING

# DOMAIN 6.3. The sender's own division closes every list: somebody always gets it.
GOVERNING: Mapping[Matter, tuple[PlaceKind, ...]] = {
    Matter.EMERGENCY: (_PRESENT, _INCIDENT, _RESIDENCE),
    Matter.INVESTIGATION: (_INCIDENT, _PRESENT, _RESIDENCE),
    Matter.TEMPORARY_GUARDIANSHIP: (_INCIDENT, _PRESENT, _RESIDENCE),
    Matter.SUPPORT: (_RESIDENCE, _PRESENT, _INCIDENT),
    Matter.ALLOWANCE: (_REGISTERED, _RESIDENCE),
    Matter.PROTECTION_ORDER: (_RESIDENCE, _GUARDIAN, _INCIDENT),
    Matter.GUARDIANSHIP: (_RESIDENCE, _PRESENT, _INCIDENT),
    Matter.HOUSEHOLD_REGISTRATION: (_REGISTERED, _RESIDENCE),
    Matter.REVOCATION: (_RESIDENCE, _GUARDIAN, _INCIDENT),
    Matter.LEGAL_AID: (_HANDLING, _INCIDENT, _RESIDENCE),
    Matter.SCHOOLING: (_RESIDENCE, _PRESENT, _INCIDENT),
    Matter.MEDICAL: (_PRESENT, _INCIDENT, _RESIDENCE),
    Matter.SUPERVISION: (_INCIDENT, _HANDLING, _RESIDENCE),
    Matter.FAMILY_SERVICE: (_RESIDENCE, _PRESENT, _INCIDENT),
    Matter.COORDINATION: (_RESIDENCE, _INCIDENT),
    Matter.CALL_CENTRE: (_PRESENT, _INCIDENT, _RESIDENCE),
}

# Where the work is done when nothing was mapped otherwise: county, or township for the daily support of families.
HOME: Mapping[Matter, Level] = {
    **dict.fromkeys(Matter, Level.COUNTY),
    Matter.SUPPORT: Level.TOWNSHIP,
    Matter.CALL_CENTRE: Level.CITY,
}

_UNUSABLE: Mapping[OfficeState, str] = {
    OfficeState.SUSPENDED: "suspended",
    OfficeState.COMPROMISED: "compromised",
}


class CompetentOffices:
    """The resolver over one directory version. Answers are remembered, so asking again costs one look-up.

    Build a new one when the directory or the division table changes.
    """

    _MOST_REMEMBERED = 100_000

    def __init__(self, tree: DivisionTree, directory: Directory) -> None:
        self.tree = tree
        self.directory = directory
        self.version = f"{tree.version}/{directory.version}"
        self._own: dict[tuple[str, str], OfficeId] = {}
        self._scoped: dict[tuple[str, str], OfficeId] = {}
        self._mapped: dict[tuple[str, str], list[Jurisdiction]] = {}
        for office_id in sorted(directory.offices):
            self._index(directory.offices[office_id])
        for row in directory.jurisdictions:
            self._mapped.setdefault((row.agency, row.division), []).append(row)
        self._institutions = {
            office.attributes["school_code"]: office.id
            for office in directory.offices.values()
            if "school_code" in office.attributes
        }
        self._answers: dict[tuple[object, ...], Competence] = {}
        self._superiors: dict[tuple[object, ...], OfficeId | None] = {}

    def institution(self, code: str) -> OfficeId | None:
        """The office of a school by its own code (`attributes["school_code"]`), if it is enrolled."""
        return self._institutions.get(code)

    def office(self, office: OfficeId) -> Office | None:
        return self.directory.offices.get(office)

    def competent(
        self,
        agency: AgencyName,
        matter: Matter,
        places: tuple[Place, ...],
        event: date,
        on: date,
        conflicted: frozenset[OfficeId] = frozenset(),
    ) -> Competence:
        """Who handles `matter` for `agency`, the event being of day `event` and asked on day `on`.

        `places` is what the notice says of places, several of a kind allowed,
        first ones first. `conflicted` offices are stepped over.
        """
        key = (agency, matter, places, event, on, conflicted)
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= self._MOST_REMEMBERED:
                self._answers.clear()
            answer = self._answers[key] = self._competent(agency, matter, places, event, on, conflicted)
        return answer

    def superior(self, office: OfficeId, on: date, conflicted: frozenset[OfficeId] = frozenset()) -> OfficeId | None:
        """The office above: an institution's bureau (`education.440113` above `education.440113.x`), else the next
        office of the agency up the reporting line that is usable. An office may name its own in `attributes["superior"]`.
        """
        key = (office, on, conflicted)
        if key not in self._superiors:
            if len(self._superiors) >= self._MOST_REMEMBERED:
                self._superiors.clear()
            self._superiors[key] = self._superior(office, on, conflicted)
        return self._superiors[key]

    def line(self, code: str, on: date) -> tuple[DivisionCode, ...]:
        """The codes on the reporting line of a place, itself first; empty when the place is unknown."""
        place = self.tree.resolve(code, on)
        return () if place is None else tuple(division.code for division in self.tree.line(place.division, on))

    def _index(self, office: Office) -> None:
        if office.id.count(".") == 1:
            self._own[office.agency, office.division] = office.id
        for code in office.scope:
            self._scoped.setdefault((office.agency, code), office.id)

    def _superior(self, office: OfficeId, on: date, conflicted: frozenset[OfficeId]) -> OfficeId | None:
        agency, code, *suffix = office.split(".", 2)
        known = self.directory.offices.get(office)
        declared = None if known is None else known.attributes.get("superior")
        if declared is not None:
            above = OfficeId(declared)
            if above in self.directory.offices and self._why_not(above, conflicted) is None:
                return above
        place = self.tree.resolve(code, on)
        if place is None:
            return None
        for position, division in enumerate(self.tree.line(place.division, on)):
            if position == 0 and not suffix:
                continue
            found = self._own.get((agency, division.code))
            if found is not None and found != office and self._why_not(found, conflicted) is None:
                return found
        return None

    def _competent(
        self,
        agency: AgencyName,
        matter: Matter,
        places: tuple[Place, ...],
        event: date,
        on: date,
        conflicted: frozenset[OfficeId],
    ) -> Competence:
        trace: list[str] = []
        flags: list[str] = []
        division = self._governing(matter, places, event, on, trace, flags)
        if division is None:
            trace.append("unresolved:no-known-place")
            return Competence(None, None, flags=tuple(flags), trace=tuple(trace))
        line = self.tree.line(division, on)
        trace.append(f"ask:{agency}/{matter.value}@{division.code}")
        home = _first(line, lambda row: row.level <= HOME[matter])
        ceiling = _first(line, lambda row: row.level <= Level.CITY)
        stepped: list[SteppedOver] = []
        for position, row in enumerate(line):
            if position > ceiling:
                break
            found, how = self._at(agency, matter, row.code, on, own=position >= home)
            if found is None:
                trace.append(f"none@{row.code}")
                continue
            reason = self._why_not(found, conflicted)
            if reason is None:
                fallback = max(0, position - home)
                trace.append(f"found:{found}@{row.code}/{how}")
                if fallback:
                    trace.append(f"fallback:{fallback}")
                return Competence(
                    found, division.code, fallback, tuple(stepped), flags=tuple(flags), trace=tuple(trace)
                )
            stepped.append(SteppedOver(found, reason))
            trace.append(f"stepped-over:{found}:{reason}")
            ceiling = max(ceiling, position + 1)
        trace.append("unresolved:no-office")
        told = tuple(
            office
            for office in (
                self._at_city(CIVIL_AFFAIRS, Matter.TEMPORARY_GUARDIANSHIP, line, on, conflicted),
                self._at_city(COORDINATOR, Matter.COORDINATION, line, on, conflicted),
            )
            if office is not None
        )
        centre = self._at_city(POLICE, Matter.CALL_CENTRE, line, on, conflicted)
        trace.extend(f"told:{office}" for office in told)
        return Competence(None, division.code, 0, tuple(stepped), told, centre, tuple(flags), tuple(trace))

    def _governing(
        self,
        matter: Matter,
        places: tuple[Place, ...],
        event: date,
        on: date,
        trace: list[str],
        flags: list[str],
    ) -> Division | None:
        for kind in (*GOVERNING[matter], PlaceKind.SENDER):
            for place in places:
                if place.kind is not kind:
                    continue
                resolved = self.tree.resolve_from(place.code, event, on)
                if resolved is None:
                    trace.append(f"unknown-place:{kind.value}")
                    flags.append(f"unknown-region:{kind.value}")
                    continue
                trace.append(f"place:{kind.value}={resolved.division.code}")
                trace.extend(resolved.steps)
                if kind is PlaceKind.SENDER:
                    flags.append("place-from-sender")
                return resolved.division
        return None

    def _at(self, agency: AgencyName, matter: Matter, code: str, on: date, *, own: bool) -> tuple[OfficeId | None, str]:
        """The agency's office for exactly this division: the map first, then a declared scope, then the namesake."""
        for row in self._mapped.get((agency, code), ()):
            if row.is_valid_on(on) and (not row.matters or matter in row.matters):
                if row.office in self.directory.offices:
                    return row.office, "map"
                break  # mapped to an office that is not enrolled: the namesake must not take over unseen
        else:
            scoped = self._scoped.get((agency, code))
            if scoped is not None:
                return scoped, "scope"
            if own:
                return self._own.get((agency, code)), "own"
        return None, ""

    def _at_city(
        self, agency: AgencyName, matter: Matter, line: tuple[Division, ...], on: date, conflicted: frozenset[OfficeId]
    ) -> OfficeId | None:
        """The usable office at the city of a line, else above it, else at the county (a line may have no city)."""
        city = _first(line, lambda row: row.level <= Level.CITY)
        county = _first(line, lambda row: row.level <= Level.COUNTY)
        for row in (*line[city:], line[county]):
            found, _ = self._at(agency, matter, row.code, on, own=True)
            if found is not None and self._why_not(found, conflicted) is None:
                return found
        return None

    def _why_not(self, office: OfficeId, conflicted: frozenset[OfficeId]) -> str | None:
        if office in conflicted:
            return "conflict"
        return _UNUSABLE.get(self.directory.offices[office].state)


def _first(line: tuple[Division, ...], holds: Callable[[Division], bool]) -> int:
    """The position of the first division that holds, or the last position."""
    for position, row in enumerate(line):
        if holds(row):
            return position
    return len(line) - 1

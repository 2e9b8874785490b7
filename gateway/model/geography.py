"""Where is a place, and which office is competent there?

Facts only: `gateway.geography` builds trees and answers from them. A division
has two parents, because a code's digits are no hierarchy (DOMAIN 6.2): its
*code-tree parent* (declared, the way the numbers are issued) and the division
it *reports to* (the way tasks go down and facts go up). Codes are written with
6, 9 or 12 digits; a province is `440000`, a prefecture city `440100`, the
ministry `000000`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from typing import NamedTuple

from gateway.model.agency import Office
from gateway.model.identifiers import AgencyName, DivisionCode, OfficeId


class Level(IntEnum):
    """DOMAIN 6.1: ministry, province, then the notice's four: 市、县、乡镇(街道)、村(居)."""

    MINISTRY = 0
    PROVINCE = 1
    CITY = 2
    COUNTY = 3
    TOWNSHIP = 4
    VILLAGE = 5


class DivisionKind(StrEnum):
    """`pseudo` exists for the code system alone (市辖区 1101, 620201): no task or fact passes through it.

    `local` is a code that only this deployment knows (development zone, XPCC
    division, forest district), with a declared parent.
    """

    DIVISION = "division"
    PSEUDO = "pseudo"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Division:
    """One code in one period. Valid from `valid_from` (inclusive) until `valid_to` (exclusive); None is open.

    `name_zh` is for people and never matched on: 28 county names occur twice.
    """

    code: DivisionCode
    name_zh: str
    level: Level
    parent: DivisionCode | None = None
    reports_to: DivisionCode | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    successors: tuple[DivisionCode, ...] = ()
    kind: DivisionKind = DivisionKind.DIVISION
    note: str = ""

    def is_valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


class PlaceKind(StrEnum):
    """Why a place matters to a notice. `sender` is the last resort: where the reporting office is."""

    INCIDENT = "incident"
    PRESENT = "present"
    RESIDENCE = "residence"
    REGISTERED = "registered"
    GUARDIAN_RESIDENCE = "guardian_residence"
    HANDLING = "handling"
    SENDER = "sender"

    # Enum's own hash is a Python call; these are keys on the accept path.
    __hash__ = str.__hash__


class Place(NamedTuple):
    """A division code as the notice gave it, unchecked."""

    kind: PlaceKind
    code: str


class Matter(StrEnum):
    """What an office can be competent for (DOMAIN 6.3)."""

    EMERGENCY = "emergency"
    INVESTIGATION = "investigation"
    TEMPORARY_GUARDIANSHIP = "temporary_guardianship"
    SUPPORT = "support"
    ALLOWANCE = "allowance"
    PROTECTION_ORDER = "protection_order"
    GUARDIANSHIP = "guardianship"
    HOUSEHOLD_REGISTRATION = "household_registration"
    REVOCATION = "revocation"
    LEGAL_AID = "legal_aid"
    SCHOOLING = "schooling"
    MEDICAL = "medical"
    SUPERVISION = "supervision"
    FAMILY_SERVICE = "family_service"
    COORDINATION = "coordination"
    CALL_CENTRE = "call_centre"

    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """One row of an agency's jurisdiction map: this office, not the one of the division's own name, is competent here.

    Empty `matters` means all. Dated like divisions; `basis` cites who decided so.
    """

    agency: AgencyName
    division: DivisionCode
    office: OfficeId
    matters: frozenset[Matter] = frozenset()
    valid_from: date | None = None
    valid_to: date | None = None
    basis: str = ""

    def is_valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class Directory:
    """All offices and the maps that say where they are competent, as of one version."""

    offices: Mapping[OfficeId, Office] = field(default_factory=dict)
    jurisdictions: tuple[Jurisdiction, ...] = ()
    version: str = ""


class SteppedOver(NamedTuple):
    """An office that was found but may not act: `conflict` (DOMAIN 5.6 K5), `suspended` or `compromised`."""

    office: OfficeId
    reason: str


@dataclass(frozen=True, slots=True)
class Competence:
    """Who is competent, and how that was found.

    `office` is None when nobody is; then `told` are the offices that must hear
    of it (the city's civil affairs office and the coordinator), and
    `call_centre` is the city's 110 centre. `fallback_level` counts steps up
    the reporting line from where the matter belongs. `division` is the place
    after dated changes. `trace` holds codes and office ids, nothing personal;
    `flags` are what a person should look at.
    """

    office: OfficeId | None
    division: DivisionCode | None
    fallback_level: int = 0
    stepped_over: tuple[SteppedOver, ...] = ()
    told: tuple[OfficeId, ...] = ()
    call_centre: OfficeId | None = None
    flags: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()

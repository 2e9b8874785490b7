"""What does a routing table say once it is read?

A notice type has senders, refusals and recipient rules. A recipient rule names
a *source* of offices (the competent one, the case's owner, the sender of the
notice replied to ...), the role and purpose under which they receive, and when
it applies. Every condition attribute is a set of texts drawn from a closed
domain (`ATTRIBUTES`), so a table can be checked without running it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from gateway.model.canonical import canonical_json
from gateway.model.geography import Matter
from gateway.model.identifiers import AgencyName, DivisionCode, NoticeType


class Source(StrEnum):
    """Where a rule's offices come from."""

    COMPETENT = "competent"  # by agency, matter and place
    SUPERVISOR = "supervisor"  # the bureau above the sending institution; none when the sender is itself a bureau
    SUPERIOR = "superior"  # the sender's next level up
    NAMED = "named"  # `requested_recipients`, of the agencies the rule allows
    NAMED_SUPERIOR = "named_superior"  # the next level above those
    TARGET = "target"  # `transfer.target`
    EXECUTORS = "executors"  # `measures[].executor`
    CONSENT = "consent_recipients"  # `consent.recipients`
    PRIOR_SENDER = "prior_sender"  # who sent the notice this one answers
    PRIOR_RECIPIENTS = "prior_recipients"  # everyone who got the notice this one changes
    OWNER = "owner"
    REPORTING_UNITS = "reporting_units"
    ACTIVE = "active"  # everyone still active in the case
    APPLICANTS = "applicants"


# Strongest first: an office that two rules name receives once, in the stronger role.
ROLES: tuple[str, ...] = ("competent", "executor", "applicant", "contractor", "coordinator", "copy")
RANK: Mapping[str, int] = {role: rank for rank, role in enumerate(ROLES)}

# A recipient in one of these roles must be found; a missing one holds the notice for people to settle.
REQUIRED_ROLES = frozenset({"competent", "executor"})

# The recipients' own earlier purpose and basis go on: corrections and closures open nothing new.
SAME_PURPOSE = "same"

# The purpose of the receiving agency's own duty (settings, `duties`): replies to a hospital are read for medical care.
OWN_DUTY = "own_duty"

# Every agency may claim it (DOMAIN 5.9); an agency without a stated duty receives for this.
EMERGENCY_PROTECTION = "P01"

# Set attributes have this value when the notice states none.
NOTHING_STATED = "none"

_YES_NO = frozenset({"yes", "no"})

# Condition attributes and their values. None: a code, checked by its shape only.
ATTRIBUTES: Mapping[str, frozenset[str] | None] = {
    "urgency": frozenset({"0", "1", "2"}),
    "immediate_danger": _YES_NO,
    "school_related": _YES_NO,
    "order_names_school": _YES_NO,
    "concern": _YES_NO,
    "open_order": _YES_NO,
    "temporary_guardianship": _YES_NO,
    "target_named": _YES_NO,
    "harm": None,
    "m_flag": frozenset({*(f"M{number}" for number in range(1, 10)), NOTHING_STATED}),
    "difficulty": None,
    "measure": frozenset({*(f"A{number:02}" for number in range(1, 16)), NOTHING_STATED}),
    "risk": frozenset({"R1", "R2", "R3", "R4", NOTHING_STATED}),
    "sender": None,
    "prior_type": None,
    "prior_harm": None,
    "prior_school_related": _YES_NO,
}


@dataclass(frozen=True, slots=True)
class Clause:
    """All of its attributes must have one of their values."""

    needs: tuple[tuple[str, frozenset[str]], ...]


def any_holds(clauses: tuple[Clause, ...], facts: Mapping[str, frozenset[str]]) -> bool:
    """Whether one of the clauses holds. Written as loops: it runs for every rule of every notice."""
    for clause in clauses:
        for name, values in clause.needs:
            if values.isdisjoint(facts[name]):
                break
        else:
            return True
    return False


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """`where` and `unless` are alternatives: one holding clause is enough; no `where` means always."""

    id: str
    title_zh: str
    title_en: str
    citation: tuple[str, ...]
    source: Source
    role: str
    purpose: str
    legal_basis: tuple[str, ...]
    agencies: frozenset[AgencyName] | None = None  # None: any
    matter: Matter | None = None
    where: tuple[Clause, ...] = ()
    unless: tuple[Clause, ...] = ()
    setting: str | None = None  # a local rule: applies where this setting is on
    reach_suspended: bool = False  # a suspended office gets it too (reports to the police)

    def applies(self, facts: Mapping[str, frozenset[str]]) -> bool:
        if self.unless and any_holds(self.unless, facts):
            return False
        return not self.where or any_holds(self.where, facts)


@dataclass(frozen=True, slots=True)
class RefusalRule:
    """What a sender may not do with this type. Never for reports."""

    id: str
    title_zh: str
    title_en: str
    remedy: str
    citation: tuple[str, ...]
    where: tuple[Clause, ...]


class Party(StrEnum):
    """Who may send besides belonging to an allowed agency."""

    ANYONE = "anyone"
    ORIGINAL_SENDER = "original_sender"
    ORIGINAL_PARTY = "original_party"  # the original's sender or one of its recipients


@dataclass(frozen=True, slots=True)
class NoticeTable:
    type: NoticeType
    title_zh: str
    title_en: str
    senders: frozenset[AgencyName] | None  # None: any
    party: Party
    rules: tuple[RoutingRule, ...]
    refusals: tuple[RefusalRule, ...] = ()
    attributes: tuple[str, ...] = ()  # what its conditions look at


@dataclass(frozen=True, slots=True)
class Setting:
    """A local switch. `exceptions` are divisions (with all that report to them) where the default is reversed."""

    name: str
    title_zh: str
    title_en: str
    default: bool
    exceptions: frozenset[DivisionCode] = frozenset()

    def is_on(self, line: tuple[DivisionCode, ...]) -> bool:
        """`line` is the reporting line of the place, lowest first."""
        return self.default != any(code in self.exceptions for code in line)


@dataclass(frozen=True, slots=True)
class RoutingTables:
    """`version` names what the tables mean (SHA-256); how they are laid out in files does not matter."""

    by_type: Mapping[NoticeType, NoticeTable]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    duties: Mapping[AgencyName, str] = field(default_factory=dict)
    version: str = ""

    @classmethod
    def of(
        cls,
        by_type: Mapping[NoticeType, NoticeTable],
        settings: Mapping[str, Setting],
        duties: Mapping[AgencyName, str],
    ) -> RoutingTables:
        meant = canonical_json([_plain(by_type), _plain(settings), _plain(duties)])
        return cls(by_type, settings, duties, "sha256:" + hashlib.sha256(meant).hexdigest())


def _plain(meant: Any) -> Any:
    """What a part of the tables means, as JSON: sets in order, lists as they stand, since the order of rules counts."""
    match meant:
        case None | str() | bool():
            return meant
        case Mapping():
            return {str(name): _plain(value) for name, value in meant.items()}
        case frozenset():
            return sorted(meant)
        case tuple():
            return [_plain(one) for one in meant]
        case _:
            return {one.name: _plain(getattr(meant, one.name)) for one in fields(meant)}

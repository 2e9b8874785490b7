"""By which rules of the tables of then was a notice routed, and do they hold on what it says?

What the notice itself says can be asked again; what was known of its case at that moment, or was erased or sealed since, is
unknown and makes no difference of its own. Which office was competent rests on the directory of then and is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.identifiers import AgencyName, OfficeId
from gateway.model.notice import ValidNotice
from gateway.model.routing import NO_CASE
from gateway.policy.routing_rules import ATTRIBUTES, NOTHING_STATED, Clause, RoutingRule, RoutingTables
from gateway.policy.stated import FACTS

# Of the case, not of the notice: as it was when the notice was routed.
_OF_THE_CASE = (
    frozenset({"open_order", "temporary_guardianship", "prior_type", "prior_harm", "prior_school_related"})
    & ATTRIBUTES.keys()
)

Known = Mapping[str, frozenset[str] | None]  # None: cannot be known any more


class Holds(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RuleThen:
    """A rule that named an office, or that holds and named none. `rule` is None when the tables have no such rule."""

    id: str
    rule: RoutingRule | None
    holds: Holds
    offices: tuple[OfficeId, ...]


def known_facts(notice: ValidNotice, agency: AgencyName, tables: RoutingTables, *, is_whole: bool) -> Known:
    """What the tables ask of a notice. Not whole (a part is erased or sealed): what it does not say any more is unknown."""
    table = tables.by_type.get(notice.type)
    known: dict[str, frozenset[str] | None] = {}
    for name in () if table is None else table.attributes:
        stated = FACTS[name](notice, agency, NO_CASE)
        is_lost = not is_whole and stated <= {NOTHING_STATED, "no"}
        known[name] = None if name in _OF_THE_CASE or is_lost else stated
    return known


def holds(rule: RoutingRule, known: Known) -> Holds:
    """Whether a rule's conditions hold; a local switch counts as unknown, since it depends on the place."""
    asked, spared = _any(rule.where, known) if rule.where else Holds.YES, _any(rule.unless, known)
    if asked is Holds.NO or spared is Holds.YES:
        return Holds.NO
    return Holds.YES if asked is Holds.YES and spared is Holds.NO and rule.setting is None else Holds.UNKNOWN


def _any(clauses: Iterable[Clause], known: Known) -> Holds:
    found = [_all(clause, known) for clause in clauses]
    return Holds.YES if Holds.YES in found else Holds.UNKNOWN if Holds.UNKNOWN in found else Holds.NO


def _all(clause: Clause, known: Known) -> Holds:
    is_certain = True
    for name, values in clause.needs:
        stated = known[name]
        if stated is None:
            is_certain = False
        elif values.isdisjoint(stated):
            return Holds.NO
    return Holds.YES if is_certain else Holds.UNKNOWN


def rules_then(
    notice_type: str, tables: RoutingTables, known: Known, recorded: Iterable[tuple[OfficeId, str]]
) -> tuple[RuleThen, ...]:
    """The rules that named an office then, in the order of the table, and those that hold and named none; what a rule named
    that the tables do not have comes last."""
    named: dict[str, list[OfficeId]] = {}
    for office, rule_id in recorded:
        named.setdefault(rule_id, []).append(office)
    table = next((one for name, one in tables.by_type.items() if name == notice_type), None)
    found: list[RuleThen] = []
    for rule in () if table is None else table.rules:
        offices, verdict = tuple(named.pop(rule.id, ())), holds(rule, known)
        if offices or verdict is not Holds.NO:
            found.append(RuleThen(rule.id, rule, verdict, offices))
    found += [RuleThen(rule_id, None, Holds.NO, tuple(offices)) for rule_id, offices in named.items()]
    return tuple(found)

"""Does every report of harm reach the competent police with what they need to go there, whatever a pack says?

A pack may add to this and never take from it (未成年人保护法第11条; 侵害未成年人案件强制报告意见第2、8条; DOMAIN L20):

- `RPT-M` goes to the competent police always, `RPT` in each of the circumstances of `HARM`; by rules without `unless` and
  without a local switch, that reach a suspended office too. Each circumstance stands in a clause of its own, so that
  nothing else can keep it from holding.
- whatever a report says, some competent office gets it.
- in every context the competent police are shown at least the fields of `LEAST`, by floors that do not end.

Looked at when tables or a pack are read and proved; there is no waiver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gateway.model.access import DELIVER, Facet
from gateway.model.geography import Matter
from gateway.model.identifiers import AgencyName, FieldId, NoticeType
from gateway.model.notice import REPORTS
from gateway.policy.routing_rules import NOTHING_STATED, NoticeTable, RoutingRule, Source
from gateway.policy.rules import Rule, RuleKind

POLICE = AgencyName("police")
COMPETENT = "competent"
MANDATORY = NoticeType("RPT-M")

# What makes a report one of harm: any of these values. `none` stands for a report that says nothing of the kind.
HARM: Mapping[str, frozenset[str]] = {
    "urgency": frozenset({"2"}),
    "immediate_danger": frozenset({"yes"}),
    "harm": frozenset(f"H{number}" for number in range(10)),
    "m_flag": frozenset(f"M{number}" for number in range(1, 10)),
    "difficulty": frozenset({"D2", NOTHING_STATED}),
}

# Who the child is and where, what happened, where and by whom.
LEAST: frozenset[FieldId] = frozenset(
    {
        DELIVER,
        *map(
            FieldId,
            (
                "notice.urgency", "notice.immediate_danger", "notice.occurred_at", "minor.name", "minor.residence.region",
                "minor.residence.address", "harm.types", "place.region", "place.detail", "infringer.name",
            ),
        ),
    }
)  # fmt: skip


def routed_away(table: NoticeTable) -> tuple[str, ...]:
    """In which circumstances a report of this type would not reach the competent police, or nobody; empty when it always does."""
    lawful = [rule for rule in table.rules if _is_to_police(rule)]
    if any(not rule.where for rule in lawful):
        return ()
    if table.type == MANDATORY:
        return ("always",)
    covered = {
        (name, value)
        for rule in lawful
        for clause in rule.where
        if len(clause.needs) == 1
        for name, values in clause.needs
        for value in values
    }
    missing = [
        f"{name}: {' '.join(lost)}"
        for name, values in HARM.items()
        if (lost := sorted(value for value in values if (name, value) not in covered))
    ]
    if not any(_is_for_all(rule) for rule in table.rules):
        missing.append("whoever is competent: a rule without conditions")
    return tuple(missing)


def _is_for_all(rule: RoutingRule) -> bool:
    is_competent = rule.source is Source.COMPETENT and rule.role == COMPETENT
    return is_competent and not rule.where and not rule.unless and rule.setting is None


def _is_to_police(rule: RoutingRule) -> bool:
    return (
        rule.source is Source.COMPETENT
        and rule.role == COMPETENT
        and POLICE in (rule.agencies or ())
        and rule.matter is Matter.INVESTIGATION
        and not rule.unless
        and rule.setting is None
        and rule.reach_suspended
    )


def hidden_from_police(rules: Iterable[Rule]) -> tuple[tuple[NoticeType, tuple[FieldId, ...]], ...]:
    """Which fields of `LEAST` no lasting floor shows the competent police, by type of report; empty when all are shown."""
    floors = [rule for rule in rules if rule.kind is RuleKind.FLOOR and rule.valid_to is None and not rule.unless]
    found = []
    for report in sorted(REPORTS):
        shown = _shown(floors, {"notice_type": report, "recipient_agency": POLICE, "recipient_role": COMPETENT})
        if lost := sorted(LEAST - shown):
            found.append((report, tuple(lost)))
    return tuple(found)


def _shown(floors: Sequence[Rule], context: Mapping[str, str]) -> frozenset[FieldId]:
    """The fields that these floors show whole wherever the facts of `context` hold."""
    return frozenset(
        field
        for floor in floors
        if all(context.get(name) in values for name, values in floor.where.items())
        for field in floor.fields
        if field == DELIVER or floor.facets & Facet.FULL
    )

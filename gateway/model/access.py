"""How much of a field may one recipient see, and who said so?

A *facet* is one degree of disclosure of one field. Facets are a set, not a
chain: `linkable` says "the same person again" and nothing else, `coarse` says
"this district" and nothing about sameness, and neither can be computed from
the other. What a field shows is

    shown = floor | (OR of permits) & (AND of limits)

so the order of rules cannot matter and a permit can never take away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag

from gateway.model.identifiers import FieldId, PolicyHash, RuleId


class Facet(IntFlag):
    """Degrees of disclosure. A set is closed downwards: all but NOTHING include EXISTS."""

    NOTHING = 0
    EXISTS = 1
    LINKABLE = 2
    COARSE = 4
    PARTIAL = 8
    FULL = 16
    RELAY = 32
    SUMMARY = 64


# The useful sets, by the names policies use (DOMAIN 4.2: -, B, P, G, M, K, R, F).
PRESETS: Mapping[str, Facet] = {
    "withhold": Facet.NOTHING,
    "presence": Facet.EXISTS,
    "pseudonym": Facet.EXISTS | Facet.LINKABLE,
    "generalise": Facet.EXISTS | Facet.COARSE,
    "mask": Facet.EXISTS | Facet.PARTIAL,
    "relay": Facet.EXISTS | Facet.RELAY,
    "summary": Facet.EXISTS | Facet.SUMMARY,
    "clear": Facet.EXISTS | Facet.LINKABLE | Facet.COARSE | Facet.PARTIAL | Facet.FULL | Facet.RELAY | Facet.SUMMARY,
}

# The notice-level question that comes before any field.
DELIVER = FieldId("notice.deliver")


@dataclass(frozen=True, slots=True)
class Obligation:
    """What the recipient owes with what it gets. Numbers combine by minimum, names by union."""

    name: str
    value: int | None = None


@dataclass(frozen=True, slots=True)
class FieldDecision:
    """`because` are the permits and floors that granted, `cut_by` the limits that took away; both sorted.

    `floor` is the part of `shown` that a floor grants: a person with two roles shows the meet of both, but never
    less than either role's floor.
    """

    shown: Facet
    because: tuple[RuleId, ...] = ()
    cut_by: tuple[RuleId, ...] = ()
    floor: Facet = Facet.NOTHING


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one notice and one recipient. A field that is missing from `fields` is withheld."""

    fields: Mapping[FieldId, FieldDecision]
    policy: PolicyHash
    outcome: str  # names the vector of shown facets and floors; equal outcomes project alike
    obligations: tuple[Obligation, ...] = ()
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # as decided on: the possible values of each
    # Per person ref of the notice, the fields that this person's own facts decide; what is missing is as in `fields`.
    elements: Mapping[str, Mapping[FieldId, FieldDecision]] = field(default_factory=dict)

    @property
    def delivers(self) -> bool:
        return self.shown(DELIVER) is not Facet.NOTHING

    def shown(self, field_id: FieldId, person: str | None = None) -> Facet:
        """What `field_id` shows; of the person with this ref where one is named."""
        found = self.fields.get(field_id)
        if person is not None:
            found = self.elements.get(person, {}).get(field_id, found)
        return Facet.NOTHING if found is None else found.shown

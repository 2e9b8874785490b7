"""What does a policy say, rule by rule?

A rule is plain data: for which facts (`where`, but not `unless`), on which
fields, which facets. Nothing here decides; `oracle` reads these rules
literally and `compile` turns them into tables that give the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from gateway.model.access import Facet, Obligation
from gateway.model.consent import BY_LAW, ConsentRules
from gateway.model.fields import FieldSpec
from gateway.model.identifiers import FieldId, RuleId
from gateway.policy.agreements import FROM_THE_DIRECTORY, Agreements
from gateway.policy.clocks import Clock
from gateway.policy.routing_rules import RoutingTables
from gateway.policy.safeguards import Safeguards
from gateway.policy.vocabulary import Origin, Text, Vocabulary

# One box of contexts: fact name to the values it may have. Facts not named are free. Empty: all contexts.
Condition = Mapping[str, frozenset[str]]

EVERY_FACET = Facet(127)


class RuleKind(StrEnum):
    PERMIT = "permit"
    LIMIT = "limit"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Rule:
    """One permit, limit or floor.

    `facets` is what a permit or floor shows, or what a limit lets through.
    `valid_to` is the last day. `region` is a division code prefix: the rule
    counts there alone; empty means everywhere.
    """

    id: RuleId
    kind: RuleKind
    title: Text
    citation: tuple[str, ...]
    where: Condition
    unless: tuple[Condition, ...]
    fields: frozenset[FieldId]
    facets: Facet
    valid_from: date
    valid_to: date | None
    obligations: tuple[Obligation, ...]
    origin: Origin
    region: str = ""

    def is_in_force(self, day: date, division: str) -> bool:
        return (
            self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
            and division.startswith(self.region)
        )


@dataclass(frozen=True, slots=True)
class Implication:
    """Where `field` shows `facet`, `told` must show at least `told_facet`."""

    field: FieldId
    facet: Facet
    told: FieldId
    told_facet: Facet
    origin: Origin

    @property
    def id(self) -> str:
        return f"{self.field} -> {self.told}"


@dataclass(frozen=True, slots=True)
class Direction:
    """Going from a value in `before` to one in `after` never shows more of any field."""

    id: str
    title: Text
    fact: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    citation: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Waiver:
    """An exception from a proof, with the reason a person gave.

    `proof` is implies, direction, hidden or dead. It covers failures of the
    fields `fields` (empty: any), of the told fields `tells` (implies), of
    the declaration or fact or rule named `of` (empty: any), in contexts of `where`.
    """

    id: str
    proof: str
    of: str
    fields: frozenset[FieldId]
    tells: frozenset[FieldId]
    where: Condition
    reason: Text
    citation: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """Everything the policy files say, checked word by word but not yet proved."""

    vocabulary: Vocabulary
    catalogue: Mapping[FieldId, FieldSpec]
    groups: Mapping[str, frozenset[FieldId]]
    rules: tuple[Rule, ...]
    implications: tuple[Implication, ...]
    directions: tuple[Direction, ...]
    waivers: tuple[Waiver, ...]
    consent: ConsentRules = BY_LAW
    agreements: Agreements = FROM_THE_DIRECTORY
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    routing: RoutingTables | None = None  # None, like the safeguards: a pack older than these documents
    safeguards: Safeguards | None = None

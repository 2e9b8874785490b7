"""Which words may a policy use, and which values may a fact have?

The vocabulary is data (`policies/vocabulary.yaml`). Every fact has a closed
domain: a value outside it is refused at the door, so a decision depends on
nothing that the vocabulary does not list, and a cache key made of the values
is complete.

`UNKNOWN` stands for a fact that is missing, stale or unfetchable and means
*any of its values*. Facts marked `certain` are always known (who receives,
what kind of notice, for which purpose); floors may look at these alone, so
that no missing fact can take a floor away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model.identifiers import AgencyName, FieldId

UNKNOWN = "?"
PERSON_PREFIX = "person."


@dataclass(frozen=True, slots=True)
class Text:
    """One text for people, Chinese first."""

    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.zh} / {self.en}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a thing was written; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One closed attribute. `tells` are the fields a reader learns about from the fact's value.

    Facts named `person.*` are decided per person of the notice.
    """

    name: str
    title: Text
    values: Mapping[str, Text]
    certain: bool = False
    tells: frozenset[FieldId] = field(default_factory=frozenset)
    origin: Origin = field(default=Origin("vocabulary.yaml", 1), compare=False)

    @property
    def is_personal(self) -> bool:
        return self.name.startswith(PERSON_PREFIX)


@dataclass(frozen=True, slots=True)
class PurposeSpec:
    """A purpose of DOMAIN 5.9. `claimed_by` empty: every agency may claim it."""

    code: str
    title: Text
    claimed_by: frozenset[AgencyName]
    citation: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class LegalBasisSpec:
    """A rule of DOMAIN 5 that a notice may rest on. `kind` is a value of the fact `legal_basis_kind`."""

    code: str
    title: Text
    kind: str
    citation: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObligationSpec:
    """A duty a recipient can accept. `unit` (days, hours) when it carries a number."""

    name: str
    title: Text
    unit: str | None = None
    origin: Origin = field(default=Origin("vocabulary.yaml", 1), compare=False)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    facts: Mapping[str, FactSpec]
    agencies: Mapping[AgencyName, Text]
    purposes: Mapping[str, PurposeSpec]
    legal_bases: Mapping[str, LegalBasisSpec]
    obligations: Mapping[str, ObligationSpec]

    def title_of(self, fact: str, value: str) -> Text:
        if value == UNKNOWN:
            return Text("未知", "unknown")
        return self.facts[fact].values[value]

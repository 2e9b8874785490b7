"""What is a field, and what does it tell?

The schemas say what a field is (`x-class`, `x-compartment`, `x-kind`,
`x-implies`, `x-zh`); the catalogue (`gateway/validation`) reads them into
`FieldSpec`s, and everything that decides, projects, encrypts or maps looks
here. A field id is `<group>.<name>`; for persons the group is the person's
role, so `minor.name` and `guardian.name` are two fields with one path,
`persons[].name`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from gateway.model.identifiers import FieldId


class SensitivityClass(IntEnum):
    """DOMAIN 4.1. A field of a person under 14 is at least S4 (PIPL 28)."""

    S1 = 1
    S2 = 2
    S3 = 3
    S4 = 4
    S5 = 5


# Compartments with keys of their own. GENERAL is what is left.
GENERAL = "GENERAL"
REPORTER = "REPORTER"
SEALED = "SEALED"
COMPARTMENTS: tuple[str, ...] = (
    GENERAL, REPORTER, "SEXUAL", "HIV_STI_PREG", "MENTAL", SEALED, "PLACEMENT", "INVEST", "ADOPT", "COUNSEL", "IMAGE",
)  # fmt: skip

# The roles a person may have in a notice. One person may have several.
PERSON_ROLES: tuple[str, ...] = ("minor", "guardian", "carer", "infringer", "reporter", "sibling", "applicant", "other")


@dataclass(frozen=True, slots=True)
class ContentRule:
    """A value that begins with one of `prefixes` (or a list holding such a value) lifts the field to this class and compartment."""

    prefixes: tuple[str, ...]
    sensitivity: SensitivityClass
    compartment: str


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of the canonical notice.

    `path` is the place in `data`, names joined by dots, `[]` after an array of
    objects: `harm.narrative`, `persons[].name`, `measures[].code`. A list of
    codes is one leaf (`harm.types`). `implies` names the fields that this one
    tells when shown in full. `content` raises class and compartment by value
    (harm H1x is SEXUAL). `code_table` names the table in `schemas/codes`.
    """

    id: FieldId
    path: str
    kind: str
    sensitivity: SensitivityClass
    title_zh: str
    role: str | None = None
    compartment: str = GENERAL
    implies: frozenset[FieldId] = field(default_factory=frozenset)
    number: int | None = None  # the row of DOMAIN 4.3
    content: tuple[ContentRule, ...] = ()
    code_table: str | None = None

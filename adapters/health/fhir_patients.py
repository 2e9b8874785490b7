"""Which patient is a FHIR resource about, and whose relative is a RelatedPerson?

References are resolved before the mapping is read: every resource gets its number among its kind, and the number of its
patient. A subject that is named by identifier alone is a patient too. What is about somebody else than a child in the
message, or was entered in error, is set aside before anything reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.health.fhir_fields import elements, word
from adapters.health.people import NOT_HERE, OWN, PATIENT, is_of_age
from adapters.kit.fhir import GRAPH, References
from adapters.kit.fhir_bundles import SUBJECTS
from adapters.kit.lens import Reading
from adapters.kit.native import Tree

# What tells something of a child, and would tell it of the wrong one; other types only are named gaps.
SAYING = frozenset(
    {"Composition", "Condition", "Observation", "Flag", "RiskAssessment", "ServiceRequest", "Consent", "Communication",
     "Encounter"}
)  # fmt: skip
_DAY = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")


def resources(tree: Tree) -> Iterator[tuple[str, int, Tree]]:
    """Every resource with its type and its number among its type."""
    for kind, value in tree.items():
        if kind != "Bundle":
            for number, resource in enumerate(value):
                yield kind, number, resource


def name_logical_patients(tree: Tree, graph: References) -> None:
    """A subject named by identifier alone is a patient too: the reference is all there is of it."""
    for number, patient in enumerate(tree.get("Patient", ())):
        for identifier, _ in elements(patient.get("identifier"), ()):
            if word(identifier, "value"):
                graph.identifiers.setdefault(word(identifier, "value"), ("Patient", number))
    for kind in [name for name in tree if name not in ("Bundle", "Patient", GRAPH)]:
        for number, resource in enumerate(tree[kind]):
            for member in SUBJECTS:
                subject = resource.get(member)
                if not isinstance(subject, dict):
                    continue
                logical = subject.get("identifier")
                if not isinstance(logical, dict) or graph.find(subject, (kind, number)) is not None:
                    continue
                value = word(logical, "value")
                if not value:
                    continue
                made: Tree = {"resourceType": "Patient", "identifier": [logical]}
                if word(subject, "display"):
                    made["name"] = [{"text": word(subject, "display")}]
                there = tree.setdefault("Patient", [])
                graph.identifiers[value] = ("Patient", len(there))
                there.append(made)
                graph.places.setdefault("Patient", []).append(f"{graph.places[kind][number]}.{member}")


def join_patients(tree: Tree, graph: References, reading: Reading, day: str) -> None:
    """Number the persons, and say of each resource whose it is. `day`: when age counts, empty where it does not."""
    patients = tree.get("Patient", ())
    adults = {number for number, patient in enumerate(patients) if day and is_of_age(word(patient, "birthDate"), day)}
    if len(adults) == len(patients):
        adults = set()  # a message about adults alone may be about the children it names
    for kind, number, resource in resources(tree):
        resource[OWN] = number
        if kind == "Patient":
            for contact, _ in elements(resource.get("contact"), ()):
                contact[PATIENT] = number
            continue
        for member in SUBJECTS:
            if member not in resource:
                continue
            place = graph.find(resource[member], (kind, number))
            if place is not None and place[0] == "Patient":
                resource[PATIENT if kind == "RelatedPerson" else "~person"] = place[1]
            elif not (isinstance(resource[member], dict) and "extension" in resource[member]):
                if kind == "RelatedPerson":
                    resource[PATIENT] = NOT_HERE
                    reading.gap("unresolved", (kind, number, member), "the patient is not in the input", "persons.of")
                elif place is not None or _points(resource[member]):
                    resource["~person"] = NOT_HERE
        if kind in SAYING:
            _set_aside(kind, number, resource, adults, reading)


def _points(subject: Any) -> bool:
    """Whether it names somebody in a way that could be found; a display alone is a name, not a reference."""
    return isinstance(subject, dict) and bool(word(subject, "reference") or isinstance(subject.get("identifier"), dict))


def _set_aside(kind: str, number: int, resource: Tree, adults: set[int], reading: Reading) -> None:
    """Empty what is withdrawn, and what is about somebody else than a child in the message; its place in the list stays."""
    whose = resource.get("~person")
    if resource.get("status") == "entered-in-error":
        reading.gap("refuted", (kind, number), "entered in error, as its sender says")
    elif whose == NOT_HERE or whose in adults:
        message = "about somebody who is not in the message, or no child"
        reading.gap("other-person", (kind, number), message)
    elif resource.get("focus") and kind == "Observation":
        reading.gap("other-person", (kind, number, "focus"), "about something or somebody else than its subject")
    else:
        return
    resource.clear()


def latest_day(tree: Tree, not_before: str) -> str:
    """When it was sent; else the latest day that its patients and relatives name, but not before this mapping was made."""
    bundle = tree.get("Bundle")
    sent = word(bundle, "timestamp") if isinstance(bundle, dict) else ""
    if _DAY.match(sent):
        return sent[:10]
    days: list[str] = [not_before]
    stack: list[Any] = [tree.get("Patient"), tree.get("RelatedPerson")]
    while stack:
        value = stack.pop()
        if isinstance(value, (dict, list)):
            stack.extend(value.values() if isinstance(value, dict) else value)
        elif isinstance(value, str) and _DAY.match(value):
            days.append(value[:10])
    return max(days)

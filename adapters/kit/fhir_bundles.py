"""Which entries of a bundle belong to the same patients?

A batch, a transaction or the answer to a search may name people who have nothing to do with each other: in one notice
each of them would be shown to the others' recipients. Patients stay together where a resource of one refers to the other
or to something of the other's: `Patient.link`, the encounter that another is part of, a `RelatedPerson` who is a patient
too. What both merely name (a physician, a hospital, a list, a group) joins nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from adapters.kit.native import Tree, as_list

SUBJECTS = ("subject", "patient", "for", "beneficiary")
Place = tuple[str, int]


class Graph(Protocol):
    """What references mean (`fhir.References`)."""

    inside: Mapping[Place, Place]

    def find(self, reference: Any, at: Place) -> Place | None: ...


def by_patient(entries: Sequence[Tree], tree: Tree, graph: Graph) -> list[list[int]]:
    """Numbers of the entries of each part, in the order of their patients. What is nobody's is read with the first.

    `tree` and `graph` are what was read of all `entries`, which name a patient.
    """
    number_of = {id(entry.get("resource")): number for number, entry in enumerate(entries)}
    home = {
        (kind, number): number_of[id(resource)]
        for kind, resources in tree.items()
        if isinstance(resources, list)
        for number, resource in enumerate(resources)
        if id(resource) in number_of
    }
    named = _numbers(tree, home)
    places: list[Place] = [("Patient", number) for number in range(len(tree["Patient"]))]
    patients = [home[at] for place in places if (at := graph.inside.get(place, place)) in home]
    owned = set(patients)
    strangers: dict[str, int] = {}  # subjects named by a number that no patient here has
    parts = _Parts(len(entries))
    for place, entry in home.items():
        resource = tree[place[0]][place[1]]
        subjects = [subject for member in SUBJECTS for subject in as_list(resource.get(member))]
        if subjects:
            owned.add(entry)
        for value in filter(None, map(_logical, subjects)):
            if value not in named:
                parts.join(entry, strangers.setdefault(value, entry))
    loose: dict[int, int] = {}
    for place, entry in home.items():
        for reference in _references(tree[place[0]][place[1]]):
            target = graph.find(reference, place)
            other = named.get(_logical(reference)) if target is None else home.get(graph.inside.get(target, target))
            if other in owned and entry in owned:
                parts.join(entry, other)
            elif other in owned:
                loose.setdefault(entry, other)
    out: dict[int, list[int]] = {parts.of(entry): [] for entry in (*patients, *strangers.values())}
    first = next(iter(out.values()), [])
    for entry in range(len(entries)):
        out.get(parts.of(loose.get(entry, entry)), first).append(entry)
    return list(out.values())


class _Parts:
    """Entries joined to each other, in nearly constant time each."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def of(self, entry: int) -> int:
        above = self._above
        while above[entry] != entry:
            above[entry] = above[above[entry]]
            entry = above[entry]
        return entry

    def join(self, one: int, other: int) -> None:
        one, other = self.of(one), self.of(other)
        self._above[max(one, other)] = min(one, other)


def _numbers(tree: Tree, home: Mapping[Place, int]) -> dict[str, int]:
    """The entry of the patient with each number, for references by number alone."""
    out: dict[str, int] = {}
    for number, patient in enumerate(tree.get("Patient", ())):
        for identifier in as_list(patient.get("identifier")):
            value = identifier.get("value") if isinstance(identifier, dict) else None
            if isinstance(value, str) and value and ("Patient", number) in home:
                out.setdefault(value.strip(), home["Patient", number])
    return out


def _logical(reference: Any) -> str:
    """The number in a reference that has nothing else."""
    identifier = reference.get("identifier") if isinstance(reference, dict) else None
    value = identifier.get("value") if isinstance(identifier, dict) and not reference.get("reference") else None
    return value.strip() if isinstance(value, str) else ""


def _references(resource: Tree) -> Iterator[Tree]:
    """Every reference in a resource and in what it contains."""
    stack: list[Any] = list(resource.values())
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if isinstance(value.get("reference"), str) or isinstance(value.get("identifier"), dict):
                yield value
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)

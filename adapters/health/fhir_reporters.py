"""Who wrote, ordered, recorded or sent what a FHIR message holds?

They go to the vault, with all practitioners, before anything else looks at the message. Staff who report nothing are
named gaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.health.fhir_fields import elements, word, words
from adapters.health.fhir_patients import resources
from adapters.health.people import joined_name
from adapters.kit.fhir import Place, References
from adapters.kit.lens import Reading
from adapters.kit.native import Tree

_REPORTS = ("author", "enterer", "responsible", "sender", "recorder", "asserter", "performer", "requester",
            "authenticator", "attester", "agent", "informationSource", "participant", "individual")  # fmt: skip
_STAFF = ("Practitioner", "PractitionerRole")


def take_reporters(tree: Tree, graph: References, reading: Reading) -> None:
    """Move them to the vault: names, telephones, units and numbers of all whom any resource names as such."""
    reporters = _Reporters(tree, graph)
    for kind, number, resource in resources(tree):
        if kind not in ("Patient", "RelatedPerson", *_STAFF):
            for member in _REPORTS:
                if member in resource:
                    for reference in _references(resource.pop(member)):
                        reporters.take(reference, (kind, number))
    for name, values in reporters.said.items():
        if values:
            reading.reporter[name] = "; ".join(values)
    for kind in _STAFF:
        for number in range(len(tree.pop(kind, ()))):
            if (kind, number) not in reporters.asked:
                message = "a member of staff who reports nothing has no place in a case notice"
                reading.gap("staff", (kind, number), message)


def _references(value: Any, depth: int = 0) -> Iterator[Tree]:
    """References anywhere below an element: `author`, `attester.party`, `participant.individual`, `agent.who`."""
    if isinstance(value, list):
        for below in value:
            yield from _references(below, depth + 1)
    elif isinstance(value, dict) and depth < 12:
        if "reference" in value or "display" in value or "identifier" in value:
            yield value
        else:
            for below in value.values():
                yield from _references(below, depth + 1)


class _Reporters:
    """`said`: what each member of the vault is to hold, every text once. `asked`: the resources that told of themselves."""

    def __init__(self, tree: Tree, graph: References) -> None:
        self.tree, self.graph = tree, graph
        self.said: dict[str, dict[str, None]] = {"name": {}, "phone": {}, "unit": {}, "id_no": {}}
        self.asked: set[Place] = set()

    def take(self, reference: Tree, at: Place, depth: int = 0) -> None:
        place = self.graph.find(reference, at)
        if place is None:
            text = word(reference, "reference")
            if not any(part in text for part in ("Patient/", "Device/", "Group/")):
                self._say("unit" if "Organization/" in text else "name", word(reference, "display"))
            return
        kind, number = place
        if place in self.asked or kind in ("Patient", "Device"):
            return
        resource = self.tree.get(kind, [])[number]
        self.asked.add(place)
        if kind == "Organization":
            for unit in words(resource, "name"):
                self._say("unit", unit)
            return
        for name, _ in elements(resource.get("name"), ()):
            self._say("name", word(name, "text") or joined_name(words(name, "family"), words(name, "given")))
        if kind in _STAFF:
            for telecom, _ in elements(resource.get("telecom"), ()):
                self._say("phone", word(telecom, "value"))
            for identifier, _ in elements(resource.get("identifier"), ()):
                self._say("id_no", word(identifier, "value"))
        if depth < 4:
            for member in ("practitioner", "organization"):
                if isinstance(resource.get(member), dict):
                    self.take(resource[member], place, depth + 1)

    def _say(self, member: str, text: str) -> None:
        if text:
            self.said[member][text] = None

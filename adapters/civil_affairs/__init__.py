"""How does civil affairs (民政) speak? JSON with lower-case pinyin initials; see mapping.yaml and DOMAIN 2.1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.codetables import shared_tables
from adapters.kit.json_codec import JsonCodec
from adapters.kit.lens import NATIVE_ROLES, Reading, text_of
from adapters.kit.mapping import load_mapping
from adapters.kit.native import Position, Tree

_GUARDIAN = "~guardian"


def is_unavailable(person: Tree) -> bool:
    """服刑, 戒毒, 患病, 失联 of a family member is said of those who should be caring for the child: a guardian who cannot."""
    unavailable = person.get("unavailable")
    return isinstance(unavailable, dict) and unavailable.get("reason") in ("D11", "D12", "D13", "D14")


def guardian_relations(people: Iterable[Tree]) -> set[str]:
    """The relations of the guardians among the family members; `jhrgx` can say one that the table knows."""
    known = shared_tables()["relation"].writer()
    return {
        person["relation"]
        for person in people
        if "guardian" in person.get("roles", ())
        and "minor" not in person["roles"]
        and person.get("relation") in known
        and not is_unavailable(person)
    }


class _GuardianRelation:
    """`jhrgx` says by relation which family member is the guardian."""

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(value)
        found = shared_tables()["relation"].find(text) if text else None
        if found is not None:
            target[_GUARDIAN] = found
        elif text:
            reading.gap("unmapped-code", at, "not in code table `GB/T 4761` version 2008", "persons.relation")

    def write(self, rest: Tree, native: Tree) -> None:
        guardians = guardian_relations(rest.pop(_GUARDIAN, ()))
        if len(guardians) == 1:
            native["jhrgx"] = guardians.pop()


class CivilAffairs(MappedAdapter):
    """Family members become guardians by `jhrgx`; everybody else in the list is `other`."""

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        wanted = reading.data.pop(_GUARDIAN, None)
        members = [person for person in reading.persons if person.get("roles") == ["member"]]
        found = False
        for person in members:
            is_guardian = (wanted is not None and person.get("relation") == wanted) or is_unavailable(person)
            person["roles"] = ["guardian"] if is_guardian else ["other"]
            found = found or is_guardian
        if wanted is not None and not found:
            reading.persons.append({"roles": ["guardian"], "relation": wanted})

    def before_writing(self, rest: Tree, outgoing: Outgoing) -> None:
        people = [person for person in rest.get("persons", ()) if isinstance(person, dict)]
        rest[_GUARDIAN] = [dict(person) for person in people]
        guardians = guardian_relations(people)
        wanted = guardians.pop() if len(guardians) == 1 else None
        for person in people:
            if "minor" in person.get("roles", ()):
                continue
            is_guardian = (wanted is not None and person.get("relation") == wanted) or is_unavailable(person)
            person[NATIVE_ROLES] = ["guardian"] if is_guardian else ["other"]


ADAPTER = CivilAffairs(load_mapping("adapters.civil_affairs"), JsonCodec(), {"guardian_relation": _GuardianRelation()})

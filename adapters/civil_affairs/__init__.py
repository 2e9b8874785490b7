"""How does civil affairs (民政) speak? JSON with lower-case pinyin initials; see mapping.yaml and DOMAIN 2.1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapters.kit.adapter import MappedAdapter, Outgoing
from adapters.kit.codetables import shared_tables
from adapters.kit.json_codec import JsonCodec
from adapters.kit.lens import NATIVE_ROLES, CustomField, Reading, text_of
from adapters.kit.mapping import load_mapping
from adapters.kit.native import Position, Tree

_GUARDIAN, _CARER = "~guardian", "~carer"


def is_unavailable(person: Tree) -> bool:
    """服刑, 戒毒, 患病, 失联 of a family member is said of those who should be caring for the child: a guardian who cannot."""
    unavailable = person.get("unavailable")
    return isinstance(unavailable, dict) and unavailable.get("reason") in ("D11", "D12", "D13", "D14")


def relations_of(people: Iterable[Tree], role: str) -> set[str]:
    """The relations of the family members in a role, those that the table knows; a guardian who cannot act says so by `zk`."""
    known = shared_tables()["relation"].writer()
    return {
        person["relation"]
        for person in people
        if role in person.get("roles", ())
        and "minor" not in person["roles"]
        and person.get("relation") in known
        and not (role == "guardian" and is_unavailable(person))
    }


class _MarkedByRelation:
    """`jhrgx` says by relation which family member is the guardian, `zhrgx` who is entrusted with the care."""

    def __init__(self, key: str, native: str) -> None:
        self.key, self.native = key, native

    def read(self, value: Any, target: Tree, at: Position, reading: Reading) -> None:
        text = text_of(value)
        found = shared_tables()["relation"].find(text) if text else None
        if found is not None:
            target[self.key] = found
        elif text:
            reading.gap("unmapped-code", at, "not in code table `GB/T 4761` version 2008", "persons.relation")

    def write(self, rest: Tree, native: Tree) -> None:
        marked = rest.pop(self.key, None)
        if marked is not None:
            native[self.native] = marked


def _roles_read(person: Tree, guardian: str | None, carer: str | None) -> list[str]:
    """The roles that reading gives a family member."""
    relation = person.get("relation")
    roles = []
    if (guardian is not None and relation == guardian) or is_unavailable(person):
        roles.append("guardian")
    if carer is not None and relation == carer:
        roles.append("carer")
    return roles or ["other"]


class CivilAffairs(MappedAdapter):
    """Family members become guardians by `jhrgx`, carers by `zhrgx`; everybody else in the list is `other`."""

    def after_reading(self, tree: Tree, reading: Reading) -> None:
        guardian, carer = reading.data.pop(_GUARDIAN, None), reading.data.pop(_CARER, None)
        members = [person for person in reading.persons if person.get("roles") == ["member"]]
        for person in members:
            person["roles"] = _roles_read(person, guardian, carer)
        listed = {person.get("relation") for person in members}
        unlisted: dict[str, list[str]] = {}
        for role, relation in (("guardian", guardian), ("carer", carer)):
            if relation is not None and relation not in listed:
                unlisted.setdefault(relation, []).append(role)
        reading.persons.extend({"roles": roles, "relation": relation} for relation, roles in unlisted.items())

    def before_writing(self, rest: Tree, outgoing: Outgoing) -> None:
        people = [person for person in rest.get("persons", ()) if isinstance(person, dict)]
        for key, role in ((_GUARDIAN, "guardian"), (_CARER, "carer")):
            relations = relations_of(people, role)
            if len(relations) == 1:
                rest[key] = relations.pop()
        for person in people:
            if "minor" not in person.get("roles", ()):
                person[NATIVE_ROLES] = _roles_read(person, rest.get(_GUARDIAN), rest.get(_CARER))


_CUSTOMS: dict[str, CustomField] = {
    "guardian_relation": _MarkedByRelation(_GUARDIAN, "jhrgx"),
    "carer_relation": _MarkedByRelation(_CARER, "zhrgx"),
}
ADAPTER = CivilAffairs(load_mapping("adapters.civil_affairs"), JsonCodec(begins="head"), _CUSTOMS)

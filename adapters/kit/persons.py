"""Who is who in a notice: which persons does a group take, which refs do they get, whom do they belong to?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from adapters.kit.native import Tree
from adapters.kit.relations import guardian_by_relation

# For groups that take several roles (`member`, `party`): the roles that reading the format will give this person.
NATIVE_ROLES = "~native_roles"


def plays(person: Mapping[str, Any], role: str) -> bool:
    """Whether a person group of that role may carry this person; `member` takes everybody but the minors."""
    roles = person.get("roles")
    if not isinstance(roles, list):
        return False
    if role == "party":
        return NATIVE_ROLES in person
    return "minor" not in roles if role == "member" else role in roles


def settle_roles(persons: list[Tree]) -> None:
    """Whoever a `member` group read becomes a guardian by relation, or by a mark of the format (`~guardian`); else `other`."""
    for person in persons:
        if person["roles"] == ["member"]:
            is_guardian = bool(person.pop("~guardian", False)) or guardian_by_relation(person.get("relation"))
            person["roles"] = ["guardian"] if is_guardian else ["other"]


def fold_roles(rest: Tree) -> None:
    """The inverse, before writing: a role that reading would give by itself is not said."""
    for person in rest.get("persons", ()):
        if isinstance(person, dict) and "minor" not in person.get("roles", ()):
            person[NATIVE_ROLES] = ["guardian"] if guardian_by_relation(person.get("relation")) else ["other"]


def default_refs(persons: list[Tree]) -> None:
    """Minors first, then in native order; others with a relation are related to the first minor, unless the adapter
    marked them `~unrelated`: a relative of somebody who is not in the input."""
    persons.sort(key=lambda person: "minor" not in person.get("roles", ()))
    first = ""
    for number, person in enumerate(persons, 1):
        person["ref"] = f"p{number}"
        if "minor" in person.get("roles", ()):
            first = first or person["ref"]
        elif not person.pop("~unrelated", False) and first and "relation" in person:
            person.setdefault("of", first)


class Claimed(NamedTuple):
    """A person whom a group of the format carries. `left` is what no field of it took; the rest is what was said before."""

    left: Tree
    roles: Any
    has_relation: bool
    ref: Any

    def read_back(self, roles: list[str]) -> Claimed:
        """With the roles that reading the format will give, `roles` unless the adapter knows better; others stay to be said."""
        expected = self.left.pop(NATIVE_ROLES, roles)
        if self.roles == expected:
            del self.left["roles"]
        return self._replace(roles=expected, has_relation=self.has_relation and "relation" not in self.left)


def people_left(claimed: list[Claimed], others: list[Tree]) -> list[Tree]:
    """What the extension block must say about persons: leftovers, refs and relations that reading would not guess."""
    order = sorted(claimed, key=lambda person: "minor" not in person.roles)
    first = next((person.ref for person in order if "minor" in person.roles), None)
    out: list[Tree] = []
    for number, person in enumerate(order, 1):
        entry = person.left
        if entry.get("ref") == f"p{number}":
            del entry["ref"]
        if first is not None and person.has_relation and "minor" not in person.roles:
            if entry.get("of") == first:
                del entry["of"]
            elif "of" not in entry:
                entry["unrelated"] = True
        if any(name[0] != "~" for name in entry):
            out.append({"@native": f"p{number}", **_said(entry)})
    return [*out, *map(_said, others)]


def _said(person: Tree) -> Tree:
    """Without what an adapter laid aside for its own fields."""
    return {name: value for name, value in person.items() if name[0] != "~"}

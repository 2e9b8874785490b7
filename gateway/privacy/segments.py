"""Which parts of a notice are kept under which key, and which are set apart before anybody decides?

A notice at rest is cut into *segments*, one for each person (or none) and compartment, so that destroying a person's
key erases the person and a compartment opens only with its own key. Each segment is a partial JSON document that
says by itself where its values belong, so it can be joined years later under other schemas:

    [[["persons", 0], {"name": "...", "sex": "1"}], [["persons", 0, "residence"], {"region": "..."}]]

is a list of containers, each with the steps to it and the members it has there; a container that is an array has
`[[index, value], ...]` in place of members. Laws: `join(split(data)) == data` for every JSON object, and no value is
in two segments. Values the schema has no field for go to the segment `UNKNOWN`, which is kept and never projected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.model.fields import COMPARTMENTS, GENERAL, PERSON_ROLES, REPORTER, SEALED, FieldSpec

UNKNOWN = "UNKNOWN"
SET_APART: frozenset[str] = frozenset({SEALED, REPORTER})

# Where a field could be in two compartments (a person with two roles, content rules), the first of these holds.
_STRICTEST: tuple[str, ...] = (SEALED, *sorted(set(COMPARTMENTS) - {SEALED, REPORTER, GENERAL}), REPORTER, GENERAL)
_RANK: Mapping[str, int] = {name: rank for rank, name in enumerate(_STRICTEST)}

Place = tuple[str | int, ...]
_Where = str | Callable[[Any], str]  # a compartment, or what tells it from the value


@dataclass(frozen=True, slots=True)
class Segment:
    """`person` is the sender's `ref` (`#3` for the fourth person where it has none), None for what speaks of nobody.

    `data` is plain JSON, the partial document described above; `canonical_json(data)` are the bytes to encrypt.
    """

    person: str | None
    compartment: str
    data: Sequence[Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetApart:
    """`data` is what facts may be computed from and releases be made of; `apart` is what was taken out."""

    data: dict[str, Any]
    apart: tuple[Segment, ...]


class _Node:
    """A place in the schema: an object with members, an array with an item, or a field with its specs by role."""

    __slots__ = ("item", "members", "specs", "where")

    def __init__(self) -> None:
        self.members: dict[str, _Node] = {}
        self.item: _Node | None = None
        self.specs: dict[str | None, FieldSpec] = {}
        self.where: dict[frozenset[str], _Where] = {}  # by roles, found once

    def find(self, roles: frozenset[str]) -> _Where:
        found = self.where[roles] = _where(self.specs, roles)
        return found


class Layout:
    """Where each field belongs. Built once from the catalogue's fields, for all notice types together.

    `about` names arrays outside `persons` whose elements speak about one person, with the member that holds its
    `ref`: `{"measures": "about"}` puts each measure into that person's segments.
    """

    def __init__(self, specs: Iterable[FieldSpec], about: Mapping[str, str] | None = None) -> None:
        self._root = _Node()
        self._about = dict(about or {})
        self._has_sealed = False
        for spec in specs:
            self._has_sealed |= SEALED in (spec.compartment, *(rule.compartment for rule in spec.content))
            node = self._root
            for name in spec.path.removesuffix("[]").split("."):
                node = node.members.setdefault(name.removesuffix("[]"), _Node())
                if name.endswith("[]"):
                    node.item = node.item or _Node()
                    node = node.item
            node.specs[spec.role] = spec

    def split(self, data: Mapping[str, Any]) -> tuple[Segment, ...]:
        """The segments of a body, in order of person and compartment. Total for JSON objects."""
        cut = _Cut(self._about)
        cut.object(self._root, data, (), None, frozenset())
        return cut.segments()

    def set_apart(self, data: Mapping[str, Any], keep: frozenset[str] = frozenset()) -> SetApart:
        """Take sealed and reporter parts out, but for compartments in `keep` (recipient, basis and approval fit).

        What is left equals a body that never had them: somebody who is only the reporter is gone as a whole, and
        somebody with another role as well has lost the role `reporter`. Vault handles stay: they name nobody.
        """
        leaving = SET_APART - keep
        persons = data.get("persons")
        if not self._has_sealed and not any(
            "reporter" in _roles(_member(person, "roles")) for person in (persons if type(persons) is list else ())
        ):
            return SetApart(dict(data), ())  # nothing to take out: one look, no cutting
        segments = self.split(data)
        apart = tuple(segment for segment in segments if segment.compartment in leaving)
        rest = join(segment for segment in segments if segment.compartment not in leaving) if apart else dict(data)
        if REPORTER in leaving:
            rest = _without_reporter_role(rest)
        return SetApart(rest, apart)


def join(segments: Iterable[Segment]) -> dict[str, Any]:
    """The body that segments were split from. Where some are missing (erased, set apart), array elements close up.

    Raises ValueError when the segments are not of one body.
    """
    root, rows = _Making(is_row=False), list[_Making]()
    for segment in segments:
        for place, members in segment.data:
            is_row = type(members) is list
            held = _at(root, place, rows, is_row=is_row).held
            added = dict(members) if is_row else members
            if len(added) != len(members) or not held.keys().isdisjoint(added):
                raise ValueError("two segments hold the same place")
            held.update(added)
    for making in rows:
        making.row.extend([making.held[index] for index in sorted(making.held)])
    return root.held


class _Making:
    """An object or an array under construction: what it holds by name or index, and what in it is being made as well.

    What stands where in the end: `held` of an object, `row` of an array, which is filled last.
    """

    __slots__ = ("below", "held", "is_row", "row")

    def __init__(self, *, is_row: bool) -> None:
        self.is_row = is_row
        self.held: dict[Any, Any] = {}
        self.row: list[Any] = []
        self.below: dict[str | int, _Making] = {}


def _at(root: _Making, place: Sequence[str | int], rows: list[_Making], *, is_row: bool) -> _Making:
    """The container at a place, begun where it is not there yet; new arrays are added to `rows`."""
    made, last = root, len(place) - 1
    for depth, step in enumerate(place):
        wants_row = is_row if depth == last else type(place[depth + 1]) is int
        below = made.below.get(step)
        if below is None:
            if step in made.held:
                raise ValueError("two segments hold the same place")
            below = made.below[step] = _Making(is_row=wants_row)
            made.held[step] = below.row if wants_row else below.held
            if wants_row:
                rows.append(below)
        if below.is_row is not wants_row or (type(step) is int) is not made.is_row:
            raise ValueError("the segments are not of one body")
        made = below
    return made


class _Cut:
    """One split in progress: for each person and compartment the containers and what they hold there."""

    def __init__(self, about: Mapping[str, str]) -> None:
        self._about = about
        self._pieces: dict[tuple[str | None, str], list[list[Any]]] = {}

    def segments(self) -> tuple[Segment, ...]:
        return tuple(
            [
                Segment(person, compartment, containers)
                for (person, compartment), containers in sorted(
                    self._pieces.items(), key=lambda item: (item[0][0] is not None, item[0][0] or "", item[0][1])
                )
            ]
        )

    def object(
        self, node: _Node, value: Mapping[str, Any], place: Place, person: str | None, roles: frozenset[str]
    ) -> None:
        """Put the members of one object where they belong; each object is visited once, before what is inside it."""
        general = REPORTER if roles == _REPORTER_ONLY else GENERAL
        unknown = UNKNOWN if general is GENERAL else general
        nodes = node.members
        held: dict[str, dict[str, Any]] = {}
        inside: list[tuple[str, _Node, Any]] = []
        for name, member in value.items():
            known = nodes.get(name)
            if known is None:
                compartment = unknown
            elif known.specs:
                where = known.where.get(roles) or known.find(roles)
                compartment = where if type(where) is str else where(member)  # type: ignore[operator]
            elif member and type(member) is (dict if known.item is None else list):
                inside.append((name, known, member))
                continue
            else:
                fits = member == [] if known.item is not None else member == {}
                compartment = general if fits else UNKNOWN
            if compartment in held:
                held[compartment][name] = member
            else:
                held[compartment] = {name: member}
        self._hold(held, place, person)
        for name, known, member in inside:
            if known.item is None:
                self.object(known, member, (*place, name), person, roles)
            else:
                self._array(known.item, member, (*place, name), person, roles)

    def _array(
        self, item: _Node, elements: Sequence[Any], place: Place, person: str | None, roles: frozenset[str]
    ) -> None:
        is_persons = place == ("persons",)
        pointing = self._about and self._about.get(".".join([step for step in place if type(step) is str]))
        held: dict[str, list[list[Any]]] = {}
        for index, element in enumerate(elements):
            if type(element) is not dict or not element:
                held.setdefault(UNKNOWN if element != {} else GENERAL, []).append([index, element])
                continue
            whom, as_roles = person, roles
            if is_persons:
                whom = _ref(element.get("ref")) or f"#{index}"
                as_roles = _roles(element.get("roles"))
            elif pointing:
                whom = _ref(element.get(pointing)) or person
            self.object(item, element, (*place, index), whom, as_roles)
        self._hold(held, place, person)

    def _hold(self, held: Mapping[str, Any], place: Place, person: str | None) -> None:
        for compartment, members in held.items():
            containers = self._pieces.setdefault((person, compartment), [])
            containers.append([list(place), members])


_REPORTER_ONLY = frozenset({"reporter"})


def _ref(value: Any) -> str | None:
    return value if type(value) is str and value else None


def _roles(value: Any) -> frozenset[str]:
    if type(value) is not list:
        return frozenset()
    return frozenset(role for role in value if type(role) is str and role in PERSON_ROLES)


def _where(specs: Mapping[str | None, FieldSpec], roles: frozenset[str]) -> _Where:
    """The strictest compartment of a field for a person with these roles, or how it is told from the field's value.

    The role `reporter` counts only for somebody who has no other: the other role's data are not the reporter's.
    A person without a known role has no known fields.
    """
    if None in specs:
        found = [specs[None]]
    else:
        found = [spec for role, spec in specs.items() if role in roles and (role != "reporter" or len(roles) == 1)]
        if not found:
            return REPORTER if roles == _REPORTER_ONLY else UNKNOWN
    otherwise = [REPORTER] if roles == _REPORTER_ONLY else []

    def where(value: Any) -> str:
        return _strictest([*[_of_value(spec, value) for spec in found], *otherwise])

    return where if any(spec.content for spec in found) else where(None)


def _strictest(compartments: Sequence[str]) -> str:
    return compartments[0] if len(compartments) == 1 else min(compartments, key=lambda name: _RANK.get(name, 0))


def _of_value(spec: FieldSpec, value: Any) -> str:
    if spec.kind == "handle" and spec.compartment == REPORTER:
        return GENERAL  # a vault handle names nobody
    texts = [one for one in (value if type(value) is list else (value,)) if type(one) is str]
    for rule in spec.content:
        for text in texts:
            if text.startswith(rule.prefixes):
                return rule.compartment
    return spec.compartment


def _without_reporter_role(data: dict[str, Any]) -> dict[str, Any]:
    persons = data.get("persons")
    if type(persons) is not list or not any("reporter" in _roles(_member(person, "roles")) for person in persons):
        return data
    left = [
        {**person, "roles": [role for role in person["roles"] if role != "reporter"]}
        if "reporter" in _roles(_member(person, "roles"))
        else person
        for person in persons
    ]
    return {**data, "persons": left}


def _member(value: Any, name: str) -> Any:
    return value.get(name) if type(value) is dict else None

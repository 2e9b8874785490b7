"""Which fields does the canonical notice have, where are they, and how much care does each need?

The catalogue is read from the schema documents alone: a node with `x-kind` is
a field (a *leaf*), whatever its JSON type; below it nothing else is a field.
Names joined by dots give the path, an array of objects adds `[]`. A field id
is the path without `[]`; a bare notice-level name gets the group `notice`
(`notice.urgency`); a person's field gets the person's role as group
(`minor.name`, `guardian.name`), one `FieldSpec` for every role in `x-roles`.

Doubt is a no: a scalar without annotation, an unknown kind or class, an implied
field that does not exist, or one field id with two meanings is an error at load.

Everything that leaves the gateway is found by `walk`, an allow-list: what the
schema does not name is reported as unknown and goes nowhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.model.canonical import canonical_json
from gateway.model.errors import InvalidDocument, Problem
from gateway.model.fields import COMPARTMENTS, PERSON_ROLES, ContentRule, FieldSpec, SensitivityClass
from gateway.model.identifiers import FieldId, NoticeType

KINDS: frozenset[str] = frozenset({
    "meta", "text", "summary_text", "name", "alias", "id_type", "id_no", "student_no", "sex", "date", "month",
    "datetime", "age", "age_band", "ethnicity", "region", "address", "place", "phone", "school", "grade", "code",
    "codes", "level", "status", "boolean", "key", "handle", "unit", "file_no", "account", "digest", "attachment",
    "evidence", "count", "number",
})  # fmt: skip

# Roles of people who are children themselves or may be: unknown age is treated as under 14 (DOMAIN 4.4).
CHILD_ROLES: frozenset[str] = frozenset({"minor", "sibling"})
UNDER_14: frozenset[str] = frozenset({"0-2", "3-5", "6-7", "8-11", "12-13"})

NOTICE_URN = re.compile(r"urn:hutong:schema:notice:(?P<type>[A-Z]{3,5}(?:-[A-Z]{1,2})?):(?P<version>[1-9][0-9]*)")


class Leaf(NamedTuple):
    """One value in a notice. `specs` has one entry for each of the person's roles that has the field; never empty."""

    pointer: str
    path: str
    roles: frozenset[str]
    specs: tuple[FieldSpec, ...]
    value: Any


class UnknownLeaf(NamedTuple):
    """Something the schema has no field for. `parent` is safe to log; `pointer` holds the sender's own names."""

    pointer: str
    parent: str


@dataclass(frozen=True, slots=True)
class _Node:
    """A compiled schema node: an object (`members`), an array of objects (`item`), or a leaf (`specs` by role)."""

    path: str
    members: Mapping[str, _Node] | None = None
    item: _Node | None = None
    is_person: bool = False
    specs: Mapping[str | None, FieldSpec] = field(default_factory=dict)
    composite: frozenset[str] | None = None  # member names of a leaf that is an object
    by_roles: dict[frozenset[str], tuple[FieldSpec, ...]] = field(
        default_factory=dict
    )  # at most one entry a set of roles


class Catalogue:
    """All notice types with their fields. Built once at start; never changes.

    `documents` are the parsed JSON documents below `schemas/`, by name
    (`parts/person.json`). Raises `InvalidDocument` with every problem found.
    """

    def __init__(self, documents: Mapping[str, Any]) -> None:
        reading = _Reading(documents)
        roots = reading.read()
        if reading.problems:
            raise InvalidDocument("the schemas do not hold", problems=tuple(reading.problems))
        self.documents: Mapping[str, Any] = dict(documents)
        self.fields: Mapping[FieldId, FieldSpec] = reading.fields
        self.notice_types: tuple[NoticeType, ...] = tuple(sorted(roots))
        self.version: str = hashlib.sha256(canonical_json(self.documents)).hexdigest()
        self._roots = roots
        self._of_type = {name: _fields_below(root) for name, root in roots.items()}
        self._by_path: dict[str, dict[str | None, FieldSpec]] = {}
        for spec in self.fields.values():
            self._by_path.setdefault(spec.path, {})[spec.role] = spec
        self._everything = _merge(list(roots.values()))

    def fields_of(self, notice_type: NoticeType) -> Mapping[FieldId, FieldSpec]:
        """The fields a notice of this type may carry; KeyError for a type that does not exist."""
        return self._of_type[notice_type]

    def path(self, field_id: FieldId) -> str:
        """Where the field is, e.g. `persons[].name`; KeyError for an unknown id."""
        return self.fields[field_id].path

    def at(self, path: str) -> Mapping[str | None, FieldSpec]:
        """The specs at a path by role (None where no person is meant); empty for an unknown path."""
        return self._by_path.get(path, {})

    def schema_uri(self, notice_type: NoticeType) -> str:
        return f"urn:hutong:schema:notice:{notice_type}:1"

    def walk(self, data: Mapping[str, Any], notice_type: NoticeType | None = None) -> Sequence[Leaf | UnknownLeaf]:
        """Every value of `data`, known or not, in document order; total for plain JSON. About 1 µs a value.

        With a notice type, only that type's fields are known. A person without
        a known role has no known fields. A value of the wrong shape is unknown
        where an object or array was due; a leaf is given whatever its type, so
        the caller withholds what its kind cannot carry. An object that is one
        field (an age) is given with its known members only.
        """
        root = self._everything if notice_type is None else self._roots[notice_type]
        found: list[Leaf | UnknownLeaf] = []
        _walk(root, data, "", frozenset(), found)
        return found

    def gather_fields(self, data: Mapping[str, Any], notice_type: NoticeType, found: set[FieldId]) -> None:
        """Add the ids of all fields that `data` holds."""
        _gather(self._roots[notice_type], data, frozenset(), found)

    def sensitivity(self, spec: FieldSpec, age_band: str | None, value: Any) -> tuple[SensitivityClass, str]:
        """Class and compartment of one value: the highest of field, subject's age and content (DOMAIN 4.1).

        `age_band` is the subject's, None when unknown, which counts as under 14 for a child's fields.
        """
        level, compartment = spec.sensitivity, spec.compartment
        if age_band in UNDER_14 or (age_band is None and spec.role in CHILD_ROLES):
            level = max(level, SensitivityClass.S4)
        for rule in spec.content:
            if _holds(rule, value) and rule.sensitivity >= level:
                level, compartment = rule.sensitivity, rule.compartment
        return level, compartment


def _holds(rule: ContentRule, value: Any) -> bool:
    if isinstance(value, str):
        return value.startswith(rule.prefixes)
    if isinstance(value, list):
        return any(_holds(rule, element) for element in value)
    return False


def pointer_token(name: str) -> str:
    """Escape one reference token (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _walk(node: _Node, value: Any, pointer: str, roles: frozenset[str], found: list[Leaf | UnknownLeaf]) -> None:
    if node.specs:
        specs = node.by_roles.get(roles)
        if specs is None:
            specs = node.by_roles[roles] = _specs_for(node, roles)
        if not specs:
            found.append(UnknownLeaf(pointer, pointer.rpartition("/")[0]))
            return
        if node.composite is not None and isinstance(value, dict):
            for name in value:
                if name not in node.composite:
                    found.append(UnknownLeaf(f"{pointer}/{pointer_token(str(name))}", pointer))
            value = {name: member for name, member in value.items() if name in node.composite}
        found.append(Leaf(pointer, node.path, roles, specs, value))
    elif node.members is not None:
        if not isinstance(value, dict):
            found.append(UnknownLeaf(pointer, pointer.rpartition("/")[0]))
            return
        if node.is_person:
            roles = person_roles(value)
        for name, member in value.items():
            known = node.members.get(name)
            if known is None:
                found.append(UnknownLeaf(f"{pointer}/{pointer_token(str(name))}", pointer))
            else:
                _walk(known, member, f"{pointer}/{name}", roles, found)
    elif node.item is not None:
        if not isinstance(value, list):
            found.append(UnknownLeaf(pointer, pointer.rpartition("/")[0]))
            return
        for index, element in enumerate(value):
            _walk(node.item, element, f"{pointer}/{index}", roles, found)


def fields_in(catalogue: Catalogue, data: Mapping[str, Any], notice_type: NoticeType) -> frozenset[FieldId]:
    """The fields that a notice holds, whatever their values: those of `Catalogue.walk`, without making its leaves."""
    found: set[FieldId] = set()
    catalogue.gather_fields(data, notice_type, found)
    return frozenset(found)


def _gather(node: _Node, value: Any, roles: frozenset[str], found: set[FieldId]) -> None:
    """As `_walk`, for the ids alone."""
    members, item = node.members, node.item
    if node.specs:
        specs = node.by_roles.get(roles)
        if specs is None:
            specs = node.by_roles[roles] = _specs_for(node, roles)
        for spec in specs:
            found.add(spec.id)
    elif members is not None:
        if isinstance(value, dict):
            if node.is_person:
                roles = person_roles(value)
            for name, member in value.items():
                known = members.get(name)
                if known is not None:
                    _gather(known, member, roles, found)
    elif item is not None and isinstance(value, list):
        for element in value:
            _gather(item, element, roles, found)


def person_roles(person: Mapping[str, Any]) -> frozenset[str]:
    """The known roles of a person; empty when it names none."""
    named = person.get("roles")
    if not isinstance(named, list):
        return frozenset()
    return frozenset(role for role in named if isinstance(role, str) and role in PERSON_ROLES)


def _specs_for(node: _Node, roles: frozenset[str]) -> tuple[FieldSpec, ...]:
    if None in node.specs:
        return (node.specs[None],)
    return tuple(node.specs[role] for role in PERSON_ROLES if role in roles and role in node.specs)


def _fields_below(node: _Node) -> dict[FieldId, FieldSpec]:
    found = {spec.id: spec for spec in node.specs.values()}
    for member in (node.members or {}).values():
        found.update(_fields_below(member))
    if node.item is not None:
        found.update(_fields_below(node.item))
    return found


def _merge(nodes: list[_Node]) -> _Node:
    """One tree that knows the fields of all; the nodes share their path and shape (the reading made sure)."""
    first = nodes[0]
    if first.members is not None:
        names: dict[str, list[_Node]] = {}
        for node in nodes:
            for name, member in (node.members or {}).items():
                names.setdefault(name, []).append(member)
        return _Node(
            first.path,
            members={name: _merge(members) for name, members in names.items()},
            is_person=first.is_person,
        )
    return first


class _Reading:
    """One pass over the documents, gathering every problem."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.documents = documents
        self.by_uri = {
            doc["$id"]: (name, doc) for name, doc in documents.items() if isinstance(doc, dict) and "$id" in doc
        }
        self.fields: dict[FieldId, FieldSpec] = {}
        self.problems: list[Problem] = []
        self.document = ""

    def read(self) -> dict[NoticeType, _Node]:
        roots: dict[NoticeType, _Node] = {}
        for name, document in sorted(self.documents.items()):
            match = NOTICE_URN.fullmatch(str(document.get("$id", ""))) if isinstance(document, dict) else None
            if match is None:
                continue
            self.document = name
            roots[NoticeType(match["type"])] = _Node("", members=self._members(document, ""))
        for spec in self.fields.values():
            for implied in spec.implies:
                if implied not in self.fields:
                    self._wrong("unknown-field", spec.path, f"`{spec.id}` implies `{implied}`, which is no field")
        if not roots:
            self._wrong("no-notice-types", "", "no document has an id of the form urn:hutong:schema:notice:TYPE:1")
        return roots

    def _wrong(self, code: str, path: str, message: str) -> None:
        problem = Problem(code, f"{self.document}: {path}", message)
        if problem not in self.problems:
            self.problems.append(problem)

    def _resolve(self, schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        """The schema with its `$ref` merged in. Annotations beside a reference win; shape comes from what is referred to."""
        merged = dict(schema)
        for _ in range(16):
            reference = merged.pop("$ref", None)
            if reference is None:
                return merged
            uri, _, fragment = str(reference).partition("#")
            found = self.by_uri.get(uri, ("", None))[1]
            for token in fragment.split("/")[1:]:
                found = found.get(token) if isinstance(found, dict) else None
            if not isinstance(found, dict):
                self._wrong("unknown-reference", path, f"`{reference}` leads nowhere")
                return merged
            shape = {
                name: found[name] for name in ("type", "properties", "items", "additionalProperties") if name in found
            }
            merged = {**found, **merged, **shape}
        self._wrong("unknown-reference", path, "references go round in a circle")
        return merged

    def _members(self, schema: Mapping[str, Any], path: str, *, is_person: bool = False) -> dict[str, _Node]:
        """The named members of an object schema, its `allOf` references included."""
        found: dict[str, _Node] = {}
        for part in schema.get("allOf", ()):
            if "$ref" in part:
                found.update(self._members(self._resolve(part, path), path, is_person=is_person))
        for name, member in schema.get("properties", {}).items():
            if path or "$ref" in member or _is_field(member) or "type" in member:
                found[name] = self._node(member, f"{path}.{name}" if path else name, is_person=is_person)
        return found

    def _node(self, schema: Mapping[str, Any], path: str, *, is_person: bool) -> _Node:
        schema = self._resolve(schema, path)
        if _is_field(schema):
            composite = frozenset(schema["properties"]) if schema.get("type") == "object" else None
            return _Node(path, specs=self._specs(schema, path, is_person=is_person), composite=composite)
        if schema.get("type") == "object":
            if schema.get("additionalProperties") is not False:
                self._wrong("open-object", path, f"`{path}` allows properties nobody has classified")
            return _Node(path, members=self._members(schema, path, is_person=is_person), is_person=path == "persons[]")
        if schema.get("type") == "array":
            below = path + "[]"
            return _Node(
                path, item=self._node(schema.get("items", {}), below, is_person=is_person or below == "persons[]")
            )
        self._wrong("not-annotated", path, f"`{path}` lacks x-kind, x-class and x-zh")
        return _Node(path, members={})

    def _specs(self, schema: Mapping[str, Any], path: str, *, is_person: bool) -> dict[str | None, FieldSpec]:
        if not is_person:
            spec = self._spec(schema, path, None, {})
            return {} if spec is None else {None: spec}
        by_role = schema.get("x-roles")
        if not isinstance(by_role, dict) or not by_role:
            self._wrong("not-annotated", path, f"`{path}` belongs to a person and lacks x-roles")
            return {}
        found: dict[str | None, FieldSpec] = {}
        for role, override in by_role.items():
            if role not in PERSON_ROLES:
                self._wrong("unknown-role", path, f"`{role}` is no role of a person")
                continue
            spec = self._spec(schema, path, role, override)
            if spec is not None:
                found[role] = spec
        return found

    def _spec(
        self, schema: Mapping[str, Any], path: str, role: str | None, override: Mapping[str, Any]
    ) -> FieldSpec | None:
        note = {
            name: override.get(name, schema.get(f"x-{name}"))
            for name in ("class", "compartment", "kind", "zh", "implies")
        }
        number = override.get("number", schema.get("x-number") if role is None else None)
        missing = [f"x-{name}" for name, value in note.items() if value is None]
        if missing:
            self._wrong("not-annotated", path, f"`{path}` lacks {', '.join(missing)}")
            return None
        for name, known in (("class", SensitivityClass.__members__), ("compartment", COMPARTMENTS), ("kind", KINDS)):
            if note[name] not in known:
                self._wrong("unknown-annotation", path, f"`{path}` has an unknown x-{name}: `{note[name]}`")
                return None
        spec = FieldSpec(
            id=FieldId(field_id(path, role)),
            path=path,
            kind=note["kind"],
            sensitivity=SensitivityClass[note["class"]],
            title_zh=note["zh"],
            role=role,
            compartment=note["compartment"],
            implies=frozenset(FieldId(name.replace("{role}", role or "")) for name in note["implies"]),
            number=number,
            content=tuple(
                ContentRule(tuple(rule["prefix"]), SensitivityClass[rule["class"]], rule["compartment"])
                for rule in schema.get("x-class-when", ())
            ),
            code_table=schema.get("x-code-table"),
        )
        if self.fields.setdefault(spec.id, spec) != spec:
            self._wrong("two-meanings", path, f"`{spec.id}` is described in two ways")
        return spec


def _is_field(schema: Mapping[str, Any]) -> bool:
    return "x-kind" in schema or "x-class" in schema


def field_id(path: str, role: str | None) -> str:
    """`persons[].name` of a minor is `minor.name`; `measures[].code` is `measures.code`; `urgency` is `notice.urgency`."""
    if role is not None:
        return f"{role}.{path.removeprefix('persons[].').replace('[]', '')}"
    plain = path.replace("[]", "")
    return plain if "." in plain else f"notice.{plain}"

"""Does a submitted notice hold, and if not, what exactly should its sender change?

`validate` is pure and total: whatever an adapter hands over, it answers with a
`ValidNotice` or with every problem it found, each with a position, a code and a
remedy, never with the value. The schema is checked by a compiled validator
whose patterns run in linear time.

A report (RPT, RPT-M) is never refused for its content (MPL 11). What does not
hold is flagged and cut from the data before anybody may project it; the rest
stands. Cutting is by the smallest place that is wrong: one code of a list, one
date, one unknown member.

Beyond the schema there are hints: an identity number whose check digit is
wrong, a birth date that contradicts it, a category that does not fit the age.
Hints are flags for a human and never refuse anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain, islice
from typing import Any

import jsonschema_rs
import orjson

from gateway.model.errors import Problem
from gateway.model.identifiers import NoticeType
from gateway.model.notice import REPORTS, Gap, SubmittedNotice, ValidNotice
from gateway.validation.bundle import bundle
from gateway.validation.catalogue import Catalogue, person_roles
from gateway.validation.codes import CodeTables
from gateway.validation.explain import Fault, Place, faults_of, foreign_values, position_of, problem_of
from gateway.validation.hints import hints
from gateway.validation.quarantine import cut
from gateway.validation.trim import trim

# A hostile body can have a problem per byte; nobody reads more than this.
MAX_PROBLEMS = 200
_MAX_FAULTS = 20_000
_ROUNDS = 4

# What the gateway keeps of a person who is the reporter and nobody else: that such a person exists.
_REPORTER_KEEPS = frozenset({"ref", "roles", "of"})
_MAX_REMEMBERED = 1024
_ANY = "*"


class Rules:
    """The schemas of all notice types, compiled. Built once at start (about 0.2 s); never changes.

    Raises KeyError when a field names a code table that does not exist, ValueError when a schema cannot be compiled.
    """

    def __init__(self, catalogue: Catalogue, codes: CodeTables) -> None:
        self.catalogue = catalogue
        self.codes = codes
        self.schemas: Mapping[NoticeType, dict[str, Any]] = {
            name: bundle(catalogue, codes, name) for name in catalogue.notice_types
        }
        self.validators: Mapping[NoticeType, jsonschema_rs.Draft202012Validator] = {
            name: jsonschema_rs.Draft202012Validator(
                schema, validate_formats=False, pattern_options=jsonschema_rs.RegexOptions()
            )
            for name, schema in self.schemas.items()
        }
        self.integers: Mapping[NoticeType, tuple[tuple[str, ...], ...]] = {
            name: tuple(_integer_paths(schema)) for name, schema in self.schemas.items()
        }
        self.names: frozenset[str] = frozenset(
            name for schema in self.schemas.values() for name in _member_names(schema)
        )
        self.person_members: frozenset[str] = frozenset(
            spec.path.removeprefix("persons[].").split(".", 1)[0]
            for spec in catalogue.fields.values()
            if spec.role is not None
        )
        self._allowed: dict[tuple[str, ...], frozenset[str]] = {}

    def allowed_members(self, roles: Sequence[str]) -> frozenset[str]:
        """The names of members that a person with these roles may have; a mere reporter is only known to exist.

        Without a known role nothing is allowed: no field has a meaning then.
        """
        known = self._allowed.get(tuple(roles))
        if known is None:
            named = set(roles)
            known = (
                _REPORTER_KEEPS
                if named == {"reporter"}
                else frozenset(
                    spec.path.removeprefix("persons[].").split(".", 1)[0]
                    for spec in self.catalogue.fields.values()
                    if spec.role in named
                )
            )
            if len(self._allowed) < _MAX_REMEMBERED:
                self._allowed[tuple(roles)] = known
        return known


def validate(submitted: SubmittedNotice, rules: Rules, on: date) -> ValidNotice | tuple[Problem, ...]:
    """Say whether the notice holds by schema; `on` is the day of receipt, for hints about age.

    Returns the notice with flags, or the problems found (at most MAX_PROBLEMS).
    Never raises, whatever `data` is. A report always comes back as a
    `ValidNotice`; its `quarantined` and `set_aside` tell what was cut, and its
    `notice.data` then is what is left, as in a native notice that holds without
    what was cut.
    """
    kind = submitted.type
    if kind not in rules.validators:
        return (Problem("unknown-notice-type", "/type", "no such notice type", _UNKNOWN_TYPE_REMEDY),)
    data: Any = submitted.data
    if _holds(data, rules, kind):
        return ValidNotice(submitted, flags=hints(data, on))

    trimmed, set_aside, faults = trim(data, rules.schemas[kind])
    if kind not in REPORTS:
        rest = _cut_down(trimmed, set_aside, faults, rules, kind, is_native=True) if submitted.provenance else None
        if rest is not None and rest.is_settled:
            data = rest.data
            if _holds(data, rules, kind):
                gaps = (*submitted.gaps, *rest.gaps(submitted, rules))
                submitted = replace(submitted, data=data, gaps=gaps)
                return ValidNotice(submitted, (*rest.flags, *hints(data, on)), tuple(rest.places), rest.set_aside)
        problems: dict[Problem, None] = {}
        for fault in chain(faults, _faults(trimmed, faults, rules, kind)):
            problems[problem_of(fault, rules.names)] = None
            if len(problems) == MAX_PROBLEMS:
                break
        return located(tuple(problems), submitted)

    rest = _cut_down(trimmed, set_aside, faults, rules, kind)
    if not rest.is_settled:
        # Cutting by the piece leads nowhere, so nothing of the body is trusted.
        rest = replace(rest, data={}, set_aside={"": submitted.data})
        rest.flags["does-not-hold:"] = rest.places[""] = None
    data = rest.data
    return ValidNotice(
        replace(submitted, data=data),
        (*rest.flags, *hints(data, on)),
        quarantined=tuple(rest.places),
        set_aside=rest.set_aside,
    )


def located(problems: tuple[Problem, ...], submitted: SubmittedNotice) -> tuple[Problem, ...]:
    """The same problems, each with its place in the sender's own message where the notice came in a format of its agency."""
    locate = submitted.locate
    if locate is None:
        return problems
    return tuple(
        replace(problem, native=locate(problem.position)) if not problem.native else problem for problem in problems
    )


@dataclass(slots=True)
class _Rest:
    """What is left of a body when what does not hold is cut out. `is_settled`: there is nothing more to cut."""

    data: Any
    set_aside: dict[str, Any]
    flags: dict[str, None] = field(default_factory=dict)
    places: dict[str, None] = field(default_factory=dict)
    cut: list[Fault] = field(default_factory=list)
    is_settled: bool = False

    def tell(self, fault: Fault, rules: Rules) -> None:
        if len(self.flags) < MAX_PROBLEMS:
            self.flags[f"{fault.code}:{position_of(fault.place, rules.names)}"] = None
            self.places.update(dict.fromkeys(position_of(place, rules.names) for place in fault.cuts[:1]))
            self.cut.extend([fault] if fault.cuts else ())

    def gaps(self, submitted: SubmittedNotice, rules: Rules) -> Iterator[Gap]:
        """Each cut as a gap at its place in the sender's message, as far as the adapter said where that was. Once a place."""
        sources = {entry.pointer: entry.source for entry in submitted.provenance}
        told = {(gap.position, gap.target) for gap in submitted.gaps}
        for fault in self.cut:
            problem = problem_of(fault, rules.names)
            pointer = problem.position
            while pointer and pointer not in sources:
                pointer = pointer.rpartition("/")[0]
            target = ".".join(part for part in problem.position.split("/") if part and not part.isdigit())
            position = (
                sources.get(pointer)
                or (submitted.locate(problem.position) if submitted.locate else "")
                or problem.position
            )
            if (position, target) not in told:
                told.add((position, target))
                yield Gap(problem.code, position, problem.message, target)


def _cut_down(
    data: Any,
    set_aside: dict[str, Any],
    faults: list[Fault],
    rules: Rules,
    kind: NoticeType,
    *,
    is_native: bool = False,
) -> _Rest:
    """A trimmed body without what does not hold. `faults` are those trimming found, `set_aside` what it took out.

    In a native notice a group that the type does not ask for goes as a whole where something is missing in it: a
    consent without a number, said in passing.
    """
    rest = _Rest(data, set_aside)
    required = rules.schemas[kind].get("required", ())
    for fault in faults:
        rest.tell(fault, rules)
    for _ in range(_ROUNDS):
        cuts: list[Place] = []
        for fault in islice(_faults(rest.data, faults, rules, kind), _MAX_FAULTS):
            group = fault.place[:1]
            if is_native and fault.code == "missing" and len(fault.place) == 2 and group[0] not in required:
                fault = replace(fault, cuts=(group,))
            cuts.extend(fault.cuts)
            rest.tell(fault, rules)
        if not cuts:
            rest.is_settled = True
            break
        rest.data, removed = cut(rest.data, cuts)
        rest.set_aside = {**removed, **rest.set_aside}
    return rest


_UNKNOWN_TYPE_REMEDY = "使用目录中的通报类型 / use a notice type of the catalogue, e.g. RPT-M"


def _holds(data: Any, rules: Rules, kind: NoticeType) -> bool:
    """The fast answer. False also when the value cannot be read or written as canonical JSON at all."""
    try:
        if not rules.validators[kind].is_valid(data):
            return False
        # The validator does not look inside every text; writing finds lone surrogates and integers beyond 2**53.
        orjson.dumps(data, option=orjson.OPT_STRICT_INTEGER)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return False
    for person in data.get("persons", ()):
        if not person.keys() <= rules.allowed_members(person["roles"]):
            return False
    return not any(isinstance(value, float) for path in rules.integers[kind] for value in _values_at(data, path))


def _faults(data: Any, before: list[Fault], rules: Rules, kind: NoticeType) -> Iterator[Fault]:
    """Every fault of a trimmed body; what `before` or a foreign value took out is not called missing as well."""
    foreign = list(islice(foreign_values(data), _MAX_FAULTS))
    yield from foreign
    if foreign:
        data, _ = cut(data, [place for fault in foreign for place in fault.cuts])
    gone = {fault.place for fault in chain(before, foreign)}
    schema = rules.schemas[kind]
    for error in rules.validators[kind].iter_errors(data):
        yield from (fault for fault in faults_of(error, schema) if fault.code != "missing" or fault.place not in gone)
    yield from _role_faults(data, rules)


def _role_faults(data: Mapping[str, Any], rules: Rules) -> Iterator[Fault]:
    """Members a person's roles do not have, and the identity of somebody who is only the reporter."""
    persons = data.get("persons", ())
    if not isinstance(persons, list):
        return
    for index, person in enumerate(persons):
        if not isinstance(person, dict):
            continue
        roles = person_roles(person)
        allowed = rules.allowed_members(sorted(roles))
        if person.keys() <= allowed:
            continue
        known = rules.person_members
        code = "reporter-in-data" if roles == {"reporter"} else "not-for-role"
        for name in person:
            if name not in allowed and name in known:
                place: Place = ("persons", index, name)
                yield Fault(code, place, (place,))


def _member_names(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, member in schema.get("properties", {}).items():
        yield name
        yield from _member_names(member)
    if isinstance(schema.get("items"), dict):
        yield from _member_names(schema["items"])


def _integer_paths(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if schema.get("type") == "integer":
        yield path
    for name, member in schema.get("properties", {}).items():
        yield from _integer_paths(member, (*path, name))
    if isinstance(schema.get("items"), dict):
        yield from _integer_paths(schema["items"], (*path, _ANY))


def _values_at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """What a valid body has at a path; JSON Schema counts 1.0 as an integer, canonical JSON does not."""
    for depth, token in enumerate(path):
        if token is _ANY:
            for item in value:
                yield from _values_at(item, path[depth + 1 :])
            return
        value = value.get(token)
        if value is None:
            return
    yield value

"""What does one recipient see of a notice, value by value?

A *program* is compiled once per notice type and outcome (the vector of shown facets): a tree that mirrors the body
and holds a step for each field the outcome shows, and nothing for any other. Running it walks the value and keeps
what has a step, so a member the schema does not know, or the decision does not show, is never copied.

What holds of every projection (tested as properties):

* It depends on the outcome and on what is shown, on nothing else: two notices equal in both project alike.
* It is total: a value that does not fit its kind is left out and flagged by path and kind, never by value.
* Elements of arrays stand in the order of their own shown content, never of the sender's order, and one stands
  only if one of its fields is shown. Elements that look alike are told apart, and so counted, only where the
  decision shows `<group>.count`, or everything by which they could be told apart in full anyway (for persons the
  name, for other arrays all fields).
* A person is decided by what the decision says of that person (`Decision.elements`), or where it says nothing of
  them, of their role. Several roles show the meet of the roles that have the field, but never less than the floor
  of any one of them. A role is told only if the outcome shows some field of that role, so a guardian who is also the
  reporter looks like any guardian.
* `_disclosure` beside the body tells the forms by field id; a person whose own forms differ from those of their
  role (two roles, or decided by themselves) carries a `_disclosure` of their own, which then holds instead.
* `ref`s are numbered anew over the persons that are left; a reference to anybody else is left out.
* The student number contains the identity number, so for children both show the meet of the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.model.access import Decision, Facet, FieldDecision
from gateway.model.fields import PERSON_ROLES, FieldSpec
from gateway.model.identifiers import FieldId, NoticeType
from gateway.privacy.fitting import Fitting
from gateway.privacy.forms import COARSE_MEMBER, CodeTable, Kind, allowed, form_name, kind_of
from gateway.privacy.objects import ObjectProgram, array, elements, inside
from gateway.privacy.persons import PersonProgram, Shown, placed
from gateway.privacy.running import PARTIAL_NOTICE_EN, PARTIAL_NOTICE_ZH, PERSONS, Members, Run, bytes_of
from gateway.privacy.steps import NOTICE_REFERENCES, PERSON_REFERENCES, checked, step_for

_STRUCTURE = frozenset({"ref", "roles", "of", "lives_with"})
_SAME_NUMBER = (f"{PERSONS}[].id_no", f"{PERSONS}[].student_no")
_WITHHELD = FieldDecision(Facet.NOTHING)
# The notice and its persons get members that are not the sender's: those are never the sender's own objects.
_CHANGED_LATER = frozenset({"", f"{PERSONS}[]"})

# What the decision says of single persons: by ref, a name of the outcome and the fields it decides.
Elements = Mapping[str, tuple[str, Mapping[FieldId, FieldDecision]]]
_NO_ELEMENTS: Elements = {}
_POINTERS = PERSON_REFERENCES | NOTICE_REFERENCES
# How many lists of members each object of a program remembers (`objects`).
_MOST_PLANS = 16


class Body(NamedTuple):
    """A notice's body, looked at once for however many recipients. Lives as long as the request that reads it."""

    data: Members
    fits: bool


class Program:
    """The compiled projection for one notice type and outcome. `disclosure` is shared by all runs: copy it."""

    def __init__(
        self,
        specs: Iterable[FieldSpec],
        decision: Decision,
        tables: Mapping[str, CodeTable],
        fitting: Fitting,
    ) -> None:
        self._tables, self._fitting = tables, fitting
        self._specs: dict[str | None, dict[str, FieldSpec]] = {}
        for spec in specs:
            self._specs.setdefault(spec.role, {})[spec.path] = spec
        self._decided = {spec.id: decision.fields.get(spec.id, _WITHHELD) for spec in self._all_specs()}
        self._counts = {
            group: bool(decision.shown(FieldId(f"{group}.count"))) for group in (*PERSON_ROLES, *self._array_groups())
        }
        self._by_role = {role: self._shown_of(role, {}) for role in self._specs}
        self._persons: dict[tuple[frozenset[str], str], PersonProgram | None] = {}
        # the same by the only role, or the two as the sender put them: the usual cases
        self._usual: dict[tuple[str, ...], PersonProgram | None] = {}
        self._body = self._compile(self._specs.get(None, {}).values(), "")
        self._keep = self._body.keep or self._body.walk
        self._references = [
            path
            for path, spec in self._specs.get(None, {}).items()
            if path in PERSON_REFERENCES and self._allowed(spec) & Facet.FULL
        ]
        self.disclosure: dict[str, Any] = {
            "note": PARTIAL_NOTICE_ZH,
            "note_en": PARTIAL_NOTICE_EN,
            "forms": {str(field_id): name for field_id, name in sorted(self._forms())},
        }
        self.disclosure_bytes: bytes = bytes_of(self.disclosure)

    def run(self, body: Body, run: Run, elements: Elements = _NO_ELEMENTS) -> dict[str, Any]:
        """Project one body. Total for plain JSON values; raises TypeError only for text that UTF-8 cannot carry.

        `elements` are those of the decision (`elements_of`), which may differ between runs of one program.
        """
        persons = self._run_persons(body, run, elements)
        out: dict[str, Any] = (self._keep if body.fits else self._body.walk)(body.data, run)
        if persons:
            out[PERSONS] = persons
        return out

    # -- compiling ---------------------------------------------------------------------------------------------------

    def _all_specs(self) -> Iterable[FieldSpec]:
        for by_path in self._specs.values():
            yield from by_path.values()

    def _array_groups(self) -> set[str]:
        return {
            spec.path.rpartition("[]")[0].replace("[]", "")
            for spec in self._specs.get(None, {}).values()
            if "[]" in spec.path
        }

    def _shown_of(self, role: str | None, own: Mapping[FieldId, FieldDecision]) -> dict[str, tuple[Facet, Facet]]:
        """Shown facets and floor by path for one role; `own` is what is decided of one person alone."""
        found: dict[str, tuple[Facet, Facet]] = {}
        for path, spec in self._specs.get(role, {}).items():
            decided = own.get(spec.id) or self._decided[spec.id]
            found[path] = (decided.shown, decided.floor & decided.shown)
        numbers = [path for path in _SAME_NUMBER if path in found]
        if len(numbers) == len(_SAME_NUMBER):
            met = found[numbers[0]][0] & found[numbers[1]][0]
            for path in numbers:
                found[path] = (met | found[path][1], found[path][1])
        return found

    def _kind(self, spec: FieldSpec) -> Kind:
        return kind_of(spec, spec.code_table in self._tables)

    def _allowed(self, spec: FieldSpec) -> Facet:
        return allowed(self._by_role[spec.role][spec.path][0], self._kind(spec))

    def _forms(self) -> Iterable[tuple[FieldId, str]]:
        """The forms that are less than full, of all fields shown at all. What is withheld is not listed."""
        for spec in self._all_specs():
            shown = self._allowed(spec)
            if shown and not shown & Facet.FULL:
                yield spec.id, form_name(shown)

    def _compile(
        self, specs: Iterable[FieldSpec], prefix: str, shown: Mapping[str, Facet] | None = None
    ) -> ObjectProgram:
        """An object tree for the specs below `prefix`. `shown` overrides the facets by path (persons with several roles)."""
        node = ObjectProgram(prefix)
        below: dict[str, list[FieldSpec]] = {}
        for spec in specs:
            rest = spec.path[len(prefix) :].lstrip(".")
            head, dot, _ = rest.partition(".")
            if dot:
                below.setdefault(head, []).append(spec)
                continue
            if rest.endswith("[]") or (prefix == f"{PERSONS}[]" and rest in _STRUCTURE):
                continue
            kind = self._kind(spec)
            facets = self._allowed(spec) if shown is None else allowed(shown[spec.path], kind)
            if facets:
                table = self._tables.get(spec.code_table, {}) if spec.code_table is not None else {}
                step = step_for(rest, spec, kind, facets, table)
                if rest in COARSE_MEMBER and facets & Facet.COARSE:
                    node.late.append((rest, step))
                else:
                    node.steps[rest] = step
                    if facets & Facet.FULL and spec.path in self._fitting.typed - _POINTERS:
                        node.kept.add(rest)
                    else:
                        node.works[rest] = checked(rest, spec, step) if isinstance(step, type) else step
                node.kinds[rest] = (spec.path, spec.kind)
        node.late.sort(key=lambda pair: list(COARSE_MEMBER).index(pair[0]))
        for head, members in below.items():
            name = head.removesuffix("[]")
            child = self._compile(members, f"{prefix}.{head}" if prefix else head, shown)
            if not child.steps and not child.late:
                continue
            if head.endswith("[]"):
                group = child.path.removesuffix("[]").replace("[]", "")
                counted = self._counts.get(group, False) or all(self._allowed(spec) & Facet.FULL for spec in members)
                node.steps[name] = array(name, child, counted)
                node.inner[name] = elements(child.keep, counted)
            else:
                node.steps[name] = inside(name, child)
                if child.keep is None:
                    node.kept.add(name)
                else:
                    node.inner[name] = child.keep
        names = frozenset(self._fitting.names.get(prefix, ()))
        node.finish(names, _MOST_PLANS, is_changed_later=prefix in _CHANGED_LATER)
        return node

    def _person_program(
        self, roles: frozenset[str], outcome: str, own: Mapping[FieldId, FieldDecision]
    ) -> PersonProgram | None:
        """The program for a person with these roles and this outcome of their own, made on first use.

        None where nothing of such a person is shown.
        """
        key = (roles, outcome)
        if key not in self._persons:
            if len(self._persons) >= _MOST_PERSON_PROGRAMS:
                self._persons.clear()
                self._usual.clear()
            self._persons[key] = self._compile_person(roles, own)
        return self._persons[key]

    def _compile_person(self, roles: frozenset[str], own: Mapping[FieldId, FieldDecision]) -> PersonProgram | None:
        by_role = {role: self._shown_of(role, own) if own else self._by_role.get(role, {}) for role in sorted(roles)}
        specs: dict[str, FieldSpec] = {}
        shown: dict[str, Facet] = {}
        floors: dict[str, Facet] = {}
        for role, decided in by_role.items():
            for path, (facets, floor) in decided.items():
                specs.setdefault(path, self._specs[role][path])
                shown[path] = shown.get(path, facets) & facets
                floors[path] = floors.get(path, floor) | floor
        shown = {path: facets | floors[path] for path, facets in shown.items()}
        body = self._compile(specs.values(), f"{PERSONS}[]", shown)
        if not body.steps and not body.late:
            return None
        told = tuple(role for role in PERSON_ROLES if role in roles and self._is_told(by_role[role], specs))
        forms = {
            path.partition("[].")[2]: form_name(facets)
            for path, spec in specs.items()
            if (facets := allowed(shown[path], self._kind(spec))) and not facets & Facet.FULL
        }
        of_role = {
            path.partition("[].")[2]: form_name(facets)
            for role in sorted(roles)
            for path, spec in self._specs.get(role, {}).items()
            if (facets := self._allowed(spec)) and not facets & Facet.FULL
        }
        named = shown.get(f"{PERSONS}[].name", Facet.NOTHING)
        return PersonProgram(
            body,
            body.keep or body.walk,
            told,
            tuple(PERSON_ROLES.index(role) for role in told),
            bool(named & Facet.FULL) or all(self._counted(role, own) for role in told),
            bool(shown.get(f"{PERSONS}[].of", Facet.NOTHING) & Facet.FULL),
            bool(shown.get(f"{PERSONS}[].lives_with", Facet.NOTHING) & Facet.FULL),
            None if forms == of_role else forms,
        )

    def _is_told(self, decided: Mapping[str, tuple[Facet, Facet]], specs: Mapping[str, FieldSpec]) -> bool:
        return any(
            allowed(facets, self._kind(specs[path]))
            for path, (facets, _) in decided.items()
            if path.rpartition(".")[2] not in _STRUCTURE
        )

    def _counted(self, role: str, own: Mapping[FieldId, FieldDecision]) -> bool:
        decided = own.get(FieldId(f"{role}.count"))
        return self._counts[role] if decided is None else bool(decided.shown)

    # -- running -----------------------------------------------------------------------------------------------------

    def _run_persons(self, body: Body, run: Run, elements: Elements) -> list[dict[str, Any]]:
        persons = body.data.get(PERSONS)
        if persons is None:
            return []
        if type(persons) is not list:
            run.flag(PERSONS, "array")
            return []
        if elements:
            elements = _without_doubles(elements, persons)
        shown: list[Shown] = []
        for position, person in enumerate(persons):
            if type(person) is not dict:
                run.flag(f"{PERSONS}[]", "object")
                continue
            outcome, own = _NOTHING_OWN
            if elements and type(ref := person.get("ref")) is str:
                outcome, own = elements.get(ref, _NOTHING_OWN)
            roles = person.get("roles")
            try:
                program = self._usual[(outcome, *roles)] if type(roles) is list else None
            except (KeyError, TypeError):  # not met yet, or not all of them texts
                program = None
            if program is None:
                program = self._program_of(roles, run, outcome, own)
            if program is None:
                continue
            out = (program.keep if body.fits else program.body.walk)(person, run)
            if out:
                shown.append((program.rank, position, program, out, person))
        return placed(shown, body.data, self._references, run) if shown else []

    def _program_of(
        self, roles: Any, run: Run, outcome: str, own: Mapping[FieldId, FieldDecision]
    ) -> PersonProgram | None:
        known = _known_roles(roles)
        if known is None:
            run.flag(f"{PERSONS}[].roles", "codes")
            return None
        program = self._person_program(known, outcome, own)
        if len(roles) < 3:
            self._usual[(outcome, *roles)] = program
        return program


def elements_of(decision: Decision) -> tuple[str, Elements]:
    """The outcome of the notice alone, and what is decided of each person with the name of that outcome.

    The outcome of a decision with `elements` is that of the notice and, in their order, of each element, joined by
    dots. Where it is not of that form the names are spelled out here: right, and slow.
    """
    if not decision.elements:
        return decision.outcome, _NO_ELEMENTS
    whole, *own = decision.outcome.split(".")
    if len(own) != len(decision.elements):
        whole, own = decision.outcome, [_spelled_out(decided) for decided in decision.elements.values()]
    return whole, {ref: (name, decided) for name, (ref, decided) in zip(own, decision.elements.items(), strict=True)}


def _spelled_out(decided: Mapping[FieldId, FieldDecision]) -> str:
    return "|".join(f"{name}={int(one.shown)},{int(one.floor)}" for name, one in sorted(decided.items()))


_MOST_PERSON_PROGRAMS = 2_000
_NOTHING_OWN: tuple[str, Mapping[FieldId, FieldDecision]] = ("", {})


def _without_doubles(elements: Elements, persons: Sequence[Any]) -> Elements:
    """What is decided of a ref that two persons bear is of neither: they get what their role gets of an unknown person."""
    refs = [ref for person in persons if type(person) is dict and type(ref := person.get("ref")) is str]
    if len(set(refs)) == len(refs):
        return elements
    borne = Counter(refs)
    return {ref: own for ref, own in elements.items() if borne[ref] < 2}


_ROLES = frozenset(PERSON_ROLES)
_SINGLE_ROLES: Mapping[str, frozenset[str]] = {role: frozenset({role}) for role in PERSON_ROLES}


def _known_roles(roles: Any) -> frozenset[str] | None:
    """None where roles are missing or one of them is not a role: then nobody can say what may be shown."""
    if type(roles) is not list or not roles:
        return None
    for role in roles:
        if type(role) is not str or role not in _ROLES:
            return None
    return _SINGLE_ROLES[roles[0]] if len(roles) == 1 else frozenset(roles)


class Projector:
    """Programs by notice type, policy and outcome, each compiled on first use or ahead of time by `program`.

    `fields` gives the fields of each notice type (`Catalogue.fields_of`). `tables` holds for each code table that
    can generalise (`FieldSpec.code_table`) every code with its coarse code. `fitting` makes the look at the bodies of
    a notice type; where it says no to a body, that body is walked member by member.
    """

    def __init__(
        self,
        fields: Mapping[NoticeType, Mapping[FieldId, FieldSpec]],
        tables: Mapping[str, CodeTable] | None = None,
        *,
        most_programs: int = 4_000,
        fitting: Callable[[Iterable[FieldSpec]], Fitting] = Fitting,
    ) -> None:
        self._fields = fields
        self._tables = {name: table for name, table in (tables or {}).items() if table}
        self._programs: dict[tuple[NoticeType, str, str], Program] = {}
        self._most_programs = most_programs
        self._fitting, self._fittings = fitting, dict[NoticeType, Fitting]()

    def program(self, notice_type: NoticeType, decision: Decision) -> tuple[Program, Elements]:
        """The program for a decision and what it says of single persons; KeyError for a type that has no fields."""
        outcome, elements = elements_of(decision)
        key = (notice_type, decision.policy, outcome)
        found = self._programs.get(key)
        if found is None:
            if len(self._programs) >= self._most_programs:
                self._programs.clear()
            found = self._programs[key] = Program(
                self._fields[notice_type].values(), decision, self._tables, self._fitting_of(notice_type)
            )
        return found, elements

    def body(self, notice_type: NoticeType, data: Members) -> Body:
        """What `Program.run` reads, for every program of this notice type; KeyError for a type that has no fields."""
        return Body(data, self._fitting_of(notice_type)(data))

    def _fitting_of(self, notice_type: NoticeType) -> Fitting:
        if notice_type not in self._fittings:
            self._fittings[notice_type] = self._fitting(self._fields[notice_type].values())
        return self._fittings[notice_type]

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

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from gateway.model.access import Decision, Facet, FieldDecision
from gateway.model.fields import PERSON_ROLES, FieldSpec
from gateway.model.identifiers import FieldId, NoticeType
from gateway.privacy.forms import (
    COARSE_MEMBER,
    LARGEST_INTEGER,
    CodeTable,
    Generalise,
    Kind,
    Mask,
    allowed,
    form_name,
    is_text_or_texts,
    kind_of,
)
from gateway.privacy.gaps import NoForm

DISCLOSURE = "_disclosure"
EXISTS_MEMBER = "_exists"
LINKABLE_MEMBER = "_linkable"
RELAY_MEMBER = "_relay"

PARTIAL_NOTICE_ZH = "依政策部分披露，如需更多信息可依规另行申请"
PARTIAL_NOTICE_EN = "partial under policy; further data on request"

PERSONS = "persons"
# Fields that point at a person of the same notice. `of` and `lives_with` stand inside a person.
PERSON_REFERENCES: frozenset[str] = frozenset(
    {"guardianship.consent_authority.ref", "order.respondent", "judgment.new_guardian", "consent.giver"}
)
# Fields that point at another notice.
NOTICE_REFERENCES: frozenset[str] = frozenset({"in_reply_to", "supersedes", "caused_by", "escalation.previous"})
_STRUCTURE = frozenset({"ref", "roles", "of", "lives_with"})
_SAME_NUMBER = (f"{PERSONS}[].id_no", f"{PERSONS}[].student_no")
_WITHHELD = FieldDecision(Facet.NOTHING)


@dataclass(frozen=True, slots=True)
class FormFlag:
    """A value that did not fit its kind and was withheld. Safe to log: where and of which kind, never what."""

    path: str
    kind: str


class Run:
    """What one run of a program needs besides the data, and what it leaves beside its result.

    `link` and `relay` name a value (path, value) for one recipient. `references` maps the notice ids that this
    recipient knows to what it knows them as. `relays` lists the handles that were given out with path and value,
    for the service that forwards through them; it holds personal data and never leaves the gateway.
    """

    __slots__ = ("as_of", "flags", "link", "persons", "references", "relay", "relays")

    def __init__(
        self,
        as_of: date,
        link: Callable[[str, str], str],
        relay: Callable[[str, str], str],
        references: Mapping[str, str],
    ) -> None:
        self.as_of, self.link, self.relay, self.references = as_of, link, relay, references
        self.flags: list[FormFlag] = []
        self.relays: list[tuple[str, str, str]] = []
        self.persons: dict[str, str] = {}  # the sender's ref -> the ref given out

    def flag(self, path: str, kind: str) -> None:
        self.flags.append(FormFlag(path, kind))


Members = Mapping[str, Any]
Step = Callable[[Members, Any, dict[str, Any], Run], None]


class _Object:
    """Steps for the members of one object.

    A value shown in full when it has one type has that type for its step, which is done in place: that is what makes
    projecting cheap. `run` is made by `finish` once the steps are complete, and holds no reference to this object.
    """

    __slots__ = ("kinds", "late", "path", "run", "steps")
    run: Callable[[Members, Run], dict[str, Any]]

    def __init__(self, path: str) -> None:
        self.path = path
        self.steps: dict[str, Step | type[Any]] = {}
        self.kinds: dict[str, tuple[str, str]] = {}  # member -> (path, kind), for flags
        self.late: list[tuple[str, Step]] = []  # forms that stand under another name, where that is still free

    def finish(self) -> None:
        plain = not self.late and all(isinstance(step, type) for step in self.steps.values())
        self.run = _plain(self.steps, self.kinds) if plain else _mixed(self.steps, self.kinds, tuple(self.late))


def _plain(steps: Mapping[str, Any], kinds: Mapping[str, tuple[str, str]]) -> Callable[[Members, Run], dict[str, Any]]:
    """An object of which all that is shown is shown in full and has one type."""
    step_of = steps.get

    def run_plain(source: Members, run: Run) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in source.items():
            step = step_of(name)
            if type(value) is step:
                out[name] = value
            elif step is not None:
                run.flag(*kinds[name])
        return out

    return run_plain


def _mixed(
    steps: Mapping[str, Any], kinds: Mapping[str, tuple[str, str]], late: Sequence[tuple[str, Step]]
) -> Callable[[Members, Run], dict[str, Any]]:
    step_of = steps.get

    def run_mixed(source: Members, run: Run) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in source.items():
            step = step_of(name)
            if type(value) is step:
                out[name] = value
            elif step is not None:
                if type(step) is type:
                    run.flag(*kinds[name])
                else:
                    step(source, value, out, run)
        for name, form in late:
            if name in source:
                form(source, source[name], out, run)
        if EXISTS_MEMBER in out:
            unseen = sorted(name for name in out[EXISTS_MEMBER] if name not in out)
            if unseen:
                out[EXISTS_MEMBER] = unseen
            else:
                del out[EXISTS_MEMBER]
        return out

    return run_mixed


def _inside(name: str, child: _Object) -> Step:
    path, project = child.path, child.run

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is not dict:
            run.flag(path, "object")
            return
        inner = project(value, run)
        if inner:
            out[name] = inner

    return step


def _array(name: str, child: _Object, counted: bool) -> Step:
    path, project = child.path, child.run

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is not list:
            run.flag(path, "array")
            return
        elements = []
        for element in value:
            if type(element) is not dict:
                run.flag(path, "object")
                continue
            inner = project(element, run)
            if inner:
                elements.append(inner)
        if len(elements) > 1:
            elements = _in_own_order(elements, counted)
        if elements:
            out[name] = elements

    return step


def _bytes_of(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _in_own_order(elements: Sequence[dict[str, Any]], counted: bool) -> list[dict[str, Any]]:
    keyed = sorted(((_bytes_of(element), element) for element in elements), key=lambda pair: pair[0])
    if counted:
        return [element for _, element in keyed]
    return list(dict(keyed).values())


def _leaf(name: str, spec: FieldSpec, kind: Kind, shown: Facet, table: CodeTable) -> Step | type[Any]:
    """The step that puts the allowed forms of one field into `out`; `shown` is not empty and is what the kind has."""
    path, kind_name, fits = spec.path, spec.kind, kind.fits
    if spec.path in NOTICE_REFERENCES:
        return _notice_reference(name, spec)
    if spec.path in PERSON_REFERENCES:
        return _person_reference(name, spec) if shown & Facet.FULL else _existence(name, spec, kind)
    if shown & Facet.FULL:
        if kind.only_type is not None:
            return kind.only_type
        if kind.fits is is_text_or_texts:
            return _full_texts(name, spec)
        whole = kind.whole

        def full(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
            if not fits(value):
                run.flag(path, kind_name)
            else:
                out[name] = value if whole is None else whole(value)

        return full
    in_place = name if kind_name in ("key", "handle") else None
    generalise = kind.generalise if shown & Facet.COARSE else None
    mask = kind.mask if shown & Facet.PARTIAL else None
    target = COARSE_MEMBER.get(name, name) if generalise is not None else name
    if shown == Facet.EXISTS:
        return _existence(name, spec, kind)
    links, relays, sums = bool(shown & Facet.LINKABLE), bool(shown & Facet.RELAY), bool(shown & Facet.SUMMARY)

    if kind_name == "key" and shown == Facet.EXISTS | Facet.LINKABLE:
        return _pseudonym_in_place(name, spec)
    if target == name and not (links or relays or sums):
        return _one_form(name, spec, kind, generalise, mask, table)

    def weaker(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if not fits(value):
            run.flag(path, kind_name)
            return
        if value == "" or value == []:
            return
        form: Any = NoForm.COARSER_UNKNOWN
        if generalise is not None:
            form = generalise(value, table, run.as_of)
        elif mask is not None:
            form = mask(value)
        if form is NoForm.WRONG:
            run.flag(path, kind_name)
            return
        told = False
        if form is not NoForm.COARSER_UNKNOWN:
            told = True
            if target == name:
                out[name] = form
            else:
                out.setdefault(target, form)
        if links:
            told = True
            pseudonym = run.link(path, value)
            if in_place is not None:
                out[name] = pseudonym
            else:
                out.setdefault(LINKABLE_MEMBER, {})[name] = pseudonym
        if relays:
            told = True
            handles = [run.relay(path, one) for one in (value if type(value) is list else (value,))]
            run.relays.extend(
                (handle, path, one)
                for handle, one in zip(handles, value if type(value) is list else (value,), strict=True)
            )
            shown_handles: Any = sorted(set(handles)) if type(value) is list else handles[0]
            if in_place is not None:
                out[name] = shown_handles
            else:
                out.setdefault(RELAY_MEMBER, {})[name] = shown_handles
        if sums:
            summary = source.get("summary")
            if type(summary) is str and summary:
                told = True
                out["summary"] = summary
        if not told:
            out.setdefault(EXISTS_MEMBER, []).append(name)

    return weaker


def _pseudonym_in_place(name: str, spec: FieldSpec) -> Step:
    path = spec.path

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is not str:
            run.flag(path, spec.kind)
        elif value:
            out[name] = run.link(path, value)

    return step


def _full_texts(name: str, spec: FieldSpec) -> Step:
    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is not str:
            if type(value) is not list:
                run.flag(spec.path, spec.kind)
                return
            for one in value:
                if type(one) is not str:
                    run.flag(spec.path, spec.kind)
                    return
        out[name] = value

    return step


def _one_form(
    name: str, spec: FieldSpec, kind: Kind, generalise: Generalise | None, mask: Mask | None, table: CodeTable
) -> Step:
    """The usual weaker step: one coarse or partial form in the value's own place."""
    fits = kind.fits

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if not fits(value):
            run.flag(spec.path, spec.kind)
            return
        if value == "" or value == []:
            return
        form: Any = NoForm.COARSER_UNKNOWN
        if generalise is not None:
            form = generalise(value, table, run.as_of)
        elif mask is not None:
            form = mask(value)
        if form is NoForm.WRONG:
            run.flag(spec.path, spec.kind)
        elif form is NoForm.COARSER_UNKNOWN:
            out.setdefault(EXISTS_MEMBER, []).append(name)
        else:
            out[name] = form

    return step


def _existence(name: str, spec: FieldSpec, kind: Kind) -> Step:
    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if not kind.fits(value):
            run.flag(spec.path, spec.kind)
        elif value not in ("", []):
            out.setdefault(EXISTS_MEMBER, []).append(name)

    return step


def _notice_reference(name: str, spec: FieldSpec) -> Step:
    """What the recipient knows the other notice as; left out where it never got that notice."""

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is str:
            known = run.references.get(value)
            if known is not None:
                out[name] = known
        elif type(value) is list and all(type(one) is str for one in value):
            every = sorted({run.references[one] for one in value if one in run.references})
            if every:
                out[name] = every
        else:
            run.flag(spec.path, spec.kind)

    return step


def _person_reference(name: str, spec: FieldSpec) -> Step:
    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is not str:
            run.flag(spec.path, spec.kind)
            return
        ref = run.persons.get(value)
        if ref is not None:
            out[name] = ref

    return step


@dataclass(frozen=True, slots=True)
class _PersonProgram:
    """Steps for a person with one set of roles. `rank` orders persons by the roles that are told.

    `forms` are the person's own forms by member, None where those of the role hold.
    """

    body: _Object
    told_roles: tuple[str, ...]
    rank: tuple[int, ...]
    counted: bool
    shows_of: bool
    shows_lives_with: bool
    forms: Mapping[str, str] | None


class _Kept:
    """A person that is shown: its content, and the references by which alike persons may still differ."""

    __slots__ = ("label", "lives_with", "number", "of", "out", "program", "ref")

    def __init__(self, program: _PersonProgram, out: dict[str, Any], person: Members) -> None:
        self.program, self.out, self.label, self.number = program, out, b"", 0
        ref, of = person.get("ref"), person.get("of") if program.shows_of else None
        self.ref: str | None = ref if type(ref) is str else None
        self.of: str | None = of if type(of) is str else None
        self.lives_with: tuple[str, ...] = ()
        if program.shows_lives_with and "lives_with" in person:
            named = person["lives_with"]
            if type(named) is list:
                self.lives_with = tuple(ref for ref in named if type(ref) is str)


# What the decision says of single persons: by ref, a name of the outcome and the fields it decides.
Elements = Mapping[str, tuple[str, Mapping[FieldId, FieldDecision]]]
_NO_ELEMENTS: Elements = {}


class Program:
    """The compiled projection for one notice type and outcome. `disclosure` is shared by all runs: copy it."""

    def __init__(self, specs: Iterable[FieldSpec], decision: Decision, tables: Mapping[str, CodeTable]) -> None:
        self._tables = tables
        self._specs: dict[str | None, dict[str, FieldSpec]] = {}
        for spec in specs:
            self._specs.setdefault(spec.role, {})[spec.path] = spec
        self._decided = {spec.id: decision.fields.get(spec.id, _WITHHELD) for spec in self._all_specs()}
        self._counts = {
            group: bool(decision.shown(FieldId(f"{group}.count"))) for group in (*PERSON_ROLES, *self._array_groups())
        }
        self._by_role = {role: self._shown_of(role, {}) for role in self._specs}
        self._persons: dict[tuple[frozenset[str], str], _PersonProgram | None] = {}
        # the same by the only role, or the two as the sender put them: the usual cases
        self._usual: dict[tuple[str, ...], _PersonProgram | None] = {}
        self._body = self._compile(self._specs.get(None, {}).values(), "")
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
        self.disclosure_bytes: bytes = _bytes_of(self.disclosure)

    def run(self, data: Members, run: Run, elements: Elements = _NO_ELEMENTS) -> dict[str, Any]:
        """Project one body. Total for plain JSON values; raises TypeError only for text that UTF-8 cannot carry.

        `elements` are those of the decision (`elements_of`), which may differ between runs of one program.
        """
        persons = self._run_persons(data, run, elements)
        out = self._body.run(data, run)
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

    def _compile(self, specs: Iterable[FieldSpec], prefix: str, shown: Mapping[str, Facet] | None = None) -> _Object:
        """An object tree for the specs below `prefix`. `shown` overrides the facets by path (persons with several roles)."""
        node = _Object(prefix)
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
                step = _leaf(rest, spec, kind, facets, table)
                if rest in COARSE_MEMBER and facets & Facet.COARSE:
                    node.late.append((rest, step))
                else:
                    node.steps[rest] = step
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
                node.steps[name] = _array(name, child, counted)
            else:
                node.steps[name] = _inside(name, child)
        node.finish()
        return node

    def _person_program(
        self, roles: frozenset[str], outcome: str, own: Mapping[FieldId, FieldDecision]
    ) -> _PersonProgram | None:
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

    def _compile_person(self, roles: frozenset[str], own: Mapping[FieldId, FieldDecision]) -> _PersonProgram | None:
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
        return _PersonProgram(
            body,
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

    def _run_persons(self, data: Members, run: Run, elements: Elements) -> list[dict[str, Any]]:
        persons = data.get(PERSONS)
        if persons is None:
            return []
        if type(persons) is not list:
            run.flag(PERSONS, "array")
            return []
        if elements:
            elements = _without_doubles(elements, persons)
        kept: list[_Kept] = []
        for person in persons:
            if type(person) is not dict:
                run.flag(f"{PERSONS}[]", "object")
                continue
            program = self._program_of(person, run, elements)
            if program is None:
                continue
            out = program.body.run(person, run)
            if out:
                kept.append(_Kept(program, out, person))
        if not kept:
            return []
        numbered = kept if len(kept) == 1 else self._arranged(kept, data)
        return _with_references(kept, numbered, run)

    def _program_of(self, person: Members, run: Run, elements: Elements) -> _PersonProgram | None:
        roles, ref = person.get("roles"), person.get("ref")
        if elements and type(ref) is str and ref in elements:
            outcome, own = elements[ref]
        else:
            outcome, own = _NOTHING_OWN
        usual: tuple[str, ...] | None = None
        if type(roles) is list:
            if len(roles) == 1:
                if type(roles[0]) is str:
                    usual = (outcome, roles[0])
            elif len(roles) == 2 and type(roles[0]) is str and type(roles[1]) is str:
                usual = (outcome, roles[0], roles[1])
        if usual is not None:
            made = self._usual.get(usual)
            if made is not None or usual in self._usual:
                return made
        known = _known_roles(roles)
        if known is None:
            run.flag(f"{PERSONS}[].roles", "codes")
            return None
        program = self._person_program(known, outcome, own)
        if usual is not None:
            self._usual[usual] = program
        return program

    def _arranged(self, kept: list[_Kept], data: Members) -> list[_Kept]:
        """The persons in order of told roles and shown content; alike ones made one, or kept apart where counted.

        What points at a person, or where it points, also tells persons apart, as far as it is shown.
        """
        if len({one.program.rank for one in kept}) == len(kept):  # told apart by their roles alone, the usual case
            kept.sort(key=_rank)
            for number, one in enumerate(kept):
                one.number = number
            return kept
        for one in kept:
            one.label = _bytes_of([one.out, one.program.forms])
        if len({(one.program.rank, one.label) for one in kept}) < len(kept):
            _label_by_references(kept, [(path, ref) for path in self._references for ref in _at(data, path)])
        kept.sort(key=lambda one: (one.program.rank, one.label))
        number = 0
        numbered: list[_Kept] = []
        for one in kept:
            last = numbered[-1] if numbered else None
            alike = last is not None and last.label == one.label and last.program.rank == one.program.rank
            if last is not None and alike and not one.program.counted:
                one.number = last.number
                continue
            one.number = number
            number += 1
            numbered.append(one)
        return numbered


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


def _at(data: Any, path: str) -> list[str]:
    for name in path.split("."):
        data = data.get(name) if type(data) is dict else None
    return [data] if type(data) is str else []


def _label_by_references(kept: list[_Kept], pointed_at: Sequence[tuple[str, str]]) -> None:
    """Refine labels by who points where until nothing new is told apart (colour refinement)."""
    by_ref = _by_ref(kept)
    for one in kept:
        marks = sorted(path for path, ref in pointed_at if by_ref.get(ref) is one)
        one.label = _bytes_of([one.program.told_roles, one.out, marks, one.program.forms])
    classes = len({one.label for one in kept})
    while True:
        labels = []
        for one in kept:
            of = by_ref.get(one.of) if one.of is not None else None
            around = sorted(by_ref[ref].label for ref in one.lives_with if ref in by_ref)
            back = sorted(other.label for other in kept if other.of is not None and by_ref.get(other.of) is one)
            parts = [one.label, b"" if of is None else of.label, *around, b"|", *back]
            labels.append(hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest())
        # content first, so that references only order those whose content is alike
        for one, label in zip(kept, labels, strict=True):
            one.label = label
        if len(set(labels)) == classes:
            break
        classes = len(set(labels))
    order = {id(one): label for one, label in zip(kept, labels, strict=True)}
    for one in kept:
        one.label = _bytes_of([one.out, one.program.forms]) + b"\x00" + order[id(one)]


def _rank(one: _Kept) -> tuple[int, ...]:
    return one.program.rank


def _by_ref(kept: Sequence[_Kept]) -> dict[str, _Kept]:
    """Persons by the sender's `ref`; a ref borne by two of them names neither."""
    usual = {one.ref: one for one in kept if one.ref is not None}
    if len(usual) == len(kept):
        return usual
    found: dict[str, _Kept] = {}
    doubled: set[str] = set()
    for one in kept:
        if one.ref is not None:
            if one.ref in found:
                doubled.add(one.ref)
            found[one.ref] = one
    for ref in doubled:
        del found[ref]
    return found


_REFS: tuple[str, ...] = tuple(f"p{number + 1}" for number in range(64))


def _number_of(ref: str) -> int:
    return int(ref[1:])


def _ref(number: int) -> str:
    return _REFS[number] if number < len(_REFS) else f"p{number + 1}"


def _with_references(kept: list[_Kept], numbered: list[_Kept], run: Run) -> list[dict[str, Any]]:
    refs = {one.ref: _ref(one.number) for one in kept if one.ref is not None}
    if len(refs) != len(kept):
        refs = {ref: _ref(one.number) for ref, one in _by_ref(kept).items()}
    run.persons = refs
    persons = []
    for one in numbered:
        out = one.out
        program = one.program
        own = out["ref"] = _ref(one.number)
        out["roles"] = list(program.told_roles)
        if program.forms is not None:
            out[DISCLOSURE] = dict(program.forms)
        of = refs.get(one.of) if one.of is not None else None
        if of is not None and of != own:
            out["of"] = of
        if one.lives_with:
            around = [refs[ref] for ref in one.lives_with if ref in refs]
            if len(around) > 1:
                around = sorted(set(around), key=_number_of)
            around = [ref for ref in around if ref != own]
            if around:
                out["lives_with"] = around
        persons.append(out)
    return persons


class Projector:
    """Programs by notice type, policy and outcome, each compiled on first use or ahead of time by `program`.

    `fields` gives the fields of each notice type (`Catalogue.fields_of`). `tables` holds for each code table that
    can generalise (`FieldSpec.code_table`) every code with its coarse code.
    """

    def __init__(
        self,
        fields: Mapping[NoticeType, Mapping[FieldId, FieldSpec]],
        tables: Mapping[str, CodeTable] | None = None,
        *,
        most_programs: int = 20_000,
    ) -> None:
        self._fields = fields
        self._tables = {name: table for name, table in (tables or {}).items() if table}
        self._programs: dict[tuple[NoticeType, str, str], Program] = {}
        self._most_programs = most_programs

    def program(self, notice_type: NoticeType, decision: Decision) -> tuple[Program, Elements]:
        """The program for a decision and what it says of single persons; KeyError for a type that has no fields."""
        outcome, elements = elements_of(decision)
        key = (notice_type, decision.policy, outcome)
        found = self._programs.get(key)
        if found is None:
            if len(self._programs) >= self._most_programs:
                self._programs.clear()
            found = self._programs[key] = Program(self._fields[notice_type].values(), decision, self._tables)
        return found, elements


def without_unencodable(value: Any, run: Run) -> Any:
    """A copy of a body without what JSON cannot carry: lone surrogates, integers beyond 2**53, null and floats.

    Each is flagged without its path, whose names are the sender's.
    """
    if isinstance(value, Mapping):
        kept = {}
        for name, member in value.items():
            if not _is_encodable(name):
                run.flag("", "unencodable")
                continue
            inner = without_unencodable(member, run)
            if inner is not None:
                kept[name] = inner
        return kept
    if isinstance(value, list):
        items = (without_unencodable(element, run) for element in value)
        return [element for element in items if element is not None]
    if _is_encodable(value):
        return value
    run.flag("", "unencodable")
    return None


def _is_encodable(value: Any) -> bool:
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
        return True
    return type(value) is bool or (type(value) is int and -LARGEST_INTEGER < value < LARGEST_INTEGER)

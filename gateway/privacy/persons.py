"""Which persons does a release show, in which order, and how do they point at each other?

A person is shown when something of it is. Persons stand in the order of the roles that are told and of their shown
content; those that look alike are told apart only where the decision counts them, or where what points at them, or
where they point, tells them apart as far as it is shown. `ref`s are numbered anew over the persons that are left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.privacy.objects import ObjectProgram, Reading
from gateway.privacy.running import DISCLOSURE, Members, Run, bytes_of


@dataclass(frozen=True, slots=True)
class PersonProgram:
    """Steps for a person with one set of roles. `rank` orders persons by the roles that are told.

    `forms` are the person's own forms by member, None where those of the role hold.
    """

    body: ObjectProgram
    keep: Reading
    told_roles: tuple[str, ...]
    rank: tuple[int, ...]
    counted: bool
    shows_of: bool
    shows_lives_with: bool
    forms: Mapping[str, str] | None


class KeptPerson:
    """A person that is shown: its content, and the references by which alike persons may still differ."""

    __slots__ = ("label", "lives_with", "number", "of", "out", "person", "program", "ref")

    def __init__(self, program: PersonProgram, out: dict[str, Any], person: Members) -> None:
        self.program, self.out, self.person, self.label, self.number = program, out, person, b"", 0
        ref, of = person.get("ref"), person.get("of") if program.shows_of else None
        self.ref: str | None = ref if type(ref) is str else None
        self.of: str | None = of if type(of) is str else None
        self.lives_with: Sequence[str] = _lives_with(person) if program.shows_lives_with else ()


# A shown person before its place is known: rank, position in the notice, program, content, the sender's person.
Shown = tuple[tuple[int, ...], int, PersonProgram, dict[str, Any], Members]


def placed(shown: list[Shown], data: Members, references: Sequence[str], run: Run) -> list[dict[str, Any]]:
    """The persons as they are released. `run.persons` tells afterwards which ref became which."""
    refs = _told_apart(shown)
    if refs is not None:
        run.persons = refs
        return [
            _with_references(program, content, person, own, refs)
            for (_, _, program, content, person), own in zip(shown, _REFS, strict=False)
        ]
    kept = [KeptPerson(program, content, person) for _, _, program, content, person in sorted(shown, key=_position)]
    numbered = kept if len(kept) == 1 else _arranged(kept, data, references)
    refs = {ref: _ref(one.number) for ref, one in _by_ref(kept).items()}
    run.persons = refs
    return [_with_references(one.program, one.out, one.person, _ref(one.number), refs) for one in numbered]


def _told_apart(shown: list[Shown]) -> dict[str, str] | None:
    """The sender's ref of each with its own, in the order of `shown`, which is sorted for it.

    None where the roles alone do not tell all of them apart, where a ref names two, or where they are many.
    """
    if len(shown) > len(_REFS):
        return None
    shown.sort()  # by rank and position: no two have both alike, so nothing else is compared
    refs: dict[str, str] = {}
    before: tuple[int, ...] | None = None
    for (rank, _, _, _, person), own in zip(shown, _REFS, strict=False):
        ref = person.get("ref")
        if rank == before or (type(ref) is str and ref in refs):
            return None
        before = rank
        if type(ref) is str:
            refs[ref] = own
    return refs


def _position(one: Shown) -> int:
    return one[1]


def _with_references(
    program: PersonProgram, out: dict[str, Any], person: Members, own: str, refs: Mapping[str, str]
) -> dict[str, Any]:
    out["ref"] = own
    out["roles"] = [*program.told_roles]
    if program.forms is not None:
        out[DISCLOSURE] = dict(program.forms)
    if program.shows_of:
        of = person.get("of")
        if type(of) is str and (known := refs.get(of)) is not None and known != own:
            out["of"] = known
    if program.shows_lives_with and "lives_with" in person:
        around = {refs[ref] for ref in _lives_with(person) if ref in refs}
        around.discard(own)
        if around:
            out["lives_with"] = sorted(around, key=_number_of) if len(around) > 1 else [*around]
    return out


def _lives_with(person: Members) -> Sequence[str]:
    named = person.get("lives_with")
    return [ref for ref in named if type(ref) is str] if type(named) is list else ()


def _arranged(kept: list[KeptPerson], data: Members, references: Sequence[str]) -> list[KeptPerson]:
    """The persons in order of told roles and shown content; alike ones made one, or kept apart where counted.

    What points at a person, or where it points, also tells persons apart, as far as it is shown.
    """
    for one in kept:
        one.label = bytes_of([one.out, one.program.forms])
    if len({(one.program.rank, one.label) for one in kept}) < len(kept):
        _label_by_references(kept, [(path, ref) for path in references for ref in _at(data, path)])
    kept.sort(key=lambda one: (one.program.rank, one.label))
    number = 0
    numbered: list[KeptPerson] = []
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


def _at(data: Any, path: str) -> list[str]:
    for name in path.split("."):
        data = data.get(name) if type(data) is dict else None
    return [data] if type(data) is str else []


def _label_by_references(kept: list[KeptPerson], pointed_at: Sequence[tuple[str, str]]) -> None:
    """Refine labels by who points where until nothing new is told apart (colour refinement)."""
    by_ref = _by_ref(kept)
    for one in kept:
        marks = sorted(path for path, ref in pointed_at if by_ref.get(ref) is one)
        one.label = bytes_of([one.program.told_roles, one.out, marks, one.program.forms])
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
        one.label = bytes_of([one.out, one.program.forms]) + b"\x00" + order[id(one)]


def _by_ref(kept: Sequence[KeptPerson]) -> dict[str, KeptPerson]:
    """Persons by the sender's `ref`; a ref borne by two of them names neither."""
    usual = {one.ref: one for one in kept if one.ref is not None}
    if len(usual) == len(kept):
        return usual
    found: dict[str, KeptPerson] = {}
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

"""How does one field get into a release, given what of it is shown?

A step takes the object as the sender wrote it, the field's value, the object being made, and the run; it puts the
allowed forms of the value into the object being made, and flags a value that does not fit its kind. A field that is
shown in full and has one JSON type needs no step: the type stands for it, and the object does the rest (`objects`).
"""

from __future__ import annotations

from typing import Any

from gateway.model.access import Facet
from gateway.model.fields import FieldSpec
from gateway.privacy.forms import COARSE_MEMBER, CodeTable, Generalise, Kind, Mask, is_text_or_texts
from gateway.privacy.gaps import NoForm
from gateway.privacy.running import EXISTS_MEMBER, LINKABLE_MEMBER, RELAY_MEMBER, Members, Run, Step

# Fields that point at a person of the same notice. `of` and `lives_with` stand inside a person.
PERSON_REFERENCES: frozenset[str] = frozenset(
    {"guardianship.consent_authority.ref", "order.respondent", "judgment.new_guardian", "consent.giver"}
)
# Fields that point at another notice.
NOTICE_REFERENCES: frozenset[str] = frozenset({"in_reply_to", "supersedes", "caused_by", "escalation.previous"})


def step_for(name: str, spec: FieldSpec, kind: Kind, shown: Facet, table: CodeTable) -> Step | type[Any]:
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
    if kind_name == "handle" and shown == Facet.EXISTS | Facet.RELAY:
        return _relayed_in_place(name, spec)
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


def checked(name: str, spec: FieldSpec, only_type: type[Any]) -> Step:
    """What an object does with a value that has `only_type` for its step, as a step of its own."""

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is only_type:
            out[name] = value
        else:
            run.flag(spec.path, spec.kind)

    return step


def _pseudonym_in_place(name: str, spec: FieldSpec) -> Step:
    path = spec.path

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is not str:
            run.flag(path, spec.kind)
        elif value:
            out[name] = run.link(path, value)

    return step


def _relayed_in_place(name: str, spec: FieldSpec) -> Step:
    path = spec.path

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is str:
            if value:
                handle = out[name] = run.relay(path, value)
                run.relays.append((handle, path, value))
        elif not is_text_or_texts(value):
            run.flag(path, spec.kind)
        elif value:
            handles = [run.relay(path, one) for one in value]
            run.relays.extend((handle, path, one) for handle, one in zip(handles, value, strict=True))
            out[name] = sorted(set(handles))

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
    fits = kind.fits

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if not fits(value):
            run.flag(spec.path, spec.kind)
        elif value not in _EMPTY:
            out.setdefault(EXISTS_MEMBER, []).append(name)

    return step


_EMPTY: tuple[Any, ...] = ("", [])


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

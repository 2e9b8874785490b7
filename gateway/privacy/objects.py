"""What does one object of a notice's body keep, member by member?

An object program holds a step for each member that the outcome shows and nothing for any other, so a member the
schema does not know, or the decision does not show, is never kept. It reads an object in two ways:

* `walk`, the plain reading: one look at each member, in the sender's order, total for any JSON.
* `keep`, for objects of a body that fits (`fitting`): every member is one the schema knows, and those shown in full
  have the type of their kind. Which of an object's members stay as they are, which are dropped and which need a step
  is remembered for each list of members, which holds names of the schema and never a value. What is kept whole is
  shared with the source, not copied: neither is to be changed afterwards. `keep` is None where every member that can
  stand here is shown in full, so that the object is kept as it is.

`tests/unit/privacy/test_plain_walk.py` holds the two against each other, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.privacy.running import EXISTS_MEMBER, Members, Run, Step, bytes_of

# What is shown of an object, or of an array; empty where that is nothing.
Reading = Callable[[Any, Run], Any]


class ObjectProgram:
    """Steps for the members of one object.

    `steps` are those of `walk`: a value shown in full when it has one type has that type for its step, which is done
    in place. `kept` are the members that `keep` leaves as they are, `inner` its readings of objects and arrays,
    `works` its steps for the others. Both readings are made by `finish` once the steps are complete, and hold no
    reference to this object.
    """

    __slots__ = ("inner", "keep", "kept", "kinds", "late", "path", "steps", "walk", "works")
    walk: Reading
    keep: Reading | None

    def __init__(self, path: str) -> None:
        self.path = path
        self.steps: dict[str, Step | type[Any]] = {}
        self.kept: set[str] = set()
        self.inner: dict[str, Reading] = {}
        self.works: dict[str, Step] = {}
        self.kinds: dict[str, tuple[str, str]] = {}  # member -> (path, kind), for flags
        self.late: list[tuple[str, Step]] = []  # forms that stand under another name, where that is still free

    def finish(self, names: frozenset[str], most_plans: int, *, is_changed_later: bool) -> None:
        """`names`: the members that can stand here in a body that fits.

        `is_changed_later`: the caller puts members of its own in, so the result is never the source itself.
        """
        late = tuple(self.late)
        self.walk = _walk(self.steps, self.kinds, late)
        if names <= self.kept and not late and not is_changed_later:
            self.keep = None
        else:
            self.keep = _keep(self, most_plans, is_changed_later=is_changed_later)


def _walk(
    steps: Mapping[str, Any], kinds: Mapping[str, tuple[str, str]], late: Sequence[tuple[str, Step]]
) -> Callable[[Members, Run], dict[str, Any]]:
    step_of = steps.get

    def walk(source: Members, run: Run) -> dict[str, Any]:
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
            _tell_unseen(out)
        return out

    return walk


def _tell_unseen(out: dict[str, Any]) -> None:
    """`_exists` names, sorted, only what is not told in another form."""
    unseen = out[EXISTS_MEMBER]
    if len(unseen) > 1:
        unseen.sort()
    if not out.keys().isdisjoint(unseen):
        unseen = [name for name in unseen if name not in out]
    if unseen:
        out[EXISTS_MEMBER] = unseen
    else:
        del out[EXISTS_MEMBER]


# One member, and either how what is in it is read or the step for it.
_Work = tuple[str, Reading | None, Step | None]


def _keep(node: ObjectProgram, most_plans: int, *, is_changed_later: bool) -> Reading:
    kept, inner, works, late = frozenset(node.kept), dict(node.inner), dict(node.works), tuple(node.late)
    # members -> those that do not stay as they are, and the work on others in the sender's order, then the late forms
    plans: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[_Work, ...]]] = {}
    plan_of = plans.get

    def plan(members: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[_Work, ...]]:
        if len(plans) >= most_plans:
            plans.clear()
        todo = [(name, inner.get(name), works.get(name)) for name in members if name in inner or name in works]
        todo += [(name, None, form) for name, form in late if name in members]
        made = plans[members] = (tuple(name for name in members if name not in kept), tuple(todo))
        return made

    def keep(source: dict[str, Any], run: Run) -> dict[str, Any]:
        members = tuple(source)
        dropped, todo = plan_of(members) or plan(members)
        if not dropped and not is_changed_later:
            return source
        out = source.copy()
        for name in dropped:  # the plan names every member, so what is left is exactly what is shown in full
            del out[name]
        for name, reading, step in todo:
            if step is not None:
                step(source, source[name], out, run)
            elif reading is not None and (shown := reading(source[name], run)):
                out[name] = shown
        if EXISTS_MEMBER in out:
            _tell_unseen(out)
        return out

    return keep


def inside(name: str, child: ObjectProgram) -> Step:
    path, walk = child.path, child.walk

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is not dict:
            run.flag(path, "object")
            return
        inner = walk(value, run)
        if inner:
            out[name] = inner

    return step


def array(name: str, child: ObjectProgram, counted: bool) -> Step:
    path, walk = child.path, child.walk

    def step(source: Members, value: Any, out: dict[str, Any], run: Run) -> None:
        if type(value) is not list:
            run.flag(path, "array")
            return
        elements = []
        for element in value:
            if type(element) is not dict:
                run.flag(path, "object")
                continue
            inner = walk(element, run)
            if inner:
                elements.append(inner)
        if len(elements) > 1:
            elements = _in_own_order(elements, counted)
        if elements:
            out[name] = elements

    return step


def elements(keep: Reading | None, counted: bool) -> Reading:
    """The elements of an array in a body that fits, each read by `keep`; as they are where it is None."""

    def reading(value: list[dict[str, Any]], run: Run) -> Sequence[dict[str, Any]]:
        shown = value if keep is None else [inner for element in value if (inner := keep(element, run))]
        return _in_own_order(shown, counted) if len(shown) > 1 else shown

    return reading


def _in_own_order(elements: Sequence[dict[str, Any]], counted: bool) -> list[dict[str, Any]]:
    keyed = sorted(((bytes_of(element), element) for element in elements), key=lambda pair: pair[0])
    if counted:
        return [element for _, element in keyed]
    return list(dict(keyed).values())

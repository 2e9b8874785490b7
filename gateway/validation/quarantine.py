"""How is what does not hold taken out of a notice, so that the rest can stand?

The result is new; the input is never changed. Positions of objects stay what
they were: an object in a list, or what stands where one should, is emptied and
not removed, except at the end of a list. Codes and other plain items of a list
are removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.validation.explain import Place, pointer_of


def cut(data: Any, places: Iterable[Place]) -> tuple[Any, dict[str, Any]]:
    """The data without those places, and what was there by exact JSON pointer.

    A place that is not there is passed over; one inside another cut place goes with it. The root cut leaves `{}`.
    """
    doomed: dict[Any, Any] = {}
    for place in places:
        if not place:
            return {}, {"": data}
        branch = doomed
        for token in place[:-1]:
            branch = branch.setdefault(token, {})
            if branch is _ALL:
                break
        else:
            branch[place[-1]] = _ALL
    removed: dict[str, Any] = {}
    return _without(data, doomed, (), removed), removed


_ALL: Any = object()


def _without(value: Any, doomed: Mapping[Any, Any], place: Place, removed: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for name, member in value.items():
            below = doomed.get(name)
            if below is None:
                kept[name] = member
            elif below is _ALL:
                removed[pointer_of((*place, name))] = member
            else:
                kept[name] = _without(member, below, (*place, name), removed)
        return kept
    if isinstance(value, list):
        holds_objects = any(isinstance(item, dict) for item in value)
        items: list[Any] = []
        end = len(value)
        while end and doomed.get(end - 1) is _ALL:
            end -= 1
        for index, item in enumerate(value):
            below = doomed.get(index)
            if below is None:
                items.append(item)
            elif below is _ALL:
                removed[pointer_of((*place, index))] = item
                if holds_objects and index < end:
                    items.append({})
            else:
                items.append(_without(item, below, (*place, index), removed))
        return items
    return value

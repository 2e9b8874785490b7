"""Under which circumstances is something so, in the fewest readable rows?

A *space* is the product of the facts that matter to some rules, each fact cut
into classes of values those rules cannot tell apart (UNKNOWN among them). It
is small, so it can be looked at whole: a set of contexts is one integer with a
bit per context, and `cover` writes such a set as a union of boxes, each as
large as it can be. The boxes are exact: together they are the set, no more
and no less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.policy.masks import ValueClass, axes_of

Tables = Mapping[str, Mapping[str, int]]
Conditions = Mapping[str, tuple[str, ...]]

MAX_CELLS = 8_000_000


class SpaceTooLarge(Exception):
    """More contexts than can be listed; the proof itself does not need the list."""


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    classes: tuple[ValueClass, ...]
    stride: int
    cells: tuple[int, ...]  # per class, the contexts that lie in it


class Space:
    """All contexts of `tables` as far as they matter to the bits in `mask`. Raises SpaceTooLarge."""

    def __init__(self, tables: Tables, mask: int) -> None:
        axes = sorted(axes_of(tables, mask), key=lambda axis: len(axis[1]))
        self.mask = mask
        self.size = 1
        self._order = {name: place for place, name in enumerate(tables)}
        for _, classes in axes:
            self.size *= len(classes)
        if self.size > MAX_CELLS:
            raise SpaceTooLarge(f"{self.size} contexts")
        self.axes: list[Axis] = []
        stride = 1
        for name, classes in axes:
            period = stride * len(classes)
            comb = _repeat((1 << stride) - 1, period, self.size // period)
            self.axes.append(Axis(name, classes, stride, tuple(comb << (i * stride) for i in range(len(classes)))))
            stride = period

    def partition(self, label: Callable[[int], tuple[int, int] | None]) -> dict[tuple[int, int], int]:
        """Sets of contexts by the label of their match; None is left out.

        Contexts are never listed: the different partial matches are carried
        along with the set of contexts that lead to each.
        """
        states = {self.mask: 1}
        for axis in self.axes[:-1]:
            grown: dict[int, int] = {}
            for match, cells in states.items():
                for i, one in enumerate(axis.classes):
                    key = match & one.mask
                    grown[key] = grown.get(key, 0) | cells << (i * axis.stride)
            states = grown
        if not self.axes:
            found = label(self.mask)
            return {} if found is None else {found: 1}
        last = self.axes[-1]
        parts: dict[tuple[int, int], int] = {}
        for i, one in enumerate(last.classes):
            slices: dict[tuple[int, int], int] = {}
            for match, cells in states.items():
                found = label(match & one.mask)
                if found is not None:
                    slices[found] = slices.get(found, 0) | cells
            for found, cells in slices.items():
                parts[found] = parts.get(found, 0) | cells << (i * last.stride)
        return parts

    def cover(self, target: int, most: int | None = None) -> list[Conditions]:
        """Boxes whose union is `target`, found greedily, the largest first; only facts that are restricted are named.

        With `most`, stops after that many boxes (the rest is not covered).
        """
        boxes: list[tuple[int, list[set[int]]]] = []
        left = target
        orders = _orders(len(self.axes))
        while left and (most is None or len(boxes) < most):
            seed = (left & -left).bit_length() - 1
            grown = (self._grow(seed, target, order) for order in orders)
            best = max(grown, key=lambda found: ((found[0] & left).bit_count(), -_words(found[1])))
            boxes.append(best)
            left &= ~best[0]
        for one in sorted(boxes, key=lambda found: found[0].bit_count()):
            others = 0
            for other in boxes:
                others |= 0 if other is one else other[0]
            if one[0] & ~others == 0 and len(boxes) > 1 and left == 0:
                boxes.remove(one)
        boxes.sort(key=lambda found: (-found[0].bit_count(), [sorted(part) for part in found[1]]))
        return [self._conditions(parts) for _, parts in boxes]

    def _grow(self, seed: int, target: int, order: Sequence[int]) -> tuple[int, list[set[int]]]:
        parts = [{seed // axis.stride % len(axis.classes)} for axis in self.axes]
        whole = (1 << self.size) - 1
        spans = [axis.cells[next(iter(part))] for axis, part in zip(self.axes, parts, strict=True)]
        for place in order:
            rest = whole
            for other, span in enumerate(spans):
                if other != place:
                    rest &= span
            axis = self.axes[place]
            for i, cells in enumerate(axis.cells):
                if i not in parts[place] and rest & cells & ~target == 0:
                    parts[place].add(i)
                    spans[place] |= cells
        box = whole
        for span in spans:
            box &= span
        return box, parts

    def _conditions(self, parts: Sequence[set[int]]) -> Conditions:
        named = {
            axis.name: tuple(value for i in sorted(part) for value in axis.classes[i].values)
            for axis, part in zip(self.axes, parts, strict=True)
            if len(part) < len(axis.classes)
        }
        return {name: named[name] for name in sorted(named, key=self._order.__getitem__)}


def _words(parts: Sequence[set[int]]) -> int:
    return sum(len(part) for part in parts)


def _orders(count: int) -> list[list[int]]:
    """A few orders in which to grow a box along its axes; each axis gets to be first once."""
    forward = list(range(count))
    orders = [forward[i:] + forward[:i] for i in range(min(count, 6))] or [[]]
    return [*orders, forward[::-1]]


def _repeat(block: int, period: int, times: int) -> int:
    """`block` written `times` times, `period` bits apart, by doubling."""
    result, width, done = block, period, 1
    while done * 2 <= times:
        result |= result << width
        width *= 2
        done *= 2
    if done < times:
        result |= _repeat(block, period, times - done) << width
    return result


def with_marks(
    tables: Tables, mask: int, offset: int, boxes: Sequence[Mapping[str, frozenset[str]]]
) -> dict[str, dict[str, int]]:
    """The tables cut to `mask`, with one more bit for each box, from `offset` on: set in the contexts inside the box.

    An unknown fact is inside only where the box does not name it.
    """
    marked: dict[str, dict[str, int]] = {}
    everything = ((1 << len(boxes)) - 1) << offset
    for name, table in tables.items():
        marked[name] = {}
        for value, standing in table.items():
            outside = 0
            for i, box in enumerate(boxes):
                if name in box and value not in box[name]:
                    outside |= 1 << (offset + i)
            marked[name][value] = (standing & mask) | (everything & ~outside)
    return marked

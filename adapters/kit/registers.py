"""Which rows of a file are records, and under which columns?

A workbook has one sheet a month, a title above the headings, headings of one or two lines, totals and signatures below, and
sheets that are no register. Rows that are no records are refused one by one; a sheet that is passed over is named, and refused
where it looks like a register, or where it is one that whoever opens the workbook does not see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from adapters.kit.headings import EXTENSION, PREFIX, Vocabulary
from adapters.kit.native import Tree, Unreadable
from adapters.kit.remarks import remark
from adapters.kit.text import needs_care
from adapters.kit.workbook import HiddenTitle, Row, place
from gateway.model.notice import Gap

_SEARCHED_ROWS = 40


@dataclass(frozen=True)
class Columns:
    """One heading row, looked at once for all rows below it."""

    names: tuple[str, ...]
    headings: frozenset[str]

    @cached_property
    def _repeats(self) -> bool:
        named = [name for name in self.names if name]
        return len(set(named)) < len(named)

    @cached_property
    def _extension(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, name[len(PREFIX) :]) for name in self.names if name.startswith(PREFIX))

    @cached_property
    def need_care(self) -> bool:
        return needs_care("".join(self.names))

    def tree(self, cells: list[str]) -> Tree | None:
        """A row without anything odd in its cells; None for one that has to be looked at cell by cell."""
        if self._repeats:
            return None
        tree: Tree = {name: cell for name, cell in zip(self.names, cells, strict=False) if cell}
        if "" in tree or len(tree.keys() & self.headings) < 2:
            return None
        extension = {short: tree.pop(name) for name, short in self._extension if name in tree}
        if extension:
            tree[EXTENSION] = extension
        return tree


Record = tuple[Columns, str, list[str]]  # under which columns, where, and what its cells say


def records(rows: Iterable[Row], vocabulary: Vocabulary) -> Iterator[Record | Unreadable | Gap]:
    """Every record; rows and sheets that are refused; and a gap for each sheet that was passed over.

    Raises Unreadable where there is no register at all.
    """
    passed: list[_Sheet] = []
    has_rows = False
    for title, number, cells in rows:
        if not passed or title != passed[-1].title:
            passed.append(_Sheet(title, vocabulary))
        now = passed[-1]
        if now.is_done or not any(cells) or now.is_headings(number, cells) or now.columns is None:
            continue
        if now.is_hidden:
            now.is_done = has_rows = True
            yield now.unseen()
            continue
        has_rows = True
        why = remark(cells)
        where = place(title, number)
        yield (now.columns, where, cells) if why is None else not_a_record(where, f"this row is {why}")
    if all(sheet.columns is None for sheet in passed):
        raise max(passed or [_Sheet("", vocabulary)], key=lambda sheet: sheet.nearest).unknown()
    if not has_rows:
        raise Unreadable("empty", "row 2", "headings without rows", "send at least one row")
    for sheet in passed:
        yield from sheet.left_out()


def not_a_record(where: str, message: str) -> Unreadable:
    return Unreadable("not-a-record", where, message, "leave totals, remarks and examples out of the sheet")


class _Sheet:
    """One sheet as its rows go by. `nearest`: the row that had most of the known headings, how many and which."""

    def __init__(self, title: str, vocabulary: Vocabulary) -> None:
        self.title = title
        self.is_hidden = isinstance(title, HiddenTitle)
        self.is_done = False
        self.columns: Columns | None = None
        self.nearest: tuple[int, int, tuple[str, ...]] = (0, -1, ())
        self._vocabulary = vocabulary
        self._above: tuple[list[str], list[str]] = [], []  # a row that may group the headings below it: cells, names
        self._groups: list[str] | None = None
        self._begun: list[str] | None = None
        self._searched = self._wide = 0

    def is_headings(self, number: int, cells: list[str]) -> bool:
        """Whether this row is one of headings, first or second line, or groups them; keeps what it says."""
        known = self._vocabulary
        if self._begun is not None:
            both = known.second_line(self._begun, cells)
            self._begun = None
            if both is not None:
                self._keep(both)
                return True
        if self.columns is None:
            self._searched += 1
            if self._searched > _SEARCHED_ROWS:
                self.is_done = True  # no register: its headings do not stand so far down
                return True
        elif cells == self._groups:
            return True  # as it was above, repeated on a further page
        elif not known.may_begin(next(filter(None, cells))):
            return False
        names = known.line(cells)
        above, groups = self._above
        grouped = known.below(groups, names)
        if known.are_headings(grouped or names):
            self._groups = above if grouped else self._groups
            self._begun = grouped or names
            self._keep(self._begun)
            return True
        if self.columns is None:
            found = sorted(known.knows(names), key=names.index)
            self.nearest = max(self.nearest, (len(found), -number, tuple(found)))
            self._wide += sum(map(bool, cells)) > 1
            self._above = cells, names
        return False

    def _keep(self, names: Sequence[str]) -> None:
        self.columns = Columns(self._vocabulary.settled(names), self._vocabulary.known)

    def unseen(self) -> Unreadable:
        return Unreadable(
            "hidden-sheet", f"sheet {self.title}", "a sheet that is hidden holds a register; nothing of it was read",
            "show the sheet, or delete it, and send the file again",
        )  # fmt: skip

    def unknown(self) -> Unreadable:
        """What to say of a sheet without known headings: at the row that comes nearest, with those of its headings that are known."""
        count, row, found = self.nearest
        where = place(self.title, max(-row, 1))
        near = (
            f"no row of known headings; this one comes nearest, with {', '.join(found)}"
            if count
            else "no row of known headings"
        )
        examples = ", ".join(self._vocabulary.examples)
        return Unreadable("no-known-columns", where, near, f"have one row of headings, such as {examples}")

    def left_out(self) -> Iterator[Unreadable | Gap]:
        if self.columns is not None or self.is_hidden or self._wide < 2:
            return
        if not set(self.nearest[2]) <= self._vocabulary.coded:
            yield self.unknown()
        else:
            yield Gap("sheet-unread", f"sheet {self.title}", "no row of known headings; nothing of this sheet was read")

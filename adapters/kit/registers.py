"""Which rows of a file are records, and under which columns?

A workbook has one sheet a month, a title above the headings, headings of one or two lines, totals and signatures below, and
sheets that are no register. Rows that are no records are refused one by one; a sheet that is passed over is named, and refused
where it looks like a register, or where it is one that whoever opens the workbook does not see.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from adapters.kit.headings import EXTENSION, PREFIX, Doubtful, Vocabulary
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
    def _are_odd(self) -> bool:
        named = [name for name in self.names if name]
        return len(set(named)) < len(named) or any(isinstance(name, Doubtful) for name in named)

    @cached_property
    def _extension(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, name[len(PREFIX) :]) for name in self.names if name.startswith(PREFIX))

    @cached_property
    def need_care(self) -> bool:
        return needs_care("".join(self.names))

    def tree(self, cells: list[str]) -> Tree | None:
        """A row without anything odd in its cells; None for one that has to be looked at cell by cell."""
        if self._are_odd:
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
        if now.is_done or not any(cells):
            continue
        if now.is_headings(number, cells):
            if now.refused is not None and not now.is_hidden:
                has_rows = True
                yield now.refused
            continue
        if now.columns is None:
            continue
        if now.is_hidden:
            now.is_done = has_rows = True
            yield now.unseen()
            continue
        has_rows = True
        why = remark(cells)
        where = place(title, number)
        yield (now.columns, where, cells) if why is None else not_a_record(where, f"this row is {why}")
    if not any(sheet.begins for sheet in passed):
        raise max(passed or [_Sheet("", vocabulary)], key=lambda sheet: sheet.nearest).unknown()
    if not has_rows:
        (below,) = [place(sheet.title, sheet.begins + 1) for sheet in passed if sheet.begins][:1]
        raise Unreadable("empty", below, "headings without rows", "send at least one row")
    for sheet in passed:
        yield from sheet.left_out()


def not_a_record(where: str, message: str) -> Unreadable:
    return Unreadable("not-a-record", where, message, "leave totals, remarks and examples out of the sheet")


class _Sheet:
    """One sheet as its rows go by. `nearest`: the row that had most of the known headings, how many and which; `begins`: the
    row of its first headings; `unread`: one above it that is no title; `refused`: what to say of a table whose headings were just read, where it is no register."""

    def __init__(self, title: str, vocabulary: Vocabulary) -> None:
        self.title = title
        self.is_hidden = isinstance(title, HiddenTitle)
        self.is_done = False
        self.columns: Columns | None = None
        self.begins = self.unread = 0
        self.refused: Unreadable | None = None
        self.nearest: tuple[int, int, tuple[str, ...]] = (0, -1, ())
        self._vocabulary = vocabulary
        self._titles: deque[str] = deque(maxlen=8)  # the last rows of one cell since the last headings
        self._above: list[str] = []  # a row that may group the headings below it
        self._groups: list[str] | None = None
        self._grouped: list[str] | None = None  # the row below it
        self._begun: list[str] | None = None
        self._searched = self._wide = 0
        self._is_form = self._is_nobodys = False

    def is_headings(self, number: int, cells: list[str]) -> bool:
        """Whether this row is one of headings, first or second line, or groups them; keeps what it says."""
        known = self._vocabulary
        self.refused = None
        if self._begun is not None:
            both = known.second_line(self._begun, cells)
            self._begun = None
            if both is not None:
                self._keep(both)
                return True
        if not self.begins:
            self._searched += 1
            if self._searched > _SEARCHED_ROWS:
                self.is_done = True  # no register: its headings do not stand so far down
                return True
        elif self.columns is not None and cells in (self._groups, self._grouped):
            return True  # as it was above, repeated on a further page
        elif known.known.isdisjoint(cells) and not known.may_begin(next(filter(None, cells))):
            self._pass_by(cells)
            return False
        names = known.line(cells)
        grouped = known.below(known.line(self._above), names)
        found = grouped or names
        if known.are_headings(found, is_grouped=grouped is not None):
            self.begins = self.begins or number
            titles = [f"{self.title}表", *self._titles]
            self._titles.clear()
            if known.are_of_others(titles, found):
                return self._refuse(self._said_of_others(number))
            if found is grouped:
                self._groups, self._grouped = self._above, cells
            self._begun = found
            self._keep(found)
            return True
        if self.columns is not None and known.begin_other_table(cells, names):
            return self._refuse(self._another(number))
        if not self.begins:
            said = sorted(known.knows(names), key=names.index)
            if (nearest := (len(said), -number, tuple(said))) > self.nearest:
                self.nearest, self._is_form = nearest, known.holds_values(names)
                self._is_nobodys = not known.say_whose(names)
            self._wide += sum(map(bool, cells)) > 1
            self.unread = self.unread or (number if known.are_values(cells) else 0)
        self._pass_by(cells)
        return False

    def _pass_by(self, cells: list[str]) -> None:
        self._above = cells
        if cells.count("") == len(cells) - 1:
            self._titles.append(next(filter(None, cells)))

    def _keep(self, names: Sequence[str]) -> None:
        self.columns = Columns(self._vocabulary.settled(names), self._vocabulary.known)

    def _refuse(self, why: Unreadable) -> bool:
        self.columns, self.refused = None, why
        return True

    def _said_of_others(self, number: int) -> Unreadable:
        return Unreadable(
            "no-known-columns", place(self.title, number), "by its title a table of other people than children: no row of it was read",
            f"send it apart, or head its columns as in the register: {', '.join(self._vocabulary.examples)}",
        )  # fmt: skip

    def _another(self, number: int) -> Unreadable:
        return Unreadable(
            "no-known-columns", place(self.title, number), "the headings of another table: no row below them was read",
            f"send it apart, or head its columns as in the register: {', '.join(self._vocabulary.examples)}",
        )  # fmt: skip

    def unseen(self) -> Unreadable:
        return Unreadable(
            "hidden-sheet", f"sheet {self.title}", "a sheet that is hidden holds a register; nothing of it was read",
            "show the sheet, or delete it, and send the file again",
        )  # fmt: skip

    def unknown(self) -> Unreadable:
        """What to say of a sheet without known headings: at the row that comes nearest, with those of its headings that are known."""
        count, row, found = self.nearest
        where = place(self.title, max(-row, 1))
        examples = ", ".join(self._vocabulary.examples)
        if self._is_form and count > 1:
            return Unreadable(
                "no-known-columns", where, "headings stand beside their values, as in a form for one person",
                f"send a register, one row a child below one row of headings, such as {examples}",
            )  # fmt: skip
        if self._is_nobodys and count > 1:
            return Unreadable(
                "no-known-columns", where, f"nothing says whose {', '.join(found)} are: no column names a child",
                f"head the columns that tell of the child, such as {examples}",
            )  # fmt: skip
        near = (
            f"no row of known headings; this one comes nearest, with {', '.join(found)}"
            if count
            else "no row of known headings"
        )
        return Unreadable("no-known-columns", where, near, f"have one row of headings, such as {examples}")

    def left_out(self) -> Iterator[Unreadable | Gap]:
        if self.begins and self.unread and not self.is_hidden:
            lost = "what stands above the headings is no title; nothing of it was read"
            yield Gap("before-header", place(self.title, self.unread), lost)
        if self.begins or self.is_hidden or self._wide < 2:
            return
        if not set(self.nearest[2]) <= self._vocabulary.coded:
            yield self.unknown()
        else:
            yield Gap("sheet-unread", f"sheet {self.title}", "no row of known headings; nothing of this sheet was read")

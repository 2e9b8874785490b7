"""How do rows with Chinese headings become native trees, whatever a spreadsheet did to them?

CSV and XLSX share everything after their cells: the heading row is found by
the headings the mapping knows (title rows above it are passed over, headings
repeated below a page break too), each further row is one tree of heading ->
text, and columns `扩展:<name>` are the extension block. An empty cell means
"not provided", never "no". A cell that begins with a sign a spreadsheet would
take for a formula is written with an apostrophe, which reading takes off.

What a spreadsheet ruined is passed on as it is (`3.1E+17`), so that the
converter of that column can name it; nothing is repaired here.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from adapters.kit.json_codec import charset_parameter, text_of_bytes
from adapters.kit.native import DEFAULT_LIMITS, Limits, NativeItem, Position, Tree, Unreadable
from adapters.kit.text import has_private_use
from adapters.kit.workbook import OLD_WORKBOOK, XLSX_TYPE, Row, place, read_xlsx
from adapters.kit.workbook_writer import write_xlsx
from gateway.model.notice import Gap

__all__ = ["CSV_TYPE", "EXTENSION", "XLSX_TYPE", "TableCodec", "heading"]

EXTENSION = "扩展"
CSV_TYPE = "text/csv"
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_MARKS = "'=+-@\t\r"  # how such a cell begins, guarded or not
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_PREFIX = EXTENSION + ":"
_SEARCHED_ROWS = 40
_SURELY = 5  # as many known headings, a child's name among them, are no record, whatever else there are columns for
_MAX_COLUMNS = 16_384  # as many as a worksheet has
_ERRORS = frozenset({"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})


def heading(text: str) -> str:
    """One spelling of a heading: half width, without blanks, line breaks, and marks for required columns."""
    plain = unicodedata.normalize("NFKC", text)
    return re.sub(r"[\s*]+", "", plain).removeprefix("\ufeff")


def guard(text: str) -> str:
    return "'" + text if text[:1] in _MARKS and _FORMULA.match(text) else text


def unguard(text: str) -> str:
    return text[1:] if text[:1] == "'" and _GUARDED.match(text) else text


@dataclass(frozen=True)
class _Columns:
    """One heading row, looked at once for all rows below it."""

    names: tuple[str, ...]
    headings: frozenset[str] = frozenset()

    @cached_property
    def _repeats(self) -> bool:
        named = [name for name in self.names if name]
        return len(set(named)) < len(named)

    @cached_property
    def _extension(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, name[len(_PREFIX) :]) for name in self.names if name.startswith(_PREFIX))

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


def _column(path: Position) -> str:
    """An extension block is columns of its own: `扩展:<name>`."""
    return f"column {path[0]}:{path[1]}" if path[0] == EXTENSION and len(path) > 1 else f"column {path[0]}"


def _item(tree: Tree, where: str, notes: list[Gap]) -> NativeItem:
    head = where + ", column "

    def locate(path: Position) -> str:
        if len(path) == 1:
            return f"{head}{path[0]}"
        return f"{where}, {_column(path)}" if path else where

    return NativeItem(tree, where, notes, locate)


@dataclass(frozen=True)
class TableCodec:
    """`headings`: every heading the mapping knows; `naming` those of a child's name, without which a register of many other
    columns may be one of teachers. `title` is written as a merged first row in XLSX."""

    headings: frozenset[str]
    title: str = ""
    sheet: str = "通报"
    limits: Limits = DEFAULT_LIMITS
    scalar_key: str = "#"
    extension_style: str = "flat"
    naming: frozenset[str] = frozenset()

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        return list(self.rows(raw, media_type, self.limits))

    def rows(self, raw: bytes, media_type: str, limits: Limits) -> Iterator[NativeItem | Unreadable]:
        gaps: list[Gap] = []
        if raw[:4] == b"PK\x03\x04" or raw[:8] == OLD_WORKBOOK or "spreadsheetml" in media_type:
            rows: Iterable[Row] = read_xlsx(raw, limits)
        else:
            text, gaps = text_of_bytes(raw, limits, charset_parameter(media_type))
            rows = read_csv(text, limits)
        yield from self._items(rows, gaps, limits)

    @cached_property
    def _starts(self) -> frozenset[str]:
        return frozenset(name[0] for name in self.headings)

    def _is_heading(self, cell: str) -> bool:
        """Most first cells are told from a heading by their first character, as long as folding does not change it."""
        start = cell[:1]
        is_kept = "\u4e00" <= start <= "\u9fff" or (start.isascii() and start.isalnum() and self._are_plain)
        return (start in self._starts or not is_kept) and heading(cell) in self.headings

    @cached_property
    def _are_plain(self) -> bool:
        """No heading begins with what an ASCII letter and a mark after it are folded to."""
        return all(start.isascii() or "\u4e00" <= start <= "\u9fff" for start in self._starts)

    def _items(self, rows: Iterable[Row], gaps: list[Gap], limits: Limits) -> Iterator[NativeItem | Unreadable]:
        columns = _Columns(())
        sheet_now: str | None = None
        searched = count = 0
        found_any = False
        for sheet, number, cells in rows:
            if sheet != sheet_now:
                sheet_now, columns, searched = sheet, _Columns(()), 0
            if not columns.names:
                searched += 1
                if searched > _SEARCHED_ROWS:
                    if not sheet:
                        break
                    continue  # no register: its headings do not stand so far down; the next sheet may be one
            if not columns.names or self._is_heading(next(filter(None, cells), "")):
                names = [heading(cell) for cell in cells]
                known = sum(1 for name in set(names) if name in self.headings or name.startswith(EXTENSION + ":"))
                is_surely = known >= _SURELY and not self.naming.isdisjoint(names)
                if is_surely or (known >= 2 and known * 2 >= sum(1 for name in names if name)):
                    columns, found_any = _Columns(tuple(names), self.headings), True
                    continue
            if not columns.names:
                continue
            joined = "".join(cells)
            if not joined or joined.isspace():
                continue
            count += 1
            if count > limits.max_items:
                where = place(sheet, number)
                yield Unreadable("too-many", where, f"more than {limits.max_items} rows", "send smaller files")
                return
            is_plain = "'" not in joined and "#" not in joined and len(cells) <= len(columns.names)
            tree = columns.tree(cells) if is_plain else None
            where = place(sheet, number)
            item = _item(tree, where, list(gaps)) if tree is not None else self._row(columns.names, where, cells, gaps)
            if isinstance(item, NativeItem):
                item.is_careful = has_private_use(joined)
            yield item
        if not found_any:
            examples = ", ".join(sorted(self.headings)[:8])
            raise Unreadable(
                "no-known-columns", "row 1", "no row of known headings", f"begin with headings such as {examples}"
            )
        if not count:
            raise Unreadable("empty", "row 2", "headings without rows", "send at least one row")

    def _row(self, columns: Sequence[str], where: str, cells: list[str], gaps: list[Gap]) -> NativeItem | Unreadable:
        """Any row, cell by cell: with errors of the spreadsheet, guarded cells, cells without or under repeated headings."""
        tree: Tree = {}
        extension: dict[str, str] = {}
        notes = list(gaps)
        known = 0
        for index, cell in enumerate(cells):
            if cell == "":
                continue
            name = columns[index] if index < len(columns) else ""
            if cell.strip() in _ERRORS:
                notes.append(
                    Gap(
                        "cell-error",
                        f"{where}, column {name or index + 1}",
                        "the spreadsheet could not compute this cell",
                    )
                )
                continue
            if not name:
                if cell.strip():
                    notes.append(Gap("unmapped", f"{where}, column {index + 1}", "a cell without a heading"))
                continue
            if name.startswith(EXTENSION + ":"):
                extension[name.removeprefix(EXTENSION + ":")] = unguard(cell)
                known += 1
            elif name in tree:
                if tree[name] != cell:
                    notes.append(Gap("repeated", f"{where}, column {name}", "the heading is given twice"))
            else:
                tree[name] = unguard(cell)
                known += name in self.headings
        if extension:
            tree[EXTENSION] = extension
        if known < 2:
            return Unreadable(
                "not-a-record", where, "fewer than two known cells", "leave totals and remarks out of the sheet"
            )

        return _item(tree, where, notes)

    def write(self, tree: Tree) -> bytes:
        return self.write_as(tree, CSV_TYPE)

    def write_as(self, tree: Tree, media_type: str) -> bytes:
        cells: dict[str, str] = {}
        for name, value in tree.items():
            if isinstance(value, dict):
                cells.update({f"{EXTENSION}:{key}": below for key, below in value.items()})
            else:
                cells[name] = str(value)
        row = [guard(cell) for cell in cells.values()]
        if media_type.startswith(CSV_TYPE):
            out = io.StringIO()
            writer = csv.writer(out, lineterminator="\r\n")
            writer.writerow(list(cells))
            writer.writerow(row)
            return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")
        return write_xlsx(self.title, list(cells), [row], self.sheet)

    def position(self, path: Position) -> str:
        return _column(path) if path else "row 1"


def read_csv(text: str, limits: Limits) -> Iterator[Row]:
    """Rows of comma-, semicolon- or tab-separated text. Raises Unreadable for a broken one."""
    first = text.split("\n", 1)[0]
    delimiter = max(",\t;", key=first.count) if first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    try:
        for cells in reader:
            if len(cells) > _MAX_COLUMNS:
                where = f"row {reader.line_num}"
                raise Unreadable("too-large", where, f"more than {_MAX_COLUMNS} columns", "send a register")
            yield "", reader.line_num, cells
    except csv.Error:
        raise Unreadable(
            "not-csv", f"row {reader.line_num}", "a cell is longer than any notice or holds NUL", "send CSV"
        ) from None

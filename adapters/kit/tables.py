"""How do rows with Chinese headings become native trees, whatever a spreadsheet did to them?

CSV and XLSX share everything after their cells: the heading row is found by
the headings the mapping knows (title rows above it are passed over, headings
repeated below a page break too), each further row is one tree of heading ->
text, and columns `扩展:<name>` are the extension block. An empty cell means
"not provided", never "no". A cell that begins with a sign a spreadsheet would
take for a formula is written with an apostrophe, which reading takes off, as
it does what people put round numbers so that no spreadsheet ruins them.

What a spreadsheet ruined is passed on as it is (`3.1E+17`), so that the
converter of that column can name it; nothing is repaired here. A sheet that
is passed over is named.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from adapters.kit.csv_reader import SEPARATORS, Torn, read_csv
from adapters.kit.foreign_files import refuse_documents, refuse_pages
from adapters.kit.headings import EXTENSION, PREFIX, Doubtful, Vocabulary
from adapters.kit.json_codec import charset_parameter, text_of_bytes
from adapters.kit.native import DEFAULT_LIMITS, Limits, NativeItem, Position, Tree, Unreadable
from adapters.kit.registers import Columns, not_a_record, records
from adapters.kit.text import needs_care
from adapters.kit.workbook import OLD_WORKBOOK, XLSX_TYPE, Row, read_xlsx
from adapters.kit.workbook_writer import write_xlsx
from gateway.model.notice import Gap

__all__ = ["CSV_TYPE", "EXTENSION", "XLSX_TYPE", "TableCodec"]

CSV_TYPE = "text/csv"
_FORMULA = re.compile(r"'*[=+\-@\t\r]|'+[0-9]")
_MARKS = "'=+-@\t\r"  # how such a cell begins, guarded or not
_GUARDED = re.compile(r"'+[=+\-@\t\r0-9]")
_ARMOURED = re.compile(r'="([^"]*)"')  # what web pages put round a number that no spreadsheet shall ruin
_ERRORS = frozenset({"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})


def guard(text: str) -> str:
    return "'" + text if text[:1] in _MARKS and _FORMULA.match(text) else text


def unguard(text: str) -> str:
    if text[:1] == "'":
        return text[1:] if _GUARDED.match(text) else text
    armoured = _ARMOURED.fullmatch(text) if text[:1] == "=" else None
    return armoured[1] if armoured else text


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
    """`vocabulary`: the headings that the mapping knows. `title` is written as a merged first row in XLSX."""

    vocabulary: Vocabulary
    title: str = ""
    sheet: str = "通报"
    limits: Limits = DEFAULT_LIMITS
    scalar_key: str = "#"
    extension_style: str = "flat"

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        return list(self.rows(raw, media_type, self.limits))

    def rows(self, raw: bytes, media_type: str, limits: Limits) -> Iterator[NativeItem | Unreadable]:
        gaps: list[Gap] = []
        if raw[:4] == b"PK\x03\x04" or raw[:8] == OLD_WORKBOOK or "spreadsheetml" in media_type:
            rows: Iterable[Row] = read_xlsx(raw, limits)
        else:
            refuse_documents(raw)
            text, gaps = text_of_bytes(raw, limits, charset_parameter(media_type))
            refuse_pages(text)
            rows = read_csv(text, limits, self.vocabulary)
        yield from self._items(rows, gaps, limits)

    def _items(self, rows: Iterable[Row], gaps: list[Gap], limits: Limits) -> Iterator[NativeItem | Unreadable]:
        """Each item when the next is known: what is to be said of the whole file is said with the last."""
        held: NativeItem | Unreadable | None = None
        try:
            for count, found in enumerate(records(rows, self.vocabulary)):
                if isinstance(found, Gap) and isinstance(held, NativeItem):
                    held.gaps.append(found)
                    continue
                if held is not None:
                    yield held
                if isinstance(found, Gap):
                    held = Unreadable(
                        found.code, found.position, found.message, "have one row of headings on each sheet"
                    )
                elif count >= limits.max_items:
                    where = found.problem.position if isinstance(found, Unreadable) else found[1]
                    held = Unreadable("too-many", where, f"more than {limits.max_items} rows", "send smaller files")
                    break
                else:
                    held = found if isinstance(found, Unreadable) else self._item(*found, gaps)
        except Torn as lost:
            if held is not None:
                yield held
            held = lost
        if held is not None:
            yield held

    def _item(self, columns: Columns, where: str, cells: list[str], gaps: list[Gap]) -> NativeItem | Unreadable:
        joined = "".join(cells)
        is_odd = "'" in joined or "#" in joined or "\n" in joined or '="' in joined  # marks of what is not what it says
        tree = None if is_odd or len(cells) > len(columns.names) else columns.tree(cells)
        item = _item(tree, where, list(gaps)) if tree is not None else self._row(columns.names, where, cells, gaps)
        if isinstance(item, NativeItem):
            item.is_careful = columns.need_care or needs_care(joined)
        return item

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
            if isinstance(name, Doubtful):
                whose = "the headings do not say whose this is"
                notes.append(Gap("person-undetermined", f"{where}, column {name}", whose))
                known += 1
                continue
            if "\n" in cell and _are_rows(cell, len(columns)):
                notes.append(
                    Gap(
                        "open-quote",
                        f"{where}, column {name}",
                        "this cell may hold whole rows: is a quotation mark not closed?",
                    )
                )
            if name.startswith(PREFIX):
                extension[name.removeprefix(PREFIX)] = unguard(cell)
                known += 1
            elif name in tree:
                if tree[name] != cell:
                    notes.append(Gap("repeated", f"{where}, column {name}", "the heading is given twice"))
            else:
                tree[name] = unguard(cell)
                known += name in self.vocabulary.known
        if extension:
            tree[EXTENSION] = extension
        if known < 2:
            return not_a_record(where, "fewer than two known cells")
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


def _are_rows(cell: str, columns: int) -> bool:
    """Whether a line of a cell after its first has as many separators as a row of its register."""
    return any(max(map(line.count, SEPARATORS)) + 1 >= max(columns, 3) for line in cell.split("\n")[1:])

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
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Any
from xml.sax.saxutils import escape as xml_escape

from adapters.kit.json_codec import charset_parameter, text_of_bytes
from adapters.kit.native import DEFAULT_LIMITS, Limits, NativeItem, Position, Tree, Unreadable
from adapters.kit.text import has_private_use
from gateway.model.notice import Gap

EXTENSION = "扩展"
CSV_TYPE = "text/csv"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_MARKS = "'=+-@\t\r"  # how such a cell begins, guarded or not
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_PREFIX = EXTENSION + ":"
_SEARCHED_ROWS = 40
_MAX_COLUMNS = 16_384  # as many as a worksheet has
_EMPTY_RUN = 5_000
_MAX_SHARED = 128 * 1024 * 1024  # what is no sheet (shared texts, styles) is held whole
_ERRORS = frozenset({"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})
_ROW = re.compile(rb"[<:]row[ />]")
_MAX_ROWS = 1_100_000  # a worksheet has 1,048,576: whoever formats it to its end has them all, blank
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")  # ECMA-376 ST_Xstring

Row = tuple[str, int, list[str]]  # sheet, row number from 1, cells


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


def _item(tree: Tree, where: str, notes: list[Gap]) -> NativeItem:
    def locate(path: Position) -> str:
        return f"{where}, column {path[0]}" if path else where

    return NativeItem(tree, where, notes, locate)


@dataclass(frozen=True)
class TableCodec:
    """`headings`: every heading the mapping knows. `title` is written as a merged first row in XLSX."""

    headings: frozenset[str]
    title: str = ""
    sheet: str = "通报"
    limits: Limits = DEFAULT_LIMITS
    scalar_key: str = "#"
    extension_style: str = "flat"

    def read(self, raw: bytes, media_type: str) -> Sequence[NativeItem | Unreadable]:
        return list(self.rows(raw, media_type, self.limits))

    def rows(self, raw: bytes, media_type: str, limits: Limits) -> Iterator[NativeItem | Unreadable]:
        gaps: list[Gap] = []
        if raw[:4] == b"PK\x03\x04" or raw[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" or "spreadsheetml" in media_type:
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
                if known >= 2 and known * 2 >= sum(1 for name in names if name):
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
        return f"column {path[0]}" if path else "row 1"


def place(sheet: str, number: int) -> str:
    return f"sheet {sheet}, row {number}" if sheet else f"row {number}"


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


def read_xlsx(raw: bytes, limits: Limits) -> Iterator[Row]:
    """Rows of all sheets. Raises Unreadable for anything but a plain, modest workbook."""
    if len(raw) > limits.max_bytes:
        raise Unreadable(
            "too-large", f"byte {limits.max_bytes}", f"more than {limits.max_bytes} bytes", "send smaller files"
        )
    if raw[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        if "EncryptedPackage".encode("utf-16-le") in raw:
            raise Unreadable(
                "encrypted", "file", "the workbook is protected by a password", "save it without a password"
            )
        raise Unreadable("old-format", "file", "the workbook is in the old xls format", "save it as xlsx")
    _check_zip(raw, limits)
    import openpyxl  # takes a fifth of a second: the first workbook waits for it, not the start of every gateway

    # Missing styles do not concern the cells, and some of its warnings repeat what stands in one.
    warnings.filterwarnings("ignore", module=r"openpyxl\.")
    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True, keep_links=False)
    except Exception:  # noqa: BLE001 - the foreign parser raises anything on damaged files; each is a refusal
        raise Unreadable("not-xlsx", "file", "the workbook cannot be opened", "save it again as xlsx") from None
    try:
        yield from _sheets(book, limits.max_cells)
    finally:
        book.close()


def _sheets(book: Any, max_cells: int) -> Iterator[Row]:
    cells_read = 0
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        try:
            sheet.reset_dimensions()
            empty = 0
            for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
                cells_read += len(row)
                if cells_read > max_cells:
                    raise Unreadable(
                        "too-large", place(sheet.title, number), f"more than {max_cells} cells", "send smaller files"
                    )
                cells = [cell_text(value) for value in row]
                if not any(cells):
                    empty += 1
                    if empty > _EMPTY_RUN:
                        break
                    continue
                empty = 0
                yield sheet.title, number, cells
        except Unreadable:
            raise
        except Exception:  # noqa: BLE001 - as above
            raise Unreadable(
                "not-xlsx", f"sheet {sheet.title}", "a sheet cannot be read", "save it again as xlsx"
            ) from None


def _check_zip(raw: bytes, limits: Limits) -> None:
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        shared = sum(member.file_size for member in members if not member.filename.startswith("xl/worksheets/"))
        if len(members) > 2_000 or unpacked > limits.max_unpacked or shared > _MAX_SHARED:
            raise Unreadable(
                "too-large", "file", "the workbook unpacks to more than any register", "send smaller files"
            )
        names = {member.filename for member in members}
        if "mimetype" in names and archive.read("mimetype")[:60].startswith(b"application/vnd.oasis"):
            raise Unreadable("opendocument", "file", "the workbook is in the OpenDocument format", "save it as xlsx")
        for member in members:
            if member.filename.endswith((".xml", ".rels")):
                with archive.open(member) as stream:
                    head = stream.read(1024).upper()
                    if member.filename.startswith("xl/worksheets/"):
                        _check_rows(stream)
                if b"<!DOCTYPE" in head or b"<!ENTITY" in head or "<!DOCTYPE".encode("utf-16-le") in head:
                    raise Unreadable(
                        "xml-dtd", "file", "a document type declaration is not accepted", "save it again as xlsx"
                    )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError, zlib.error) as error:
        raise Unreadable("not-xlsx", "file", "the workbook cannot be opened", "save it again as xlsx") from error


def _check_rows(stream: Any) -> None:
    """Rows cost time even where they are blank, and a hostile sheet can say the same one for ever."""
    rows, tail = 0, b""
    while chunk := stream.read(1024 * 1024):
        rows += len(_ROW.findall(tail + chunk))
        tail = chunk[-4:]
        if rows > _MAX_ROWS:
            raise Unreadable("too-large", "file", "a sheet has more rows than a worksheet holds", "send smaller files")


def cell_text(value: Any) -> str:
    """A cell as the person at the screen meant it; numbers too long for a spreadsheet stay visibly ruined."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), value) if "_x" in value else value
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else f"{float(value):.14E}"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return f"{value:.14E}" if abs(value) >= 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


_TYPES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    "</Types>"
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" Target="{target}"/>'
    "</Relationships>"
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def write_xlsx(title: str, names: Sequence[str], rows: Sequence[Sequence[str]], sheet: str) -> bytes:
    """A workbook of text cells: a merged title row if there is a title, headings, rows. Equal input, equal bytes."""
    lines: list[str] = []
    merged = ""
    table = [list(names), *rows]
    if title:
        table.insert(0, [title])
        if len(names) > 1:
            merged = f'<mergeCells count="1"><mergeCell ref="A1:{column_name(len(names))}1"/></mergeCells>'
    for number, row in enumerate(table, 1):
        cells = "".join(
            f'<c r="{column_name(index)}{number}" t="inlineStr"><is><t xml:space="preserve">{xml_escape(text)}</t></is></c>'
            for index, text in enumerate(row, 1)
            if text != ""
        )
        lines.append(f'<row r="{number}">{cells}</row>')
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _RELATIONS.format(kind="officeDocument", target="xl/workbook.xml"),
        "xl/workbook.xml": (
            f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><workbook xmlns="{_MAIN}" xmlns:r="{relation}">'
            f'<sheets><sheet name="{xml_escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": _RELATIONS.format(kind="worksheet", target="worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": (
            f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><worksheet xmlns="{_MAIN}">'
            f"<sheetData>{''.join(lines)}</sheetData>{merged}</worksheet>"
        ),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, text.encode("utf-8"))
    return out.getvalue()


def column_name(number: int) -> str:
    out = ""
    while number:
        number, rest = divmod(number - 1, 26)
        out = chr(65 + rest) + out
    return out

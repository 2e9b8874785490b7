"""What do the cells of an XLSX workbook say, whatever else is in it?

Sheets are read row by row and nothing but values is looked at: shared texts, and of the styles only whether a number is a
date. A workbook with ten thousand styles, as they grow in offices, costs what its cells cost. Values are as the person
at the screen meant them; numbers too long for a spreadsheet stay visibly ruined.

Hostile workbooks are refused by what they would become, not by their size: unpacked bytes, cells, and characters, since
one shared text of a megabyte can be said by every cell. No part may declare a document type.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from posixpath import join, normpath
from typing import IO, Any

from lxml import etree

from adapters.kit.native import Limits, Unreadable

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
Row = tuple[str, int, list[str]]  # sheet, row number from 1, cells


class HiddenTitle(str):
    """The title of a sheet that whoever opens the workbook does not see."""


_EMPTY_RUN = 5_000
_MAX_ROWS = 1_100_000  # a worksheet has 1,048,576: whoever formats it to its end has them all, blank
_MAX_COLUMNS = 16_384
# Tags and attributes held between two wanted elements. A row of every column, each a rich inline text with its font, has
# 24 a column (r, s, t; is, r, rPr and five of its properties, t; and their ends).
_MAX_MARKS = 32 * _MAX_COLUMNS
_MAX_STYLES = 65_536  # Excel has 65,490 cell styles, each under a named one, and fewer fonts, fills and borders
# What styles are made of, so that none of it is held longer than it is looked at.
_STYLE_PARTS = ("numFmt", "font", "fill", "border", "xf", "cellStyle", "dxf", "tableStyle", "ext")
_MAX_MEMBERS = 2_000
_HEAD = 4_096
# OPC allows UTF-8 and UTF-16; of others, only where "<" and "=" are the bytes that are counted (UTF-7 and EBCDIC hide them).
_PLAIN_START = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*<")
_DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)")
_PLAIN = frozenset({b"utf-8", b"utf8", b"utf-16", b"us-ascii", b"gb2312", b"gbk", b"gb18030", b"iso-8859-1"})
_MAX_SHARED = 128 * 1024 * 1024  # what is no sheet (shared texts, styles) is held whole
_MAX_CELL = 32_767  # characters, Excel's own limit
_CHARACTERS_OF_BYTES = 2  # of the bytes a workbook may unpack to, half as characters is more than any register
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")  # ECMA-376 ST_Xstring
_DATE_LETTER = re.compile(r"[dmhys]", re.IGNORECASE)
_NOT_FORMAT = re.compile(r'"[^"]*"|\\.|_.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
# Formats that have a number and no text (ECMA-376 18.8.30): dates and times, those of Chinese among them.
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_ELAPSED_FORMAT = 46
_EPOCH, _EPOCH_1904 = map(datetime.fromisoformat, ("1899-12-30", "1904-01-01"))  # of the clock on the wall
_DAY_MS = 86_400_000
_BROKEN = (
    etree.XMLSyntaxError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError,
    EOFError, KeyError, IndexError, OverflowError,
)  # fmt: skip
_SHEET, _DOCUMENT = "/worksheet", "/officeDocument"
_RELATION_ID = re.compile(r"\{[^}]*relationships\}id")


@dataclass(frozen=True, slots=True)
class _Book:
    archive: zipfile.ZipFile
    sheets: Sequence[tuple[str, str]]  # title, part
    texts: Sequence[str]
    dates: frozenset[int]  # cell styles that say a date or time
    elapsed: frozenset[int]  # cell styles that say a length of time
    epoch: datetime


def read_xlsx(raw: bytes, limits: Limits) -> Iterator[Row]:
    """Rows of all sheets, those of hidden ones under a HiddenTitle. Raises Unreadable for anything but a plain, modest workbook."""
    if len(raw) > limits.max_bytes:
        raise Unreadable(
            "too-large", f"byte {limits.max_bytes}", f"more than {limits.max_bytes} bytes", "send smaller files"
        )
    if raw[:8] == OLD_WORKBOOK:
        if "EncryptedPackage".encode("utf-16-le") in raw:
            raise Unreadable(
                "encrypted", "file", "the workbook is protected by a password", "save it without a password"
            )
        raise Unreadable("old-format", "file", "the workbook is in the old xls format", "save it as xlsx")
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
        _weigh(archive, limits)
        book = _opened(archive)
    except _BROKEN:
        raise Unreadable("not-xlsx", "file", "the workbook cannot be opened", "save it again as xlsx") from None
    cells = characters = 0
    for title, part in book.sheets:
        try:
            number = 0
            for number, row in _rows(book, part, limits.max_cells):
                cells += len(row)
                characters += sum(map(len, row))
                if cells > limits.max_cells or characters > limits.max_unpacked // _CHARACTERS_OF_BYTES:
                    much = f"more than {limits.max_cells} cells, or more text than any register"
                    raise Unreadable("too-large", place(title, number), much, "send smaller files")
                yield title, number, row
        except _TooMuch:
            much = f"after row {number}, more in one row or behind the rows than {_MAX_COLUMNS} columns can say"
            raise Unreadable("too-large", place(title, number + 1), much, "send smaller files") from None
        except _TooLarge as error:
            raise Unreadable("too-large", place(title, error.row), str(error), "send smaller files") from None
        except _BROKEN:
            raise Unreadable("not-xlsx", f"sheet {title}", "a sheet cannot be read", "save it again as xlsx") from None


class _TooLarge(Exception):
    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


def place(sheet: str, number: int) -> str:
    return f"sheet {sheet}, row {number}" if sheet else f"row {number}"


def _weigh(archive: zipfile.ZipFile, limits: Limits) -> None:
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    shared = sum(member.file_size for member in members if not member.filename.startswith("xl/worksheets/"))
    if len(members) > _MAX_MEMBERS or unpacked > limits.max_unpacked or shared > _MAX_SHARED:
        raise Unreadable("too-large", "file", "the workbook unpacks to more than any register", "send smaller files")
    names = {member.filename for member in members}
    if "mimetype" in names and archive.read("mimetype")[:60].startswith(b"application/vnd.oasis"):
        raise Unreadable("opendocument", "file", "the workbook is in the OpenDocument format", "save it as xlsx")


class _TooMuch(Unreadable):
    """More between two wanted elements than any workbook has: the parser would hold all of it."""


class _Counted:
    """A part as it is parsed, with the tags and attributes read since the last element that was wanted."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._is_begun = False
        self.marks = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        if not self._is_begun and piece:
            self._is_begun = True
            head = piece[:_HEAD].replace(b"\0", b"")
            declared = _DECLARED.search(head)
            is_plain = declared[1].strip().lower() in _PLAIN if declared else b"<?xml" not in head or b"?>" in head
            if not is_plain or not _PLAIN_START.match(head):
                raise ValueError("neither UTF-8 nor UTF-16")
        self.marks += piece.count(b"<") + piece.count(b"=")
        if self.marks > _MAX_MARKS:
            raise _TooMuch("too-large", "file", "one entry of the workbook is too large", "send smaller files")
        return piece


def _elements(archive: zipfile.ZipFile, part: str, *names: str) -> Iterator[Any]:
    """Every element of these names, complete, and let go of when the next is asked for. Raises _TooMuch beyond _MAX_MARKS."""
    with archive.open(part) as stream:
        counted = _Counted(stream)
        parsed = etree.iterparse(
            counted, events=("end",), tag=[f"{{*}}{name}" for name in names], resolve_entities=False, load_dtd=False, no_network=True,
            huge_tree=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip
        is_known = False
        try:
            for _, element in parsed:
                if not is_known:
                    _without_dtd(element)
                    is_known = True
                counted.marks = 0
                yield element
                element.clear()
                above = element.getparent()
                while above is not None and element.getprevious() is not None:
                    del above[0]
        except etree.XMLSyntaxError:
            with archive.open(part) as again:
                if b"<!DOCTYPE" in again.read(_HEAD).replace(b"\0", b"").upper():
                    raise _declared() from None
            raise
        if not is_known and parsed.root is not None:
            _without_dtd(parsed.root)


def _without_dtd(element: Any) -> None:
    """Entities are never read, and whoever declares a document type in a workbook means harm."""
    if element.getroottree().docinfo.doctype:
        raise _declared()


def _declared() -> Unreadable:
    return Unreadable("xml-dtd", "file", "a document type declaration is not accepted", "save it again as xlsx")


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """id -> (kind, part) of what a part refers to."""
    folder, _, name = part.rpartition("/")
    out: dict[str, tuple[str, str]] = {}
    for relation in _elements(archive, f"{folder}/_rels/{name}.rels".lstrip("/"), "Relationship"):
        target = relation.get("Target", "")
        whole = target.lstrip("/") if target.startswith("/") else normpath(join(folder, target))
        out[relation.get("Id", "")] = relation.get("Type", ""), whole
    return out


def _opened(archive: zipfile.ZipFile) -> _Book:
    names = frozenset(archive.namelist())
    try:
        main = next(part for kind, part in _relations(archive, "").values() if kind.endswith(_DOCUMENT))
    except (etree.XMLSyntaxError, KeyError, StopIteration):
        main = "xl/workbook.xml"  # where it always is
    relations = _relations(archive, main)
    sheets: list[tuple[str, str]] = []
    for sheet in _elements(archive, main, "sheet"):
        wanted = next((value for key, value in sheet.items() if _RELATION_ID.fullmatch(key)), "")
        kind, part = relations.get(wanted, ("", ""))
        if kind.endswith(_SHEET) and part in names:
            title = sheet.get("name", "")
            sheets.append((title if sheet.get("state", "visible") == "visible" else HiddenTitle(title), part))
    if not sheets:
        raise KeyError("no sheet: a document of another kind in the same packaging")
    texts: list[str] = []
    dates: frozenset[int] = frozenset()
    elapsed: frozenset[int] = frozenset()
    for kind, part in relations.values():
        if part not in names:
            continue
        if kind.endswith("/sharedStrings"):
            texts = [_text(entry) for entry in _elements(archive, part, "si")]
        elif kind.endswith("/styles"):
            dates, elapsed = _date_styles(archive, part)
    is_1904 = any(said.get("date1904", "0") in ("1", "true") for said in _elements(archive, main, "workbookPr"))
    return _Book(archive, sheets, texts, dates, elapsed, _EPOCH_1904 if is_1904 else _EPOCH)


def _date_styles(archive: zipfile.ZipFile, part: str) -> tuple[frozenset[int], frozenset[int]]:
    """Which cell formats are dates or times, and which are lengths of time, by their number among `cellXfs`."""
    kinds: dict[int, str] = dict.fromkeys(_DATE_FORMATS, "date") | {_ELAPSED_FORMAT: "elapsed"}
    styles: list[int] = []
    for count, entry in enumerate(_elements(archive, part, *_STYLE_PARTS)):
        above = entry.getparent().tag.rpartition("}")[2] if entry.getparent() is not None else ""
        name = entry.tag.rpartition("}")[2]
        number = int(entry.get("numFmtId") or 0)
        if name == "numFmt" and above == "numFmts":
            kinds[number] = _kind_of_format(entry.get("formatCode", ""))
        elif name == "xf" and above == "cellXfs":
            styles.append(number)
        if max(len(styles), len(kinds), count // 3) > _MAX_STYLES:
            raise Unreadable("too-large", "file", f"more than {_MAX_STYLES} cell styles", "save it again as xlsx")

    def of(kind: str) -> frozenset[int]:
        return frozenset(index for index, number in enumerate(styles) if kinds.get(number) == kind)

    return of("date"), of("elapsed")


def _kind_of_format(code: str) -> str:
    bare = _NOT_FORMAT.sub("", code.split(";")[0])
    if _DATE_LETTER.search(bare) is None:
        return ""
    return "elapsed" if "[" in bare else "date"


def _text(entry: Any) -> str:
    """Of a rich text its runs; how it is pronounced is no part of it."""
    out: list[str] = []
    for child in entry:
        name = child.tag.rpartition("}")[2]
        if name == "t":
            out.append(child.text or "")
        elif name == "r":
            out.extend(below.text or "" for below in child if below.tag.rpartition("}")[2] == "t")
    return _unescaped("".join(out))


def _rows(book: _Book, part: str, max_cells: int) -> Iterator[tuple[int, list[str]]]:
    """Rows that say something. What stands below thousands of blank ones is not looked for."""
    number = last = rows = seen = blank = 0
    for row in _elements(book.archive, part, "row"):
        rows += 1
        seen += len(row)
        given = row.get("r")
        number = int(given) if given else number + 1
        if rows > _MAX_ROWS or seen > max_cells:
            raise _TooLarge(number, f"more rows than a worksheet holds, or more than {max_cells} cells")
        if number - last > _EMPTY_RUN or blank > _EMPTY_RUN:
            return
        cells: list[str] = []
        column = 0
        for cell in row:
            reference = cell.get("r")
            column = column + 1 if reference is None else _column(reference)
            text = _cell(cell, book)
            if not text:
                continue
            if column > _MAX_COLUMNS:
                raise _TooLarge(number, f"more than {_MAX_COLUMNS} columns")
            if len(text) > _MAX_CELL:
                raise _TooLarge(number, f"a cell of more than {_MAX_CELL} characters")
            if column > len(cells):
                cells.extend([""] * (column - len(cells)))
            cells[column - 1] = text
        if not cells:
            blank += 1
            continue
        last, blank = number, 0
        yield number, cells


@lru_cache(maxsize=_MAX_COLUMNS)
def _numbered(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _column(reference: str) -> int:
    letters = reference.rstrip("0123456789")
    if not 1 <= len(letters) <= 3 or not (letters.isascii() and letters.isalpha() and letters.isupper()):
        raise ValueError("no cell reference")
    return _numbered(letters)


def _cell(cell: Any, book: _Book) -> str:
    kind = cell.get("t", "n")
    value, is_computed = "", False
    for child in cell:
        name = child.tag.rpartition("}")[2]
        if name == "is":
            return _text(child)
        if name == "v":
            value = child.text or ""
            if kind != "inlineStr":
                break
        elif name == "f":
            is_computed = True
    if is_computed and not value and kind != "str":
        return "#VALUE!"  # a formula whose result was never stored: a spreadsheet would compute it, nobody else can
    if kind == "s":
        number = int(value) if value else 0
        if number < 0:
            raise IndexError("no shared text has such a number")
        return book.texts[number] if value else ""
    if not value:
        return ""
    if kind == "n":
        return _number(value, int(cell.get("s") or 0), book)
    if kind == "b":
        return "是" if value.strip() in ("1", "true") else "否"
    if kind == "d":
        try:
            return _said(datetime.fromisoformat(value.strip().removesuffix("Z")))
        except ValueError:
            pass  # a time alone, or whatever else was written
    return _unescaped(value)


def _number(value: str, style: int, book: _Book) -> str:
    """A number as it is shown: a date or time where its style says so."""
    if style in book.dates or style in book.elapsed:
        return _moment(float(value), style in book.elapsed, book.epoch)
    if value.isdigit() and len(value) <= 15 and value.isascii() and (value[0] != "0" or len(value) == 1):
        return value
    number = float(value)
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.14E}" if abs(number) >= 1e15 else repr(number)


def _moment(value: float, is_elapsed: bool, epoch: datetime) -> str:
    """A serial number: days since the epoch. One that is no day is an error, as the spreadsheet shows it."""
    try:
        if is_elapsed:
            return str(timedelta(milliseconds=round(value * _DAY_MS)))
        day, fraction = divmod(value, 1)
        since_midnight = timedelta(milliseconds=round(fraction * _DAY_MS))
        if 0 <= value < 1 and since_midnight.days == 0:
            return (_EPOCH + since_midnight).time().isoformat()
        if 0 < value < 60 and epoch == _EPOCH:
            day += 1  # 1900 was no leap year, whatever the spreadsheet says
        return _said(epoch + timedelta(days=day) + since_midnight)
    except (OverflowError, ValueError):
        return "#VALUE!"


def _said(moment: datetime) -> str:
    return moment.date().isoformat() if moment.time() == time() else moment.isoformat(" ", "seconds")


def _unescaped(text: str) -> str:
    """Escaped surrogates are one character where they are a pair. Half of one, and NUL, no text can say: U+FFFD."""
    if "_x" not in text:
        return text
    said = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16) or 0xFFFD), text)
    return said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

"""What does a format cost that is only parsed or written, and not understood?

Each parser goes from bytes to a tree of the document in which every value can be read. orjson makes plain objects at
once, which is hard to follow. lxml's tree stays in C until it is looked at, so names, attributes and texts are read out of
it, as any reader of XML must; `is_read` False leaves that out, to show what it costs. ER7 has no library that is faster
than `str.split` at its four levels, and workbooks are written by `zipfile` from their ready parts. A writer has its
values at hand and makes bytes of them.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import orjson
from lxml import etree


def parse_xml(raw: bytes, is_read: bool = True) -> object:
    root = etree.fromstring(raw)
    return _told(root) if is_read else root


_Told = tuple[str, dict[str, str], str | None, list[Any]]


def _told(node: Any) -> _Told:
    """Name, attributes, text and children."""
    return node.tag, dict(node.attrib), node.text, [_told(child) for child in node]


def parse_csv(raw: bytes) -> object:
    return list(csv.reader(io.StringIO(_text(raw), newline="")))


def parse_xlsx(raw: bytes) -> object:
    import openpyxl  # as the codec does: when the first workbook comes

    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True, keep_links=False)
    rows = [row for sheet in book.worksheets for row in sheet.iter_rows(values_only=True)]
    book.close()
    return rows


def parse_er7(raw: bytes) -> object:
    """Segments, fields, repetitions, components and subcomponents, in lists."""
    return [
        [[[one.split("&") for one in part.split("^")] for part in field.split("~")] for field in line.split("|")]
        for line in raw.decode().split("\r")
    ]


def parse_json(raw: bytes) -> object:
    return orjson.loads(raw)


def parse_json_lines(raw: bytes) -> object:
    return [orjson.loads(line) for line in raw.split(b"\n")]


def xml_writer(body: bytes) -> Callable[[], object]:
    root = etree.fromstring(body)
    charset = root.getroottree().docinfo.encoding or "UTF-8"

    tag, attributes, text, children = _told(root)
    names: Any = dict(root.nsmap)

    def add(parent: Any, below: list[Any]) -> None:
        for name, values, own, inner in below:
            node = etree.SubElement(parent, name, values)
            node.text = own
            if inner:
                add(node, inner)

    def write() -> object:
        made = etree.Element(tag, attributes, names)
        made.text = text
        add(made, children)
        return etree.tostring(made, encoding=charset, xml_declaration=True)

    return write


def csv_writer(body: bytes) -> Callable[[], object]:
    rows = list(csv.reader(io.StringIO(_text(body), newline="")))

    def write() -> bytes:
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n").writerows(rows)
        return b"\xef\xbb\xbf" + out.getvalue().encode()

    return write


def xlsx_writer(body: bytes) -> Callable[[], object]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def write() -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
        return out.getvalue()

    return write


def er7_writer(body: bytes) -> Callable[[], object]:
    lines = [[field.split("^") for field in line.split("|")] for line in body.decode().split("\r")]

    def write() -> bytes:
        return "\r".join(["|".join(["^".join(field) for field in line]) for line in lines]).encode()

    return write


def json_writer(body: bytes) -> Callable[[], object]:
    value = orjson.loads(body)
    return lambda: orjson.dumps(value)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("gb18030")

"""Is this a table at all, or a document of another kind under a table's name?

Old systems export web pages and XML under the name `.xls`, and people attach what lies nearest. What to do about it differs,
so each is told what it is.
"""

from __future__ import annotations

from adapters.kit.native import SKIPPED, Unreadable

_DOCUMENTS = {
    b"%PDF-": "a PDF document", b"Rar!": "a RAR archive", b"7z\xbc\xaf": "a 7z archive", b"\x1f\x8b": "a gzip archive",
    b"{\\rtf": "an RTF document", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture",
    b"PK\x05\x06": "an empty archive",
}  # fmt: skip
_OLDEST = (
    b"\x09\x00\x04\x00",
    b"\x09\x02\x06\x00",
    b"\x09\x04\x06\x00",
    b"\x09\x08\x08\x00",
)  # Excel 2 to 5, unwrapped
_AS_REGISTER = "send the register itself, as xlsx or CSV"
_SAVED_ANEW = "open it in the spreadsheet program, save it as xlsx and send that"


def refuse_documents(raw: bytes) -> None:
    """Raises Unreadable for a kind of file that its first bytes name."""
    if not raw.strip(SKIPPED):
        raise Unreadable("empty", "file", "the file is empty", "send at least one row")
    if raw.startswith(_OLDEST):
        raise Unreadable("old-format", "file", "the workbook is in the old xls format", "save it as xlsx")
    for start, kind in _DOCUMENTS.items():
        if raw.startswith(start):
            raise Unreadable("not-a-table", "file", f"the file is {kind}, whatever its name says", _AS_REGISTER)


def refuse_pages(text: str) -> None:
    """Raises Unreadable for markup and JSON: no register begins with such a sign."""
    start = text[:200].lstrip("\ufeff \t\r\n\0")
    if start[:1] == "<":
        raise Unreadable("not-a-table", "line 1", "the file is a web page or XML, whatever its name says", _SAVED_ANEW)
    if start[:2] in ('{"', "[{", "[["):
        raise Unreadable("not-a-table", "line 1", "the file is JSON, whatever its name says", _AS_REGISTER)

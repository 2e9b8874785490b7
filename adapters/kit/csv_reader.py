"""How are rows read from text whose columns are separated by commas, tabs, semicolons or bars?

The separator is the one under which the first rows say most headings: a title in the first line tells nothing. Rows are
counted as a spreadsheet counts them, so that a cell of several lines is one row. A quotation mark that nothing closes takes
all rows below it into its cell: that is refused where it begins, and never read as a long address.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain, islice

from adapters.kit.headings import Vocabulary
from adapters.kit.native import Limits, Unreadable
from adapters.kit.workbook import Row

_MAX_COLUMNS = 16_384  # as many as a worksheet has
SEPARATORS = ",\t;|"
_LOOKED_AT, _LINE = 40, 4_096


class Torn(Unreadable):
    """The rest of the file is lost; what stands above it is whole."""


def read_csv(text: str, limits: Limits, vocabulary: Vocabulary) -> Iterator[Row]:
    """Raises Unreadable for what is no register, and Torn at the row from which on the text is broken."""
    ended: list[bool] = []
    lines = chain(io.StringIO(text, newline=""), _end(ended))
    reader = csv.reader(lines, delimiter=_separator(text, vocabulary), strict=False)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if len(cells) > _MAX_COLUMNS:
                raise Unreadable("too-large", f"row {number}", f"more than {_MAX_COLUMNS} columns", "send a register")
            if ended:
                raise Torn(
                    "open-quote", f"row {number}", "a quotation mark opens a cell here and none closes it: neither this row "
                    "nor any below it was read", "close or double the quotation mark and send these rows again",
                )  # fmt: skip
            yield "", number, cells
    except csv.Error:
        where = f"row {number + 1}"
        raise Torn(
            "not-csv", where, "a cell is longer than any notice, or a quotation mark in this row is never closed",
            "close or double the quotation mark and send the rows from here on again",
        ) from None  # fmt: skip


def _end(ended: list[bool]) -> Iterator[str]:
    """Asked for a further line: for a row after the last, or for what is still missing of the last."""
    ended.append(True)
    yield from ()


def _separator(text: str, vocabulary: Vocabulary) -> str:
    lines = [line[:_LINE] for line in islice(io.StringIO(text), _LOOKED_AT)]

    def headings(separator: str) -> int:
        return max((len(vocabulary.said_by(_cells(line, separator))) for line in lines if separator in line), default=0)

    known = {separator: headings(separator) for separator in SEPARATORS}
    best = max(known, key=lambda separator: known[separator])
    if known[best] > 1:
        return best
    first = lines[0] if lines else ""
    return max(SEPARATORS, key=first.count)


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip(" \"'\r\n\ufeff") for cell in line.split(separator)]

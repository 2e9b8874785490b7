"""Are the cells of a workbook read as the person at the screen meant them, and can no workbook cost more than its cells?"""

from __future__ import annotations

import io
import subprocess
import sys
import time
import zipfile
from datetime import datetime

import openpyxl
import pytest

from adapters.kit.native import DEFAULT_LIMITS, Unreadable
from adapters.kit.workbook import HiddenTitle, read_xlsx
from adapters.kit.workbook_writer import write_xlsx

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"


def workbook(cells: str, texts: str = "", styles: str = "", main: str = MAIN, head: str = "") -> bytes:
    """A workbook of one sheet: `cells` inside its rows, `texts` the shared ones, `styles` the style sheet's inside."""
    with zipfile.ZipFile(io.BytesIO(write_xlsx("", ["一", "二"], [], "名册"))) as plain:
        parts = {name: plain.read(name).decode() for name in plain.namelist()}
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    more = "".join(
        f'<Relationship Id="x{name}" Type="{office}/{name}" Target="{name}.xml"/>'
        for name in ("sharedStrings", "styles")
    )
    parts["xl/_rels/workbook.xml.rels"] = parts["xl/_rels/workbook.xml.rels"].replace(
        "</Relationships>", more + "</Relationships>"
    )
    parts["xl/worksheets/sheet1.xml"] = f'{head}<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">{texts}</sst>'
    parts["xl/styles.xml"] = f'<styleSheet xmlns="{main}">{styles}</styleSheet>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def rows(raw: bytes) -> list[list[str]]:
    return [cells for _, _, cells in read_xlsx(raw, DEFAULT_LIMITS)]


def refused(raw: bytes) -> tuple[str, str]:
    with pytest.raises(Unreadable) as refusal:
        rows(raw)
    return refusal.value.problem.code, refusal.value.problem.position


@pytest.mark.parametrize(
    ("number", "code", "value", "said"),
    [
        (14, "", "42064", "2015-03-01"),
        (31, "", "42064", "2015-03-01"),  # yyyy年m月d日, a format of Chinese alone, known by its number
        (57, "", "42064", "2015-03-01"),
        (32, "", "0.5", "12:00:00"),
        (22, "", "42064.25", "2015-03-01 06:00:00"),
        (170, "yyyy&quot;年&quot;m&quot;月&quot;", "42064", "2015-03-01"),
        (170, "[Red]0.00_d;&quot;day&quot;", "42064.5", "42064.5"),
        (170, "[h]:mm", "1.5", "1 day, 12:00:00"),
        (0, "", "42064", "42064"),
        (0, "", "999999201503010016", "9.99999201503010E+17"),
        (14, "", "1e300", "#VALUE!"),
    ],
)
def test_a_number_is_a_date_where_its_format_says_so(number, code, value, said):
    own = f'<numFmts><numFmt numFmtId="{number}" formatCode="{code}"/></numFmts>' if code else ""
    styles = f'{own}<cellXfs><xf numFmtId="0"/><xf numFmtId="{number}"/></cellXfs>'
    assert rows(workbook(f'<row r="1"><c r="B1" s="1"><v>{value}</v></c></row>', styles=styles)) == [["", said]]


def test_texts_are_whole_without_how_they_are_pronounced_and_escapes_are_undone_once():
    texts = "<si><t>李</t><rPh><t>li</t></rPh></si><si><r><t>小</t></r><r><t>测</t></r></si><si><t>a_x000D_b_x005F_x000D_</t></si>"
    cells = "".join(f'<c t="s"><v>{n}</v></c>' for n in range(3))
    inline = '<c t="inlineStr"><is><t>行内</t></is></c><c t="b"><v>1</v></c><c t="str"><v>公式</v></c><c t="e"><v>#REF!</v></c>'
    assert rows(workbook(f"<row>{cells}{inline}</row>", texts)) == [
        ["李", "小测", "a\rb_x000D_", "行内", "是", "公式", "#REF!"]
    ]


def test_a_strict_workbook_is_read_like_any_other():
    assert rows(workbook('<row><c t="s"><v>0</v></c></row>', "<si><t>姓名</t></si>", main=STRICT)) == [["姓名"]]


def test_another_library_finds_the_same_cells():
    book = openpyxl.Workbook()
    book.active.append(["姓名", "出生日期", 3, 2.5, True, None, datetime(2015, 3, 1, 10, 30)])
    book.create_sheet("隐藏").append(["不看"])
    book["隐藏"].sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    found = list(read_xlsx(out.getvalue(), DEFAULT_LIMITS))
    assert [cells for _, _, cells in found] == [
        ["姓名", "出生日期", "3", "2.5", "是", "", "2015-03-01 10:30:00"],
        ["不看"],
    ]
    assert [isinstance(title, HiddenTitle) for title, _, _ in found] == [False, True]


def test_one_long_text_said_by_every_cell_is_refused_by_what_it_would_become():
    row = "<row>" + '<c t="s"><v>0</v></c>' * 40 + "</row>"
    started = time.thread_time()
    assert refused(workbook(row * 100, f"<si><t>{'长' * 32_767}</t></si>")) == ("too-large", "sheet 名册, row 52")
    assert refused(workbook(row, f"<si><t>{'长' * 32_768}</t></si>")) == ("too-large", "sheet 名册, row 1")
    assert time.thread_time() - started < 1


def test_ten_thousand_styles_cost_next_to_nothing():
    named = "".join(f'<xf numFmtId="{n % 50}" fontId="{n}"/>' for n in range(10_000))
    cells = '<row><c s="14"><v>42064</v></c></row>'
    started = time.thread_time()
    assert rows(workbook(cells, styles=f"<cellStyleXfs>{named}</cellStyleXfs><cellXfs>{named}</cellXfs>")) == [
        ["2015-03-01"]
    ]
    assert time.thread_time() - started < 0.5


def test_styles_are_let_go_of_as_they_are_read():
    """In a process of its own, whose peak is looked at: many fonts before the style that says a date."""
    program = (
        "import resource; from tests.adapters.kit.test_workbook import rows, workbook;"
        "cells = '<row><c s=\"1\"><v>42064</v></c></row>';"
        'xfs = \'<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>\';'
        "raw = workbook(cells, styles='<fonts>' + '<font><b/></font>' * 150_000 + '</fonts>' + xfs);"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "assert rows(raw) == [['2015-03-01']];"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16


def test_more_styles_than_any_workbook_has_are_refused(monkeypatch):
    monkeypatch.setattr("adapters.kit.workbook._MAX_STYLES", 100)
    for many in ("<cellXfs>" + '<xf numFmtId="14"/>' * 101 + "</cellXfs>", f"<fonts>{'<font/>' * 310}</fonts>"):
        assert refused(workbook("<row/>", styles=many)) == ("too-large", "file")


def test_a_font_without_end_is_refused_before_it_is_held():
    assert refused(workbook("<row/>", styles="<fonts><font>" + "<b/>" * 600_000 + "</font></fonts>")) == (
        "too-large",
        "file",
    )


def test_a_shared_text_is_never_counted_from_the_end():
    code, where = refused(workbook('<row><c t="s"><v>-1</v></c></row>', "<si><t>李测</t></si>"))
    assert (code, where) == ("not-xlsx", "sheet 名册")


def test_nul_reads_as_the_replacement_character_since_no_text_can_say_it():
    assert rows(workbook('<row><c t="inlineStr"><is><t>李_x0000_测_x000A_</t></is></c></row>')) == [["李\ufffd测\n"]]


@pytest.mark.parametrize("padding", ["", f"<!--{'x' * 3_000}-->"])
def test_no_part_may_declare_a_document_type(padding):
    bomb = f'{padding}<!DOCTYPE w [<!ENTITY a "{"a" * 100}"><!ENTITY b "{"&a;" * 100}">]>'
    assert refused(workbook('<row><c t="str"><v>&b;</v></c></row>', head=bomb))[0] == "xml-dtd"
    assert refused(workbook("", head=bomb))[0] == "xml-dtd"


@pytest.mark.parametrize(
    "cell", ['<c r="AAAA1"><v>1</v></c>', '<c r="XFE1"><v>1</v></c>', '<c t="s"><v>7</v></c>', '<c t="s"><v>-1</v></c>']
)
def test_what_no_spreadsheet_writes_is_refused_at_its_sheet(cell):
    code, where = refused(workbook(f"<row>{cell}</row>"))
    assert code in ("not-xlsx", "too-large") and where.startswith("sheet 名册")


def test_escaped_surrogates_are_one_character_or_none():
    cells = "".join(f'<c t="str"><v>{t}</v></c>' for t in ("_xD83D__xDE00_", "_xD83D_a", "b_xDE00_", "_x674E_"))
    assert rows(workbook(f"<row>{cells}</row>")) == [["\U0001f600", "\ufffda", "b\ufffd", "李"]]


def test_what_no_row_or_text_can_hold_is_refused_before_it_is_held():
    head = '<row r="1"><c><v>1</v></c></row>'
    attributes = " ".join(f'a{n}=""' for n in range(600_000))
    started = time.thread_time()
    for cells in ("<row r='2'>" + "<c/>" * 2_000_000 + "</row>", "<m/>" * 2_000_000, f"<m {attributes}/>"):
        assert refused(workbook(head + cells)) == ("too-large", "sheet 名册, row 2")
    assert refused(workbook(head, f"<si>{'<r/>' * 2_000_000}</si>")) == ("too-large", "file")
    assert time.thread_time() - started < 4


def test_a_row_of_every_column_in_rich_text_is_read():
    font = '<rPr><sz val="1"/><color rgb="1"/><rFont val="1"/><family val="1"/><charset val="1"/></rPr>'
    cell = f'<c r="{{}}" s="0" t="inlineStr"><is><r>{font}<t xml:space="preserve">李</t></r></is></c>'
    row = "".join(cell.format(f"{openpyxl.utils.get_column_letter(n)}1") for n in range(1, 16_385))
    assert rows(workbook(f"<row>{row}</row>" * 2)) == [["李"] * 16_384] * 2


@pytest.mark.parametrize("gap", [" ", " " * 5_000])
def test_no_encoding_hides_what_is_counted(gap):
    raw = workbook('<row><c t="str"><v>1</v></c></row>', head=f'<?xml version="1.0"{gap}encoding="utf-7"?>')
    assert refused(raw)[0] == "not-xlsx"


def test_a_workbook_says_nothing_of_when_by_whom_or_with_what_it_was_written():
    with zipfile.ZipFile(io.BytesIO(write_xlsx("登记表", ["姓名"], [["李小测"]], "1月"))) as archive:
        members = archive.infolist()
    assert sorted(one.filename for one in members) == [
        "[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels", "xl/workbook.xml", "xl/worksheets/sheet1.xml",
    ]  # fmt: skip
    assert {(one.date_time, one.comment, one.extra) for one in members} == {((1980, 1, 1, 0, 0, 0), b"", b"")}

"""Registers as offices hand them in: headings of two lines, totals and signatures below, sheets and rows that are none.

What counts is whose name, number and date it is. People and values are made up.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import openpyxl
import pytest

from adapters.registry import load_adapters
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import office

ADAPTERS = load_adapters()
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ID = "999999201503010016"
Rows = Sequence[Sequence[Any]]


def as_csv(rows: Rows, separator: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    return out.getvalue().encode("gb18030")


def as_xlsx(rows: Rows, change: Callable[[Any], None] = lambda book: None) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def items(raw: bytes, media_type: str = "text/csv", agency: str = "education") -> list[Any]:
    return list(ADAPTERS[agency].decode(raw, media_type, office(agency), {}).items)


def people(item: Any) -> list[dict[str, Any]]:
    assert isinstance(item, SubmittedNotice), item
    hidden = ("ref", "roles", "of", "id_type")
    return [{key: said for key, said in one.items() if key not in hidden} for one in item.data["persons"]]


def said(item: Any) -> tuple[str, str]:
    assert isinstance(item, RefusedItem), item
    (problem,) = item.problems
    assert problem.remedy
    return problem.code, problem.position


_TWO_LINES: dict[str, Rows] = {
    "groups beside headings": [
        ["某县花名册"],
        ["序号", "姓名", "性别", "身份证号", "监护人信息", "", "", "备注"],
        ["", "", "", "", "姓名", "与儿童关系", "联系电话", ""],
        [1, "李小测", "男", ID, "李大测", "父亲", "13900139001", ""],
    ],
    "groups over all": [
        ["学生基本信息", "", "", "父亲情况", "", "班主任", ""],
        ["姓名", "性别", "身份证号", "姓名", "联系电话", "姓名", "联系电话"],
        ["李小测", "男", ID, "李大测", "13900139001", "王师测", "13700137002"],
    ],
    "groups over the first line": [
        ["序号", "儿童", "", "", "家庭情况", ""],
        ["", "姓名", "性别", "身份证号", "父亲", ""],
        ["", "", "", "", "姓名", "电话"],
        [1, "李小测", "男", ID, "李大测", "13900139001"],
    ],
    "a group that nobody knows before the child's": [
        ["序号", "村(居)负责人", "", "被监护人情况", "", "", "法定监护人", ""],
        ["", "姓名", "住址", "姓名", "性别", "身份证号", "姓名", "联系电话"],
        [1, "王师测", "测试路9号", "李小测", "男", ID, "李大测", "13900139001"],
    ],
    "groups repeated in every column": [
        ["姓名", "性别", "身份证号", "父亲信息", "父亲信息"],
        ["姓名", "性别", "身份证号", "姓名", "电话"],
        ["李小测", "男", ID, "李大测", "13900139001"],
    ],
}


@pytest.mark.parametrize("name", _TWO_LINES)
@pytest.mark.parametrize("write", [as_csv, as_xlsx])
def test_under_headings_of_two_lines_the_guardian_is_not_the_child(name, write):
    (item,) = items(write(_TWO_LINES[name]), XLSX if write is as_xlsx else "text/csv")
    child, guardian = people(item)
    assert child == {"name": "李小测", "sex": "1", "id_no": ID}
    guardian.pop("relation", None)
    assert guardian == {"name": "李大测", "phone": "13900139001"}
    assert "王师测" not in str(item.data)


@pytest.mark.parametrize(
    ("register", "row"),
    [
        ("姓名 身份证号 监护人 姓名(2)? 联系电话?", "李小测 {id} 父亲 李大测 13900139001"),
        ("姓名? 联系电话? 学生姓名 身份证号", "李大测 13900139001 李小测 {id}"),
        ("儿童姓名 儿童身份证号 监护人姓名 身份证号?", "李小测 {id} 李大测 999999198503010012"),
        ("姓名 身份证号 班主任 联系电话?", "李小测 {id} 王师测 13900139001"),
        ("姓名 身份证号 家长姓名 性别? 年龄? 联系电话?", "李小测 {id} 李大测 男 39 13900139001"),
        (
            "户主姓名 性别? 学校名称? 姓名 身份证号 报告人 联系电话?",
            "李大测 男 测试单位 李小测 {id} 王报测 13900139001",
        ),
    ],
)
def test_a_name_that_could_be_anybodys_and_its_number_are_not_the_childs(register, row):
    """`?` marks the columns that do not say whose they are."""
    read_as = register.split(" ")
    columns = [name.removesuffix("?").removesuffix("(2)") for name in read_as]
    (item,) = items(as_csv([columns, row.format(id=ID).split(" ")]))
    assert people(item)[0] == {"name": "李小测", "id_no": ID}
    doubted = {f"row 2, column {name[:-1]}" for name in read_as if name.endswith("?")}
    assert {gap.position for gap in item.gaps if gap.code == "person-undetermined"} == doubted


@pytest.mark.parametrize("agency", ["education", "womens_federation"])
@pytest.mark.parametrize("whose", ["户主姓名", "教师姓名", "申请人姓名", "社区矫正对象", "班主任"])
def test_an_identity_that_no_heading_gives_to_a_child_makes_no_child(agency, whose):
    (item,) = items(
        as_csv([[whose, "性别", "身份证号", "年龄"], ["李大测", "男", "999999198503010012", "39"]]), agency=agency
    )
    assert said(item) == ("no-known-columns", "row 1")


@pytest.mark.parametrize(
    "row",
    [
        ["合  计", "35人", "男18女17", ""],
        ["填表人：王某测", "审核人：赵某测", "", "填表日期：2024年3月1日"],
        ["制表人：", "王某测", "审核：", "赵某测"],
        ["学校（盖章）：", "校长：王某测", "日期：", ""],
        ["例", "张某测", "男", ID],
        ["1", "2", "3", "4"],
        ["甲", "乙", "1", "2"],
        ["必填", "必填", "选填", "选填，如999999201503010016"],
    ],
)
def test_what_is_written_around_the_records_is_no_child(row):
    (child, rest) = items(as_csv([["序号", "姓名", "性别", "身份证号"], [12, "李小测", "男", ID], row]))
    assert people(child) == [{"name": "李小测", "sex": "1", "id_no": ID}]
    assert said(rest) == ("not-a-record", "row 3")


@pytest.mark.parametrize("name", ["合文测", "小计测", "单于测", "例小测", "审核"])
def test_a_child_whose_name_begins_like_a_remark_is_one(name):
    (item,) = items(as_csv([["姓名", "身份证号"], [name, ID]]))
    assert people(item) == [{"name": name, "id_no": ID}]


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_the_separator_is_that_of_the_headings_whatever_the_title_says(separator):
    rows = [["某校，一、二年级;三,四,五年级"], ["姓名", "性别", "现住址"], ["李小测", "男", "测试路1号"]]
    (item,) = items(as_csv(rows[:1]) + as_csv(rows[1:], separator))
    assert people(item) == [{"name": "李小测", "sex": "1", "residence": {"address": "测试路1号"}}]


def test_headings_with_hints_are_known_and_with_a_person_in_brackets_are_not():
    columns = ["姓名\n(与户口本一致)", "性别 *", "身份证号码（学生）", "出生日期(YYYY-MM-DD)：", "联系电话（父亲）"]
    (item,) = items(as_csv([columns, ["李小测", "男", ID, "2015-03-01", "13900139001"]]))
    assert people(item) == [{"name": "李小测", "sex": "1", "id_no": ID, "birth_date": "2015-03-01"}]
    assert "row 2, column 联系电话(父亲)" in {gap.position for gap in item.gaps}


@pytest.mark.parametrize("armoured", [f'="{ID}"', f"'{ID}", f"\t{ID}"])
def test_what_keeps_a_number_from_a_spreadsheet_is_not_of_the_number(armoured):
    (item,) = items(as_csv([["姓名", "身份证号"], ["李小测", armoured]]))
    assert people(item) == [{"name": "李小测", "id_no": ID}]
    assert [gap.code for gap in item.gaps] == ["no-message-number"]


def test_a_quotation_mark_that_nothing_closes_is_refused_where_it_opens():
    head = '姓名,性别,现住址\r\n李小一,男,"测试路\r\n2号"\r\n'
    first, last = items((head + '李小二,男,"测试路\r\n李小三,女,测试路\r\n').encode())
    assert people(first)[0]["residence"] == {"address": "测试路\r\n2号"}
    assert said(last) == ("open-quote", "row 3")
    (item,) = items((head.replace('2号"', "李小二,男,测试路\r\n李小三,女,测试路") + '李小四,男,"').encode())
    assert ("open-quote", "row 2, column 现住址") in {(gap.code, gap.position) for gap in item.gaps}


def test_sheets_that_are_passed_over_are_named():
    def change(book: Any) -> None:
        for title, rows in {
            "二月": [["登记表"], ["工单编号", "年龄"], ["B1", 5]],
            "三月": [["工单编号", "名字", "岁数"], ["B2", "李小二", 5]],
            "字典": [["性别", "紧急程度"], ["男", "一般"], ["女", "紧急"]],
            "隐藏": [["工单编号", "未成年人姓名", "年龄"], ["B3", "李小三", 6]],
        }.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book["隐藏"].sheet_state = "hidden"

    head = ["工单编号", "未成年人姓名", "年龄"]
    one, two, hidden, third, listed = items(as_xlsx([head, ["A1", "李小一", 5]], change), XLSX, "womens_federation")
    assert [people(one)[0]["name"], people(two)[0]["age"]] == ["李小一", {"years": 5}]
    assert said(hidden) == ("hidden-sheet", "sheet 隐藏")
    assert said(third) == ("no-known-columns", "sheet 三月, row 1")
    assert said(listed) == ("sheet-unread", "sheet 字典")
    book = as_xlsx([head, ["A1", "李小一", 5]], lambda book: book.create_sheet("字典").append(["性别", "民族"]))
    (item,) = items(book, XLSX, "womens_federation")  # a row alone is no table
    assert [gap.code for gap in item.gaps] == []


def test_a_formula_without_its_result_is_named():
    rows = [["姓名", "出生日期", "身份证号"], ["李小测", "=MID(C2,7,8)", ID]]
    (item,) = items(as_xlsx(rows), XLSX)
    assert people(item) == [{"name": "李小测", "id_no": ID}]
    assert ("cell-error", "sheet Sheet, row 2, column 出生日期") in {(gap.code, gap.position) for gap in item.gaps}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"%PDF-1.7\n", "not-a-table"),
        ("<html><table><tr><td>姓名</td><td>性别</td></tr></table>".encode("gb18030"), "not-a-table"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>', "not-a-table"),
        ('[{"姓名": "李小测"}]'.encode(), "not-a-table"),
        (b"\xef\xbb\xbf\r\n", "empty"),
        (b"\x09\x02\x06\x00\x00\x00\x10\x00", "old-format"),
    ],
)
def test_a_file_of_another_kind_is_told_what_it_is(raw, code):
    (item,) = items(raw, "application/vnd.ms-excel")
    assert said(item)[0] == code


def test_what_comes_nearest_to_headings_is_said():
    (item,) = items(as_csv([["某校名单"], ["学生姓名", "鞋码", "爱好"], ["李小测", 34, "足球"]]))
    assert said(item) == ("no-known-columns", "row 2")
    assert "学生姓名" in item.problems[0].message
    assert "李小测" not in str(item)


_CHILD, _ADULT = ["李小测", "男", ID], ["王大测", "女", "999999198503010011"]
_HEADS = ["姓名", "性别", "身份证号"]


@pytest.mark.parametrize(
    ("below", "where"),
    [
        ([["二、监护人名单"], [*_HEADS, "联系电话"], [*_ADULT, "13900139001"]], 4),
        ([["家庭成员"], ["姓名", "关系", "身份证号"], ["王大测", "母亲", _ADULT[2]]], 4),
        ([["教师姓名", "性别", "身份证号", "职务"], [*_ADULT, "校长"]], 3),
        ([["编码", "教师姓名", "性别", "身份证号"], ["7", *_ADULT]], 3),
    ],
)
def test_a_second_table_of_other_people_makes_no_children(below, where):
    found = items(as_csv([_HEADS, _CHILD, *below, [], _HEADS, ["李二测", "女", ""]]))
    assert [people(one)[0]["name"] for one in found if isinstance(one, SubmittedNotice)] == ["李小测", "李二测"]
    assert ("no-known-columns", f"row {where}") in [said(one) for one in found if isinstance(one, RefusedItem)]
    assert "王大测" not in str([one for one in found if isinstance(one, SubmittedNotice)])


@pytest.mark.parametrize(
    ("title", "is_read"),
    [
        ("某小学教职工花名册", False),
        ("留守儿童监护人信息登记表", False),
        ("留守儿童及其监护人名单", True),
        ("某小学学生花名册", True),
        ("职工子女登记表", True),
    ],
)
def test_whose_names_these_are_is_said_by_the_title(title, is_read):
    (item,) = items(as_csv([[title], ["填报单位：某镇", "", "2026年3月"], _HEADS, _CHILD]))
    assert isinstance(item, SubmittedNotice) == is_read
    sheet = as_xlsx([_HEADS, _CHILD], lambda book: setattr(book.active, "title", title))
    assert isinstance(items(sheet, XLSX)[0], SubmittedNotice) == is_read


def test_a_form_for_one_person_is_told_from_a_register():
    (item,) = items(
        as_csv([["登记表"], ["姓名", "李小测", "性别", "男"], ["身份证号", ID], ["监护人", "王大测", "电话", "无"]])
    )
    assert said(item) == ("no-known-columns", "row 2")
    assert "form for one person" in item.problems[0].message


def test_groups_of_a_table_above_do_not_reach_into_the_next():
    rows = [["学生信息", "", "父亲情况"], ["姓名", "性别", "姓名"], ["李小测", "男", "李大测"]]
    first, second = items(as_csv([*rows, ["性别", "身份证号", "姓名"], ["女", ID, "李二测"]]))
    assert [one["name"] for one in people(first)] == ["李小测", "李大测"]
    assert people(second) == [{"sex": "2", "id_no": ID, "name": "李二测"}]


def test_grown_ups_of_a_household_are_no_minors():
    rows = [
        ["户主姓名", "姓名", "与户主关系", "身份证号"],
        ["王大测", "王大测", "户主", _ADULT[2]],
        ["王大测", "李小测", "子", ID],
    ]
    adult, child = items(as_csv(rows))
    assert said(adult) == ("adult", "row 2, column 身份证号")
    assert people(child) == [{"name": "李小测", "id_no": ID}]
    (caller,) = items(as_csv([["姓名", "年龄", "反映问题"], ["王大测", 39, "被打"]]), agency="womens_federation")
    assert [one["roles"] for one in caller.data["persons"]] == [["other"]]
    assert ("adult", "row 2, column 年龄") in {(gap.code, gap.position) for gap in caller.gaps}
    (told,) = items(as_csv([["姓名", "年龄", "事件类型"], ["李小测", 19, "欺凌"]]))
    assert [one["roles"] for one in told.data["persons"]] == [["minor"]]  # a report is never judged by an age


def test_a_ledger_row_that_names_no_child_is_refused_and_a_report_is_not():
    columns = ["姓名", "性别", "监护人姓名", "监护人联系电话", "事件类型"]
    rows = [
        columns,
        ["李小测", "男", "李大测", "13900139001", ""],
        ["", "", "王大测", "13900139002", ""],
        ["", "男", "", "", ""],
    ]
    child, merged, nobody, told = items(as_csv([*rows, ["", "男", "", "", "欺凌"]]))
    assert people(child)[1] == {"name": "李大测", "phone": "13900139001"}
    assert said(merged) == ("no-person", "row 3")
    assert said(nobody)[1] == "row 4"
    assert people(told) == [{"sex": "1"}]


@pytest.mark.parametrize("masked", ["99999920150301XXXX", "999999********0016", "99999920150301●●●●"])
def test_a_masked_number_is_nobodys(masked):
    columns = ["姓名", "身份证号", "联系电话"]
    (item,) = items(as_csv([columns, ["李小测", masked, "138****0001"]]))
    assert people(item) == [{"name": "李小测"}]
    masks = {gap.position for gap in item.gaps if gap.code == "masked-value"}
    assert masks == {"row 2, column 身份证号", "row 2, column 联系电话"}


@pytest.mark.parametrize("agency", ["education", "womens_federation"])
@pytest.mark.parametrize(
    ("name", "code"),
    [("李小测、李二测", "several-people"), ("李小测\n李二测", "several-people"), ("**", "masked-value")],
)
def test_a_name_that_is_none_or_several_is_named(agency, name, code):
    (item,) = items(as_csv([["姓名", "身份证号"], [name, ID]]), agency=agency)
    assert (code, "row 2, column 姓名") in {(gap.code, gap.position) for gap in item.gaps}


def test_headings_without_rows_are_refused_below_them():
    book = as_xlsx([["某校花名册"], [], _HEADS], lambda book: setattr(book.active, "title", "一月"))
    assert said(items(book, XLSX)[0]) == ("empty", "sheet 一月, row 4")


def test_what_is_lost_above_the_headings_is_named():
    above = [["教师姓名", "性别", "身份证号"], _ADULT, [], ["填报日期：", "2026-03-01"]]
    (item,) = items(as_csv([*above, _HEADS, _CHILD]))
    assert people(item) == [{"name": "李小测", "sex": "1", "id_no": ID}]
    assert ("before-header", "row 2") in {(gap.code, gap.position) for gap in item.gaps}
    (plain,) = items(as_csv([["某校", "2026-03-01"], _HEADS, _CHILD]))
    assert "before-header" not in {gap.code for gap in plain.gaps}


def test_a_class_list_says_what_a_ledger_asks_for():
    (item,) = items(as_csv([_HEADS, _CHILD]))
    assert (item.type, item.data["ledger"]) == ("LED", {"change": "change"})

"""Registers with the headings of other people's systems: the national school form, a class list, a village's and a district's list.

The headings are those that public systems and forms use; people and values are made up. What stands in the file is read
here by `csv` alone, and every cell that says something ends in the notice, in the vault, or in a gap at its column.
"""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import pytest

from adapters.registry import load_adapters
from gateway.engines.files.documents import default_rules
from gateway.model.notice import SubmittedNotice, ValidNotice
from gateway.ports.translation import RefusedItem
from gateway.validation.validate import validate
from tests.adapters.builders import office

ADAPTERS = load_adapters()
RULES, TODAY = default_rules(), date(2026, 12, 31)
_VALUES = {
    "姓名": "李小测", "儿童姓名": "李小测", "未成年人姓名": "李小测", "幼儿姓名": "李小测", "性别": "男", "出生日期": "2015-03-01",
    "身份证件类型": "居民身份证", "身份证件号": "999999201503010016", "身份证号": "999999201503010016",
    "身份证号码": "999999201503010016", "公民身份号码": "999999201503010016", "现住址": "测试路1号", "居住所在地": "测试路1号",
    "户口所在地行政区划": "440113102005", "户籍所在地": "测试省测试市", "学校全称": "测试小学", "联系电话": "13800138000",
    "成员1姓名": "李某测", "成员1关系": "父亲", "成员1联系电话": "13900139001", "监护人(父亲)": "李某测", "监护人(父亲)电话": "13900139001",
    "监护人姓名": "李某测", "与儿童关系": "父亲", "监护人与儿童关系": "父亲", "监护人联系方式": "13900139001", "家长姓名": "李某测",
    "家长电话": "13900139001", "父亲姓名": "李某测", "父亲联系电话": "13900139001", "来访人姓名": "王某测",
    "来访人联系电话": "13700137002", "反映问题": "多日无人照看",
}  # fmt: skip
_NATIONAL = (
    "学校标识码 姓名 性别 出生日期 出生地行政区划代码 籍贯 民族 国籍/地区 身份证件类型 港澳台侨外 健康状况 政治面貌 身份证件号 户口性质 "
    "户口所在地行政区划 班号 入学年月 入学方式 就读方式 现住址 通信地址 联系电话 邮政编码 是否独生子女 是否受过学前教育 是否留守儿童 "
    "是否需要申请资助 是否享受一补 是否孤儿 是否烈士或优抚子女 上下学距离 上下学方式 是否需要乘坐校车 曾用名 身份证件有效期 血型 特长 学籍辅号 "
    "班内学号 学生来源 电子信箱 主页地址 残疾类型 是否由政府购买学位 随班就读 成员1姓名 成员1关系 成员1关系说明 成员1现住址 "
    "成员1户口所在地行政区划 成员1联系电话 成员1是否监护人 成员1身份证件类型 成员1身份证件号 成员1民族 成员1工作单位 成员1职务 是否进城务工人员随迁子女"
)
_REGISTERS = {
    "national": ("education", _NATIONAL),
    "class": ("education", "学号 姓名 年级 班级 身份证号 年龄 广州学籍号 全国学籍号 户籍所在地 居住所在地 监护人(父亲) 监护人(母亲) 监护人(父亲)电话"),
    "poor": ("education", "序号 省市 区县 乡镇 村组（社区） 姓名 身份证号码 是否6-15周岁 户编号 户主姓名 联系电话 学校全称 学段 年级 就读方式 是否残疾生"),
    "kindergarten": ("education", "序号 幼儿姓名 性别 公民身份号码 户口所在地 现住址 入园日期 是否留守儿童 是否残疾幼儿 家长姓名 家长电话"),
    "village": ("education", "序号 儿童姓名 身份证号 监护人姓名 与儿童关系 监护人联系方式 备注"),
    "visits": ("womens_federation", "序号 来访时间 来访人姓名 来访人联系电话 未成年人姓名 监护人姓名 监护人与儿童关系 监护人联系方式 反映问题 处理结果"),
    "district": ("womens_federation", "监护人姓名 监护人联系方式 监护人与儿童关系 服务次数统计 姓名 街道 社区 预警状态 年龄 出生日期 性别 就读学校"),
    "parents": ("womens_federation", "姓名 性别 出生日期 父亲姓名 父亲联系电话 反映问题"),
}  # fmt: skip


def _file(columns: list[str], row: dict[str, str]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([["某某登记表"], columns, [row.get(name, "") for name in columns]])
    return out.getvalue().encode("gb18030")


def _decoded(agency: str, raw: bytes) -> SubmittedNotice | RefusedItem:
    (item,) = ADAPTERS[agency].decode(raw, "text/csv", office(agency), {}).items
    return item


@pytest.mark.parametrize("name", _REGISTERS)
def test_people_and_numbers_of_a_foreign_register_are_those_of_its_cells(name):
    agency, headings = _REGISTERS[name]
    columns = headings.split(" ")
    raw = _file(columns, _VALUES)
    cells = dict(zip(*list(csv.reader(io.StringIO(raw.decode("gb18030"))))[1:], strict=True))
    item = _decoded(agency, raw)
    assert isinstance(item, SubmittedNotice), item
    child, *others = item.data["persons"]
    assert child["roles"] == ["minor"]
    assert child["name"] == "李小测"
    written = {value for value in cells.values() if value}
    assert ("id_no" in child) == ("999999201503010016" in written)
    if "999999201503010016" in written:
        assert (child["id_type"], child["id_no"]) == ("ID", "999999201503010016")
    assert child.get("birth_date", "2015-03-01") == "2015-03-01"
    assert ("birth_date" in child) == bool(cells.get("出生日期"))
    if "李某测" in written:
        (guardian,) = others
        assert (guardian["roles"], guardian["name"]) == (["guardian"], "李某测")
        assert guardian.get("phone") == ("13900139001" if "13900139001" in written else None)
        assert guardian.get("relation") == (None if name == "kindergarten" else "51")
        assert guardian.get("of") == (child["ref"] if "relation" in guardian else None)
    if "王某测" in written:
        assert item.reporter == {"name": "王某测", "phone": "13700137002"}
        assert "王某测" not in str(item.data)
    _everything_is_somewhere(item, cells)
    assert isinstance(validate(item, RULES, TODAY), ValidNotice)  # and intake takes it


def _everything_is_somewhere(item: SubmittedNotice, cells: dict[str, str]) -> None:
    sources = {entry.source.rpartition("column ")[2] for entry in item.provenance}
    gaps = {gap.position.rpartition("column ")[2] for gap in item.gaps}
    vault = set(item.reporter.values())
    for name, value in cells.items():
        assert not value or name in sources | gaps or value in vault, name


@pytest.mark.parametrize(
    ("word", "found"), [("祖父", {"relation": "61"}), ("李某测", {"name": "李某测"})], ids=["relation", "name"]
)
def test_a_guardian_column_is_a_relation_where_it_holds_one(word, found):
    item = _decoded("education", _file(["姓名", "监护人"], {"姓名": "李小测", "监护人": word}))
    assert isinstance(item, SubmittedNotice)
    guardian = item.data["persons"][1]
    assert {name: guardian[name] for name in ("relation", "name") if name in guardian} == found


def test_a_place_of_registration_is_a_code_or_an_address_by_what_stands_there():
    for said, found in (("440113", {"region": "440113"}), ("测试省测试市", {"address": "测试省测试市"})):
        item = _decoded("education", _file(["姓名", "户口所在地"], {"姓名": "李小测", "户口所在地": said}))
        assert isinstance(item, SubmittedNotice)
        assert item.data["persons"][0]["registered"] == found


@pytest.mark.parametrize(
    "columns", [["姓名", "电话", "性别"], ["姓名", "与监护人关系", "性别"], ["姓名", "通信地址", "性别"]]
)
def test_what_could_mean_several_things_is_named_and_not_guessed(columns):
    row: dict[str, Any] = {"姓名": "李小测", "性别": "男", columns[1]: "13800138000"}
    item = _decoded("education", _file(columns, row))
    assert isinstance(item, SubmittedNotice)
    (child,) = item.data["persons"]
    assert "13800138000" not in str(child)
    assert f"row 3, column {columns[1]}" in {gap.position for gap in item.gaps}


@pytest.mark.parametrize("agency", ["education", "womens_federation"])
def test_a_register_of_teachers_is_none_of_children(agency):
    headings = "教职工号 教师姓名 教师类型 学历 部门 性别 身份证号 手机号码 邮箱 QQ 政治面貌 民族 婚姻状况 籍贯 健康状况 个人简介 出生日期"
    item = _decoded(agency, _file(headings.split(" "), _VALUES))
    assert isinstance(item, RefusedItem), item
    assert [(one.code, one.position) for one in item.problems] == [("no-known-columns", "row 2")]

"""How do schools, the women's federation and hospitals write a case? CSV, XLSX and HL7 v2 after DOMAIN 2.3, 2.4 and 2.8.

Written without the adapters' mappings. The spreadsheet quirks are real ones: a column of numbers becomes floats, dates
are written as somebody typed them.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook

from gateway.simulation.families import Edge, Individual
from gateway.simulation.telling import NativeFile, Telling

_SEX = {"1": "男", "2": "女"}
_LABELS = {"51": "父亲", "52": "母亲", "61": "祖父", "62": "祖母"}
_HOUR = re.compile(rb">[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z<")
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_URGENCY = ("一般", "紧急", "特急")
_PUPIL = (
    "学校标识码", "姓名", "性别", "出生日期", "年龄", "身份证件类型", "身份证件号", "学籍号", "民族", "户口所在地行政区划", "现住址",
    "就读方式", "是否留守儿童", "是否孤儿", "是否进城务工人员随迁子女", "残疾类型", "随班就读",
)  # fmt: skip
_EVENT = ("事件编号", "事件类型", "事件日期", "情形代码", "事件简述", "报告人", "报告人电话", "处置措施")
_REGISTER = (
    "工单编号", "来电时间", "来电方式", "求助人与未成年人关系", "求助人称呼", "求助人电话", "是否匿名", "未成年人姓名/化名", "性别", "年龄",
    "出生日期", "身份证号", "所在区县", "所在街道(乡镇)", "事由类别", "紧急程度", "简要情况", "是否同意转介", "转介单位", "转介时间", "反馈结果",
    "回访时间", "是否办结",
)  # fmt: skip


def education(telling: Telling) -> NativeFile:
    """CSV with Chinese headings, one row per pupil: GB18030 for even case numbers, UTF-8 with a byte-order mark for odd."""
    family, event = telling.family, telling.event
    members = [
        f"成员{n}{what}" for n in range(1, len(family.kin) + 1) for what in ("姓名", "关系", "是否监护人", "联系电话")
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*_PUPIL, *members, *_EVENT])
    for index, child in enumerate(family.children):
        kin = [
            text
            for place, one in enumerate(family.kin)
            for text in (one.name, _LABELS[one.relation], "是" if place == family.guardian else "否", one.phone)
        ]
        is_verified = bool(child.id_no) and family.edge in (Edge.NONE, Edge.RARE_CHARACTERS, Edge.SEVERAL)
        number = telling.number if index == 0 else f"{telling.number}-{index + 1}"
        flags = ["是" if event.difficulty == code else "否" for code in ("D31", "D15")]
        writer.writerow(
            [
                family.school_code, child.name or child.alias, _SEX[child.sex], _typed_date(child.born, family.number), child.age,
                "居民身份证" if child.id_no else "", child.id_no, "G" + child.id_no if is_verified else "", "汉族", family.region[:6],
                family.address, "走读", *flags, "", "", "否", *kin, number, telling.kind, f"{event.happened:%Y%m%d}",
                event.m_flag if telling.kind == "强制报告" else "", event.narrative, event.caller.name, event.caller.phone, "已报警",
            ]
        )  # fmt: skip
    text = out.getvalue()
    body = text.encode("gb18030") if family.number % 2 == 0 else b"\xef\xbb\xbf" + text.encode()
    return NativeFile(body, "text/csv", ".education.csv")


def _typed_date(born: str, number: int) -> str:
    """As somebody typed it: 20150301, 2015-3-1 or 2015/03/01."""
    if len(born) != 10:
        return born
    year, month, day = born.split("-")
    return (f"{year}{month}{day}", f"{year}-{int(month)}-{int(day)}", f"{year}/{month}/{day}")[number % 3]


def womens_federation(telling: Telling) -> NativeFile:
    """A workbook with a sheet per month, a merged title in row 1, headings in row 2, one row per child."""
    family, event = telling.family, telling.event
    book = Workbook()
    sheet: Any = book.active
    sheet.title = f"{telling.at.month}月"
    sheet.append(["妇联维权服务登记表"])
    sheet.append(list(_REGISTER))
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(_REGISTER))
    for index, child in enumerate(family.children):
        number = telling.number if index == 0 else f"{telling.number}-{index + 1}"
        consent: str | None = ("是", "否", None)[family.number % 3]
        row: Sequence[Any] = [
            number, f"{event.happened:%Y-%m-%d %H:%M}", "电话", event.caller.relation, event.caller.name, event.caller.phone, "否",
            f"{child.alias}(化名)" if child.alias else child.name or "无名氏", _SEX[child.sex], child.age or None, child.born or None,
            _cell(child), family.region[:6], family.address, event.matter, _URGENCY[event.urgency], event.narrative, consent, None, None, None, None, "否",
        ]  # fmt: skip
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return NativeFile(_without_the_hour(out.getvalue()), _XLSX, ".womens_federation.xlsx")


def _without_the_hour(workbook: bytes) -> bytes:
    """The same workbook whenever it is written: openpyxl notes when each part was made, and when the book was changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as written, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in written.namelist():
            part = written.read(name)
            if name == "docProps/core.xml":
                part = _HOUR.sub(rb">2026-01-01T00:00:00Z<", part)
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, part)
    return out.getvalue()


def _cell(child: Individual) -> Any:
    """A number cell holds no more than fifteen digits: the ruin is in the file itself."""
    return float(child.id_no) if "E+" in child.id_no else child.id_no or None


def health(telling: Telling) -> NativeFile:
    """HL7 v2.4 ORU^R01, one message per child; kind `MR` with the segment ZMR of a mandatory report."""
    family, event = telling.family, telling.event
    lines: list[str] = []
    for index, child in enumerate(family.children):
        number = telling.number if index == 0 else f"{telling.number}-{index + 1}"
        sent, seen = f"{telling.at:%Y%m%d%H%M%S}", f"{event.happened:%Y%m%d%H%M%S}"
        identifiers = f"MZ{family.number:06d}{index}^^^HOSP^PI" + (f"~{child.id_no}^^^GA^NI" if child.id_no else "")
        sex = {"1": "M", "2": "F"}[child.sex]
        lines += [
            rf"MSH|^~\&|HIS|12440113XXXXXXXXXX|WCNGW|440113|{sent}||ORU^R01|{number}|P|2.4|||AL|NE||UNICODE UTF-8",
            f"PID|1||{identifiers}||{child.name or child.alias or '无名氏'}||{child.born.replace('-', '')}|{sex}|||"
            f"{family.address}^^{family.region[:9]}^^^CN|||||||||||01",
        ]
        lines += [
            f"NK1|{place}|{one.name}|{one.relation}^{_LABELS[one.relation]}^GB/T4761|{family.address}|{one.phone}"
            for place, one in enumerate(family.kin[:2], 1)
        ]
        lines += [
            f"PV1|1|E|急诊^^^||||||||||||||||V{telling.at:%Y%m%d}-{family.number}",
            f"OBR|1||{number}|MR^强制报告摘要^L|||{seen}",
            "OBX|1|CE|DE05.01.024.00^疾病诊断编码^WS||T74.1^躯体虐待^ICD10||||||F" + "|" * 5 + event.caller.name,
            f"OBX|2|TX|INJ^体表损伤描述||{event.narrative}||||||F",
        ]
        if telling.kind == "MR":
            call = f"JJBH4401135400{telling.at:%Y%m%d}{family.number:07d}"
            lines.append(f"ZMR|{event.m_flag}|{seen}|{int(event.urgency == 2)}|DOC^主治医师|110|{call}|1|0")
    return NativeFile(("\r".join(lines) + "\r").encode(), "application/hl7-v2+er7", ".health.hl7")

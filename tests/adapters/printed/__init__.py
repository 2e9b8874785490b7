"""The sample messages that the domain description prints for each agency, with their ellipses, as bytes of the agency's system.

Invented, with the area prefix 999999. `…` stands where the print leaves a value out.
"""

from __future__ import annotations

import io
from pathlib import Path

from openpyxl import Workbook

_FOLDER = Path(__file__).parent
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# DOMAIN 2.8 prints columns and values, no row; this is one row of them.
_REGISTER = {
    "工单编号": "FL440113202603010001", "来电时间": "2026-03-01 09:00", "来电方式": "电话", "求助人与未成年人关系": "祖母",
    "求助人称呼": "王测", "求助人电话": "10000000001", "是否匿名": "否", "未成年人姓名/化名": "李小测", "性别": "男", "年龄": "8岁半",
    "所在区县": "番禺区", "所在街道(乡镇)": "测试镇", "事由类别": "家暴、心理", "紧急程度": "特急", "简要情况": "…", "是否同意转介": "是",
    "转介单位": "…", "转介时间": "…", "反馈结果": "…", "回访时间": "2026-03-08", "是否办结": "否",
}  # fmt: skip


_NAMES = {
    "civil_affairs": "civil_affairs.json", "police": "police.xml", "education": "education.csv", "health": "health.hl7",
    "judiciary": "judiciary.jsonl", "courts": "courts.xml", "procuratorate": "procuratorate.xml",
}  # fmt: skip


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8").rstrip("\n")


def register(**cells: str) -> bytes:
    """The women's federation's workbook: a merged title, headings, one row; `cells` are other values."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "3月"
    row = {**_REGISTER, **cells}
    for line in (["妇联维权服务登记表"], list(row), list(row.values())):
        sheet.append(line)
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def printed(agency: str) -> tuple[bytes, str]:
    """The message as printed, in the charset its system uses, and its media type."""
    text = _text(_NAMES[agency]) if agency in _NAMES else ""
    return {
        "civil_affairs": lambda: (text.encode(), "application/json"),
        "police": lambda: (text.encode("gb18030"), "application/xml"),
        "education": lambda: (b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), "text/csv"),
        "health": lambda: (text.replace("\n", "\r").encode(), "application/hl7-v2"),
        "judiciary": lambda: (text.encode(), "application/jsonl"),
        "courts": lambda: (text.encode(), "application/xml"),
        "procuratorate": lambda: (text.encode(), "application/xml"),
        "womens_federation": lambda: (register(), _XLSX),
    }[agency]()

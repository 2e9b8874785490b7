"""Ledgers as a county's school office exports them: one CSV, one notice per row, a few rows wrong, a few of them reports."""

from __future__ import annotations

import csv
import io

LEDGER = {
    "事件类型": "台账监测", "发送时间": "2026-11-01 08:00:00", "姓名": "李小测", "性别": "男", "出生日期": "2015-03-01",
    "现住址行政区划": "440113102005", "就学状态": "在学", "健康状况": "健康或良好", "是否留守儿童": "是",
    "成员1姓名": "李某测", "成员1关系": "祖父", "扩展:台账.变动类型": "add", "扩展:台账.最近核实日期": "2026-03-01",
    "扩展:台账.理由": "sweep",
}  # fmt: skip
REPORT = {
    "事件类型": "发现报告", "发送时间": "2026-11-01 08:00:00", "侵害类型": "面临危险未分类", "事件简述": "合成的报告",
    "事发地点": "某镇某村", "事发地区划": "440113102005", "紧急程度": "紧急", "扩展:使用目的": "P01", "扩展:法律依据.1": "L20",
    "扩展:发现渠道": "public",
}  # fmt: skip


def ledger(rows: int, *, reports: frozenset[int] = frozenset(), wrong: frozenset[int] = frozenset()) -> bytes:
    """Row `n` (from 0) is a report where `reports` says so, and of no known change where `wrong` says so."""
    names = list(dict.fromkeys(["通报编号", *LEDGER, *REPORT]))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\r\n")
    writer.writeheader()
    for row in range(rows):
        cells = dict(REPORT if row in reports else LEDGER, 通报编号=f"TZ-{row:06d}")
        if row in wrong:
            cells["扩展:台账.变动类型"] = "no-such-change"
        writer.writerow(cells)
    return out.getvalue().encode("utf-8-sig")

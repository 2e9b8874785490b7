"""Which rows below the headings of a register are none of its records?

Forms end with totals and with who filled them in, begin with the numbers of their columns, with what must be filled in, and
with an example. Under the headings of a register each of these would be a child: `审核人：某某` under 姓名 most of all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_OF = r"(?:人|单位|日期|时间|说明|要求|须知|签字|签名|\(.*?\))"
_FOOT = re.compile(
    r"(?:合计|总计|小计|共计|累计|本页|以下(?:空白|为空|无正文))(?:人数?|数|小计|合计|\(.*?\))*(?:[:].*|[0-9]+[人名]?)?"
    rf"|(?:填表|制表|填报|审核|复核){_OF}+(?:[:].*)?"
    rf"|(?:填表|制表|填报|审核|复核|负责人|经办人|备?注|说明|填写说明|注意事项){_OF}*[:].*",
    re.DOTALL,
)
_LABELLED = re.compile(r"[\u4e00-\u9fff]{2,8}(?:\([\u4e00-\u9fff]+\))?[:]", re.DOTALL)
_EXAMPLE = re.compile(r"(?:(?:填写|填表)?(?:举?例|示例|样例|范例)|例子|例如)(?:行|数据)?[0-9]?(?:[:].*)?", re.DOTALL)
_DEMAND = re.compile(r"[*]?(?:必填|选填|非必填|可选|可不填|必录|必须填写|下拉选择)")
_MARKS = {mark: number for number, mark in enumerate("甲乙丙丁戊己", 1)}
_BEGINNINGS = frozenset("合总小共累本以填制审复负经备注说例举示样范必选非可下*＊")
_FIRST_NUMBERS = frozenset(("1", "１", "(1)", "（1）", "甲"))


def remark(cells: Sequence[str]) -> str | None:
    """What such a row is instead of a record, None for a record."""
    first = next(filter(None, cells), "").lstrip()
    if first[:1] not in _BEGINNINGS and first not in _FIRST_NUMBERS and ":" not in first and "：" not in first:
        return None  # as nearly all
    said = ["".join(unicodedata.normalize("NFKC", cell).split()) for cell in cells if cell]
    if _FOOT.fullmatch(said[0]):
        return "a total, a note or who filled the form in"
    if _LABELLED.match(said[0]) and sum(1 for cell in said if _LABELLED.match(cell)) * 2 > len(said):
        return "notes to the form"
    if _EXAMPLE.fullmatch(said[0]):
        return "an example"
    if len(said) > 1 and sum(1 for cell in said if _DEMAND.match(cell)) * 2 >= len(said):
        return "what must be filled in"
    return "the numbers of the columns" if len(said) > 2 and _are_numbers(said) else None


def _are_numbers(said: Sequence[str]) -> bool:
    """甲, 乙, 1, 2, 3: one after another, in each of its two spellings."""
    last = ("", 0)
    for cell in said:
        plain = cell.strip("()")
        kind, number = ("甲", _MARKS[plain]) if plain in _MARKS else ("1", int(plain) if plain.isdecimal() else 0)
        if number != (last[1] + 1 if kind == last[0] else 1):
            return False
        last = kind, number
    return True

"""Does the civil-affairs format hold with its own quirks (DOMAIN 2.1)?"""

from __future__ import annotations

import json

from adapters.civil_affairs import ADAPTER
from tests.adapters.builders import decode_one

MESSAGE = {
    "head": {"jyh": "MZ20260301000017", "fsdw": "440113", "jssj": "20260301103000", "ywlx": "LED_ADD"},
    "data": {
        "etbh": "ET4401132026000123", "etxm": "李小测", "etsfzh": "", "xb": "1", "mz": "汉", "nl": "13岁", "etlb": ["D31"], "jkzk": "健康",
        "cjlb": "", "jxqk": "小学", "jhrgx": "61", "jhqk": "委托照护", "fxdj": "红", "etzrdh": "13900000000", "sjqhqk": "曾遭打骂",
        "jtcy": [{"gx": "祖父", "xm": "某甲", "zk": "健康"}, {"gx": "51", "xm": "某乙", "zk": "服刑"}, {"gx": "52", "zk": "死亡"}],
    },
}  # fmt: skip


def test_the_documented_message_is_read_with_its_family():
    notice = decode_one(ADAPTER, json.dumps(MESSAGE, ensure_ascii=False).encode(), "civil_affairs")
    assert (notice.type, notice.data["ledger"], notice.native_id) == ("LED", {"change": "add"}, "MZ20260301000017")
    child, grandfather, father, mother = notice.data["persons"]
    assert "id_no" not in child
    assert (child["age"], child["grade"], child["ethnicity"]) == ({"years": 13}, "80", "01")
    assert (grandfather["roles"], grandfather["relation"]) == (["guardian"], "61")
    assert (father["roles"], father["unavailable"]) == (["guardian"], {"reason": "D11"})
    assert mother["roles"] == ["other"]
    assert notice.data["harm"]["narrative"] == "曾遭打骂"
    assert notice.reporter == {"officer_phone": "13900000000"}
    assert [(gap.code, gap.position) for gap in notice.gaps] == [("unmapped-code", "/data/jtcy/2/zk")]

"""Where is what makes a JSON document unreadable, and which of its objects are messages?"""

from __future__ import annotations

import json

import pytest

from adapters.kit.json_codec import parse_strict
from adapters.kit.native import Unreadable
from adapters.registry import load_adapters
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import office

ADAPTERS = load_adapters()
MESSAGE = {"head": {"jyh": "M1", "ywlx": "QZBG"}, "data": {"etxm": "李小测", "csrq": "20150301", "zzz": "1"}}


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        ('{"a": [{"b": 1}, {"b": 1, "c": 2, "b": 3}]}', "duplicate-name", "/a/1/b"),
        ('{"a": {"b": [1, NaN], "b": 2}}', "not-json", "/a/b/1"),
        ('{"a": 1, "b": -Infinity}', "not-json", "/b"),
        ('[1, {"a/b": 99999920150301001612}]', "number-too-long", "/1/a~1b"),
        ('{"a": NaN, }', "not-json", "line 1, column 12"),
    ],
)
def test_what_two_readers_would_read_differently_is_refused_where_it_stands(text, code, position):
    with pytest.raises(Unreadable) as refusal:
        parse_strict(text)
    problem = refusal.value.problem
    assert (problem.code, problem.position) == (code, position)
    assert problem.remedy


@pytest.mark.parametrize(
    ("wrapped", "position"),
    [
        (MESSAGE, "/data/zzz"),
        ({"code": 0, "msg": "成功", "data": MESSAGE}, "/data/data/zzz"),
        ({"code": "200", "data": {"total": 1, "rows": [MESSAGE]}}, "/data/rows/0/data/zzz"),
        ({"result": json.dumps([MESSAGE])}, "/result/0/data/zzz"),
        ([{"data": MESSAGE}], "/0/data/data/zzz"),
    ],
)
def test_a_message_is_found_in_what_an_interface_puts_round_it(wrapped, position):
    raw = json.dumps(wrapped, ensure_ascii=False).encode("gb18030")
    (item,) = ADAPTERS["civil_affairs"].decode(raw, "application/json", office("civil_affairs"), {}).items
    assert isinstance(item, SubmittedNotice), item
    (child,) = item.data["persons"]
    assert (child["name"], child["birth_date"]) == ("李小测", "2015-03-01")
    assert [gap.position for gap in item.gaps] == [position]


def test_what_stands_beside_messages_in_a_list_is_refused_at_its_place():
    raw = json.dumps({"code": 0, "data": [MESSAGE, {"etxm": "李小测"}, 1]}).encode()
    first, second, third = ADAPTERS["civil_affairs"].decode(raw, "application/json", office("civil_affairs"), {}).items
    assert isinstance(first, SubmittedNotice)
    assert isinstance(second, RefusedItem)
    assert isinstance(third, RefusedItem)
    assert [one.problems[0].code for one in (second, third)] == ["unknown-kind", "not-an-object"]
    assert [one.position for one in (second, third)] == ["/data/1", "/data/2"]


def test_a_line_may_hold_an_answer_with_several_messages():
    line = {"code": 0, "data": [{"bwbh": str(n), "ywlx": "JHR_ZY", "data": {"zzz": "1"}} for n in (1, 2)]}
    raw = b"\n" + json.dumps(line).encode()
    items = ADAPTERS["judiciary"].decode(raw, "application/jsonl", office("judiciary"), {}).items
    assert [item.native_id for item in items] == ["1", "2"]
    assert items[1].gaps[0].position == "line 2 /data/1/data/zzz"

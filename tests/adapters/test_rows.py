"""Does a look at the types of a file's rows see what decoding every row would have seen?"""

from __future__ import annotations

import pytest

from adapters.registry import load_adapters
from gateway.model.notice import REPORTS, SubmittedNotice
from gateway.ports.translation import RowAdapter
from gateway.simulation.scenarios import messages
from tests.adapters.builders import office

ADAPTERS = {name: adapter for name, adapter in load_adapters().items() if isinstance(adapter, RowAdapter)}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def types_by_decoding(adapter: RowAdapter, body: bytes, media_type: str, agency: str) -> list[str | None]:
    rows = adapter.decode_rows(body, media_type, office(agency))
    return [row.item.type if isinstance(row.item, SubmittedNotice) else None for row in rows]


def test_the_registers_are_adapters_of_rows():
    assert set(ADAPTERS) == {"education", "womens_federation", "judiciary"}


@pytest.mark.parametrize("agency", sorted(ADAPTERS))
def test_the_type_of_each_row_is_the_one_it_is_decoded_to(agency):
    adapter, seen = ADAPTERS[agency], set()
    for message in messages(11, 44, agency):
        told = list(adapter.row_types(message.file.body, message.file.media_type))
        assert told == types_by_decoding(adapter, message.file.body, message.file.media_type, agency), message.name
        seen.update(told)
    assert seen
    assert agency == "judiciary" or not REPORTS.isdisjoint(seen)


@pytest.mark.parametrize(
    ("agency", "media_type", "body"),
    [
        ("education", "text/csv", "事件类型,姓名\n强制报告,李测\n,\n没有这种,王测\n合计\n".encode()),
        ("education", "text/csv", b"nothing,known\n1,2\n"),
        ("education", "text/csv", "事件类型,姓名\n".encode()),
        ("education", XLSX, b"PK\x03\x04 damaged"),
        ("judiciary", "application/jsonl", b'{"ywlx":"JHR_JD","data":{}}\n[]\n{"ywlx":1}\n{broken\n{}\n'),
        ("judiciary", "application/jsonl", b"\xff\xfe\xff"),
    ],
)
def test_refused_rows_and_lost_files_are_told_as_such(agency, media_type, body):
    adapter = ADAPTERS[agency]
    assert list(adapter.row_types(body, media_type)) == types_by_decoding(adapter, body, media_type, agency)

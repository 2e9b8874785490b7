"""What the commands print for people: releases in their own charset, errors with their Chinese title and a remedy, rows of the log."""

import pytest

from gateway.cli.frame import EXIT_REFUSED, fail
from gateway.cli.log import _about
from gateway.cli.pull import readable
from gateway.cli.sent import STATES_ZH
from gateway.client.agency import Answered
from gateway.model.delivery import DeliveryState
from gateway.model.errors import InvalidDocument, NotFound, Problem

XML = '<?xml version="1.0" encoding="{}"?><XM>李小测</XM>'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (XML.format("GB18030").encode("gb18030"), "application/vnd.hutong.police+xml"),
        (XML.format("UTF-8").encode(), "application/vnd.hutong.courts+xml"),
        ("姓名\n李小测".encode("gb18030"), "text/csv; charset=GB18030"),
        ("姓名\n李小测".encode(), "text/csv; charset=utf-8"),
        ("PID|1||李小测".encode(), "application/hl7-v2"),
    ],
)
def test_a_release_is_printed_in_the_charset_it_names(body, content_type):
    assert "李小测" in (readable(body, content_type) or "")


def test_what_is_no_text_is_not_printed_as_one():
    assert readable(b"PK\x03\x04\xff\xfe", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") is None
    assert readable(b"x", "text/csv; charset=no-such") is None


def test_an_error_has_its_chinese_title_and_always_says_what_to_do(capsys):
    assert fail(NotFound("no such case")) == EXIT_REFUSED
    said = capsys.readouterr().err
    assert "[not-found] 没有此资源: 没有该个案 / no such case" in said and "核对编号与路径" in said
    fail(Answered(409, {"code": "lease-lost", "detail": "the lease is over", "remedy": "fetch again"}))
    said = capsys.readouterr().err
    assert "租约已失效" in said and "fetch again" in said
    fail(InvalidDocument("it does not hold", problems=(Problem("no-key", "/keys", "a key is missing", "add one"),)))
    assert capsys.readouterr().err.count("add one") == 1


def test_a_row_of_the_log_says_who_to_whom_and_why():
    decided = {"actor": "gateway", "recipient": "police.440113", "purpose": "P02", "fields": {"minor.name": "clear"}}
    assert _about(decided) == "gateway → police.440113 P02 1 项 fields"
    assert _about({"actor": "staff", "office": "health.440113", "reason": "audit"}) == "staff health.440113 audit"


def test_every_state_of_a_delivery_has_its_chinese_word():
    assert STATES_ZH.keys() == {state.value for state in DeliveryState}

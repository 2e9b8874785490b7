"""What the author of an adapter is told when a document, a table of codes or an installed package is wrong."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import yaml

from adapters.kit.codetables import parse_tables, shared_tables
from adapters.kit.documents import read_yaml
from adapters.kit.mapping import load_mapping, parse_mapping
from adapters.kit.table_adapter import TableAdapter
from adapters.registry import load_adapters
from gateway.cli import adapter as command
from gateway.model.errors import InvalidDocument
from tests.adapters.builders import office


def told(broken: InvalidDocument) -> str:
    assert broken.remedy
    return " | ".join(f"{problem.position}: {problem.message}" for problem in broken.problems)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("tables: []", "c.yaml#/tables: "),
        ("tables: {a: {name: n, codes: {'1': [x]}}}", "'version' is a required property"),
        ("tables: {a: {name: n, version: '1', codes: {1: [x]}}}", "c.yaml#/tables/a/codes/1: quote"),
        ("tables: {a: {name: n, version: '1', codes: {'1': [NO]}}}", "c.yaml#/tables/a/codes/1/0: quote"),
        ("tables: {a: {name: n, version: '1', base: nobody, codes: {'1': [x]}}}", "nobody"),
        ("tables: {a: [", "c.yaml, line 2, column 1"),
    ],
)
def test_a_table_of_codes_that_is_wrong_is_named_at_its_place(text, at):
    with pytest.raises(InvalidDocument) as broken:
        parse_tables(text, "c.yaml")
    assert at in told(broken.value)


def test_a_mapping_that_is_no_yaml_or_not_packed_is_named():
    with pytest.raises(InvalidDocument) as broken:
        read_yaml("groups: [}", "mapping.yaml")
    assert told(broken.value).startswith("mapping.yaml, line 1, column 10")
    with pytest.raises(InvalidDocument) as missing:
        load_mapping("adapters.kit")
    assert "package data" in told(missing.value)


def test_a_heading_that_would_never_match_is_named_with_what_to_write():
    document = yaml.safe_load(
        """{mapping: m, version: "1", format: table, media_types: [text/csv], kind_at: 类, extension: {at: 扩展, style: label},
        sends: [RPT], conveys: [RPT], groups: [{at: "", fields: [{native: 登记人（助残员）, vault: name}]}]}"""
    )
    with pytest.raises(InvalidDocument) as broken:
        TableAdapter(parse_mapping(document, shared_tables(), "m"))
    assert "write `登记人(助残员)`" in told(broken.value)


def test_a_package_that_does_not_load_is_named_and_brings_down_no_command(monkeypatch, capsys):
    entry = EntryPoint("ninth", "tests.adapters.kit.no_such_module:ADAPTER", "hutong.adapters")
    with pytest.raises(InvalidDocument) as broken:
        load_adapters([entry])
    assert "the adapter `ninth` of package" in str(broken.value)
    monkeypatch.setattr(command, "load_adapters", lambda: load_adapters([entry]))
    with pytest.raises(SystemExit) as ended:
        command.adapter.main(["list"])
    assert ended.value.code == 3
    assert "ninth" in capsys.readouterr().err


def test_an_official_of_a_hospital_is_read_by_a_code_that_yaml_takes_for_no():
    raw = b"MSH|^~\\&|HIS|H|||20260301||ORU^R01|9|P|2.4\rPID|1||7^^^^PI||||20150301\rZMR|M4|20260301093000|1|OFF\r"
    (item,) = load_adapters([])["health"].decode(raw, "application/hl7-v2", office("health"), {}).items
    assert item.data["report"]["reporter_role"] == "official"

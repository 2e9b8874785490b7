from __future__ import annotations

from datetime import date

import pytest

from gateway.geography.divisions import DivisionTree
from gateway.geography.tables import parse_divisions, parse_jurisdictions, parse_national
from gateway.model.errors import InvalidDocument
from gateway.model.geography import DivisionKind, Matter
from tests.support.routing import DIRECTORY_FOLDER, shipped_tree
from tests.support.samples import ROOT, needs_samples

TODAY = date(2026, 3, 1)
HEADER = "code,name_zh,level,parent,reports_to,valid_from,valid_to,successors,kind,note\n"


def test_every_wrong_row_is_named_with_its_line() -> None:
    text = HEADER + "44,广东,L1,,,,,,,\n440100,广州市,L9,440000,,,,,,\n440113,番禺区,L3,440100,,2014-13-01,,,,\n"
    with pytest.raises(InvalidDocument) as refused:
        parse_divisions(text, "mine.csv")
    assert [problem.position for problem in refused.value.problems] == ["mine.csv:2", "mine.csv:3", "mine.csv:4"]


def test_a_column_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidDocument):
        parse_divisions("code,name\n440000,广东省\n", "mine.csv")


def test_a_row_with_too_few_cells_is_refused() -> None:
    with pytest.raises(InvalidDocument):
        parse_divisions(HEADER + "440000,广东省,L1\n", "mine.csv")


def test_a_jurisdiction_map_reads_matters_dates_and_basis() -> None:
    header = "agency,matters,division,office,valid_from,valid_to,basis\n"
    row = "courts,revocation protection_order,440113,courts.440100.juvenile,2026-01-01,,指定管辖决定\n"
    (read,) = parse_jurisdictions(header + row, "map.csv")
    assert read.matters == {Matter.REVOCATION, Matter.PROTECTION_ORDER}
    assert read.is_valid_on(TODAY) and not read.is_valid_on(date(2025, 12, 31))
    for wrong in (
        "courts,dancing,440113,courts.440100,,,x\n",
        "courts,,440113,nobody,,,x\n",
        "courts,,440113,courts.440100,,,\n",
    ):
        with pytest.raises(InvalidDocument):
            parse_jurisdictions(header + wrong, "map.csv")


def national() -> DivisionTree:
    folder = ROOT / "code-tables"
    texts = [
        (folder / f"cn_divisions_{name}.csv").read_text(encoding="utf-8") for name in ("provinces", "cities", "areas")
    ]
    shipped = parse_divisions((DIRECTORY_FOLDER / "divisions.csv").read_text(encoding="utf-8"), "divisions.csv")
    return DivisionTree(parse_national(*texts, overrides=shipped))


@needs_samples
@pytest.mark.samples
def test_a_national_set_loads_with_every_county_on_a_line_to_its_province() -> None:
    tree = national()
    counties = [row for row in tree.all(TODAY) if row.level == 3 and row.kind is DivisionKind.DIVISION]
    assert len(counties) > 2_900
    for row in counties:
        line = tree.line(row, TODAY)
        assert all(above.kind is not DivisionKind.PSEUDO for above in line)
        assert [above.level for above in line] == sorted((above.level for above in line), reverse=True)
        assert any(above.level == 1 for above in line)


@needs_samples
@pytest.mark.samples
@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("429004", ["429004", "420000"]),
        ("659001", ["659001", "650000"]),
        ("441900003", ["441900", "440000"]),
        ("310101", ["310101", "310000"]),
        ("500233", ["500233", "500000"]),
        ("620201100", ["620201", "620200", "620000"]),
    ],
)
def test_the_traps_of_the_code_system_are_seen_in_a_national_set(code: str, line: list[str]) -> None:
    tree = national()
    resolved = tree.resolve(code, TODAY)
    assert resolved is not None
    codes = [row.code for row in tree.line(resolved.division, TODAY)]
    assert [code for code in codes if code != "000000"] == line


@needs_samples
@pytest.mark.samples
def test_our_own_table_names_divisions_as_the_public_set_does() -> None:
    folder = ROOT / "code-tables"
    texts = [
        (folder / f"cn_divisions_{name}.csv").read_text(encoding="utf-8") for name in ("provinces", "cities", "areas")
    ]
    public = {row.code: row.name_zh for row in parse_national(*texts)}
    for row in shipped_tree().all(TODAY):
        if row.kind is DivisionKind.DIVISION and row.level in (1, 2, 3):
            assert public[row.code] == row.name_zh

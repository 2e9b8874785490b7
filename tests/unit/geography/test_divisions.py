from __future__ import annotations

from datetime import date

import pytest

from gateway.geography.divisions import DivisionTree, normalise
from gateway.model.errors import InvalidDocument
from gateway.model.geography import Division, DivisionKind, Level
from gateway.model.identifiers import DivisionCode
from tests.support.routing import pilots, shipped_tree

TODAY = date(2026, 3, 1)
THEN = date(2014, 8, 1)


def division(code: str, level: int, parent: str | None = None, **more: object) -> Division:
    return Division(DivisionCode(code), "某地", Level(level), parent, **more)  # type: ignore[arg-type]


def line_of(code: str, on: date = TODAY) -> list[str]:
    resolved = shipped_tree().resolve(code, on)
    assert resolved is not None
    return [row.code for row in shipped_tree().line(resolved.division, on)]


def test_all_78_pilot_areas_are_in_the_table_today_and_at_the_notices_date() -> None:
    listed = pilots()
    assert len(listed) == 78
    assert len({row["province"] for row in listed}) == 29
    for row in listed:
        now = shipped_tree().at(row["code"], TODAY)
        then = shipped_tree().at(row["code_2014"], THEN)
        assert now is not None and then is not None, row
        resolved = shipped_tree().resolve(row["code_2014"], TODAY)
        assert resolved is not None and resolved.division == now


def test_the_two_pilots_inside_other_pilots_leave_76_areas_to_count() -> None:
    inside = [row for row in pilots() if row["inside"]]
    assert sorted(row["code"] for row in inside) == ["410328", "420682"]
    for row in inside:
        assert row["inside"] in line_of(row["code"])


def test_every_pilot_reports_to_its_province() -> None:
    names = {row.code: row.name_zh for row in shipped_tree().all(TODAY)}
    for row in pilots():
        line = line_of(row["code"])
        assert line[-1] == "000000"
        assert names[line[-2]] == row["province"]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [("500234", "500154", date(2016, 7, 1)), ("110228", "110118", date(2015, 11, 1))],
)
def test_a_changed_code_means_itself_before_and_its_successor_after(old: str, new: str, changed: date) -> None:
    tree = shipped_tree()
    before = tree.resolve(old, date(2014, 8, 1))
    after = tree.resolve(old, changed)
    assert before is not None and before.division.code == old and before.steps == ()
    assert after is not None and after.division.code == new and after.steps == (f"change:{old}>{new}",)


def test_a_code_newer_than_the_event_is_taken_as_it_is() -> None:
    found = shipped_tree().resolve("500154", THEN)
    assert found is not None and found.division.code == "500154"
    carried = shipped_tree().resolve_from("500234", THEN, TODAY)
    assert carried is not None and carried.division.code == "500154"


def test_a_renamed_city_keeps_its_code_with_two_names() -> None:
    tree = shipped_tree()
    old, new = tree.at("420600", date(2010, 1, 1)), tree.at("420600", TODAY)
    assert old is not None and new is not None
    assert (old.name_zh, new.name_zh) == ("襄樊市", "襄阳市")


def test_municipalities_report_past_their_pseudo_city_but_keep_it_in_the_code_tree() -> None:
    tree = shipped_tree()
    assert line_of("110105") == ["110105", "110000", "000000"]
    district = tree.at("110105", TODAY)
    assert district is not None
    assert [row.code for row in tree.code_line(district, TODAY)] == ["110105", "110100", "110000", "000000"]


@pytest.mark.parametrize(
    ("county", "old_city", "province"), [("410225", "410200", "410000"), ("220581", "220500", "220000")]
)
def test_a_county_run_by_the_province_does_not_report_to_the_city_of_its_digits(
    county: str, old_city: str, province: str
) -> None:
    assert line_of(county) == [county, province, "000000"]
    row = shipped_tree().at(county, TODAY)
    assert row is not None and row.parent == old_city


def test_a_city_without_counties_is_reached_past_the_statistics_pseudo_county() -> None:
    assert line_of("620201001") == ["620201", "620200", "620000", "000000"]
    assert line_of("620200") == ["620200", "620000", "000000"]


def test_a_zone_with_a_local_code_reports_to_its_declared_parent() -> None:
    tree = DivisionTree(
        [
            division("440000", 1),
            division("440100", 2, "440000"),
            division("440199", 3, "440100", kind=DivisionKind.LOCAL),
        ]
    )
    found = tree.resolve("440199", TODAY)
    assert found is not None
    assert [row.code for row in tree.line(found.division, TODAY)] == ["440199", "440100", "440000"]


def test_an_unlisted_township_or_village_is_within_the_county_it_was_numbered_under() -> None:
    found = shipped_tree().resolve("440113199007", TODAY)
    assert found is not None and found.division.code == "440113" and found.steps == ("within:440113",)
    listed = shipped_tree().resolve("440113102005", TODAY)
    assert listed is not None and listed.division.code == "440113102"


@pytest.mark.parametrize("code", ["999999", "4401", "", "44011３", "abcdef", "440199"])
def test_an_unlisted_county_is_unknown_whatever_its_first_digits(code: str) -> None:
    assert shipped_tree().resolve(code, TODAY) is None


def test_names_are_never_matched_on() -> None:
    assert shipped_tree().resolve("朝阳区", TODAY) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [("440113000000", "440113"), ("440113102000", "440113102"), ("440113000", "440113"), ("440000", "440000")],
)
def test_the_long_way_to_write_a_code_means_the_short_one(written: str, meant: str) -> None:
    assert normalise(written) == meant
    found = shipped_tree().resolve(written, TODAY)
    assert found is not None and found.division.code == meant


def test_a_split_division_is_answered_by_what_its_parts_report_to() -> None:
    tree = DivisionTree(
        [
            division("440000", 1),
            division("440100", 2, "440000"),
            division("440101", 3, "440100", valid_to=date(2020, 1, 1), successors=("440102", "440103")),
            division("440102", 3, "440100", valid_from=date(2020, 1, 1)),
            division("440103", 3, "440100", valid_from=date(2020, 1, 1)),
        ]
    )
    found = tree.resolve("440101", TODAY)
    assert found is not None and found.division.code == "440100" and found.steps == ("split:440101>440100",)


def test_an_abolished_division_is_answered_by_what_it_reported_to() -> None:
    tree = DivisionTree([division("440000", 1), division("440100", 2, "440000", valid_to=date(2020, 1, 1))])
    found = tree.resolve("440100", TODAY)
    assert found is not None and found.division.code == "440000"


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([division("440113", 3, "440100")], "division-parent"),
        ([division("440000", 1), division("440100", 1, "440000")], "division-level"),
        ([division("440000", 1), division("440113", 3)], "division-parent"),
        ([division("44", 1)], "division-code"),
        ([division("440000", 1, valid_to=date(2020, 1, 1), successors=("450000",))], "division-successor"),
        ([division("440000", 1), division("440000", 1)], "division-overlap"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(rows: list[Division], code: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        DivisionTree(rows)
    assert code in {problem.code for problem in refused.value.problems}

"""On which days and in which divisions does a rule count? Days are whole, the first and the last among them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.model.access import Facet
from gateway.model.identifiers import FieldId
from gateway.policy.compile import compile_policy, next_change
from tests.unit.policy.builders import DELIVERY, HEAD, document

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
DAY = timedelta(days=1)
RULE = (
    HEAD
    + DELIVERY
    + "  - {id: r, title: {zh: 则, en: rule}, citation: [t], where: any, fields: [minor.name], show: clear, "
    f"valid_from: {FIRST}, valid_to: {LAST}}}\n"
)
REGION = (
    'kind: disclosure\ntitle: {zh: 试, en: trial}\nvalid_from: 2026-01-01\nregion: "4401"\nlimits:\n'
    "  - {id: l, title: {zh: 限, en: limit}, citation: [t], where: any, fields: [notice.deliver], limit: withhold}\n"
)


@pytest.mark.parametrize(
    ("day", "counts"), [(FIRST - DAY, False), (FIRST, True), (LAST, True), (LAST + DAY, False)], ids=str
)
def test_a_rule_counts_from_its_first_day_to_its_last(day: date, counts: bool) -> None:
    policy = compile_policy(document(RULE), day)
    assert ("r" in {rule.id for rule in policy.rules}) is counts
    shown = {answer.shown for answer in policy.group(FieldId("minor.name")).answers.values()}
    assert any(one & Facet.FULL for one in shown) is counts


def test_the_days_on_which_other_rules_begin_or_end_are_known_ahead() -> None:
    read = document(RULE)
    assert next_change(read, date(2025, 12, 1)) == date(2026, 1, 1), "the file's own first day"
    assert next_change(read, date(2026, 1, 1)) == FIRST
    assert next_change(read, FIRST) == LAST + DAY, "the day after the last"
    assert next_change(read, LAST + DAY) is None


@pytest.mark.parametrize(
    ("division", "counts"), [("440113", True), ("4401", True), ("44", False), ("440200", False), ("", False)]
)
def test_a_regional_rule_counts_in_its_division_and_below(division: str, counts: bool) -> None:
    policy = compile_policy(document(REGION), FIRST, division)
    assert ("l" in {rule.id for rule in policy.rules}) is counts

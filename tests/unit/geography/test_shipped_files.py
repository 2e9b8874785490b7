from __future__ import annotations

from datetime import date

import pytest

from gateway.engines.files.geography import (
    read_divisions,
    read_jurisdictions,
    read_national_divisions,
    read_pilot_areas,
    read_routing,
)
from tests.support.routing import shipped_tables, shipped_tree
from tests.support.samples import ROOT, needs_samples


def test_the_defaults_are_the_shipped_files() -> None:
    assert read_routing().version == shipped_tables().version
    assert len(read_divisions()) == len(shipped_tree())
    assert len(read_pilot_areas()) == 78
    assert read_jurisdictions() == ()


@needs_samples
@pytest.mark.samples
def test_a_national_set_on_disk_takes_our_reporting_lines_over_its_own() -> None:
    folder = ROOT / "code-tables"
    tree = read_national_divisions(*(folder / f"cn_divisions_{name}.csv" for name in ("provinces", "cities", "areas")))
    county = tree.resolve("410225", date(2026, 3, 1))
    assert county is not None and county.division.reports_to == "410000"
    assert len(tree) > 3_300

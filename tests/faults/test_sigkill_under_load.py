"""SIGKILL of the gateway at random points under load: five rounds here, fifty with `make chaos`."""

import pytest

from tests.faults.chaos import run


@pytest.mark.slow
def test_no_acknowledged_report_is_lost_and_none_applied_twice(tmp_path):
    assert run(tmp_path / "g", rounds=5, seed=1123, reports=50) == []

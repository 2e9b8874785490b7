"""Two nodes on one database under load: a node and then the database are killed; two hundred rounds of more with `make chaos`."""

import pytest

from tests.faults.chaos import run_cluster
from tests.support import postgres


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.skipif(not postgres.IS_INSTALLED, reason="PostgreSQL is not installed; see ops/test-services.sh")
async def test_nothing_is_lost_applied_twice_or_forked_when_a_node_or_the_database_dies(tmp_path):
    faults = ("node-killed", "database-killed")
    assert await run_cluster(tmp_path / "g", rounds=2, seed=1128, faults=faults, nodes=2, keeps=False) == []

"""Does every built-in adapter conform, does a third party's plugged in by entry point, and does the suite find faults?"""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from adapters.canonical import EVERY_TYPE
from adapters.conformance import run
from adapters.conformance.bodies import example_bodies, variations
from adapters.registry import BUILT_IN, GROUP, load_adapters
from gateway.simulation.releases import everything_but
from gateway.simulation.scenarios import messages
from tests.adapters.third_party import Careless, KeyValueLines

PLUGGED = KeyValueLines(EVERY_TYPE)
SAMPLE = "lx=RPT\nbh=W-1\nxm=李小测\nsfzh=999999201503010016\nbgr=测试报告人\nbz=备注\n".encode()


def failures(outcome) -> dict[str, list[str]]:
    return {
        check.name: [f"{found.where}: {found.what}" for found in check.findings] for check in outcome if check.failed
    }


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_adapter_conforms(name):
    adapter = load_adapters()[name]
    samples = [] if name == "canonical" else [(one.file.body, one.file.media_type) for one in messages(5, 4, name)]
    outcome = run(adapter, everything_but, example_bodies(), samples, seed=5, effort=15)
    assert failures(outcome) == {}
    assert {check.state for check in outcome} <= {"passed", "skipped"}
    if name != "canonical":
        assert {check.name for check in outcome if check.state == "skipped"} == set()


def test_a_third_partys_adapter_is_found_by_its_entry_point_and_conforms():
    entry = EntryPoint("cyberspace", "tests.adapters.test_conformance:PLUGGED", GROUP)
    adapter = load_adapters([entry])["cyberspace"]
    outcome = run(adapter, everything_but, example_bodies(), [(SAMPLE, "text/x-key-value")], effort=30)
    assert failures(outcome) == {}
    states = {check.name: check.state for check in outcome}
    assert states["reporter-to-vault"] == "skipped"  # it declares no mapping: its samples are for its own tests
    assert all(state == "passed" for name, state in states.items() if name != "reporter-to-vault")


def test_the_suite_finds_every_fault_of_a_careless_adapter():
    found = failures(
        run(Careless(EVERY_TYPE), everything_but, example_bodies(), [(SAMPLE, "text/x-key-value")], effort=30)
    )
    assert set(found) >= {
        "three-outcomes",
        "no-values-in-gaps",
        "round-trip",
        "withheld-is-absent",
        "deterministic",
        "fuzz",
    }
    assert any("harm is gone" in line for line in found["round-trip"])
    assert not any("李小测" in line for lines in found.values() for line in lines)


def test_the_same_seed_varies_bodies_the_same_way():
    bodies = example_bodies()
    assert list(variations(bodies, 3, 5)) == list(variations(bodies, 3, 5)) != list(variations(bodies, 4, 5))

"""Does every built-in adapter conform, does a third party's plugged in by entry point, and does the suite find faults?"""

from __future__ import annotations

import json
from datetime import date
from importlib import resources
from importlib.metadata import EntryPoint

import pytest
import yaml

from adapters.canonical import EVERY_TYPE
from adapters.conformance import run
from adapters.conformance.bodies import example_bodies, variations
from adapters.kit.adapter import MappedAdapter
from adapters.kit.codetables import parse_tables, shared_tables
from adapters.kit.json_codec import JsonCodec
from adapters.kit.mapping import parse_mapping
from adapters.registry import BUILT_IN, GROUP, load_adapters
from gateway.engines.files.documents import default_rules
from gateway.model.errors import Problem
from gateway.model.notice import SubmittedNotice
from gateway.simulation.releases import everything_but
from gateway.simulation.scenarios import messages
from gateway.validation.validate import validate
from tests.adapters.builders import office
from tests.adapters.third_party import Careless, KeyValueLines


def intake(item: SubmittedNotice) -> tuple[Problem, ...]:
    found = validate(item, default_rules(), date(2026, 12, 31))
    return found if isinstance(found, tuple) else ()


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
    outcome = run(adapter, everything_but, example_bodies(), samples, seed=5, effort=15, judge=intake)
    assert failures(outcome) == {}
    assert {check.state for check in outcome} <= {"passed", "skipped"}
    if name != "canonical":
        assert {check.name for check in outcome if check.state == "skipped"} == set()


def test_a_third_partys_adapter_is_found_by_its_entry_point_and_conforms():
    entry = EntryPoint("cyberspace", "tests.adapters.test_conformance:PLUGGED", GROUP)
    adapter = load_adapters([entry])["cyberspace"]
    outcome = run(adapter, everything_but, example_bodies(), [(SAMPLE, "text/x-key-value")], effort=30, judge=intake)
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


def test_the_mapping_printed_in_the_authors_guide_conforms():
    guide = resources.files("adapters").joinpath("README.md").read_text("utf-8")
    printed = [block.split("```")[0] for block in guide.split("```yaml\n")[1:]]
    document, codes = yaml.safe_load(printed[0]), parse_tables(printed[1])
    adapter = MappedAdapter(parse_mapping(document, {**shared_tables(), **codes}, "guide"), JsonCodec())
    sample = {
        "tou": {"lx": "CJBG", "bh": "CL-1", "sj": "20260301094500"}, "qk": "身上有伤", "bgr": "王某", "zuoxi": "x",
        "haizi": {"xm": "李小测", "sfz": "999999201503010016", "cjlb": "S"}, "jiaren": [{"xm": "某某", "gx": "父亲"}],
    }  # fmt: skip
    raw = json.dumps(sample).encode()
    outcome = run(adapter, everything_but, example_bodies(), [(raw, adapter.media_types[0])], effort=5, judge=intake)
    assert failures(outcome) == {}
    (item,) = adapter.decode(raw, adapter.media_types[0], office("community"), {}).items
    assert [person["roles"] for person in item.data["persons"]] == [["minor"], ["guardian"]]


def test_a_sample_that_intake_would_refuse_fails_at_the_senders_own_field():
    raw = b'{"head": {"jyh": "1", "ywlx": "ZJTZ"}, "data": {"etxm": "\xe6\x9d\x8e"}}'
    outcome = run(
        load_adapters()["civil_affairs"], everything_but, (), [(raw, "application/json")], effort=1, judge=intake
    )
    assert any("REF /data/kz/bfcs: intake refuses it: missing" in told for told in failures(outcome)["holds"])

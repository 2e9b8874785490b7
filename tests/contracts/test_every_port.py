"""Each port has its behaviour suite, and each engine of a port runs it.

A table says which module holds what a port promises and which modules run it, one for each engine. A port with a single
engine says why. Then a port, a verb of a store, or an engine that nobody tests does not go unnoticed.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway import ports
from gateway.ports.store import Store
from tests.contracts.storage import every_suite

HERE = Path(__file__).parent


class Kept(NamedTuple):
    """Where a port's promises are tested: by one suite that each engine's module runs, or where one engine is enough."""

    modules: tuple[str, ...]
    suite: str = ""
    only_one: str = ""


STORAGE = Kept(("sqlite/test_storage.py", "postgres/test_storage.py"), "every_suite")
AT_THE_OFFICES = "a transport's own port: the gateway's side of it is the same for all"

PORTS = {
    "NoticeStorage": STORAGE,
    "DeliveryStorage": STORAGE,
    "DirectoryStorage": STORAGE,
    "PolicyStorage": STORAGE,
    "StaffStorage": STORAGE,
    "ConsentStorage": STORAGE,
    "PersonStorage": STORAGE,
    "EmergencyStorage": STORAGE,
    "LogStorage": STORAGE,
    "RetentionStorage": STORAGE,
    "FileStorage": STORAGE,
    "RelayStorage": STORAGE,
    "Store": Kept(("sqlite/test_store.py", "postgres/test_store.py"), only_one="each begins and ends in its own way"),
    "Doorbell": Kept(
        ("embedded_broker/test_doorbell.py", "postgres/test_doorbell.py", "rabbitmq/test_doorbell.py"), "DoorbellSuite"
    ),
    "AgencyQueues": Kept(
        ("rabbitmq/test_queues.py", "embedded_broker/test_no_queues.py"),
        only_one="an embedded gateway has no queues, and says so",
    ),
    "Desk": Kept(("rabbitmq/test_queues.py",), only_one="the gateway itself, as the queues see it"),
    "KeyStore": Kept(
        ("files/test_keystore.py",), "KeyStoreSuite", only_one="keys are in encrypted files on every node"
    ),
    "ObjectStorage": Kept(("files/test_objects.py",), "ObjectsSuite", only_one="files, on storage that nodes share"),
    "HoldJournal": Kept(("files/test_hold_journals.py",), only_one="apart from the database that is in doubt"),
    "HoldJournals": Kept(("files/test_hold_journals.py",), only_one="apart from the database that is in doubt"),
    "CheckpointGuard": Kept(("publishing/test_hold.py",), only_one="apart from the database that may be restored"),
    "WitnessStorage": Kept(("test_witness.py",), only_one="a witness is a program of its own, in another house"),
    "WitnessClient": Kept(
        ("publishing/test_witnessed.py", "test_witness.py"), only_one="HTTP; a removable medium has none"
    ),
    "Courier": Kept(("http/test_courier.py",), only_one=AT_THE_OFFICES),
    "Connection": Kept(("http/test_courier.py",), only_one=AT_THE_OFFICES),
    "Push": Kept(("file_drop/test_outgoing.py", "mllp/test_listener.py"), only_one="one client for every transport"),
    "Adapter": Kept(("../adapters",), only_one="every adapter runs the laws of tests/adapters"),
    "RowAdapter": Kept(("../adapters",), only_one="every adapter of rows runs the laws of tests/adapters"),
    "Clock": Kept(("../unit",), only_one="the system's"),
    "RootKeys": Kept(("files/test_root_change.py",), only_one="keys are in encrypted files on every node"),
    "TimeInDoubt": Kept(
        ("../unit/engines/test_steady_clock.py",), only_one="nodes of a cluster are held to the database's clock"
    ),
    "Ids": Kept(("../unit",), only_one="the system's"),
}


def protocols() -> dict[str, type]:
    """Every port by its name."""
    found = {}
    for module in pkgutil.iter_modules(ports.__path__, "gateway.ports."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if getattr(value, "_is_protocol", False) and value.__module__ == module.name:
                found[name] = value
    return found


def verbs(port: type) -> list[str]:
    return [name for name, value in vars(port).items() if inspect.isfunction(value) and not name.startswith("_")]


def test_every_port_is_in_the_table_and_what_runs_its_suite_is_there():
    assert set(PORTS) == set(protocols())
    for name, kept in PORTS.items():
        assert kept.suite or kept.only_one, name
        for module in kept.modules:
            text = (HERE / module).read_text() if module.endswith(".py") else ""
            assert (HERE / module).exists() and kept.suite in text, (name, module)


def test_every_engine_takes_the_suites_from_one_place():
    assert {suite.__module__.rsplit(".", 1)[1] for suite in every_suite.SUITES.values()} == {
        path.stem for path in (HERE / "storage").glob("*_suite.py")
    } - {"every_suite"}


def storage_ports() -> list[Any]:
    """The attribute of a store and the port that it is, from the hints of the `Store`."""
    known = protocols()
    hints = {name: inspect.signature(value.fget).return_annotation for name, value in vars(Store).items()
             if isinstance(value, property)}  # fmt: skip
    return [(name, known[hint]) for name, hint in hints.items() if hint in known]


@pytest.mark.parametrize(("attribute", "port"), storage_ports())
def test_every_verb_of_a_store_is_used_by_a_suite(attribute, port):
    text = "".join(path.read_text() for path in (HERE / "storage").glob("*_suite.py"))
    text += (HERE / "storage" / "steps.py").read_text()
    unused = [verb for verb in verbs(port) if not re.search(rf"\bstore\.{attribute}\.{verb}\b", text)]
    assert not unused

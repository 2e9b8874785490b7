"""Releases in a folder: whole before anybody is told, the same when they come again, never outside it."""

from __future__ import annotations

import json

import pytest

from gateway.client.agency import Inbound
from gateway.engines.file_drop.inbox import InboxFolder
from gateway.model.errors import Tampered


def release(delivery="d-1", revision=0, body=b"body", kind="text/csv; charset=utf-8"):
    return Inbound(delivery, revision, "lease", kind, body, {}, "h..s")


def test_a_release_stands_beside_its_manifest_and_the_gateways_signature(tmp_path):
    path = InboxFolder(tmp_path / "in", {"text/csv": ".csv"}).put(release())
    assert path.name == "d-1.0.csv"
    manifest = json.loads((tmp_path / "in" / "d-1.0.csv.manifest.json").read_bytes())
    assert (manifest["size"], manifest["signature"], manifest["media_type"]) == (4, "h..s", "text/csv; charset=utf-8")


def test_an_agencys_own_xml_is_named_as_xml(tmp_path):
    shelf = InboxFolder(tmp_path, {"+xml": ".xml"})
    assert shelf.put(release(kind="application/vnd.hutong.police+xml")).name == "d-1.0.xml"


def test_the_same_release_again_is_the_same_file_and_a_higher_revision_stands_beside(tmp_path):
    shelf = InboxFolder(tmp_path, {})
    for one in (release(), release(), release(revision=1, body=b"new")):
        shelf.put(one)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "d-1.0.bin", "d-1.0.bin.manifest.json", "d-1.1.bin", "d-1.1.bin.manifest.json",
    ]  # fmt: skip


def test_a_file_without_its_manifest_is_written_again(tmp_path):
    shelf = InboxFolder(tmp_path, {})
    (tmp_path / "d-1.0.bin").write_bytes(b"torn")
    assert shelf.put(release()).read_bytes() == b"body"


@pytest.mark.parametrize("delivery", ["../d", "a/b", "", ".", "..", "d\x00", "d" * 65, "d.1"])
def test_a_delivery_that_is_a_path_writes_nothing(tmp_path, delivery):
    shelf = InboxFolder(tmp_path / "in", {})
    with pytest.raises(Tampered):
        shelf.put(release(delivery))
    assert [p.name for p in tmp_path.rglob("*")] == ["in"]

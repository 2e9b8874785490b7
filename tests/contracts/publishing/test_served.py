"""What the log serves, exports and proves holds for a stranger."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gateway.audit.bundle import check_bundle, check_report
from gateway.audit.checkpoint import open_checkpoint
from gateway.audit.leaf import entry_root
from gateway.audit.merkle import leaf_hash
from gateway.audit.proof import verify_inclusion
from gateway.audit.proof_text import parse_proof
from gateway.audit.tiles import ENTRIES, decode_bundle, tiles_of
from gateway.audit.verifier import main as verify_offline
from gateway.model.errors import Tampered, Unavailable
from gateway.model.identifiers import EventId
from gateway.services.export_log import export_files, export_records
from gateway.services.prove import Prover
from tests.contracts.publishing.signing_log import SECRETS, SUBJECTS, TRUST, Gateway
from tests.support.audit_log import POLICY, BuiltLog, put
from tests.support.log_events import new_id


async def test_every_file_of_the_log_is_served_as_tlog_tiles_says(gateway: Gateway) -> None:
    await gateway.publisher.open()
    await gateway.log(700)
    await gateway.publisher.publish()
    tree, plain = gateway.publisher.tree, BuiltLog()
    hashes = [leaf_hash(entry) for entry in await gateway.store.log.entries(0, 700)]
    plain.tiles = {(tile.level, tile.index): tile.data for tile in plain.edge.extend(hashes)}
    for size in (1, 255, 256, 257, 512, 700):
        assert await tree.root(size) == plain.tree.root(size)
        assert (await tree.edge(size)).root() == plain.tree.root(size)
        for level, index, width in tiles_of(size):
            data = await tree.file(level, index, width, 700)
            assert data == plain.read_tile(level, index)[: 32 * width]
            if level == 0:
                bundle = await tree.file(ENTRIES, index, width, 700)
                assert bundle is not None
                assert [leaf_hash(one) for one in decode_bundle(bundle)] == hashes[index * 256 : index * 256 + width]
    assert await tree.file(0, 2, 189, 700) is None
    assert await tree.file(0, 9, 1, 700) is None


async def test_an_export_of_the_store_verifies_with_the_offline_verifier(gateway: Gateway, tmp_path: Path) -> None:
    await gateway.publisher.open()
    await gateway.log(600)
    await gateway.publisher.publish()
    folder = tmp_path / "export"
    async for path, data in export_files(gateway.publisher):
        put(folder / path, data)
    put(folder / "policy", POLICY)
    lines = [line async for line in export_records(gateway.store.log, 0, 600)]
    put(folder / "records.jsonl", b"".join(lines))
    args = ["log", str(folder), "--policy", str(folder / "policy"), "--records", str(folder / "records.jsonl")]
    assert verify_offline(args) == 0
    put(folder / "records.jsonl", b"".join([lines[0], lines[5].replace(b'"actor":"', b'"actor":"x')]))
    assert verify_offline(args) == 1


async def test_records_bundles_and_reports_of_the_store_are_proved_to_a_stranger(gateway: Gateway) -> None:
    await gateway.publisher.open()
    await gateway.log(400)
    await gateway.publisher.publish()
    await gateway.log(50)
    prover = Prover(gateway.store.log, gateway.publisher)
    proof = parse_proof(await prover.proof(EventId(gateway.events[300])))
    head = open_checkpoint(proof.checkpoint, TRUST.keys)[0]
    entry = (await gateway.store.log.entries(300, 301))[0]
    assert verify_inclusion(300, head.size, leaf_hash(entry), proof.path, head.root)

    chosen = [EventId(gateway.events[n]) for n in (300, 5, 77)]
    checked = check_bundle(await prover.bundle(chosen, envelope=lambda name: name == "actor"), TRUST)
    assert [proven.index for proven in checked.records] == [5, 77, 300]
    assert all(proven.record.values.keys() <= {"actor"} for proven in checked.records)
    assert checked.records[2].record.root == entry_root(entry)

    for name, subject in SUBJECTS.items():
        key = bytes.fromhex(subject)
        report = check_report(await prover.report(key, SECRETS[name]), TRUST)
        places = [place for place in await gateway.store.log.places_of(key) if place < 400]
        assert [proven.index for proven in report.records] == places and len(places) > 50
    with pytest.raises(Tampered):
        await prover.report(bytes.fromhex(SUBJECTS["a"]), SECRETS["b"])
    with pytest.raises(Unavailable):
        await prover.proof(EventId(gateway.events[420]))
    assert new_id(random.Random(1)) not in gateway.events

"""The gateway signs one story: what it reads back, once a size, witnessed; a restored backup or a fork stops it."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.bundle import check_bundle, check_report
from gateway.audit.checkpoint import open_checkpoint
from gateway.audit.findings import Wrong
from gateway.audit.leaf import entry_root
from gateway.audit.merkle import leaf_hash
from gateway.audit.proof import verify_consistency, verify_inclusion
from gateway.audit.proof_text import parse_proof
from gateway.audit.record import prepare
from gateway.audit.tiles import ENTRIES, decode_bundle, tiles_of
from gateway.audit.trust import TrustPolicy, parse_trust_policy
from gateway.audit.verifier import main as verify_offline
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.http_witness import HttpWitness
from gateway.engines.sqlite.store import SqliteStore
from gateway.engines.witness_store import SqliteWitnessStore
from gateway.http.witness import witness_app
from gateway.model.audit import EventName
from gateway.model.errors import InvalidDocument, NotFound, Tampered, Unavailable
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import Head
from gateway.services.export_log import export_files, export_records
from gateway.services.log_tree import LogTree
from gateway.services.prove import Prover
from gateway.services.publish import Publisher
from gateway.services.travelling_witness import TravellingWitness
from gateway.services.witness import Witness
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN, POLICY, WITNESS, BuiltLog, ed25519_signer, put
from tests.support.log_events import event_of, new_id
from tests.support.stored import SetClock

TRUST = parse_trust_policy(POLICY)
SUBJECTS = {name: sha256(name.encode()).hexdigest() for name in ("a", "b", "c")}
SECRETS = {name: sha256(b"secret " + name.encode()).digest() for name in SUBJECTS}


class Gateway:
    """A store with a publisher beside it, and a witness that can be away."""

    def __init__(self, folder: Path, clock: SetClock, seed: int = 1, trust: TrustPolicy = TRUST) -> None:
        self.folder, self.clock, self.trust, self.rng = folder, clock, trust, random.Random(seed)
        self.store = SqliteStore.open(folder / "store", clock, cache_mib=8)
        self.witness = LocalWitness(folder, clock)
        self.publisher = self.make_publisher()
        self.events: list[str] = []

    def make_publisher(self, **more: Any) -> Publisher:
        guard = FileCheckpointGuard(self.folder / "guard")
        return Publisher(self.store.log, ORIGIN, (LOG, LOG_PQ), guard, self.trust, self.clock, (self.witness,), **more)

    @classmethod
    def new(cls, folder: Path, clock: SetClock, **more: Any) -> Gateway:
        folder.mkdir(exist_ok=True)
        SqliteStore.create(folder / "store")
        FileCheckpointGuard.create(folder / "guard")
        SqliteWitnessStore(folder / "witness.db", create=True).close()
        return cls(folder, clock, **more)

    async def log(self, count: int) -> None:
        records = []
        for _ in range(count):
            people = tuple(
                (SUBJECTS[one], SECRETS[one]) for one in self.rng.sample(sorted(SUBJECTS), self.rng.randrange(3))
            )
            records.append(prepare(event_of(self.rng.choice(list(EventName)), self.rng, people=people)))
        await self.store.log.append(records)
        self.events += [record.event_id for record in records]


class LocalWitness:
    """A WitnessClient over a real witness in this process."""

    name = "procuratorate"

    def __init__(self, folder: Path, clock: SetClock) -> None:
        self.store = SqliteWitnessStore(folder / "witness.db")
        self.service = Witness(self.store, (WITNESS,), {ORIGIN: (LOG.key, LOG_PQ.key)}, clock)
        self.is_away = False
        self.answers: list[int] = []

    async def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        if self.is_away:
            raise Unavailable("away")
        reply = self.service.add_checkpoint(request)
        self.answers.append(reply.status)
        return reply.status, reply.body

    async def last_checkpoint(self, origin: str) -> bytes | None:
        if self.is_away:
            raise Unavailable("away")
        return self.service.checkpoint_of(origin)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def gateway(tmp_path: Path, clock: SetClock) -> AsyncIterator[Gateway]:
    made = Gateway.new(tmp_path / "gateway", clock)
    yield made
    await made.store.close()


async def test_what_grows_is_signed_witnessed_and_consistent(gateway: Gateway) -> None:
    assert await gateway.publisher.open() is None
    heads = []
    for count in (1, 5, 250, 300, 700):
        await gateway.log(count)
        published = await gateway.publisher.publish()
        assert published is not None and published.is_witnessed
        assert (await gateway.store.log.head()).root == published.checkpoint.root
        heads.append(open_checkpoint(published.note, TRUST.keys)[0])
        for old in heads:
            path = await gateway.publisher.tree.consistency(old.size, heads[-1].size)
            assert verify_consistency(old.size, heads[-1].size, old.root, heads[-1].root, path)
    assert gateway.witness.answers == [200] * 5


async def test_an_idle_log_is_not_signed_again_and_is_cosigned_after_ten_minutes(
    gateway: Gateway, clock: SetClock
) -> None:
    await gateway.publisher.open()
    await gateway.log(3)
    first = await gateway.publisher.publish()
    assert first is not None
    assert await gateway.publisher.publish() is None
    clock.forward(timedelta(minutes=11))
    again = await gateway.publisher.publish()
    assert again is not None and again.checkpoint == first.checkpoint
    newest = [line.at for line in open_checkpoint(again.note, TRUST.keys)[2] if line.key == WITNESS.key]
    assert newest == [int(clock.now().timestamp())]


async def test_without_witnesses_publishing_goes_on_and_disclosure_stops_after_the_grace(
    gateway: Gateway, clock: SetClock
) -> None:
    await gateway.publisher.open()
    gateway.witness.is_away = True
    await gateway.log(3)
    published = await gateway.publisher.publish()
    assert published is not None and not published.is_witnessed
    assert gateway.publisher.allows_disclosure(clock.now())
    clock.forward(timedelta(hours=4, seconds=1))
    assert not gateway.publisher.allows_disclosure(clock.now())
    gateway.witness.is_away = False
    published = await gateway.publisher.publish()
    assert published is not None and published.is_witnessed
    assert gateway.publisher.allows_disclosure(clock.now())


async def test_a_witness_whose_clock_runs_ahead_grants_no_grace_beyond_ours(gateway: Gateway, clock: SetClock) -> None:
    ahead = SetClock()
    ahead.forward(timedelta(days=365))
    gateway.witness.service = Witness(gateway.witness.store, (WITNESS,), {ORIGIN: (LOG.key, LOG_PQ.key)}, ahead)
    publisher = gateway.publisher
    await publisher.open()
    await gateway.log(3)
    published = await publisher.publish()
    assert published is not None and published.is_witnessed
    assert publisher.witnessed_at == publisher.quorum_at == clock.now()
    gateway.witness.is_away = True
    clock.forward(timedelta(hours=5))
    assert not publisher.allows_disclosure(clock.now())


async def test_starting_again_grants_no_new_grace_while_the_witness_is_away(gateway: Gateway, clock: SetClock) -> None:
    await gateway.publisher.open()
    await gateway.log(3)
    published = await gateway.publisher.publish()
    assert published is not None and published.is_witnessed
    gateway.witness.is_away = True
    for hours in (3, 2):
        clock.forward(timedelta(hours=hours))
        await gateway.log(3)
        await gateway.publisher.publish()
    assert not gateway.publisher.allows_disclosure(clock.now())
    again = gateway.make_publisher()
    assert await again.open() is None
    assert not again.allows_disclosure(clock.now())
    gateway.witness.is_away = False
    await gateway.log(1)
    published = await again.publish()
    assert published is not None and published.is_witnessed
    assert again.allows_disclosure(clock.now())


async def test_a_publisher_that_starts_again_goes_on_where_it_was(gateway: Gateway) -> None:
    await gateway.publisher.open()
    await gateway.log(600)
    before = await gateway.publisher.publish()
    again = gateway.make_publisher()
    assert await again.open() is None
    assert again.latest == before
    await gateway.log(5)
    published = await again.publish()
    assert published is not None and published.is_witnessed and published.checkpoint.size == 605


@pytest.mark.parametrize("step", ["guard", "note", "cosignature"])
async def test_a_crash_after_each_durable_step_is_made_good_by_the_next_start(
    gateway: Gateway, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.publisher.open()
    await gateway.log(10)
    log = gateway.store.log
    named = {"guard": "put_checkpoint", "note": "checkpoint", "cosignature": "keep_cosignature"}[step]

    async def crash(*_: Any) -> None:
        raise RuntimeError("crashed")

    with monkeypatch.context() as patched:
        patched.setattr(log, named, crash)
        with pytest.raises((RuntimeError, ExceptionGroup)):
            await gateway.publisher.publish()
    again = gateway.make_publisher()
    assert await again.open() is None
    published = await again.publish()
    assert published is not None and published.is_witnessed and published.checkpoint.size == 10


async def test_a_restored_backup_is_a_hold_and_nothing_is_signed(
    gateway: Gateway, clock: SetClock, tmp_path: Path
) -> None:
    await gateway.publisher.open()
    await gateway.log(10)
    await gateway.publisher.publish()
    await gateway.store.close()
    shutil.copytree(gateway.folder / "store", tmp_path / "backup")
    gateway.store = SqliteStore.open(gateway.folder / "store", clock, cache_mib=8)
    gateway.publisher = gateway.make_publisher()
    await gateway.publisher.open()
    await gateway.log(10)
    await gateway.publisher.publish()
    await gateway.store.close()

    shutil.rmtree(gateway.folder / "store")
    shutil.copytree(tmp_path / "backup", gateway.folder / "store")
    gateway.store = SqliteStore.open(gateway.folder / "store", clock, cache_mib=8)
    restored = gateway.make_publisher()
    other_node = gateway.make_publisher()
    for node in (restored, other_node):
        hold = await node.open()
        assert hold is not None and (hold.why, hold.signed_size, hold.own_size) == ("guard", 20, 10)
    await gateway.log(30)
    assert await restored.publish() is None and restored.latest is None
    assert not restored.allows_disclosure(clock.now())
    hold = await restored.release()
    assert hold is not None and hold.own_size == 40, "a longer tree that does not contain what was signed stays a fork"
    following = asyncio.ensure_future(other_node.follow(ORIGIN, (LOG, LOG_PQ), TRUST))
    while not following.done():
        assert other_node.hold is not None, "nor is it let go for a moment, while a node that does not sign looks again"
        await asyncio.sleep(0)
    hold = await following
    assert hold is not None and hold.own_size == 40


async def test_a_lost_guard_does_not_hide_a_fork_from_the_witness(
    gateway: Gateway, clock: SetClock, tmp_path: Path
) -> None:
    await gateway.publisher.open()
    await gateway.log(10)
    await gateway.publisher.publish()
    other = Gateway.new(tmp_path / "other", clock, seed=2)
    await other.log(20)
    other.witness = gateway.witness
    forked = other.make_publisher()
    hold = await forked.open()
    assert hold is not None and (hold.why, hold.signed_size) == ("witness", 10)
    await other.store.close()


async def test_a_guard_that_is_gone_or_behind_the_notes_is_a_hold(gateway: Gateway) -> None:
    await gateway.publisher.open()
    await gateway.log(10)
    await gateway.publisher.publish()
    (gateway.folder / "guard").unlink()
    with pytest.raises(Tampered, match="missing"):
        gateway.make_publisher()
    FileCheckpointGuard.create(gateway.folder / "guard")
    hold = await gateway.make_publisher().open()
    assert hold is not None and hold.why == "guard"


async def test_an_entry_changed_on_the_disk_before_it_was_signed_is_never_signed(
    gateway: Gateway, clock: SetClock
) -> None:
    await gateway.publisher.open()
    await gateway.log(5)
    await gateway.publisher.publish()
    await gateway.log(5)
    with closing(sqlite3.connect(gateway.folder / "store" / "store.db")) as raw, raw:
        for (name,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'log_leaf'"
        ).fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("UPDATE log_leaf SET entry = replace(entry, '\"v\":1', '\"v\":2') WHERE place = 7")
        raw.execute("UPDATE log_leaf SET entry = CAST(entry AS BLOB) WHERE place = 7")
    with pytest.raises(Tampered):
        await gateway.publisher.publish()
    assert gateway.publisher.hold is not None and gateway.publisher.hold.why == "read-back"
    assert await gateway.publisher.publish() is None
    latest = await gateway.store.log.latest_checkpoint()
    assert latest is not None and latest[0] == 5


def test_the_guard_remembers_and_never_goes_back(tmp_path: Path) -> None:
    guard = FileCheckpointGuard.create(tmp_path / "guard")
    assert guard.last() is None
    guard.advance(Head(5, b"r" * 32))
    guard.advance(Head(5, b"r" * 32))
    guard.advance(Head(9, b"s" * 32))
    again = FileCheckpointGuard(tmp_path / "guard")
    assert again.last() == Head(9, b"s" * 32)
    for head in (Head(5, b"r" * 32), Head(9, b"t" * 32)):
        with pytest.raises(Tampered):
            again.advance(head)
    with pytest.raises(InvalidDocument):
        FileCheckpointGuard.create(tmp_path / "guard")
    (tmp_path / "guard").write_bytes(b"hutong-signed/v1\n9\nAAAA\n")
    with pytest.raises(Tampered):
        FileCheckpointGuard(tmp_path / "guard").last()


async def test_a_witness_that_stands_elsewhere_is_caught_up_from_where_it_stands(gateway: Gateway) -> None:
    await gateway.publisher.open()
    await gateway.log(4)
    await gateway.publisher.publish()
    again = gateway.make_publisher()
    gateway.witness.is_away = True
    await again.open()
    await gateway.log(4)
    await again.publish()
    gateway.witness.is_away = False
    published = await again.publish()
    assert published is not None and published.is_witnessed
    assert gateway.witness.answers == [200, 409, 200]


async def test_cosignatures_come_back_from_a_removable_medium(gateway: Gateway) -> None:
    gateway.witness.is_away = True
    await gateway.publisher.open()
    await gateway.log(4)
    published = await gateway.publisher.publish()
    assert published is not None and not published.is_witnessed
    reply = gateway.witness.service.add_checkpoint(await gateway.publisher.request(0))
    stranger = ed25519_signer("stranger.test", 4).line(published.checkpoint, 5)
    assert await gateway.publisher.take_cosignatures(4, reply.body + stranger) == 1
    published = await gateway.publisher.publish()
    assert published is not None and published.is_witnessed
    with pytest.raises(Wrong):
        await gateway.publisher.take_cosignatures(4, reply.body[:-8] + b"AAAAAA=\n")


async def test_a_witness_whom_no_network_reaches_counts_from_when_it_signed(tmp_path: Path, clock: SetClock) -> None:
    """The log grows on while the medium travels; the grace runs from the cosigning, also after a start; a lost reply is caught up."""
    gateway = Gateway.new(tmp_path / "g", clock, trust=replace(TRUST, urls={}))
    try:
        gateway.witness.is_away = True
        await gateway.publisher.open()
        await gateway.log(4)
        await gateway.publisher.publish()
        travelling = TravellingWitness(gateway.store.log, gateway.publisher)
        (witness, *_) = TRUST.witnesses
        asked = await travelling.request(witness)
        assert (asked.old_size, asked.size) == (0, 4)
        signed_at = clock.forward(timedelta(hours=1))
        reply = gateway.witness.service.add_checkpoint(asked.raw).body
        await gateway.log(3)
        await gateway.publisher.publish()
        clock.forward(timedelta(hours=2))
        assert gateway.publisher.is_within_patience(clock.now())
        assert await travelling.take(asked.raw, reply) == 1
        await gateway.publisher.publish()
        assert gateway.publisher.witnessed_at == signed_at.replace(microsecond=0)
        again = gateway.make_publisher()
        assert await again.open() is None
        assert again.witnessed_at == signed_at.replace(microsecond=0)
        assert again.allows_disclosure(clock.forward(timedelta(hours=1, minutes=59)))
        assert not again.allows_disclosure(clock.forward(timedelta(minutes=2)))
        # one reply is lost: the witness says where it stands
        lost = await travelling.request(witness)
        assert (lost.old_size, lost.size) == (4, 7)
        assert gateway.witness.service.add_checkpoint(lost.raw).status == 200
        await gateway.log(1)
        await gateway.publisher.publish()
        behind = await travelling.request(witness)
        told = gateway.witness.service.add_checkpoint(behind.raw)
        with pytest.raises(InvalidDocument, match="stands at 7") as refused:
            await travelling.take(behind.raw, told.body)
        assert refused.value.remedy == "ask again from there: --old 7"
        caught = await travelling.request(witness, 7)
        reply = gateway.witness.service.add_checkpoint(caught.raw).body
        assert await travelling.take(caught.raw, reply) == 1
        await gateway.publisher.publish()
        assert gateway.publisher.latest is not None and gateway.publisher.latest.is_witnessed
        for request, answer in (
            (b"no request", reply),
            (caught.raw, b"no reply"),
            (caught.raw, b""),
            (lost.raw, reply),
        ):
            with pytest.raises(InvalidDocument):
                await travelling.take(request, answer)
        with pytest.raises(NotFound):
            await travelling.request("nobody")
    finally:
        await gateway.store.close()


async def test_the_publisher_and_a_witness_speak_over_http(gateway: Gateway, aiohttp_server: Any) -> None:
    import aiohttp

    server = await aiohttp_server(witness_app(gateway.witness.service))
    async with aiohttp.ClientSession() as session:
        remote = HttpWitness("procuratorate", str(server.make_url("/")), session)
        guard = FileCheckpointGuard(gateway.folder / "guard")
        publisher = Publisher(gateway.store.log, ORIGIN, (LOG, LOG_PQ), guard, TRUST, gateway.clock, (remote,))
        await publisher.open()
        for count in (3, 400):
            await gateway.log(count)
            published = await publisher.publish()
            assert published is not None and published.is_witnessed
        await server.close()
        await gateway.log(3)
        published = await publisher.publish()
        assert published is not None and not published.is_witnessed


# ---- tiles and proofs from the store


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


async def test_between_two_looks_of_a_following_node_a_hold_never_lapses(gateway: Gateway) -> None:
    await gateway.publisher.open()
    await gateway.log(5)
    guard = FileCheckpointGuard(gateway.folder / "guard")
    guard.advance(Head(3, bytes(32)))
    node = gateway.make_publisher()
    assert await node.follow(ORIGIN, (LOG, LOG_PQ), TRUST) is not None
    held: list[bool] = []

    class Looking(LogTree):
        async def root(self, size: int) -> bytes:
            held.append(node.hold is not None)
            raise Tampered("a leaf is missing")

    node._tree = Looking(gateway.store.log)
    with pytest.raises(Tampered):
        await node.follow(ORIGIN, (LOG, LOG_PQ), TRUST)
    assert held == [True] and node.hold is not None

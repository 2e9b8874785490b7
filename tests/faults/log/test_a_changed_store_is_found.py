"""Somebody with the database file changes it, one class of bytes after the other: every change is found, and the place named."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.audit.checkpoint import open_checkpoint, sign_checkpoint
from gateway.audit.trust import parse_trust_policy
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.system.clock import SystemClock
from gateway.model.errors import Tampered
from gateway.services.prove import Prover
from gateway.services.publish import Publisher
from gateway.services.verify_log import verify_log
from gateway.services.verify_signed import verify_everything
from tests.faults.log.signing import PERSON, create, log, open_store, publisher_of
from tests.faults.log.tampering import (
    COSIGNED,
    HEADS,
    NAMED,
    NEWEST,
    RECORDS,
    SIGNED,
    Change,
    change,
    changed,
    cosignature,
    cosignature_dropped,
    cut_tail,
    place_with_slot,
)
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN, T0, WITNESS

TRUSTED = parse_trust_policy(
    f"log {LOG.key.vkey}\nlog {LOG_PQ.key.vkey}\nwitness w {WITNESS.key.vkey}\nquorum w\n".encode()
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "g"
    create(folder)

    async def fill() -> None:
        store = open_store(folder)
        publisher, rng = publisher_of(store, folder), random.Random(11)
        await publisher.open()
        for _ in range(7):
            await log(store, rng, RECORDS // 7)
            await publisher.publish()
        for size in COSIGNED:
            checkpoint = open_checkpoint(await store.log.checkpoint(size) or b"", [LOG.key])[0]
            line = sign_checkpoint(checkpoint, WITNESS.key, WITNESS.sign, T0)
            await store.log.keep_cosignature(size, WITNESS.key.label, line, SystemClock().now())
        await store.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "g"
    shutil.copytree(sound, copy)
    yield copy


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("what", NAMED, ids=lambda one: one.__name__)
async def test_a_changed_record_or_leaf_is_named(folder: Path, what: Change, seed: int) -> None:
    place = change(folder, what, seed)
    try:
        store = open_store(folder)
    except Tampered:
        assert place is not None and place >= RECORDS - RECORDS % 256, "only the last leaves are read at start"
        return
    try:
        outcome = await verify_log(store.log)
        assert (outcome.is_verified, outcome.first_bad) == (False, place), outcome.reason
    finally:
        await store.close()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("what", SIGNED, ids=lambda one: one.__name__)
async def test_a_changed_tile_note_or_cosignature_and_a_fork_are_found_and_the_first_leaf_without_proof_named(
    folder: Path, what: Change, seed: int
) -> None:
    named = change(folder, what, seed)
    store = open_store(folder)
    try:
        signed = FileCheckpointGuard(folder / "guard").last()  # what a running publisher has in its memory
        outcome = await verify_everything(store.log, ORIGIN, TRUSTED, signed)
        assert (outcome.is_verified, outcome.first_bad) == (False, named), outcome.reason
    finally:
        await store.close()


@pytest.mark.parametrize("what", HEADS, ids=lambda one: one.__name__)
async def test_a_store_with_a_changed_head_does_not_open_and_says_how_far_it_was_signed(
    folder: Path, what: Change
) -> None:
    change(folder, what, 1)
    with pytest.raises(Tampered, match=f"checkpoint is of {RECORDS} leaves"):
        open_store(folder)


async def test_a_tail_that_was_cut_is_a_hold_that_names_what_was_signed(folder: Path) -> None:
    change(folder, cut_tail, 1)
    store = open_store(folder)
    try:
        publisher = publisher_of(store, folder)
        hold = await publisher.open()
        assert hold is not None and (hold.signed_size, hold.own_size) == (RECORDS, 600)
        assert await publisher.publish() is None
    finally:
        await store.close()


@pytest.mark.parametrize("what", [cosignature, cosignature_dropped], ids=lambda one: one.__name__)
async def test_a_lost_cosignature_is_noticed_and_stops_no_gateway(folder: Path, what: Change) -> None:
    assert change(folder, what, NEWEST) == RECORDS - 100, "that of the newest checkpoint"
    store = open_store(folder)
    try:
        guard = FileCheckpointGuard(folder / "guard")
        publisher = Publisher(store.log, ORIGIN, (LOG, LOG_PQ), guard, TRUSTED, SystemClock())
        assert await publisher.open() is None
        assert publisher.latest is not None and not publisher.latest.is_witnessed
    finally:
        await store.close()


async def test_what_is_sealed_of_a_person_is_found_changed_when_it_is_opened(folder: Path) -> None:
    def sealed(connection: sqlite3.Connection, rng: random.Random) -> int:
        place = place_with_slot(connection, rng)
        changed(connection, "log_record", "opening", f"place = {place}", lambda data: len(data) - 1)
        return place

    place = change(folder, sealed, 1)
    store = open_store(folder)
    try:
        publisher = publisher_of(store, folder)
        await publisher.open()
        with pytest.raises(Tampered, match=str(place)):
            await Prover(store.log, publisher).report(bytes.fromhex(PERSON[0]), PERSON[1])
    finally:
        await store.close()

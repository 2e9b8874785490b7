"""What every engine must do with bulk files, said once against the port."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.errors import Unavailable
from gateway.model.identifiers import EventId, KeyId
from gateway.ports.file_storage import Advance, NewFile, RowOutcome, Stage
from gateway.ports.retention_storage import Erasure
from gateway.ports.storage import Accepted
from tests.support.stored import SCHOOL, key_of


def file_id(clock, number: int = 0) -> str:
    at = int(clock.now().timestamp() * 1000)
    return str(uuid.UUID(bytes=at.to_bytes(6, "big") + b"\x70\x00\x80" + number.to_bytes(7, "big")))


def new_file(clock, units, number: int = 0, key: str = "same") -> NewFile:
    now = clock.now()
    return NewFile(
        file_id(clock, number), SCHOOL, key_of(key), "text/csv", 7, 2, KeyId("k1"), b"header", b"receipt", now,
        now + timedelta(days=30), now + timedelta(days=90), (units.record(),),
    )  # fmt: skip


async def taken(store, unit):
    for piece in range(unit.pieces):
        await store.files.stage(unit.id, piece, b"piece%d" % piece)
    return await store.files.take(unit)


class FileSuite:
    async def test_a_file_counts_from_its_taking_and_the_same_again_is_the_first(self, store, clock, units):
        unit = new_file(clock, units)
        with pytest.raises(Unavailable):
            await store.files.take(unit)
        first = await taken(store, unit)
        assert (first.id, first.stage, first.rows) == (unit.id, Stage.REPORTS, None)
        again = new_file(clock, units, 1)
        assert (await taken(store, again)).id == unit.id
        assert await store.files.piece(again.id, 0) is None
        assert await store.files.piece(unit.id, 1) == b"piece1"
        assert await store.files.find(key_of("same")) == first
        assert await store.files.file(unit.id) == first
        assert await store.files.files_of(SCHOOL, 5) == [first]
        assert await store.files.file("no-such-file") is None

    async def test_rows_keep_their_first_outcome_and_come_by_cursor(self, store, clock, units):
        unit = new_file(clock, units)
        await taken(store, unit)
        accepted = units.acceptance(units.delivery())
        assert isinstance(await store.notices.accept(accepted), Accepted)
        rows = (
            RowOutcome(0, "row 2", accepted.notice),
            RowOutcome(1, "row 3", None, b"[1]"),
            RowOutcome(2, "row 4", None, b"[2]"),
        )
        for _ in range(2):
            assert await store.files.advance(Advance(unit.id, Stage.REST, 3, 3, rows)) == ()
        found = await store.files.file(unit.id)
        assert (found.accepted, found.refused, found.rows, found.next_row) == (1, 2, 3, 3)
        assert [file.id for file in await store.files.open_files(5)] == [unit.id]
        first, *others = await store.files.rows(unit.id, -1, 2)
        assert (first.outcome, first.receipt) == (rows[0], accepted.receipt)
        assert [one.outcome for one in others] == [rows[1]]
        refused = await store.files.rows(unit.id, 1, 9, only_refused=True)
        assert [(one.outcome, one.receipt) for one in refused] == [(rows[2], None)]
        await store.files.advance(Advance(unit.id, Stage.DONE, 3, 3, (), clock.now(), (units.record(),)))
        assert await store.files.open_files(5) == []

    async def test_bytes_go_when_their_time_is_over_and_rows_with_the_receipts(self, store, clock, units):
        unit = new_file(clock, units)
        await taken(store, unit)
        await store.files.advance(
            Advance(unit.id, Stage.DONE, 1, 1, (RowOutcome(0, "row 2", None, b"[]"),), clock.now())
        )
        assert (await store.discard_expired(clock.forward(timedelta(days=29)))).raw_keys == ()
        assert (await store.discard_expired(clock.forward(timedelta(days=2)))).raw_keys == (KeyId("k1"),)
        assert await store.files.piece(unit.id, 0) is None
        assert len(await store.files.rows(unit.id, -1, 9)) == 1
        await store.discard_expired(clock.forward(timedelta(days=60)))
        assert await store.files.file(unit.id) is None
        assert await store.files.rows(unit.id, -1, 9) == []

    async def test_a_file_that_names_the_erased_loses_its_bytes_at_once_or_when_it_is_done(self, store, clock, units):
        accepted = units.acceptance(units.delivery(), persons=(replace(units.person(), is_new=True),))
        await store.notices.accept(accepted)
        person, row = accepted.persons[0].person, (RowOutcome(0, "row 2", accepted.notice),)
        done, working = new_file(clock, units), new_file(clock, units, 1, "other")
        for unit, stage, at in ((done, Stage.DONE, clock.now()), (working, Stage.REST, None)):
            await taken(store, unit)
            await store.files.advance(Advance(unit.id, stage, 1, 1, row, at))
        assert await store.retention.files_naming(person) == [done.key]
        erasure = EventId(str(uuid.uuid4()))
        await ask_and_approve(store, clock, erasure, person)
        await store.retention.forget(erasure, person, bytes(32), clock.now(), [units.record()])
        assert await store.files.piece(done.id, 0) is None
        assert await store.files.piece(working.id, 0) == b"piece0"
        assert await store.files.advance(Advance(working.id, Stage.DONE, 1, 1, (), clock.now())) == (working.key,)
        assert await store.files.piece(working.id, 0) is None

    async def test_only_old_pieces_of_no_file_are_dropped(self, store, clock, units):
        kept, left = new_file(clock, units), new_file(clock, units, 1, "left")
        await taken(store, kept)
        await store.files.stage(left.id, 0, b"piece0")
        assert await store.files.drop_orphans(clock.now() - timedelta(hours=1)) == 0
        assert await store.files.drop_orphans(clock.now() + timedelta(hours=1)) == 1
        assert await store.files.piece(kept.id, 0) == b"piece0"


async def ask_and_approve(store, clock, erasure, person):
    await store.retention.ask_erasure(Erasure(erasure, person, "court", "anna", clock.now()), [])
    await store.retention.approve_erasure(erasure, "ben")

"""What every store must do with the notes that were signed over the log, and the lines of those who witnessed them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.model.errors import Tampered

NIGHT, COURT = "witness.night.test", "witness.court.test"


class CheckpointSuite:
    async def test_two_notes_for_one_size_of_the_log_are_never_kept(self, store, clock):
        assert await store.log.latest_checkpoint() is None
        await store.log.put_checkpoint(3, b"r" * 32, b"note", clock.now())
        await store.log.put_checkpoint(3, b"r" * 32, b"note", clock.now())
        with pytest.raises(Tampered):
            await store.log.put_checkpoint(3, b"r" * 32, b"other", clock.now())
        await store.log.put_checkpoint(5, b"s" * 32, b"newer", clock.now())
        assert await store.log.latest_checkpoint() == (5, b"newer")

    async def test_a_note_is_found_by_the_size_it_was_signed_for_and_all_come_smallest_first(self, store, clock):
        made = [(size, bytes([size]) * 32, b"note %d" % size) for size in (3, 5, 9)]
        for one in made:
            await store.log.put_checkpoint(*one, clock.now())
        assert await store.log.checkpoint(5) == b"note 5"
        assert await store.log.checkpoint(4) is None
        assert list(await store.log.checkpoints(0, 10)) == made
        assert list(await store.log.checkpoints(3, 1)) == made[1:2]
        assert list(await store.log.checkpoints(9, 10)) == []

    async def test_of_each_witness_the_newest_line_counts_and_every_line_is_kept(self, store, clock):
        await store.log.put_checkpoint(3, b"r" * 32, b"note", clock.now())
        assert list(await store.log.cosignatures(3)) == []
        assert await store.log.last_cosigned(NIGHT) is None
        first = clock.now()
        await store.log.keep_cosignature(3, NIGHT, b"night 1\n", first)
        await store.log.keep_cosignature(3, COURT, b"court 1\n", first)
        later = clock.forward(timedelta(minutes=1))
        await store.log.keep_cosignature(3, NIGHT, b"night 2\n", later)
        assert list(await store.log.cosignatures(3)) == [b"court 1\n", b"night 2\n"]
        kept = [(NIGHT, b"night 1\n"), (COURT, b"court 1\n"), (NIGHT, b"night 2\n")]
        assert sorted(await store.log.cosigned(3)) == sorted(kept)
        await store.log.put_checkpoint(5, b"s" * 32, b"grown", clock.now())
        await store.log.keep_cosignature(5, NIGHT, b"night 3\n", later)
        assert await store.log.last_cosigned(NIGHT) == (later, 5)
        assert await store.log.last_cosigned(COURT) == (first, 3)
        assert list(await store.log.cosigned(6)) == list(await store.log.cosignatures(6)) == []

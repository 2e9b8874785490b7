"""The gateway signs one story: what it reads back, once a size, and goes on where it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.audit.checkpoint import open_checkpoint
from gateway.audit.proof import verify_consistency
from tests.contracts.publishing.signing_log import TRUST, Gateway
from tests.support.audit_log import WITNESS
from tests.support.stored import SetClock


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

"""Without its witnesses the log grows on and disclosure stops; a witness is caught up from wherever it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.findings import Wrong
from gateway.engines.files.checkpoint_guard import FileCheckpointGuard
from gateway.engines.http_witness import HttpWitness
from gateway.http.witness import witness_app
from gateway.model.errors import InvalidDocument, NotFound
from gateway.services.publish import Publisher
from gateway.services.travelling_witness import TravellingWitness
from gateway.services.witness import Witness
from tests.contracts.publishing.signing_log import TRUST, Gateway
from tests.support.audit_log import LOG, LOG_PQ, ORIGIN, WITNESS, ed25519_signer
from tests.support.stored import SetClock


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

"""A node whose background ended is half a node: it says so, by kind, and ends, so that it is started again."""

import asyncio
import json

import pytest

from gateway import assembly
from gateway.assembly import create
from gateway.cli.serve import BackgroundEnded, _serve
from gateway.config import LogSettings, ServerSettings, Settings
from gateway.engines.system.clock import SystemClock
from gateway.model.delivery import DeliveryState
from gateway.model.errors import Tampered, Unavailable
from gateway.ports.log_storage import LogQuery
from gateway.services.publish import Hold
from tests.support.stored import Units
from tests.support.town import town

pytestmark = pytest.mark.slow


async def test_a_node_ends_when_something_it_does_by_itself_fails_unforeseen(tmp_path, monkeypatch, capfd):
    settings = Settings(
        name="test.hutong.example", directory=tmp_path / "data", key_directory=tmp_path / "keys", server=ServerSettings(port=0)
    )  # fmt: skip
    await create(settings, by="test")

    async def fails(_):
        raise ZeroDivisionError("李小测 must not be told")

    monkeypatch.setattr(assembly, "_tell_of_emergencies", fails)
    with pytest.raises(BackgroundEnded):
        await _serve(settings)
    told = capfd.readouterr().err
    (line,) = [json.loads(one) for one in told.splitlines() if "background_ended" in one]
    assert line["error"] == "ZeroDivisionError"
    assert "李小测" not in told


async def test_a_store_that_goes_away_just_when_a_hold_is_told_ends_no_node(tmp_path, monkeypatch):
    async with town(tmp_path, log=LogSettings(checkpoint_seconds=0.05)) as whole:
        log, publisher = whole.gateway.engines.store.log, whole.gateway.engines.proof.publisher
        append = log.append

        async def contradicted():
            raise Tampered("the tree does not contain what was signed")

        async def away_for_the_first(records):
            if "hold_entered" in [record.name for record in records]:
                monkeypatch.setattr(log, "append", append)
                raise Unavailable("the store is out of reach")
            return await append(records)

        monkeypatch.setattr(log, "append", away_for_the_first)
        monkeypatch.setattr(publisher, "_hold", Hold("guard", 9, b"r" * 32, 1, b"o" * 32))
        monkeypatch.setattr(publisher, "publish", contradicted)
        async with asyncio.timeout(60):
            while not await log.search(LogQuery(event="hold_entered"), None, 1):
                assert not whole.gateway.background.done()
        assert log.append is append


async def test_what_waited_for_an_office_goes_when_the_node_ended_between_its_entry_and_the_release(
    tmp_path, monkeypatch
):
    async with town(tmp_path) as whole:
        services, store = whole.gateway.services, whole.gateway.engines.store
        unit = Units(SystemClock(), store.delivery_ids)
        held = unit.delivery("police.440113", state=DeliveryState.HELD, hold_reason="region_unresolved")
        await store.notices.accept(unit.acceptance(held, directory_epoch=None))
        await assembly._let_go_what_waited(services.release_held, services.directories)
        assert (await store.deliveries.delivery(held.id)).state is DeliveryState.DUE

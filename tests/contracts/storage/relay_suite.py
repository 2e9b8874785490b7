"""What every store must do with the handles through which an office may send a message on."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from datetime import timedelta

from gateway.model.delivery import DeliveryState
from gateway.ports.relay_storage import KnownHandle
from gateway.ports.retention_storage import Erasure
from gateway.ports.storage import (
    Accepted,
    Disclosed,
    HandleGiven,
    Stale,
)
from tests.contracts.storage.steps import accept_with, lease_one
from tests.support.stored import POLICE, SCHOOL, alias_of

S = DeliveryState


class RelaySuite:
    """Handles are known to whom they were given, while their time runs, until a person behind them is erased."""

    async def given(self, store, units, clock, *handles, days=1, **accepted):
        await accept_with(store, units, units.delivery(), **accepted)
        delivery = await lease_one(store, clock)
        given = replace(
            units.disclosure(delivery),
            relays=tuple(HandleGiven(handle, path) for handle, path in handles),
            relays_until=clock.now() + timedelta(days=days),
        )
        assert isinstance(await store.deliveries.disclose(given), Disclosed)
        await store.deliveries.conclude(units.conclusion(delivery, S.ACKNOWLEDGED))
        return delivery

    async def test_a_handle_is_known_to_the_office_it_was_given_to_and_to_no_other(self, store, units, clock):
        lawyer, phone = os.urandom(32), os.urandom(32)
        delivery = await self.given(store, units, clock, (lawyer, "legal_aid.lawyer"), (phone, "persons[].phone"))
        find = store.relays.handles
        assert await find(POLICE, lawyer, clock.now()) == [KnownHandle(delivery.id, "legal_aid.lawyer")]
        assert await find(POLICE, phone, clock.now()) == [KnownHandle(delivery.id, "persons[].phone")]
        assert await find(SCHOOL, lawyer, clock.now()) == []
        assert await find(POLICE, os.urandom(32), clock.now()) == []

    async def test_the_same_handle_in_two_deliveries_names_both_newest_first_and_ends_with_each(
        self, store, units, clock
    ):
        handle = os.urandom(32)
        first = await self.given(store, units, clock, (handle, "persons[].phone"), (handle, "persons[].phone"))
        second = await self.given(store, units, clock, (handle, "persons[].phone"), days=2)
        later = clock.now() + timedelta(days=1, hours=1)
        both = [KnownHandle(one.id, "persons[].phone") for one in (second, first)]
        assert await store.relays.handles(POLICE, handle, clock.now()) == both
        assert await store.relays.handles(POLICE, handle, later) == both[:1]
        await store.retention.discard_expired(later)
        assert await store.relays.handles(POLICE, handle, clock.now()) == both[:1]

    async def test_erasing_a_person_forgets_the_handles_of_every_notice_that_names_them(self, store, units, clock):
        child = replace(units.person("p1", alias_of("child")), is_new=True)
        gone, kept = os.urandom(32), os.urandom(32)
        await self.given(store, units, clock, (gone, "persons[].phone"), persons=(child,))
        await self.given(store, units, clock, (kept, "persons[].phone"))
        erasure = str(uuid.uuid4())
        await store.retention.ask_erasure(Erasure(erasure, child.person, "court", "li", clock.now()), [])
        await store.retention.forget(erasure, child.person, bytes(32), clock.now(), [units.record()])
        assert await store.relays.handles(POLICE, gone, clock.now()) == []
        assert await store.relays.handles(POLICE, kept, clock.now()) != []

    async def test_a_message_that_rests_on_another_decision_is_stale_under_any_newer_epoch(self, store, units):
        epochs = await store.directory.epochs()
        for what in ("policy", "consent", "directory"):
            older = replace(epochs, **{what: getattr(epochs, what) - 1})
            assert await store.notices.accept(units.acceptance(rests_on=older)) == Stale(what)
        assert isinstance(await store.notices.accept(units.acceptance(rests_on=epochs)), Accepted)

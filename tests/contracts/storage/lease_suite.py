"""What every store must do before something is handed out: who may have it, for how long, and in which order."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

from gateway.model.delivery import DeliveryState
from gateway.ports.storage import (
    Concluded,
    Disclosed,
    Stale,
)
from tests.contracts.storage.steps import MINUTE, accept_with, lease, lease_one, park
from tests.support.stored import HOSPITAL, POLICE, SCHOOL, START

S = DeliveryState


class LeaseSuite:
    async def test_who_names_a_purpose_gets_what_was_routed_for_it_alone(self, store, units, clock):
        await accept_with(store, units, units.delivery(purpose="P01"), units.delivery(SCHOOL, purpose="P02"))
        await accept_with(store, units, units.delivery(purpose="P02"))

        async def leased(purpose):
            page = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 10, purpose)
            return [one.purpose for one in page]

        assert await leased("P09") == []
        assert await leased("P02") == ["P02"]
        assert await leased(None) == ["P01"]

    async def test_a_leased_delivery_is_as_it_was_routed(self, store, units, clock):
        routed = units.delivery(fallback_level=2)
        unit = await accept_with(store, units, routed, urgency=1)
        leased = await lease_one(store, clock)
        assert (leased.id, leased.notice, leased.case, leased.sender) == (
            routed.id,
            unit.notice,
            unit.case,
            unit.sender,
        )
        assert (leased.notice_type, leased.recipient, leased.purpose) == (unit.type, POLICE, "P01")
        assert (leased.legal_basis, leased.rule, leased.role) == (routed.legal_basis, routed.rule, routed.role)
        assert (leased.state, leased.urgency, leased.attempts, leased.revision) == (S.DUE, 1, 0, 0)
        assert (leased.created_at, leased.due_at, leased.expires_at) == (START, START, routed.expires_at)
        assert (leased.fallback_level, leased.is_behind_parked) == (2, False)
        assert leased.lease_token
        assert leased.lease_expires_at == START + MINUTE
        assert await store.deliveries.delivery(routed.id) == leased

    async def test_urgent_ones_come_first_then_the_oldest(self, store, units, clock):
        made = []
        for urgency in (0, 1, 2, 0, 2, 1):
            made.append((await accept_with(store, units, units.delivery(), urgency=urgency)).notice)
            clock.forward(MINUTE)
        leased = await lease(store, clock)
        assert [one.notice for one in leased] == [made[n] for n in (2, 4, 1, 5, 0, 3)]

    async def test_no_more_than_asked_for_and_only_for_the_office_that_asks(self, store, units, clock):
        for _ in range(4):
            await accept_with(store, units, units.delivery(), units.delivery(SCHOOL))
        assert len(await lease(store, clock, POLICE, 3)) == 3
        assert len(await lease(store, clock, POLICE, 3)) == 1
        assert len(await lease(store, clock, SCHOOL, 9)) == 4
        assert await lease(store, clock, HOSPITAL) == []

    async def test_two_holders_never_have_the_same_delivery(self, store, units, clock):
        for _ in range(30):
            await accept_with(store, units, units.delivery())
        taken = await asyncio.gather(*(lease(store, clock, POLICE, 4) for _ in range(20)))
        ids = [one.id for several in taken for one in several]
        assert len(ids) == len(set(ids)) == 30
        assert len({one.lease_token for several in taken for one in several}) == 30

    async def test_an_expired_lease_may_be_taken_and_its_holder_has_lost_it(self, store, units, clock):
        await accept_with(store, units, units.delivery())
        first = await lease_one(store, clock)
        clock.forward(MINUTE - timedelta(milliseconds=1))
        assert await lease(store, clock) == []
        clock.forward(timedelta(milliseconds=1))
        second = await lease_one(store, clock)
        assert second.id == first.id
        assert second.lease_token != first.lease_token
        assert await store.deliveries.disclose(units.disclosure(first)) == Stale("lease", S.DUE)
        assert await store.deliveries.conclude(units.conclusion(first, S.ACKNOWLEDGED)) == Stale("lease", S.DUE)
        assert await store.deliveries.disclose(units.disclosure(second)) == Disclosed(1)

    async def test_a_live_lease_may_be_kept_for_longer_and_no_other(self, store, units, clock):
        await accept_with(store, units, units.delivery(lane=b"l" * 16))
        await accept_with(store, units, units.delivery())
        kept, lapsed = await lease(store, clock)
        later = clock.now() + 3 * MINUTE
        await store.deliveries.keep_leased([(kept.id, kept.lease_token), (lapsed.id, "x")], clock.now(), later)
        clock.forward(MINUTE)
        await store.deliveries.keep_leased([(lapsed.id, lapsed.lease_token)], clock.now(), later)
        assert [one.id for one in await lease(store, clock)] == [lapsed.id]
        assert (await store.deliveries.delivery(kept.id)).lease_expires_at == later
        assert await store.deliveries.disclose(units.disclosure(kept)) == Disclosed(1)
        clock.forward(2 * MINUTE)
        assert kept.id in {one.id for one in await lease(store, clock)}, "and comes back by itself"

    async def test_what_is_put_off_for_longer_than_any_pause_is_brought_forward_and_nothing_else(
        self, store, units, clock
    ):
        lane = os.urandom(16)
        for _ in range(2):
            await accept_with(store, units, units.delivery())
        put_off, leased = await lease(store, clock)
        year, latest = clock.now() + 365 * 1440 * MINUTE, clock.now() + 5 * MINUTE
        await store.deliveries.conclude(units.conclusion(put_off, S.DUE, due_at=year))
        await store.deliveries.keep_leased([(leased.id, leased.lease_token)], clock.now(), year)
        made = [(await accept_with(store, units, units.delivery(lane=lane))).notice for _ in range(2)]
        (first,) = await lease(store, clock)
        await store.deliveries.conclude(units.conclusion(first, S.DUE, due_at=latest))
        assert await lease(store, clock) == []
        await store.deliveries.bring_forward(clock.now(), latest)
        assert {one.id for one in await lease(store, clock)} == {put_off.id, leased.id}
        assert await store.deliveries.disclose(units.disclosure(leased)) == Stale("lease", S.DUE)
        clock.forward(5 * MINUTE)
        assert made[0] in {one.notice for one in await lease(store, clock)}, "its own pause, and its place in its lane"

    async def test_a_lease_kept_for_longer_behind_a_predecessor_that_came_back_stays_behind_it(
        self, store, units, clock
    ):
        lane = os.urandom(16)
        first = await accept_with(store, units, units.delivery(lane=lane))
        await accept_with(store, units, units.delivery(lane=lane))
        parked = await lease_one(store, clock)
        assert parked.notice == first.notice
        await park(store, units, parked, "unreachable")
        second = await lease_one(store, clock)
        await store.deliveries.conclude(units.conclusion(parked, S.DUE, lease_token=None, due_at=clock.now()))
        await store.deliveries.keep_leased([(second.id, second.lease_token)], clock.now(), clock.now() + 3 * MINUTE)
        assert [one.notice for one in await lease(store, clock)] == [first.notice]
        clock.forward(3 * MINUTE)
        assert [one.notice for one in await lease(store, clock)] == [first.notice]

    async def test_a_lease_that_ran_out_is_lost_even_if_nobody_took_it(self, store, units, clock):
        await accept_with(store, units, units.delivery())
        leased = await lease_one(store, clock)
        clock.forward(MINUTE)
        assert await store.deliveries.disclose(units.disclosure(leased)) == Stale("lease", S.DUE)

    async def test_what_has_expired_is_not_leased(self, store, units, clock):
        await accept_with(store, units, units.delivery(expires_at=clock.now() + MINUTE))
        clock.forward(MINUTE)
        assert await lease(store, clock) == []

    async def test_a_lane_keeps_its_order(self, store, units, clock):
        lane = os.urandom(16)
        made = [(await accept_with(store, units, units.delivery(lane=lane))).notice for _ in range(3)]
        for notice in made:
            leased = await lease(store, clock)
            assert [one.notice for one in leased] == [notice]
            assert await lease(store, clock) == []
            await store.deliveries.conclude(units.conclusion(leased[0], S.ACKNOWLEDGED))

    async def test_a_retry_keeps_its_successors_waiting(self, store, units, clock):
        lane = os.urandom(16)
        first, second = [(await accept_with(store, units, units.delivery(lane=lane))).notice for _ in range(2)]
        leased = await lease_one(store, clock)
        again = clock.now() + 5 * MINUTE
        await store.deliveries.conclude(units.conclusion(leased, S.DUE, due_at=again, reason="503"))
        assert await lease(store, clock) == []
        clock.forward(5 * MINUTE)
        retried = await lease_one(store, clock)
        assert (retried.notice, retried.due_at, retried.reason) == (first, again, "503")
        await store.deliveries.conclude(units.conclusion(retried, S.ACKNOWLEDGED))
        assert (await lease_one(store, clock)).notice == second

    async def test_a_held_predecessor_makes_its_lane_wait(self, store, units, clock):
        lane = os.urandom(16)
        held = units.delivery(lane=lane, state=S.HELD, hold_reason="conflict")
        first = await accept_with(store, units, held)
        await accept_with(store, units, units.delivery(lane=lane))
        assert await lease(store, clock) == []
        released = units.conclusion(held, S.DUE, lease_token=None)
        assert await store.deliveries.conclude(released) == Concluded(S.DUE)
        assert (await lease_one(store, clock)).notice == first.notice

    async def test_what_overtakes_waits_for_nobody_but_holds_up_its_successors(self, store, units, clock):
        lane = os.urandom(16)
        await accept_with(store, units, units.delivery(lane=lane, state=S.HELD))
        urgent = await accept_with(store, units, units.delivery(lane=lane, overtakes=True), urgency=2)
        await accept_with(store, units, units.delivery(lane=lane))
        assert [one.notice for one in await lease(store, clock)] == [urgent.notice]

    async def test_successors_of_a_dead_letter_flow_and_say_so(self, store, units, clock):
        lane = os.urandom(16)
        first = await accept_with(store, units, units.delivery(lane=lane))
        second = await accept_with(store, units, units.delivery(lane=lane))
        parked = await lease_one(store, clock)
        assert (parked.notice, parked.is_behind_parked) == (first.notice, False)
        await park(store, units, parked)
        successor = await lease_one(store, clock)
        assert (successor.notice, successor.is_behind_parked) == (second.notice, True)

    async def test_a_dead_letter_driven_again_comes_before_its_waiting_successors(self, store, units, clock):
        lane = os.urandom(16)
        first = await accept_with(store, units, units.delivery(lane=lane))
        second = await accept_with(store, units, units.delivery(lane=lane))
        parked = await lease_one(store, clock)
        await park(store, units, parked)
        again = units.conclusion(parked, S.DUE, lease_token=None)
        assert await store.deliveries.conclude(again) == Concluded(S.DUE)
        leased = await lease(store, clock)
        assert [one.notice for one in leased] == [first.notice]
        await store.deliveries.conclude(units.conclusion(leased[0], S.ACKNOWLEDGED))
        assert [one.notice for one in await lease(store, clock)] == [second.notice]

    async def test_a_live_lease_survives_a_predecessor_that_comes_and_goes(self, store, units, clock):
        lane = os.urandom(16)
        for _ in range(2):
            await accept_with(store, units, units.delivery(lane=lane))
        parked = await lease_one(store, clock)
        await park(store, units, parked)
        successor = await lease_one(store, clock)
        await store.deliveries.conclude(units.conclusion(parked, S.DUE, lease_token=None))
        await store.deliveries.conclude(units.conclusion(parked, S.WITHDRAWN, lease_token=None))
        assert await lease(store, clock) == []
        assert await store.deliveries.conclude(units.conclusion(successor, S.ACKNOWLEDGED)) == Concluded(S.ACKNOWLEDGED)

"""What every store must do with emergency accesses: a grant, its late deliveries and its record are one write."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.identifiers import KeyId
from gateway.ports.emergency_storage import EmergencyGrant
from tests.contracts.storage.steps import MINUTE, accept_with, lease
from tests.support.stored import HOSPITAL, POLICE, SCHOOL


def grant_of(units, case, name="e1", office=POLICE, **given):
    now = units.clock.now()
    values = {"granted_at": now, "until": now + 2 * MINUTE, "key": KeyId("k"), "document": b"sealed", **given}
    return EmergencyGrant(name, office, case, **values)


def reviewed(grant, clock, outcome="not-justified"):
    return replace(grant, reviewed_at=clock.now(), outcome=outcome, document=b"sealed again")


class EmergencySuite:
    async def test_a_grant_is_read_back_as_it_was_and_the_same_again_adds_nothing(self, store, units):
        unit = await accept_with(store, units, units.delivery(SCHOOL))
        grant = grant_of(units, unit.case)
        late = units.delivery(overtakes=True)
        for _ in range(2):
            await store.emergencies.grant(grant, [(unit.notice, late)], [units.record()])
        assert await store.emergencies.emergency("e1") == grant
        assert await store.emergencies.emergency("e2") is None
        assert len(await lease(store, units.clock)) == 1
        assert (await store.log.head()).size == 2

    async def test_a_late_delivery_is_one_more_of_its_notice_as_urgent_and_runs_out_at_its_time(
        self, store, units, clock
    ):
        unit = await accept_with(store, units, units.delivery(SCHOOL), urgency=2)
        late = [units.delivery(one, overtakes=True, expires_at=clock.now() + MINUTE) for one in (POLICE, HOSPITAL)]
        given = [(unit.notice, one) for one in late]
        await store.emergencies.grant(grant_of(units, unit.case), given, [units.record()])
        (leased,) = await lease(store, clock)
        assert (leased.id, leased.notice, leased.urgency, leased.case) == (late[0].id, unit.notice, 2, unit.case)
        summary = await store.notices.summary(unit.notice)
        assert [one.recipient for one in summary.deliveries] == [SCHOOL, POLICE, HOSPITAL]
        clock.forward(MINUTE)
        assert {one.id for one in await store.deliveries.expire_due(clock.now(), 10)} == {one.id for one in late}

    async def test_of_a_grant_that_names_a_notice_nobody_stored_nothing_is_kept(self, store, units):
        unit = await accept_with(store, units)
        given = [(unit.notice, units.delivery(overtakes=True)), (units.ids.notice(), units.delivery(overtakes=True))]
        with pytest.raises(LookupError):
            await store.emergencies.grant(grant_of(units, unit.case), given, [units.record()])
        assert await store.emergencies.emergency("e1") is None
        assert await lease(store, units.clock) == []
        assert (await store.log.head()).size == 1

    async def test_the_longest_grant_of_the_office_to_the_case_is_in_force_while_its_time_runs(
        self, store, units, clock
    ):
        case, other = units.ids.case(), units.ids.case()
        short, long = grant_of(units, case), grant_of(units, case, "e2", until=clock.now() + 3 * MINUTE)
        for grant in (short, long, grant_of(units, other, "e3"), grant_of(units, case, "e4", SCHOOL)):
            await store.emergencies.grant(grant, [], [units.record()])
        in_force = store.emergencies.in_force
        assert await in_force(POLICE, case, clock.now()) == long
        assert await in_force(HOSPITAL, case, clock.now()) is None
        assert await in_force(POLICE, case, long.until - timedelta(milliseconds=1)) == long
        assert await in_force(POLICE, case, long.until) is None

    async def test_those_that_wait_come_oldest_first_and_all_of_them_newest_first(self, store, units, clock):
        case, made = units.ids.case(), []
        for number in range(3):
            made.append(grant_of(units, case, f"e{number}"))
            await store.emergencies.grant(made[-1], [], [units.record()])
            clock.forward(MINUTE)
        done = reviewed(made[1], clock, "justified")
        assert await store.emergencies.review(done, [units.record()])
        listed = store.emergencies.emergencies
        assert list(await listed(unreviewed=True, limit=10)) == [made[0], made[2]]
        assert list(await listed(unreviewed=True, limit=1)) == [made[0]]
        assert list(await listed(unreviewed=False, limit=10)) == [made[2], done, made[0]]

    async def test_the_first_review_counts_and_is_logged_once(self, store, units, clock):
        grant = grant_of(units, units.ids.case())
        await store.emergencies.grant(grant, [], [units.record()])
        first = reviewed(grant, clock, "training")
        assert await store.emergencies.review(first, [units.record()])
        assert not await store.emergencies.review(reviewed(grant, clock), [units.record()])
        assert not await store.emergencies.review(reviewed(replace(grant, id="e9"), clock), [units.record()])
        assert await store.emergencies.emergency("e1") == first
        assert (await store.log.head()).size == 2

    async def test_outcomes_are_counted_by_office_and_time_of_the_review(self, store, units, clock):
        case = units.ids.case()
        for number, office in enumerate((POLICE, POLICE, SCHOOL)):
            grant = grant_of(units, case, f"e{number}", office)
            await store.emergencies.grant(grant, [], [units.record()])
            await store.emergencies.review(reviewed(grant, clock), [units.record()])
            clock.forward(MINUTE)
        start = clock.now() - 3 * MINUTE
        count = store.emergencies.count_outcomes
        assert await count(POLICE, "not-justified", start) == 2
        assert await count(POLICE, "not-justified", start + MINUTE) == 1
        assert await count(POLICE, "justified", start) == 0
        assert await count(HOSPITAL, "not-justified", start) == 0

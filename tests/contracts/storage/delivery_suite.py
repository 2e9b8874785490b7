"""What every store must do when a delivery is disclosed, moves or ends, and with what is asked about deliveries."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from gateway.engines.embedded_broker.doorbell import EmbeddedDoorbell
from gateway.model.delivery import DeliveryState
from gateway.model.identifiers import NoticeType
from gateway.ports.storage import (
    Backlog,
    Concluded,
    DeadLetterFilter,
    Disclosed,
    Replayed,
    ReplyMove,
    Stale,
)
from gateway.services import dead_letters
from tests.contracts.storage.steps import MINUTE, accept_with, change, lease, lease_one, park
from tests.support.stored import HOSPITAL, POLICE, SCHOOL, START, WELFARE

S = DeliveryState
EVERYBODY = {POLICE, SCHOOL, HOSPITAL, WELFARE}


class DeliverySuite:
    async def test_an_attempt_is_counted_once_a_lease(self, store, units, clock):
        await accept_with(store, units, units.delivery())
        leased = await lease_one(store, clock)
        unit = units.disclosure(leased)
        assert await store.deliveries.disclose(unit) == Disclosed(1)
        assert await store.deliveries.disclose(unit) == Disclosed(1)
        clock.forward(MINUTE)
        leased = await lease_one(store, clock)
        assert (leased.attempts, leased.revision, leased.release_digest) == (1, 1, unit.release_digest)
        again = units.disclosure(leased, revision=1, release_digest=unit.release_digest)
        assert await store.deliveries.disclose(again) == Disclosed(2)

    async def test_repeating_a_disclosure_writes_no_second_record(self, store, units, clock):
        await accept_with(store, units, units.delivery())
        unit = units.disclosure(await lease_one(store, clock))
        await store.deliveries.disclose(unit)
        size = (await store.log.head()).size
        await store.deliveries.disclose(unit)
        assert (await store.log.head()).size == size

    async def test_the_revision_rises_with_the_bytes_and_only_with_them(self, store, units, clock):
        await accept_with(store, units, units.delivery())
        leased = await lease_one(store, clock)
        digest = os.urandom(32)
        disclose = store.deliveries.disclose
        assert await disclose(units.disclosure(leased, revision=2)) == Stale("state", S.DUE)
        assert await disclose(units.disclosure(leased, revision=1, release_digest=digest)) == Disclosed(1)
        assert await disclose(units.disclosure(leased, revision=2, release_digest=digest)) == Stale("state", S.DUE)
        assert await disclose(units.disclosure(leased, revision=1, release_digest=os.urandom(32))) == Stale(
            "state", S.DUE
        )
        assert await disclose(units.disclosure(leased, revision=2, release_digest=os.urandom(32))) == Disclosed(1)

    @pytest.mark.parametrize("what", ["policy", "consent", "directory"])
    async def test_a_disclosure_under_an_older_epoch_is_refused(self, store, units, clock, what):
        await accept_with(store, units, units.delivery())
        leased = await lease_one(store, clock)
        await change(store, units, what)
        size = (await store.log.head()).size
        assert await store.deliveries.disclose(units.disclosure(leased)) == Stale(what, S.DUE)
        assert (await store.log.head()).size == size
        fresh = units.disclosure(leased, epochs=await store.directory.epochs())
        assert await store.deliveries.disclose(fresh) == Disclosed(1)

    async def test_a_disclosed_case_is_found_by_the_handle_it_was_given(self, store, units, clock):
        unit = await accept_with(store, units, units.delivery())
        disclosure = units.disclosure(await lease_one(store, clock))
        await store.deliveries.disclose(disclosure)
        assert await store.notices.find_case(POLICE, disclosure.case_handle) == unit.case
        assert await store.notices.find_case(SCHOOL, disclosure.case_handle) is None
        assert await store.notices.find_case(POLICE, os.urandom(32)) is None

    async def test_acknowledging_again_is_no_error_even_after_the_lease(self, store, units, clock):
        await accept_with(store, units, units.delivery())
        leased = await lease_one(store, clock)
        conclude = store.deliveries.conclude
        assert await conclude(units.conclusion(leased, S.ACKNOWLEDGED)) == Concluded(S.ACKNOWLEDGED)
        clock.forward(2 * MINUTE)
        size = (await store.log.head()).size
        assert await conclude(units.conclusion(leased, S.ACKNOWLEDGED)) == Concluded(S.ACKNOWLEDGED, already=True)
        assert (await store.log.head()).size == size
        assert await conclude(units.conclusion(leased, S.DUE)) == Stale("lease", S.ACKNOWLEDGED)
        assert await lease(store, clock) == []

    async def test_who_has_acknowledged_may_accept_later_without_a_lease(self, store, units, clock):
        await accept_with(store, units, units.delivery())
        leased = await lease_one(store, clock)
        conclude = store.deliveries.conclude
        await conclude(units.conclusion(leased, S.ACKNOWLEDGED))
        assert await conclude(units.conclusion(leased, S.ACCEPTED, lease_token=None)) == Concluded(S.ACCEPTED)
        assert await conclude(units.conclusion(leased, S.DECLINED, lease_token=None)) == Stale("state", S.ACCEPTED)

    @pytest.mark.parametrize("state", [S.ACCEPTED, S.DECLINED, S.ACTED_ON])
    async def test_an_accepted_answer_moves_what_it_answers_in_its_own_transaction(self, store, units, clock, state):
        lane = os.urandom(16)
        one, two = units.delivery(lane=lane), units.delivery(lane=lane)
        await accept_with(store, units, one)
        await accept_with(store, units, two)
        leased = await lease_one(store, clock)
        answer = ReplyMove(one.id, state, (units.record(),), "why")
        before = (await store.log.head()).size
        unit = await accept_with(store, units, replies_to=one.id, reply=answer)
        assert (await store.log.head()).size == before + 2
        moved = await store.deliveries.delivery(one.id)
        assert (moved.state, moved.reason, moved.lease_token) == (state, "why", None)
        assert (await lease_one(store, clock)).id == two.id
        lost = await store.deliveries.conclude(units.conclusion(leased, S.DEAD_LETTER))
        assert isinstance(lost, Stale)
        assert isinstance(await store.notices.accept(unit), Replayed)
        assert (await store.log.head()).size == before + 2

    async def test_an_answer_to_what_was_withdrawn_is_accepted_and_moves_nothing(self, store, units, clock):
        new = units.delivery()
        sent = await accept_with(store, units, new)
        await store.notices.withdraw(sent.notice, clock.now(), "mistake", [units.record()])
        before = (await store.log.head()).size
        await accept_with(store, units, reply=ReplyMove(new.id, S.ACCEPTED, (units.record(),)))
        assert (await store.deliveries.delivery(new.id)).state is S.WITHDRAWN
        assert (await store.log.head()).size == before + 1

    async def test_the_sender_finds_every_move_of_its_deliveries_in_order_and_nobody_elses(self, store, units, clock):
        mine, others = units.delivery(), units.delivery()
        await accept_with(store, units, mine, sender=WELFARE)
        await accept_with(store, units, others, sender=HOSPITAL)
        assert await store.deliveries.changes(WELFARE, 0, 10) == []
        held = {one.id: one for one in await lease(store, clock)}
        await store.deliveries.conclude(units.conclusion(held[mine.id], S.DUE, due_at=clock.now(), reason="busy"))
        await store.deliveries.conclude(units.conclusion(held[others.id], S.ACKNOWLEDGED))
        await park(store, units, await lease_one(store, clock), reason="http-500")
        clock.forward(MINUTE)
        await accept_with(store, units, reply=ReplyMove(mine.id, S.ACTED_ON, (units.record(),)))
        await accept_with(store, units, reply=ReplyMove(mine.id, S.ACTED_ON, (units.record(),)))
        told = await store.deliveries.changes(WELFARE, 0, 10)
        assert [(one.number, one.state, one.reason) for one in told] == [
            (1, S.DEAD_LETTER, "http-500"), (2, S.ACTED_ON, ""), (3, S.ACTED_ON, "")
        ]  # fmt: skip
        assert {(one.recipient, one.rule) for one in told} == {(POLICE, mine.rule)}
        assert told[1].at == clock.now()
        assert await store.deliveries.changes(WELFARE, 1, 1) == [told[1]]
        assert await store.deliveries.changes(WELFARE, 3, 10) == []
        assert [one.state for one in await store.deliveries.changes(HOSPITAL, 0, 10)] == [S.ACKNOWLEDGED]
        assert list(await store.deliveries.changes_of_notice(told[0].notice)) == [told[0], told[1], told[2]]

    async def test_what_has_ended_does_not_come_back(self, store, units, clock):
        for state in (S.REFUSED, S.EXPIRED, S.WITHDRAWN, S.DECLINED):
            await accept_with(store, units, units.delivery())
            leased = await lease_one(store, clock)
            await store.deliveries.conclude(units.conclusion(leased, state, lease_token=None, reason="because"))
            again = units.conclusion(leased, S.DUE, lease_token=None)
            assert await store.deliveries.conclude(again) == Stale("state", state)
            stored = await store.deliveries.delivery(leased.id)
            assert (stored.state, stored.reason, stored.lease_token) == (state, "because", None)

    async def test_concluding_what_is_not_there_is_stale(self, store, units):
        assert await store.deliveries.conclude(units.conclusion(units.delivery(), S.EXPIRED)) == Stale("state")
        stranger = SimpleNamespace(id=units.ids.delivery(), lease_token="token", revision=0)
        assert await store.deliveries.disclose(units.disclosure(stranger)) == Stale("state")

    async def test_offices_due_are_named_soonest_first(self, store, units, clock):
        assert await store.deliveries.offices_due(clock.now(), EVERYBODY) == []
        await accept_with(store, units, units.delivery(SCHOOL), units.delivery(HOSPITAL, state=S.HELD))
        clock.forward(MINUTE)
        await accept_with(store, units, units.delivery(POLICE), units.delivery(SCHOOL))
        assert await store.deliveries.offices_due(clock.now(), EVERYBODY) == [(SCHOOL, START), (POLICE, START + MINUTE)]
        assert await store.deliveries.offices_due(clock.now(), {SCHOOL, HOSPITAL}) == [(SCHOOL, START)]
        await lease(store, clock, SCHOOL, 9)
        assert await store.deliveries.offices_due(clock.now(), EVERYBODY) == [
            (POLICE, START + MINUTE),
            (SCHOOL, START + 2 * MINUTE),
        ]

    async def test_an_office_with_nothing_but_expired_deliveries_is_not_due(self, store, units, clock):
        await accept_with(store, units, units.delivery(expires_at=clock.now() + MINUTE))
        clock.forward(MINUTE)
        assert await store.deliveries.offices_due(clock.now(), EVERYBODY) == []

    async def test_open_deliveries_run_out_at_their_time(self, store, units, clock):
        soon, late = clock.now() + MINUTE, clock.now() + 2 * MINUTE
        made = [units.delivery(expires_at=soon), units.delivery(SCHOOL, expires_at=soon, state=S.HELD)]
        await accept_with(store, units, *made, units.delivery(HOSPITAL, expires_at=late))
        assert await store.deliveries.expire_due(clock.now(), 10) == []
        clock.forward(MINUTE)
        expired = await store.deliveries.expire_due(clock.now(), 10)
        assert {one.id for one in expired} == {one.id for one in made}
        assert len(await store.deliveries.expire_due(clock.now(), 1)) == 1
        for one in expired:
            await store.deliveries.conclude(units.conclusion(one, S.EXPIRED, lease_token=None))
        assert await store.deliveries.expire_due(clock.now(), 10) == []

    async def test_driving_again_passes_over_none_when_the_first_are_parked_anew_meanwhile(
        self, store, units, clock, monkeypatch
    ):
        monkeypatch.setattr(dead_letters, "PAGE", 2)
        wanted = []
        for _ in range(5):
            await accept_with(store, units, units.delivery())
            leased = await lease_one(store, clock)
            wanted.append(leased.id)
            await park(store, units, leased)
        driven = []

        async def they_fail_again(_):
            clock.forward(MINUTE)
            leased = await lease_one(store, clock)
            driven.append(leased.id)
            await store.deliveries.conclude(units.conclusion(leased, S.DEAD_LETTER, reason="poison"))

        teller = SimpleNamespace(event=lambda *_, **__: units.record())
        letters = dead_letters.DeadLetters(
            deliveries=store.deliveries, teller=teller, doorbell=EmbeddedDoorbell(), clock=clock, pause=they_fail_again
        )
        assert await letters.retry(DeadLetterFilter(), by="x", dry_run=False) == dead_letters.Redriven(5, 5)
        assert driven == wanted

    async def test_dead_letters_are_listed_oldest_first_and_filtered(self, store, units, clock):
        parked = []
        for recipient, kind, reason in ((POLICE, "RPT", "a"), (SCHOOL, "REF", "b"), (POLICE, "REF", "a")):
            await accept_with(store, units, units.delivery(recipient), type=NoticeType(kind))
            delivery = await lease_one(store, clock, recipient)
            await park(store, units, delivery, reason)
            parked.append(delivery.id)
            clock.forward(MINUTE)

        async def listed(after=None, limit=10, **conditions):
            found = await store.deliveries.dead_letters(DeadLetterFilter(**conditions), after, limit)
            assert all(one.state is S.DEAD_LETTER for one in found)
            return [parked.index(one.id) for one in found]

        assert await listed() == [0, 1, 2]
        assert await listed(limit=2) == [0, 1]
        assert await listed(after=parked[1]) == [2]
        assert await listed(recipient=POLICE) == [0, 2]
        assert await listed(recipient=POLICE, notice_type=NoticeType("REF")) == [2]
        assert await listed(reason="b") == [1]
        assert await listed(sender=SCHOOL) == []
        assert await listed(since=START + MINUTE) == [1, 2]
        assert await listed(until=START + MINUTE) == [0]
        assert await listed(delivery=parked[2]) == [2]

    async def test_a_page_of_dead_letters_goes_on_where_one_was_driven_again(self, store, units, clock):
        parked = []
        for _ in range(3):
            await accept_with(store, units, units.delivery())
            delivery = await lease_one(store, clock)
            await park(store, units, delivery)
            parked.append(delivery)
        await store.deliveries.conclude(units.conclusion(parked[0], S.DUE, lease_token=None))
        rest = await store.deliveries.dead_letters(DeadLetterFilter(), parked[0].id, 10)
        assert [one.id for one in rest] == [one.id for one in parked[1:]]

    async def test_what_waits_is_counted_by_office_with_its_age(self, store, units, clock):
        assert await store.deliveries.waiting(clock.now()) == {}
        for state in (S.DUE, S.DUE, S.DUE, S.DUE, S.HELD):
            await accept_with(store, units, units.delivery(state=state), units.delivery(SCHOOL))
            clock.forward(MINUTE)
        parked, _ = await lease(store, clock, POLICE, 2)
        await park(store, units, parked, "unreachable")
        await accept_with(store, units, units.delivery(HOSPITAL, state=S.HELD))
        waiting = await store.deliveries.waiting(clock.now())
        assert waiting == {
            POLICE: Backlog(2, 1, START + 2 * MINUTE, START + MINUTE, 1, {"unreachable": 1}),
            SCHOOL: Backlog(due=5, oldest_due_at=START),
            HOSPITAL: Backlog(held=1),
        }
        assert waiting[POLICE].dead_letters == 1
        assert await store.deliveries.count_leased(POLICE, clock.now()) == 1
        clock.forward(MINUTE)
        now_lapsed = (await store.deliveries.waiting(clock.now()))[POLICE]
        assert (now_lapsed.due, now_lapsed.leased, now_lapsed.oldest_due_at) == (3, 0, START + MINUTE)
        assert await store.deliveries.count_leased(POLICE, clock.now()) == 0
        for delivery in await lease(store, clock, SCHOOL, 10):
            await store.deliveries.conclude(units.conclusion(delivery, S.ACKNOWLEDGED))
        assert SCHOOL not in await store.deliveries.waiting(clock.now()), "what is over is not looked at"

    async def test_what_is_under_a_live_lease_is_found_and_nothing_else(self, store, units, clock):
        for _ in range(3):
            await accept_with(store, units, units.delivery(), units.delivery(SCHOOL))
        first = await lease_one(store, clock)
        clock.forward(MINUTE / 2)
        second = await lease_one(store, clock)
        await lease(store, clock, SCHOOL, 1)
        found = await store.deliveries.leased(POLICE, clock.now(), 10)
        assert [(one.id, one.lease_token) for one in found] == [(one.id, one.lease_token) for one in (first, second)]
        assert [one.id for one in await store.deliveries.leased(POLICE, clock.now(), 1)] == [first.id]
        await store.deliveries.conclude(units.conclusion(second, S.ACKNOWLEDGED))
        assert [one.id for one in await store.deliveries.leased(POLICE, clock.now(), 10)] == [first.id]
        clock.forward(MINUTE)
        assert await store.deliveries.leased(POLICE, clock.now(), 10) == []

    async def test_what_waits_for_a_person_is_listed_oldest_first_by_pages(self, store, units, clock):
        held = []
        for recipient in (POLICE, SCHOOL, POLICE, POLICE):
            new = units.delivery(recipient, state=S.HELD, hold_reason="conflict")
            await accept_with(store, units, new, units.delivery(HOSPITAL))
            held += [new.id] if recipient is POLICE else []
            clock.forward(MINUTE)
        first = await store.deliveries.held(POLICE, None, 2)
        assert [(one.id, one.state) for one in first] == [(one, S.HELD) for one in held[:2]]
        await store.deliveries.conclude(units.conclusion(first[0], S.DUE, lease_token=None))
        assert [one.id for one in await store.deliveries.held(POLICE, held[0], 10)] == held[1:]
        assert [one.id for one in await store.deliveries.held(POLICE, held[2], 10)] == []

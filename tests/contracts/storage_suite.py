"""What every storage engine must do, said once against the ports.

A module of one engine subclasses the suites and gives three fixtures: `clock` (a
`SetClock`), `store` (an open, empty store with `notices`, `deliveries`, `directory`,
`policies`, `consents`, `log`), and `units` (a `Units` whose ids the store takes).
"""

from __future__ import annotations

import asyncio
import os
import uuid
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from gateway.model.agency import Office, OfficeKey, OfficeState, Webhook
from gateway.model.delivery import DeliveryState
from gateway.model.errors import Tampered
from gateway.model.identifiers import CaseId, DeliveryId, EventId, NoticeId, NoticeType, PolicyHash
from gateway.policy.life import PolicyVersion as Life
from gateway.policy.life import activated, approved
from gateway.policy.life import tested as was_tested
from gateway.ports.registry_storage import ConsentRecord, PolicyChange, PolicyVersion, StaffRole
from gateway.ports.relay_storage import KnownHandle
from gateway.ports.retention_storage import Erasure
from gateway.ports.storage import (
    Accepted,
    Concluded,
    Conflict,
    DeadLetterFilter,
    Disclosed,
    Epochs,
    HandleGiven,
    Replayed,
    ReplyMove,
    Stale,
    StoredReceipt,
)
from tests.support.stored import HOSPITAL, POLICE, SCHOOL, START, WELFARE, alias_of

S = DeliveryState
MINUTE = timedelta(minutes=1)
NOBODY = "00000000-0000-7000-8000-000000000000"


async def lease(store, clock, recipient=POLICE, limit=10, lasts=MINUTE):
    return await store.deliveries.lease_due(recipient, clock.now(), lasts, limit)


async def lease_one(store, clock, recipient=POLICE):
    (delivery,) = await lease(store, clock, recipient, 1)
    return delivery


async def accept_with(store, units, *deliveries, **given):
    unit = units.acceptance(*deliveries, **given)
    assert isinstance(await store.notices.accept(unit), Accepted)
    return unit


async def park(store, units, delivery, reason="gave-up"):
    assert await store.deliveries.conclude(units.conclusion(delivery, S.DEAD_LETTER, reason=reason)) == Concluded(
        S.DEAD_LETTER
    )


class NoticeStorageSuite:
    async def test_an_accepted_notice_is_read_back_as_it_was(self, store, units):
        child, guardian = units.person("p1", alias_of("child")), units.person("p2")
        segments = (units.segment(), units.segment(child.person), units.segment(guardian.person, size=0))
        unit = await accept_with(
            store, units, persons=(child, guardian), segments=segments, urgency=2, flags=("reused-id", "gap:/harm")
        )
        loaded = await store.notices.load(unit.notice)
        assert (loaded.id, loaded.type, loaded.case, loaded.sender) == (unit.notice, unit.type, unit.case, unit.sender)
        assert (loaded.urgency, loaded.received_at, loaded.flags) == (2, unit.received_at, unit.flags)
        assert (loaded.header, loaded.header_key, loaded.segments) == (unit.header, unit.header_key, segments)
        assert loaded.persons == {"p1": child.person, "p2": guardian.person}
        assert (loaded.superseded_by, loaded.withdrawn) == (None, False)

    async def test_what_was_never_stored_is_absent(self, store):
        for name in (NOBODY, "not an id", ""):
            assert await store.notices.load(NoticeId(name)) is None
            assert await store.notices.raw(NoticeId(name)) is None
            assert await store.notices.summary(NoticeId(name)) is None
            assert await store.notices.summarise(CaseId(name)) == []
            assert await store.deliveries.delivery(DeliveryId(name)) is None
            assert await store.log.record(EventId(name)) is None

    async def test_the_same_bytes_under_the_same_key_get_the_first_receipt(self, store, units):
        unit = await accept_with(store, units, units.delivery())
        again = units.acceptance(
            units.delivery(), idempotency_key=unit.idempotency_key, body_digest=unit.body_digest, receipt=b"another"
        )
        size = (await store.log.head()).size
        assert await store.notices.accept(again) == Replayed(unit.receipt)
        assert await store.notices.load(again.notice) is None
        assert (await store.log.head()).size == size
        assert len(await lease(store, units.clock)) == 1

    async def test_other_bytes_under_the_same_key_are_a_conflict_and_store_nothing(self, store, units):
        unit = await accept_with(store, units)
        other = units.acceptance(units.delivery(), idempotency_key=unit.idempotency_key)
        assert await store.notices.accept(other) == Conflict()
        assert await store.notices.load(other.notice) is None
        assert await lease(store, units.clock) == []

    async def test_a_thousand_concurrent_repetitions_store_one_notice(self, store, units):
        key, digest = os.urandom(32), os.urandom(32)
        made = [units.acceptance(units.delivery(), idempotency_key=key, body_digest=digest) for _ in range(1000)]
        answers = await asyncio.gather(*map(store.notices.accept, made))
        accepted = [answer for answer in answers if isinstance(answer, Accepted)]
        assert len(accepted) == 1
        assert {answer.receipt for answer in answers} == {accepted[0].receipt}
        assert len(await lease(store, units.clock)) == 1

    async def test_keys_that_begin_alike_are_different_keys(self, store, units):
        first = await accept_with(
            store, units, idempotency_key=b"\x80" * 31 + b"\x00", native_id_key=b"\x80" * 31 + b"\x01"
        )
        second = await accept_with(
            store, units, idempotency_key=b"\x80" * 31 + b"\x02", native_id_key=b"\x80" * 31 + b"\x03"
        )
        for unit in (first, second):
            found = await store.notices.find_receipt(unit.idempotency_key)
            assert found == StoredReceipt(unit.receipt, unit.body_digest)
            assert await store.notices.has_native_id(unit.native_id_key)
        assert await store.notices.find_receipt(b"\x80" * 31 + b"\x01") is None
        assert not await store.notices.has_native_id(b"\x80" * 31 + b"\x02")

    async def test_a_receipt_is_found_until_its_time_has_run_out(self, store, units, clock):
        unit = await accept_with(store, units, receipt_expires_at=clock.now() + MINUTE)
        clock.forward(MINUTE - timedelta(milliseconds=1))
        assert await store.notices.find_receipt(unit.idempotency_key) is not None
        clock.forward(timedelta(milliseconds=1))
        assert await store.notices.find_receipt(unit.idempotency_key) is None

    async def test_the_bytes_as_received_are_there_until_their_time_has_run_out(self, store, units, clock):
        unit = await accept_with(store, units, raw_expires_at=clock.now() + MINUTE)
        assert await store.notices.raw(unit.notice) == unit.raw
        clock.forward(MINUTE)
        assert await store.notices.raw(unit.notice) is None

    async def test_new_persons_are_found_by_their_aliases(self, store, units):
        person = units.person("p1", alias_of("id"), alias_of("school"))
        await accept_with(store, units, persons=(person,))
        wanted = [alias_of("school"), alias_of("unknown"), alias_of("id"), alias_of("id")]
        here = (person.person, person.key)
        assert await store.notices.find_persons(wanted) == {alias_of("id"): here, alias_of("school"): here}

    async def test_an_alias_that_somebody_else_made_meanwhile_makes_the_write_stale(self, store, units):
        first = units.acceptance(persons=(units.person("p1", alias_of("id")),))
        second = units.acceptance(units.delivery(), persons=(units.person("p1", alias_of("id")),))
        answers = await asyncio.gather(store.notices.accept(first), store.notices.accept(second))
        assert answers == [Accepted(first.receipt), Stale("person")]
        assert await store.notices.load(second.notice) is None
        assert await lease(store, units.clock) == []

    async def test_a_unit_prepared_as_the_first_use_of_an_id_is_stale_when_it_is_not(self, store, units):
        first = await accept_with(store, units, is_first_of_id=True)
        again = units.acceptance(units.delivery(), native_id_key=first.native_id_key, is_first_of_id=True)
        assert await store.notices.accept(again) == Stale("native-id")
        flagged = replace(again, is_first_of_id=False, flags=("reused-id",))
        assert await store.notices.accept(flagged) == Accepted(again.receipt)
        repeated = replace(flagged, is_first_of_id=True, receipt=b"another")
        assert await store.notices.accept(repeated) == Replayed(again.receipt)

    async def test_of_two_first_uses_of_an_id_in_one_moment_one_is_stale(self, store, units):
        id_key = os.urandom(32)
        two = [units.acceptance(native_id_key=id_key, is_first_of_id=True) for _ in range(2)]
        answers = await asyncio.gather(*map(store.notices.accept, two))
        assert answers == [Accepted(two[0].receipt), Stale("native-id")]

    async def test_a_known_person_has_to_have_one_of_the_aliases_they_were_known_by(self, store, units):
        here, elsewhere = units.person("p1", alias_of("here")), units.person("p1", alias_of("elsewhere"))
        await accept_with(store, units, persons=(here,))
        await accept_with(store, units, persons=(elsewhere,))
        mistaken = units.acceptance(persons=(units.person("p2", alias_of("here"), known=elsewhere.person),))
        assert await store.notices.accept(mistaken) == Stale("person")
        await accept_with(
            store, units, persons=(units.person("p2", alias_of("new"), alias_of("here"), known=here.person),)
        )

    async def test_a_known_person_has_to_exist(self, store, units):
        unit = units.acceptance(persons=(units.person("p1", known=units.ids.person()),))
        assert await store.notices.accept(unit) == Stale("person")
        person = units.person("p1")
        await accept_with(store, units, persons=(person,))
        await accept_with(store, units, persons=(units.person("p4", known=person.person),))

    async def test_one_persons_two_parts_in_a_notice_are_one_person(self, store, units):
        person = units.person("p1", alias_of("id"))
        twin = replace(person, ref="p2", is_new=False)
        await accept_with(store, units, persons=(person,))
        unit = await accept_with(store, units, persons=(replace(person, is_new=False), twin))
        assert (await store.notices.load(unit.notice)).persons == {"p1": person.person, "p2": person.person}

    async def test_an_older_directory_makes_the_write_stale(self, store, units):
        await change(store, units, "directory")
        assert (await store.directory.epochs()).directory == 1
        assert await store.notices.accept(units.acceptance(directory_epoch=0)) == Stale("directory")
        assert await store.notices.accept(units.acceptance(directory_epoch=1)) != Stale("directory")

    @pytest.mark.parametrize("what", ["policy", "consent"])
    async def test_a_change_of_policy_or_consent_does_not_hold_up_what_comes_in(self, store, units, what):
        await change(store, units, what)
        unit = units.acceptance(directory_epoch=0)
        assert await store.notices.accept(unit) == Accepted(unit.receipt)

    async def test_one_callers_broken_write_is_not_anothers(self, store, units):
        unit = await accept_with(store, units)
        broken = units.acceptance(units.delivery(), notice=unit.notice)
        sound = [units.acceptance(units.delivery(HOSPITAL)) for _ in range(5)]
        made = [*sound[:2], broken, *sound[2:]]
        answers = await asyncio.gather(*map(store.notices.accept, made), return_exceptions=True)
        assert isinstance(answers[2], Exception)
        assert [type(answer) for n, answer in enumerate(answers) if n != 2] == [Accepted] * 5
        assert len(await lease(store, units.clock, HOSPITAL)) == 5
        assert await lease(store, units.clock) == []

    async def test_a_case_is_summarised_oldest_first_with_its_deliveries(self, store, units, clock):
        first = await accept_with(
            store, units, units.delivery(), units.delivery(SCHOOL, state=S.HELD, hold_reason="conflict")
        )
        clock.forward(MINUTE)
        second = await accept_with(store, units, case=first.case, flags=("reused-id",))
        await accept_with(store, units)
        summaries = await store.notices.summarise(first.case)
        assert [one.id for one in summaries] == [first.notice, second.notice]
        assert summaries[1].flags == ("reused-id",)
        assert [(d.recipient, d.state, d.reason) for d in summaries[0].deliveries] == [
            (POLICE, S.DUE, ""),
            (SCHOOL, S.HELD, "conflict"),
        ]
        assert await store.notices.summary(first.notice) == summaries[0]

    async def test_withdrawing_ends_every_open_delivery_and_the_leases_on_them(self, store, units, clock):
        unit = await accept_with(store, units, units.delivery(), units.delivery(SCHOOL), units.delivery(HOSPITAL))
        leased, done = await lease_one(store, clock), await lease_one(store, clock, SCHOOL)
        await store.deliveries.conclude(units.conclusion(done, S.ACKNOWLEDGED))
        statuses = await store.notices.withdraw(unit.notice, clock.now(), "sent in error", [units.record()])
        assert [(one.recipient, one.state) for one in statuses] == [
            (POLICE, S.WITHDRAWN),
            (SCHOOL, S.ACKNOWLEDGED),
            (HOSPITAL, S.WITHDRAWN),
        ]
        assert statuses[0].reason == "sent in error"
        assert (await store.notices.load(unit.notice)).withdrawn
        assert await store.deliveries.disclose(units.disclosure(leased)) == Stale("state", S.WITHDRAWN)
        assert await lease(store, clock, HOSPITAL) == []
        size = (await store.log.head()).size
        assert await store.notices.withdraw(unit.notice, clock.now(), "again", [units.record()]) == statuses
        assert (await store.log.head()).size == size

    async def test_a_newer_notice_takes_the_place_of_an_open_one_for_the_same_recipient(self, store, units, clock):
        old = await accept_with(store, units, units.delivery(), units.delivery(SCHOOL))
        new = await accept_with(store, units, units.delivery(), supersedes=old.notice)
        assert (await store.notices.load(old.notice)).superseded_by == new.notice
        summary = await store.notices.summary(old.notice)
        assert [one.state for one in summary.deliveries] == [S.SUPERSEDED, S.DUE]
        assert (await lease_one(store, clock)).notice == new.notice


async def change(store, units, what):
    """Raise one epoch by the change that belongs to it."""
    now = units.clock.now()
    if what == "policy":
        version = PolicyVersion(PolicyHash(os.urandom(32).hex()), b"{}", "44", now, "li")
        return await store.policies.activate_policy(version, [units.record()])
    if what == "consent":
        record = ConsentRecord(os.urandom(8).hex(), units.ids.person(), b"sealed", "given", now)
        return await store.consents.put_consent(record, [units.record()])
    return await store.directory.put_office(Office(WELFARE, "某区民政局"), now, [units.record()])


class DeliveryStorageSuite:
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
        assert {one.recipient for one in told} == {POLICE}
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
        assert await store.deliveries.offices_due(clock.now(), 10) == []
        await accept_with(store, units, units.delivery(SCHOOL), units.delivery(HOSPITAL, state=S.HELD))
        clock.forward(MINUTE)
        await accept_with(store, units, units.delivery(POLICE), units.delivery(SCHOOL))
        assert await store.deliveries.offices_due(clock.now(), 10) == [(SCHOOL, START), (POLICE, START + MINUTE)]
        assert await store.deliveries.offices_due(clock.now(), 1) == [(SCHOOL, START)]
        await lease(store, clock, SCHOOL, 9)
        assert await store.deliveries.offices_due(clock.now(), 10) == [
            (POLICE, START + MINUTE),
            (SCHOOL, START + 2 * MINUTE),
        ]

    async def test_an_office_with_nothing_but_expired_deliveries_is_not_due(self, store, units, clock):
        await accept_with(store, units, units.delivery(expires_at=clock.now() + MINUTE))
        clock.forward(MINUTE)
        assert await store.deliveries.offices_due(clock.now(), 10) == []

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

    async def test_the_backlog_counts_what_waits_for_one_office(self, store, units, clock):
        for state in (S.DUE, S.DUE, S.DUE, S.DUE, S.HELD):
            await accept_with(store, units, units.delivery(state=state), units.delivery(SCHOOL))
            clock.forward(MINUTE)
        parked, _ = await lease(store, clock, POLICE, 2)
        await park(store, units, parked, "unreachable")
        backlog = await store.deliveries.backlog(POLICE, clock.now())
        assert (backlog.due, backlog.leased, backlog.held, backlog.dead_letters) == (2, 1, 1, 1)
        assert backlog.oldest_due_at == START + 2 * MINUTE
        assert backlog.by_reason == {"unreachable": 1}
        clock.forward(MINUTE)
        backlog = await store.deliveries.backlog(POLICE, clock.now())
        assert (backlog.due, backlog.leased, backlog.oldest_due_at) == (3, 0, START + MINUTE)

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


class RelayStorageSuite:
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


class RegistryStorageSuite:
    async def test_an_office_is_read_back_as_it_was_put(self, store, units, clock):
        office = Office(
            POLICE,
            "某区公安分局",
            "District police",
            OfficeState.SUSPENDED,
            adapter="police",
            media_type="application/xml",
            keys=(OfficeKey("k1", {"kty": "OKP"}, "sig", START), OfficeKey("k2", {}, "enc", START, START + MINUTE)),
            scope=("999999",),
            webhook=Webhook("https://police.example/in", "pem"),
            sends=frozenset({NoticeType("RPT")}),
            accepts_obligations=frozenset({"no-onward"}),
            agreements=frozenset({"2026"}),
            attributes={"level": "county"},
        )
        version = await store.directory.put_office(office, clock.now(), [units.record()])
        assert await store.directory.offices() == [replace(office, directory_version=version)]
        plain = Office(SCHOOL, "某学校")
        await store.directory.put_office(plain, clock.now(), [])
        assert {one.id: one.webhook for one in await store.directory.offices()} == {
            POLICE: office.webhook,
            SCHOOL: None,
        }

    async def test_every_change_of_an_office_raises_the_directory_epoch_alone(self, store, units, clock):
        for expected in (1, 2, 3):
            office = Office(POLICE, f"名称{expected}")
            assert await store.directory.put_office(office, clock.now(), [units.record()]) == expected
        assert await store.directory.epochs() == Epochs(0, 0, 3)
        (now,) = await store.directory.offices()
        assert (now.name_zh, now.directory_version) == ("名称3", 3)
        assert (await store.log.head()).size == 3

    async def test_a_one_time_value_is_good_once(self, store, clock):
        until = clock.now() + MINUTE
        answers = await asyncio.gather(*(store.directory.use_once("jti", b"value", until) for _ in range(20)))
        assert sorted(answers) == [False] * 19 + [True]
        assert await store.directory.use_once("enrolment", b"value", until)
        assert not await store.directory.use_once("jti", b"value", until)

    async def test_the_policy_activated_last_is_in_force(self, store, units, clock):
        assert await store.policies.active_policy("44") is None
        old = PolicyVersion(PolicyHash("a" * 64), b'{"v":1}', "44", clock.now(), "li")
        new = PolicyVersion(PolicyHash("b" * 64), b'{"v":2}', "44", clock.now(), "wang")
        assert await store.policies.activate_policy(old, [units.record()]) == 1
        assert await store.policies.activate_policy(new, [units.record()]) == 2
        assert await store.policies.active_policy("44") == new
        assert await store.policies.active_policy("11") is None
        assert await store.policies.policy(old.hash) == old
        assert await store.policies.activate_policy(old, []) == 3
        assert await store.policies.active_policy("44") == old
        assert (await store.directory.epochs()).policy == 3

    async def test_two_people_never_take_the_same_step_of_a_policy(self, store, units, clock):
        draft = Life(PolicyHash("sha256:" + "c" * 64), "li", "44")
        tested = was_tested(draft, "li", clock.now(), failures=0, misses=0)
        first = PolicyChange(((tested, 0),), [units.record()], {tested.policy: b'{"a":"b"}'})
        assert await store.policies.change_policies(first) == 0
        assert await store.policies.change_policies(first) is None
        assert await store.policies.documents(tested.policy) == b'{"a":"b"}'
        assert list(await store.policies.lives()) == [tested]
        answers = await asyncio.gather(
            *(
                store.policies.change_policies(
                    PolicyChange(((approved(tested, by, clock.now()), 1),), [units.record()])
                )
                for by in ("wang", "zhao")
            )
        )
        assert sorted(answers, key=str) == [0, None]
        assert (await store.log.head()).size == 2
        in_force = PolicyVersion(tested.policy, b'{"a":"b"}', "44", clock.now(), "sun")
        (now,) = await store.policies.lives()
        step = activated(now, "sun", clock.now(), clock.now())
        assert await store.policies.change_policies(PolicyChange(((step, 2),), [units.record()], {}, in_force)) == 1
        assert await store.policies.active_policy("44") == in_force
        assert [one.hash for one in await store.policies.activations("44")] == [tested.policy]

    async def test_a_role_is_given_once_and_taken_once(self, store, units, clock):
        role = StaffRole("li", "policy-author", "sun", clock.now())
        assert await store.staff.grant_role(role, [units.record()])
        assert not await store.staff.grant_role(role, [units.record()])
        assert list(await store.staff.staff_roles()) == [role]
        assert await store.staff.revoke_role("li", "policy-author", [units.record()])
        assert not await store.staff.revoke_role("li", "policy-author", [units.record()])
        assert list(await store.staff.staff_roles()) == []
        assert (await store.log.head()).size == 2

    async def test_the_newest_state_of_each_consent_counts(self, store, units, clock):
        person, other = units.ids.person(), units.ids.person()
        given = ConsentRecord("c1", person, b"sealed", "given", clock.now())
        second = ConsentRecord("c2", person, b"more", "refused", clock.now())
        assert await store.consents.put_consent(given, [units.record()]) == 1
        assert await store.consents.put_consent(second, []) == 2
        withdrawn = replace(given, state="withdrawn", document=b"sealed again")
        assert await store.consents.put_consent(withdrawn, []) == 3
        assert await store.consents.consents_of([other, person, person]) == [withdrawn, second]
        assert await store.consents.consents_of([other]) == []

    async def test_two_notes_for_one_size_of_the_log_are_never_kept(self, store, clock):
        assert await store.log.latest_checkpoint() is None
        await store.log.put_checkpoint(3, b"r" * 32, b"note", clock.now())
        await store.log.put_checkpoint(3, b"r" * 32, b"note", clock.now())
        with pytest.raises(Tampered):
            await store.log.put_checkpoint(3, b"r" * 32, b"other", clock.now())
        await store.log.put_checkpoint(5, b"s" * 32, b"newer", clock.now())
        assert await store.log.latest_checkpoint() == (5, b"newer")


class RetentionStorageSuite:
    async def test_what_has_run_out_is_forgotten_and_the_rest_stays(self, store, units, clock):
        soon, late = clock.now() + MINUTE, clock.now() + timedelta(days=90)
        short = units.acceptance(
            units.delivery(expires_at=soon),
            units.delivery(SCHOOL, expires_at=soon),
            raw_expires_at=soon,
            receipt_expires_at=soon,
        )
        long = units.acceptance(units.delivery(HOSPITAL, expires_at=late), raw_expires_at=late, receipt_expires_at=late)
        for unit in (short, long):
            await store.notices.accept(unit)
        now = clock.forward(MINUTE)
        forgotten = await store.discard_expired(now)
        assert (forgotten.raw_bodies, forgotten.receipts, forgotten.expiries) == (1, 1, 0)
        for one in await store.deliveries.expire_due(now, 10):
            await store.deliveries.conclude(units.conclusion(one, S.EXPIRED, lease_token=None))
        assert (await store.discard_expired(now)).expiries == 1
        assert not await store.notices.has_native_id(short.native_id_key)
        assert await store.notices.has_native_id(long.native_id_key)
        assert await store.notices.raw(long.notice) == long.raw
        assert await store.deliveries.expire_due(now, 10) == []
        assert len(await store.deliveries.lease_due(HOSPITAL, now, MINUTE, 10)) == 1

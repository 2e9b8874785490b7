"""What every store must do with notices: kept once, read back as they were, found, withdrawn, replaced."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.delivery import DeliveryState
from gateway.model.identifiers import CaseId, DeliveryId, EventId, NoticeId, NoticeType
from gateway.ports.storage import (
    Accepted,
    Conflict,
    Replayed,
    Stale,
    StoredReceipt,
)
from tests.contracts.storage.steps import MINUTE, accept_with, change, lease, lease_one
from tests.support.stored import HOSPITAL, POLICE, SCHOOL, alias_of

S = DeliveryState
NOBODY = "00000000-0000-7000-8000-000000000000"


class NoticeSuite:
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

    async def test_older_routing_tables_make_the_write_stale(self, store, units):
        await change(store, units, "policy")
        assert await store.notices.accept(units.acceptance(policy_epoch=0)) == Stale("policy")
        assert await store.notices.accept(units.acceptance(policy_epoch=1)) != Stale("policy")

    @pytest.mark.parametrize("what", ["policy", "consent"])
    async def test_a_change_does_not_hold_up_what_does_not_rest_on_it(self, store, units, what):
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

    async def test_the_notices_that_name_a_person_come_newest_first(self, store, units):
        child, other = units.person("p1", alias_of("child")), units.person("p1", alias_of("other"))
        first = await accept_with(store, units, persons=(child,), type=NoticeType("RPT"))
        await accept_with(store, units, persons=(other,))
        again = replace(child, is_new=False)
        second = await accept_with(store, units, persons=(again,), type=NoticeType("REF"))
        told = [(second.notice, NoticeType("REF")), (first.notice, NoticeType("RPT"))]
        assert list(await store.notices.notices_of(child.person, 10)) == told
        assert list(await store.notices.notices_of(child.person, 1)) == told[:1]
        assert list(await store.notices.notices_of(units.ids.person(), 10)) == []

"""What every store must do when something is to be forgotten, and while a legal hold says that it must not."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.audit import EventName
from gateway.model.delivery import DeliveryState
from gateway.model.errors import NotPermitted
from gateway.ports.registry_storage import ConsentRecord
from gateway.ports.retention_storage import Erasure, LegalHold
from tests.contracts.storage.steps import MINUTE, accept_with
from tests.support.stored import HOSPITAL, SCHOOL, alias_of, key_of

S = DeliveryState


class RetentionSuite:
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

    async def test_a_hold_stands_until_it_is_lifted_once(self, store, units, clock):
        person = (await accept_with(store, units, persons=(units.person(),))).persons[0].person
        first = await held(store, units, person, "h1")
        clock.forward(MINUTE)
        second = await held(store, units, person, "h2")
        assert list(await store.retention.standing_holds()) == [first, second]
        assert list(await store.retention.holds_of(person)) == [first, second]
        assert list(await store.retention.holds_of(units.ids.person())) == []
        assert await store.retention.lift_hold("h1", clock.now(), [units.record()])
        size = (await store.log.head()).size
        for gone in ("h1", "h9"):
            assert not await store.retention.lift_hold(gone, clock.now(), [units.record()])
        assert (await store.log.head()).size == size, "what changed nothing is not told"
        assert list(await store.retention.standing_holds()) == [second]
        assert await store.retention.hold("h1") == replace(first, lifted_at=clock.now())
        assert await store.retention.hold("h9") is None

    async def test_bytes_that_name_somebody_under_a_hold_outlive_their_time_until_it_is_lifted(
        self, store, units, clock
    ):
        soon = clock.now() + MINUTE
        child = units.person("p1")
        kept = await accept_with(store, units, persons=(child,), raw_expires_at=soon)
        gone = await accept_with(store, units, raw_expires_at=soon)
        await held(store, units, child.person, "h1")
        now = clock.forward(MINUTE)
        assert (await store.retention.discard_expired(now)).raw_keys == (gone.raw.key,)
        await store.retention.lift_hold("h1", now, [])
        assert (await store.retention.discard_expired(now)).raw_keys == (kept.raw.key,)

    async def test_an_erasure_is_asked_approved_by_one_and_open_until_it_is_done(self, store, units, clock):
        child = units.person("p1", alias_of("child"))
        await accept_with(store, units, persons=(child,))
        asked = await wished(store, units, child.person)
        assert list(await store.retention.open_erasures()) == [asked]
        assert await store.retention.approve_erasure(asked.id, "wang")
        assert not await store.retention.approve_erasure(asked.id, "zhao")
        assert await store.retention.erasure(asked.id) == replace(asked, approved_by="wang")
        await store.retention.forget(asked.id, child.person, key_of(child.person), clock.now(), [units.record()])
        done = replace(asked, person=None, approved_by="wang", done_at=clock.now())
        assert await store.retention.erasure(asked.id) == done
        assert list(await store.retention.open_erasures()) == []
        assert not await store.retention.approve_erasure(asked.id, "zhao")
        assert await store.retention.erasure(str(uuid.uuid4())) is None

    async def test_who_is_forgotten_is_found_by_nothing_and_everybody_else_as_before(self, store, units, clock):
        child, other = units.person("p1", alias_of("child")), units.person("p2", alias_of("other"))
        both = await accept_with(store, units, persons=(child, other))
        alone = await accept_with(store, units, persons=(replace(other, ref="p1", is_new=False),))
        for number, person in enumerate((child.person, other.person)):
            consent = ConsentRecord(f"c{number}", person, b"sealed", "given", clock.now())
            await store.consents.put_consent(consent, [])
        told = units.record(EventName.NOTICE_WITHDRAWN, persons=(child.person,), notice=both.notice)
        await store.log.append([told])
        assert [one.raw_key for one in await store.retention.naming(child.person)] == [both.raw.key]
        asked = await wished(store, units, child.person)
        forget = store.retention.forget
        subject = key_of(child.person)
        assert await forget(asked.id, child.person, subject, clock.now(), [units.record()]) == 1
        size = (await store.log.head()).size
        assert await forget(asked.id, child.person, subject, clock.now(), [units.record()]) == 0
        assert (await store.log.head()).size == size
        assert await store.retention.key_of(child.person) is None
        assert await store.notices.find_persons([alias_of("child")]) == {}
        assert list(await store.retention.naming(child.person)) == []
        assert list(await store.log.places_of(subject)) == []
        assert [one.person for one in await store.consents.consents_of([child.person, other.person])] == [other.person]
        assert await store.notices.raw(both.notice) is None
        assert await store.notices.raw(alone.notice) == alone.raw
        assert await store.retention.key_of(other.person) == other.key
        named = [(one.notice, one.raw_key) for one in await store.retention.naming(other.person)]
        assert named == [(both.notice, None), (alone.notice, alone.raw.key)]
        await store.retention.empty_journal()

    async def test_nobody_is_forgotten_while_a_hold_stands(self, store, units, clock):
        child = units.person("p1", alias_of("child"))
        unit = await accept_with(store, units, persons=(child,))
        await held(store, units, child.person, "h1")
        asked = await wished(store, units, child.person)
        size = (await store.log.head()).size
        with pytest.raises(NotPermitted):
            await store.retention.forget(asked.id, child.person, bytes(32), clock.now(), [units.record()])
        assert list(await store.retention.open_erasures()) == [asked]
        assert await store.notices.raw(unit.notice) == unit.raw
        assert await store.retention.key_of(child.person) == child.key
        assert (await store.log.head()).size == size


async def held(store, units, person, name):
    hold = LegalHold(name, person, "court", "li", units.clock.now())
    await store.retention.set_hold(hold, [units.record()])
    return hold


async def wished(store, units, person):
    """An erasure that somebody asked for."""
    erasure = Erasure(str(uuid.uuid4()), person, "rights-request", "li", units.clock.now())
    await store.retention.ask_erasure(erasure, [units.record()])
    return erasure

"""What any store owes of persons who look alike and of what officers found of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model.errors import NotFound, NotPermitted
from gateway.ports.person_storage import Alike, PairState, PersonPair
from gateway.ports.retention_storage import Erasure
from gateway.ports.storage import Stale
from tests.support.stored import key_of


def likeness(text: str) -> bytes:
    return key_of("likeness " + text)[:16]


async def met(store, units, *likenesses: bytes, **given):
    """A new person whom one notice describes."""
    link = replace(units.person("p1"), likenesses=likenesses)
    await store.notices.accept(units.acceptance(persons=(link,), **given))
    return link.person


def pair(units, one, other, state=PairState.ASKED, **given):
    first, second = sorted((one, other))
    values = {"asked_by": "li", "confirmed_by": "", "reason": "same-child", "at": units.clock.now(), **given}
    return PersonPair(first, second, state, **values)


async def erased(store, units, person):
    erasure = Erasure(str(units.ids.event()), person, "rights-request", "li", units.clock.now())
    await store.retention.ask_erasure(erasure, [])
    await store.retention.forget(erasure.id, person, key_of(person), units.clock.now(), [units.record()])


class PersonSuite:
    async def test_who_shares_a_likeness_is_listed_likeness_by_likeness(self, store, units):
        alone, shared, also = sorted(map(likeness, ("alone", "shared", "also")))[0], likeness("s"), likeness("t")
        first = await met(store, units, shared, also)
        second = await met(store, units, shared)
        third = await met(store, units, also, alone)
        await met(store, units)
        found = list(await store.persons.alike(b"", 10))
        expected = {shared: {first, second}, also: {first, third}}
        assert {one.likeness: set(one.persons) for one in found} == expected
        assert [one.likeness for one in found] == sorted(expected)
        assert list(await store.persons.alike(b"", 1)) == found[:1]
        assert list(await store.persons.alike(found[0].likeness, 10)) == found[1:]
        assert isinstance(found[0], Alike)

    async def test_a_likeness_leads_to_nobody_and_a_stale_write_leaves_none(self, store, units):
        shared, alias = likeness("x"), key_of("alias")
        await store.notices.accept(
            units.acceptance(persons=(replace(units.person("p1", alias), likenesses=(shared,)),))
        )  # fmt: skip
        late = replace(units.person("p1", alias), likenesses=(shared,))
        assert await store.notices.accept(units.acceptance(persons=(late,))) == Stale("person")
        assert list(await store.persons.alike(b"", 10)) == []
        assert await store.notices.find_persons([shared]) == {}

    async def test_the_newest_finding_of_each_pair_stands_and_raises_the_consent_epoch(self, store, units):
        one, other, third = [await met(store, units) for _ in range(3)]
        before = await store.persons.pairs_mark()
        asked = pair(units, one, other)
        assert await store.persons.put_pair(asked, [], instead_of=None) == 1
        apart = pair(units, other, third, PairState.JOINED)
        assert await store.persons.put_pair(apart, [], instead_of=None) == 2
        size = (await store.log.head()).size
        joined = replace(asked, state=PairState.JOINED, confirmed_by="wang")
        assert await store.persons.put_pair(joined, [units.record()], instead_of=PairState.ASKED) == 3
        assert sorted(await store.persons.pairs(), key=str) == sorted([joined, apart], key=str)
        assert (await store.directory.epochs()).consent == 3
        assert await store.persons.pairs_mark() != before
        assert (await store.log.head()).size == size + 1, "told in the transaction of the finding"
        assert await store.log.record_at(size) is not None

    async def test_who_saw_something_else_of_a_pair_changes_nothing(self, store, units):
        one, other = [await met(store, units) for _ in range(2)]
        asked = pair(units, one, other)
        await store.persons.put_pair(asked, [], instead_of=None)
        joined = replace(asked, state=PairState.JOINED, confirmed_by="wang")
        await store.persons.put_pair(joined, [], instead_of=PairState.ASKED)
        size = (await store.log.head()).size
        for seen in (PairState.ASKED, None):
            with pytest.raises(NotPermitted):
                declined = replace(asked, state=PairState.DECLINED)
                await store.persons.put_pair(declined, [units.record()], instead_of=seen)
        assert list(await store.persons.pairs()) == [joined]
        assert (await store.log.head()).size == size

    async def test_nothing_is_found_of_somebody_unknown(self, store, units):
        one = await met(store, units)
        with pytest.raises(NotFound):
            await store.persons.put_pair(pair(units, one, units.ids.person()), [units.record()], instead_of=None)
        assert list(await store.persons.pairs()) == []
        assert (await store.directory.epochs()).consent == 0

    async def test_who_is_erased_looks_like_nobody_and_is_nobody_else(self, store, units):
        shared = likeness("x")
        one, other, third = [await met(store, units, shared) for _ in range(3)]
        await store.persons.put_pair(pair(units, one, other, PairState.JOINED), [], instead_of=None)
        await store.persons.put_pair(pair(units, other, third, PairState.JOINED), [], instead_of=None)
        mark = await store.persons.pairs_mark()
        await erased(store, units, other)
        assert [set(alike.persons) for alike in await store.persons.alike(b"", 10)] == [{one, third}]
        assert list(await store.persons.pairs()) == []
        assert await store.persons.pairs_mark() != mark
        assert (await store.directory.epochs()).consent == 3, "what rested on the pair is decided anew"

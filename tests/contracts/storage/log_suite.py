"""What every engine's exchange log must do, said once against the port."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from gateway.audit.leaf import entry_root
from gateway.audit.merkle import EMPTY_ROOT, TILE_WIDTH, fold, leaf_hash, root_of
from gateway.audit.opening import check_envelope, open_slot, read_opening
from gateway.model.audit import EventName, Link
from gateway.model.delivery import DeliveryState
from gateway.model.identifiers import EventId
from gateway.ports.log_storage import LogQuery
from gateway.ports.retention_storage import Erasure
from tests.support.stored import POLICE, SCHOOL, WELFARE, key_of

SECRET = b"s" * 32  # of every person slot that `Units.record` makes


async def verified_size(store) -> int:
    """Read the whole log back, compute its root, and open every record; returns the number of leaves."""
    head = await store.log.head()
    entries = await store.log.entries(0, head.size)
    assert len(entries) == head.size
    assert root_of(map(leaf_hash, entries)) == head.root
    for place, entry in enumerate(entries):
        record = await store.log.record_at(place)
        opening = read_opening(record.opening)
        check_envelope(opening, entry)
        assert (record.entry, record.event, record.name) == (entry, opening.event_id, opening.name)
        assert await store.log.record(record.event) == record
        assert await store.log.records(place, place + 1) == [record]
    return head.size


async def links_of(store, subject) -> list[Link]:
    """The links of a person's slots in the order of the log."""
    found = await store.log.search(LogQuery(subject=subject), None, 1000)
    links = []
    for record in reversed(found):
        opening = read_opening(record.opening)
        links += [open_slot(opening, number, SECRET).link for number in range(1, len(opening.slots) + 1)]
    return links


class LogSuite:
    async def test_an_empty_log_has_the_empty_root(self, store):
        head = await store.log.head()
        assert (head.size, head.root) == (0, EMPTY_ROOT)
        assert await store.log.entries(0, 5) == []
        assert await store.log.record_at(0) is None

    async def test_the_search_index_can_be_thrown_away(self, store, units):
        await store.log.append([units.record() for _ in range(5)])
        before = await store.log.search(LogQuery(event="notice_checked"), None, 10)
        await store.log.reindex()
        assert await store.log.search(LogQuery(event="notice_checked"), None, 10) == before
        assert len(before) == 5

    async def test_records_get_places_without_gaps_and_verify(self, store, units):
        first = await store.log.append([units.record(), units.record()])
        second = await store.log.append([units.record()])
        assert [*first, *second] == [0, 1, 2]
        assert await verified_size(store) == 3

    async def test_every_write_logs_in_its_own_transaction(self, store, units, clock):
        unit = units.acceptance(units.delivery(), records=(units.record(), units.record()))
        await store.notices.accept(unit)
        assert (await store.log.head()).size == 2
        (leased,) = await store.deliveries.lease_due(POLICE, clock.now(), timedelta(minutes=1), 1)
        await store.deliveries.disclose(units.disclosure(leased))
        await store.deliveries.conclude(units.conclusion(leased, DeliveryState.ACKNOWLEDGED))
        await store.notices.withdraw(unit.notice, clock.now(), "error", [units.record()])
        assert await verified_size(store) == 5

    async def test_records_come_together_in_the_order_asked_for_and_what_is_not_there_is_left_out(self, store, units):
        records = [units.record() for _ in range(4)]
        await store.log.append(records)
        found = await store.log.records_at([3, 1, 9, 0])
        assert [one.index for one in found] == [3, 1, 0]
        assert [one.event for one in found] == [records[place].event_id for place in (3, 1, 0)]

    async def test_a_refused_write_leaves_no_leaf(self, store, units):
        unit = units.acceptance()
        await asyncio.gather(*(store.notices.accept(replace(unit, body_digest=bytes([n]) * 32)) for n in range(9)))
        assert await verified_size(store) == 1

    async def test_a_repeated_append_gets_the_places_it_had(self, store, units):
        records = [units.record(), units.record()]
        places = list(await store.log.append(records))
        await store.log.append([units.record()])
        assert list(await store.log.append(records)) == places
        assert await verified_size(store) == 3

    async def test_a_repetition_in_a_crowd_is_the_only_one_that_is_not_new(self, store, units):
        old = [units.record()]
        await store.log.append(old)
        fresh = [[units.record()] for _ in range(5)]
        answers = await asyncio.gather(*map(store.log.append, [*fresh[:2], old, *fresh[2:]]))
        assert sorted(place for several in answers for place in several) == [0, 1, 2, 3, 4, 5]
        assert list(answers[2]) == [0]
        assert await verified_size(store) == 6

    async def test_full_tiles_are_the_hashes_of_their_leaves(self, store, units):
        count = 2 * TILE_WIDTH + 5
        for start in range(0, count, 100):
            await store.log.append([units.record() for _ in range(min(100, count - start))])
        entries = await store.log.entries(0, count)
        for index in (0, 1):
            hashes = [leaf_hash(entry) for entry in entries[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]]
            assert await store.log.tile(0, index) == b"".join(hashes)
            assert fold(hashes)
        assert await store.log.tile(0, 2) is None
        assert await store.log.tile(1, 0) is None
        assert root_of(map(leaf_hash, entries)) == (await store.log.head()).root

    async def test_each_persons_records_are_chained_without_gaps(self, store, units):
        one, two = units.ids.person(), units.ids.person()
        name = EventName.NOTICE_WITHDRAWN
        for persons in ((one,), (two, one), (two,), (one,)):
            record = units.record(name, persons=persons, notice=units.ids.notice())
            await store.log.append([record])
        roots = [entry_root(entry) for entry in await store.log.entries(0, 4)]
        events = [(await store.log.record_at(place)).event for place in range(4)]
        chain = [link for link in await links_of(store, key_of(one)) if link.seq]
        by_seq = {(link.seq, link.prev_event): link.prev_root for link in chain}
        assert by_seq[2, events[0]] == roots[0]
        assert by_seq[3, events[1]] == roots[1]

    async def test_records_of_one_commit_are_chained_too(self, store, units):
        person, name = units.ids.person(), EventName.NOTICE_WITHDRAWN
        records = [units.record(name, persons=(person,), notice=units.ids.notice()) for _ in range(5)]
        await asyncio.gather(*(store.log.append([record]) for record in records))
        links = await links_of(store, key_of(person))
        events = [(await store.log.record_at(place)).event for place in range(5)]
        roots = [entry_root(entry) for entry in await store.log.entries(0, 5)]
        assert links == [Link(1)] + [Link(n + 1, events[n - 1], roots[n - 1]) for n in range(1, 5)]

    async def test_an_erased_persons_chain_begins_anew(self, store, units):
        person, name = units.ids.person(), EventName.NOTICE_WITHDRAWN

        async def logged():
            (place,) = await store.log.append([units.record(name, persons=(person,), notice=units.ids.notice())])
            return place

        await logged(), await logged()
        erasure = Erasure(str(units.ids.event()), person, "rights-request", "li", units.clock.now())
        await store.retention.ask_erasure(erasure, [])
        await store.retention.forget(erasure.id, person, key_of(person), units.clock.now(), [])
        assert await store.log.places_of(key_of(person)) == []
        again = await logged()
        assert await links_of(store, key_of(person)) == [Link(1)]
        assert await store.log.places_of(key_of(person)) == [again]

    async def test_search_finds_by_every_condition_newest_first(self, store, units, clock):
        start = clock.now()
        notice, delivery = units.ids.notice(), units.ids.delivery()
        accepted, sent = EventName.NOTICE_ACCEPTED, EventName.DELIVERY_SENT
        person = units.ids.person()
        await store.log.append([units.record(accepted, notice=notice, purpose="P01", actor=WELFARE, transport="http")])
        clock.forward(timedelta(minutes=1))
        about = {"notice": notice, "delivery": delivery, "recipient": POLICE}
        await store.log.append([units.record(sent, persons=(person,), **about)])
        other = {"notice": units.ids.notice(), "delivery": units.ids.delivery(), "recipient": SCHOOL}
        withheld = units.record(EventName.DELIVERY_WITHHELD, purpose="P02", policy="ab" * 16, **other)
        await store.log.append([withheld])

        async def found(after=None, limit=10, **conditions):
            return [one.index for one in await store.log.search(LogQuery(**conditions), after, limit)]

        assert await found() == [2, 1, 0]
        assert await found(limit=2) == [2, 1]
        assert await found(after=2) == [1, 0]
        assert await found(event="notice_accepted") == [0]
        assert await found(office="gateway") == [2, 1]
        assert await found(office=WELFARE) == [0]
        assert await found(office=POLICE) == [1]
        assert await found(notice=notice) == [1, 0]
        assert await found(notice=notice, event="delivery_sent") == [1]
        assert await found(delivery=delivery) == [1]
        assert await store.log.told_of([delivery, units.ids.delivery()]) == [{"delivery_sent"}, frozenset()]
        assert await found(purpose="P02") == [2]
        assert await found(purpose="P02", notice=notice) == []
        assert await found(policy="ab" * 16) == [2]
        assert await found(subject=key_of(person)) == [1]
        assert await found(person=key_of(person), office=POLICE) == [1]
        assert await found(since=start + timedelta(minutes=1)) == [2, 1]
        assert await found(until=start + timedelta(minutes=1)) == [0]

    async def test_what_was_logged_a_moment_ago_is_found(self, store, units):
        for n in range(30):
            notice = units.ids.notice()
            await store.log.append([units.record(EventName.NOTICE_ACCEPTED, notice=notice)])
            assert [one.index for one in await store.log.search(LogQuery(notice=notice), None, 5)] == [n]

    async def test_an_unknown_event_has_no_record(self, store, units):
        assert await store.log.record(EventId(units.ids.event())) is None

    async def test_the_index_grows_by_as_much_as_is_asked_and_says_what_is_left(self, store, units):
        await store.log.append([units.record() for _ in range(7)])
        assert await store.log.index(5) == 2
        assert await store.log.index(5) == 0
        await store.log.append([units.record()])
        assert await store.log.index(0) == 1

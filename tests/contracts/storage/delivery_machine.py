"""Deliveries, lanes and leases against a model of twenty lines, under random orders of everything.

The model says the rule as the port says it, looking at all deliveries every time. A module
of one engine subclasses `DeliveryMachine` and gives `open_store` (returns an open, empty
store that takes the ids of `make_units(clock)`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.delivery.transitions import HOLDING_UP, is_repetition, may_move
from gateway.model.delivery import DeliveryState
from gateway.model.identifiers import DeliveryId
from gateway.ports.storage import NOTHING_WAITS, Accepted, Concluded, Disclosed, Stale
from tests.support.stored import POLICE, SCHOOL, SetClock, Units

S = DeliveryState
LEASE = timedelta(seconds=60)


@dataclass
class Known:
    """One delivery as the model has it; its place in the list is its order."""

    id: DeliveryId
    recipient: str
    lane: bytes
    urgency: int
    overtakes: bool
    state: DeliveryState
    due_at: datetime
    expires_at: datetime
    leased_until: datetime | None = None
    token: str = ""
    attempts: int = 0
    has_disclosed: bool = False

    def has_lease(self, now: datetime) -> bool:
        return self.leased_until is not None and self.leased_until > now


class DeliveryMachine(RuleBasedStateMachine):
    def open_store(self, clock: SetClock) -> Any:
        raise NotImplementedError

    @initialize()
    def begin(self):
        self.loop = asyncio.new_event_loop()
        self.clock = SetClock()
        self.store = self.open_store(self.clock)
        self.units = Units(self.clock, getattr(self.store, "delivery_ids", None))
        self.known: list[Known] = []
        self.records = 0

    def teardown(self):
        if hasattr(self, "store"):
            self.loop.run_until_complete(self.store.close())
            self.loop.close()

    def do(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def leasable(self, one: Known, now: datetime) -> bool:
        before = self.known[: self.known.index(one)]
        return (
            one.state is S.DUE
            and one.due_at <= now < one.expires_at
            and not one.has_lease(now)
            and (one.overtakes or not any(p.lane == one.lane and p.state in HOLDING_UP for p in before))
        )

    @rule(
        parts=st.lists(
            st.tuples(
                st.sampled_from([POLICE, SCHOOL]),
                st.sampled_from([b"lane-one", b"lane-two"]),
                st.sampled_from([S.DUE, S.DUE, S.DUE, S.HELD]),
                st.sampled_from([90, 100_000]),
            ),
            min_size=1,
            max_size=3,
        ),
        urgency=st.sampled_from([0, 1, 2]),
    )
    def accept(self, parts, urgency):
        now, overtakes, deliveries = self.clock.now(), urgency == 2, []
        for recipient, lane, state, life in parts:
            lane = recipient.encode() + lane
            new = self.units.delivery(
                recipient, lane=lane, state=state, overtakes=overtakes, expires_at=now + timedelta(seconds=life)
            )
            deliveries.append(new)
            self.known.append(Known(new.id, recipient, lane, urgency, overtakes, state, now, new.expires_at))
        unit = self.units.acceptance(*deliveries, urgency=urgency)
        assert isinstance(self.do(self.store.notices.accept(unit)), Accepted)
        self.records += 1

    @rule(seconds=st.sampled_from([1, 29, 31, 61]))
    def time_passes(self, seconds):
        self.clock.forward(timedelta(seconds=seconds))

    @rule(recipient=st.sampled_from([POLICE, SCHOOL]), limit=st.sampled_from([1, 2, 50]))
    def lease(self, recipient, limit):
        now = self.clock.now()
        right = [one for one in self.known if one.recipient == recipient and self.leasable(one, now)]
        taken = self.do(self.store.deliveries.lease_due(recipient, now, LEASE, limit))
        assert len(taken) == min(limit, len(right))
        assert {one.id for one in taken} <= {one.id for one in right}
        assert [one.urgency for one in taken] == sorted((one.urgency for one in right), reverse=True)[: len(taken)]
        by_id = {one.id: one for one in self.known}
        for one in taken:
            known = by_id[one.id]
            assert not known.has_lease(now)
            assert one.attempts == known.attempts
            behind = self.known[: self.known.index(known)]
            assert one.is_behind_parked == any(p.lane == known.lane and p.state is S.DEAD_LETTER for p in behind)
            known.leased_until, known.token, known.has_disclosed = now + LEASE, one.lease_token, False

    def pick(self, data):
        return data.draw(st.sampled_from(self.known))

    @precondition(lambda self: getattr(self, "known", None))
    @rule(data=st.data())
    def disclose(self, data):
        one, now = self.pick(data), self.clock.now()
        stored = self.do(self.store.deliveries.delivery(one.id))
        unit = self.units.disclosure(stored, lease_token=one.token, at=now)
        answer = self.do(self.store.deliveries.disclose(unit))
        if one.state is not S.DUE or not one.has_lease(now):
            assert isinstance(answer, Stale)
            assert answer.state is one.state
            return
        one.attempts += not one.has_disclosed
        one.has_disclosed = True
        assert answer == Disclosed(one.attempts)
        self.records += 1

    @precondition(lambda self: getattr(self, "known", None))
    @rule(data=st.data(), state=st.sampled_from(list(S)), as_holder=st.booleans(), later=st.sampled_from([0, 30]))
    def conclude(self, data, state, as_holder, later):
        one, now = self.pick(data), self.clock.now()
        due_at = now + timedelta(seconds=later)
        token = one.token if as_holder else None
        unit = self.units.conclusion(one, state, lease_token=token, at=now, due_at=due_at)
        answer = self.do(self.store.deliveries.conclude(unit))
        if is_repetition(one.state, state):
            assert answer == Concluded(one.state, already=True)
        elif (as_holder and not (one.state is S.DUE and one.has_lease(now))) or not may_move(one.state, state):
            assert isinstance(answer, Stale)
            assert answer.state is one.state
        else:
            assert answer == Concluded(state)
            one.state, one.leased_until, one.token = state, None, ""
            one.due_at = due_at if state is S.DUE else one.due_at
            self.records += 1

    @precondition(lambda self: getattr(self, "known", None))
    @rule()
    def expire(self):
        now = self.clock.now()
        open_ones = {S.HELD, S.DUE, S.DEAD_LETTER}
        right = {one.id for one in self.known if one.expires_at <= now and one.state in open_ones}
        assert {one.id for one in self.do(self.store.deliveries.expire_due(now, 1000))} == right

    @invariant()
    def the_store_agrees(self):
        if not getattr(self, "known", None):
            return
        now = self.clock.now()
        waiting = self.do(self.store.deliveries.waiting(now))
        for recipient in (POLICE, SCHOOL):
            mine = [one for one in self.known if one.recipient == recipient]
            backlog = waiting.get(recipient, NOTHING_WAITS)
            due = [one for one in mine if one.state is S.DUE]
            leased = [one for one in due if one.has_lease(now)]
            assert (backlog.due, backlog.leased) == (len(due) - len(leased), len(leased))
            assert backlog.held == sum(one.state is S.HELD for one in mine)
            assert backlog.dead_letters == sum(one.state is S.DEAD_LETTER for one in mine)
            named = {
                office for office, at in self.do(self.store.deliveries.offices_due(now, {POLICE, SCHOOL})) if at <= now
            }
            assert (recipient in named) == any(self.leasable(one, now) for one in mine)
        assert self.do(self.store.log.head()).size == self.records

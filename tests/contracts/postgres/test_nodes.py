"""A clustered store is shared by nodes that keep out of each other's way."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.engines.postgres import leader
from gateway.engines.system.clock import SystemClock
from gateway.model.delivery import DeliveryState
from gateway.ports.storage import Accepted, Concluded, Disclosed, Epochs, Replayed, Stale
from tests.contracts.storage.log_suite import verified_size
from tests.contracts.storage.steps import change
from tests.support.stored import POLICE, alias_of

pytestmark = pytest.mark.services
S = DeliveryState
MINUTE = timedelta(minutes=1)


async def test_one_key_on_two_nodes_at_once_is_accepted_once(store, other, units):
    key, digest = b"k" * 32, b"d" * 32
    made = [units.acceptance(units.delivery(), idempotency_key=key, body_digest=digest) for _ in range(60)]
    answers = await asyncio.gather(
        *(node.notices.accept(unit) for unit, node in zip(made, [store, other] * 30, strict=True))
    )
    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(accepted) == 1
    assert all(answer in (accepted[0], Replayed(accepted[0].receipt)) for answer in answers)
    assert await verified_size(other) == 1


async def test_one_new_person_on_two_nodes_is_made_once(store, other, units):
    made = [units.acceptance(persons=(units.person("p1", alias_of("child")),)) for _ in range(40)]
    answers = await asyncio.gather(
        *(node.notices.accept(unit) for unit, node in zip(made, [store, other] * 20, strict=True))
    )
    assert sorted(map(type, answers), key=str) == [Accepted] + [Stale] * 39


async def test_a_lane_keeps_its_order_whichever_node_takes_the_notices(store, other, units, clock):
    lane = b"l" * 16
    nodes = [store, other]
    for round_ in range(10):
        pair = [units.acceptance(units.delivery(lane=lane)) for _ in nodes]
        await asyncio.gather(*(node.notices.accept(unit) for node, unit in zip(nodes, pair, strict=True)))
        leased = [
            one
            for some in await asyncio.gather(
                *(node.deliveries.lease_due(POLICE, clock.now(), MINUTE, 5) for node in nodes)
            )
            for one in some
        ]
        assert len(leased) == 1, f"round {round_}"
        answer = await nodes[round_ % 2].deliveries.conclude(units.conclusion(leased[0], S.ACKNOWLEDGED))
        assert isinstance(answer, Concluded)


async def test_two_nodes_never_lease_one_delivery(store, other, units, clock):
    await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery())) for _ in range(60)))
    leases = await asyncio.gather(
        *(node.deliveries.lease_due(POLICE, clock.now(), MINUTE, 7) for node in [store, other] * 8)
    )
    leased = [one.id for some in leases for one in some]
    assert len(leased) == len(set(leased)) == 60


async def test_a_senders_moves_are_numbered_without_gaps_across_nodes(store, other, units, clock):
    await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery())) for _ in range(30)))
    leased = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 30)
    await asyncio.gather(
        *(
            node.deliveries.conclude(units.conclusion(one, S.ACKNOWLEDGED))
            for one, node in zip(leased, [store, other] * 15, strict=True)
        )
    )
    told = await other.deliveries.changes(leased[0].sender, 0, 100)
    assert [one.number for one in told] == list(range(1, 31))


@pytest.mark.parametrize("what", ["policy", "consent", "directory"])
async def test_a_change_on_one_node_bites_a_disclosure_on_another(store, other, units, clock, what):
    await store.notices.accept(units.acceptance(units.delivery()))
    (leased,) = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 1)
    await change(other, units, what)
    assert await store.deliveries.disclose(units.disclosure(leased)) == Stale(what, S.DUE)
    now = await store.directory.epochs()
    assert getattr(now, what) == 1
    assert isinstance(await other.deliveries.disclose(units.disclosure(leased, epochs=now)), Disclosed)


async def test_a_withdrawal_is_not_kept_waiting_by_disclosures_that_keep_coming(store, other, units, clock):
    """Under load of disclosures on one node, a change on the other gets its turn; afterwards the old epoch is stale."""
    await asyncio.gather(*(store.notices.accept(units.acceptance(units.delivery())) for _ in range(120)))
    leased = await store.deliveries.lease_due(POLICE, clock.now(), MINUTE, 120)
    outcomes = []
    changed = asyncio.Event()

    async def disclose(one):
        outcomes.append((changed.is_set(), await store.deliveries.disclose(units.disclosure(one))))

    async def disclosing():
        for start in range(0, 120, 4):
            begun_after = changed.is_set()
            for one in leased[start : start + 4]:
                answer = await store.deliveries.disclose(units.disclosure(one))
                outcomes.append((begun_after, answer))

    async def changing():
        await change(other, units, "consent")
        changed.set()

    await asyncio.gather(disclosing(), changing())
    assert all(isinstance(answer, Stale) for begun_after, answer in outcomes if begun_after)
    assert (await store.directory.epochs()) == Epochs(0, 1, 0)


async def test_a_node_whose_clock_is_wrong_leads_no_more_and_another_does(store, clock, database, monkeypatch):
    monkeypatch.setattr(leader, "ASK_SECONDS", 0.1)
    at_work: list[str] = []

    async def duties(name):
        at_work.append(name)
        try:
            await asyncio.Event().wait()
        finally:
            at_work.remove(name)

    assert abs(await store.clock_difference()) > MINUTE
    nodes = {"wrong": clock, "right": SystemClock()}
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for name, its_clock in nodes.items():
            leads = leader.Leadership(database, its_clock, MINUTE).lead_for_ever(lambda name=name: duties(name))
            nodes[name] = tasks.create_task(leads)
        while at_work != ["right"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        nodes.pop("right").cancel()
        clock.at = SystemClock().now()
        while at_work != ["wrong"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        clock.forward(2 * MINUTE)
        while at_work:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        nodes.pop("wrong").cancel()

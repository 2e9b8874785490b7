"""Steps that several storage suites take: what is accepted, leased, given up, and what raises an epoch."""

from __future__ import annotations

import os
from datetime import timedelta

from gateway.model.agency import Office
from gateway.model.delivery import DeliveryState
from gateway.model.identifiers import PolicyHash
from gateway.ports.registry_storage import Activation, ConsentRecord, PolicyChange
from gateway.ports.storage import Accepted, Concluded
from tests.support.stored import POLICE, WELFARE

MINUTE = timedelta(minutes=1)


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
    assert await store.deliveries.conclude(
        units.conclusion(delivery, DeliveryState.DEAD_LETTER, reason=reason)
    ) == Concluded(DeliveryState.DEAD_LETTER)


async def change(store, units, what):
    """Raise one epoch by the change that belongs to it."""
    now = units.clock.now()
    if what == "policy":
        pack = PolicyHash(os.urandom(32).hex())
        unit = PolicyChange((), [units.record()], {pack: b"{}"}, Activation(pack, "44", now, "li"))
        return await store.policies.change_policies(unit)
    if what == "consent":
        record = ConsentRecord(os.urandom(8).hex(), units.ids.person(), b"sealed", "given", now)
        return await store.consents.put_consent(record, [units.record()])
    return await store.directory.put_office(Office(WELFARE, "某区民政局"), now, [units.record()])

"""Which exchanges and queues are there, and are they as they must be?

One list, declared by one step that may be repeated at will (`forming`), and checked by `hutong doctor` without changing
anything.
All queues with content are quorum queues: a message that was confirmed is on a majority of the brokers.

* `hutong.bells`: rings between nodes, each with a queue of its own that goes with it.
* `hutong.submit` -> `submit.<office>`: what an office hands in. One active consumer each, so that order holds with many
  nodes. Full: the sender's confirm is negative, so that it slows down.
* `hutong.inbox` -> `inbox.<office>`: doorbells (one waits at most), or releases (a bounded number; full: not taken).
* `receipts.<office>`: answers, for those who name no reply queue of their own.
* `hutong.dead` -> `dead.submit`, `dead.inbox`: poison, and what was rejected or ran out of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from gateway.config import RabbitSettings
from gateway.model.agency import QueueUse
from gateway.model.identifiers import OfficeId
from gateway.ports.agency_queues import SUBMIT_EXCHANGE, inbox_queue, receipts_queue, submit_queue

BELLS, SUBMIT, INBOX, DEAD = "hutong.bells", SUBMIT_EXCHANGE, "hutong.inbox", "hutong.dead"
DEAD_SUBMIT, DEAD_INBOX = "dead.submit", "dead.inbox"
KEPT_RECEIPTS = 10_000
_QUORUM = {"x-queue-type": "quorum"}


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """`is_refillable`: everything in it can be made again, so that it may be made anew when its kind changes."""

    name: str
    arguments: Mapping[str, Any]
    bindings: tuple[tuple[str, str], ...] = ()  # exchange, key
    is_refillable: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    exchanges: Mapping[str, str] = field(
        default_factory=lambda: {BELLS: "fanout", SUBMIT: "topic", INBOX: "direct", DEAD: "topic"}
    )
    queues: tuple[QueueSpec, ...] = (
        QueueSpec(DEAD_SUBMIT, _QUORUM, ((DEAD, "submit.#"),)),
        QueueSpec(DEAD_INBOX, _QUORUM, ((DEAD, "inbox.#"),)),
    )


SHARED = Topology()


def queues_of(office: OfficeId, use: QueueUse, settings: RabbitSettings) -> tuple[QueueSpec, ...]:
    set_aside = {
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    submit = {
        **_QUORUM, **set_aside, "x-single-active-consumer": True, "x-max-length": settings.max_submissions,
        "x-delivery-limit": settings.delivery_limit,
    }  # fmt: skip
    if use is QueueUse.RELEASES:
        inbox = {
            **_QUORUM, **set_aside, "x-max-length": settings.max_waiting, "x-delivery-limit": settings.delivery_limit,
        }  # fmt: skip
    else:
        inbox = {**_QUORUM, "x-max-length": 1, "x-overflow": "drop-head"}
    return (
        QueueSpec(submit_queue(office), submit, ((SUBMIT, submit_queue(office)),)),
        QueueSpec(inbox_queue(office), inbox, ((INBOX, inbox_queue(office)),), is_refillable=True),
        QueueSpec(
            receipts_queue(office),
            {**_QUORUM, "x-max-length": KEPT_RECEIPTS, "x-overflow": "drop-head"},
            is_refillable=True,
        ),
    )


async def differences(connection: AbstractConnection, topology: Topology) -> list[tuple[str, str]]:
    """What is not as it must be, as (name, `missing` or `differs`); changes nothing."""
    found = []
    for name, kind in topology.exchanges.items():
        channel = await connection.channel()
        try:
            await channel.declare_exchange(name, aio_pika.ExchangeType(kind), durable=True, passive=True)
            await channel.declare_exchange(name, aio_pika.ExchangeType(kind), durable=True)
            await channel.close()
        except ChannelNotFoundEntity:
            found.append((name, "missing"))
        except ChannelPreconditionFailed:
            found.append((name, "differs"))
    channel = await connection.channel()
    for spec in topology.queues:
        channel, found_it = await is_there(connection, channel, spec.name)
        if not found_it:
            found.append((spec.name, "missing"))
            continue
        try:  # there already, so that this makes nothing, and says whether it is the same
            await channel.declare_queue(spec.name, durable=True, arguments=dict(spec.arguments))
        except ChannelPreconditionFailed:
            found.append((spec.name, "differs"))
            channel = await connection.channel()
    await channel.close()
    return found


async def is_there(connection: AbstractConnection, channel: AbstractChannel, name: str) -> tuple[AbstractChannel, bool]:
    """Whether a queue exists; asking for one that does not costs the channel, so the one to go on with comes back."""
    try:
        await channel.declare_queue(name, passive=True)
    except ChannelNotFoundEntity:
        return await connection.channel(), False
    return channel, True

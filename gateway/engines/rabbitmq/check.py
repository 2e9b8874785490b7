"""Is the broker reachable, is everything there as it must be, and does anything wait for a person?"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from gateway.config import RabbitSettings
from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.insist import BROKEN
from gateway.engines.rabbitmq.queues import connect
from gateway.engines.rabbitmq.topology import DEAD_SUBMIT, SHARED, Topology, differences, queues_of
from gateway.model.agency import QueueUse
from gateway.model.identifiers import OfficeId


async def check_broker(settings: RabbitSettings, offices: Mapping[OfficeId, QueueUse]) -> list[tuple[str, str, str]]:
    """(what, `ok`, `warning` or `wrong`, remedy) for every broker and everything that differs. Changes nothing."""
    found: list[tuple[str, str, str]] = []
    is_compared = False
    for address in addresses(settings):
        name = f"RabbitMQ {address.host}:{address.port}"
        try:
            connection = await connect(address, settings.heartbeat_seconds)
        except BROKEN:
            found.append((f"{name} does not answer", "warning", "is it running, are user, password and vhost right?"))
            continue
        found.append((f"{name} answers", "ok", ""))
        async with connection:
            if is_compared:
                continue
            is_compared = True
            specs = [spec for office, use in offices.items() for spec in queues_of(office, use, settings)]
            queues = (*SHARED.queues, *specs)
            differing = await differences(connection, Topology(SHARED.exchanges, queues))
            for one, how in differing:
                found.append((f"{one}: {how}", "warning" if how == "missing" else "wrong", _REMEDIES[how]))
            if not differing:
                found.append(
                    (f"{len(queues)} queues and {len(SHARED.exchanges)} exchanges are as they must be", "ok", "")
                )
            with suppress(*BROKEN):
                channel = await connection.channel()
                waiting = (await channel.declare_queue(DEAD_SUBMIT, passive=True)).declaration_result.message_count or 0
                if waiting:
                    found.append(
                        (f"{waiting} submissions were set aside", "warning", f"look into the queue {DEAD_SUBMIT}")
                    )
    if not is_compared:
        found.append(("no broker answers", "wrong", "offices with queues wait; nothing is lost meanwhile"))
    return found


_REMEDIES = {
    "missing": "start the gateway: it makes what is missing",
    "differs": "delete it once no gateway runs; the next start makes it anew and fills it from the store",
}

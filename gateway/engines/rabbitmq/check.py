"""Is the broker reachable, is everything there as it must be, and does anything wait for a person?"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from gateway.config import RabbitSettings
from gateway.engines.rabbitmq.address import addresses
from gateway.engines.rabbitmq.insist import BROKEN
from gateway.engines.rabbitmq.management import CheckedOut, Management
from gateway.engines.rabbitmq.queues import connect
from gateway.engines.rabbitmq.stranded import Stranded
from gateway.engines.rabbitmq.topology import DEAD_SUBMIT, SHARED, Topology, differences, queues_of
from gateway.model.agency import QueueUse
from gateway.model.errors import Unavailable
from gateway.model.identifiers import OfficeId
from gateway.ports.agency_queues import reader_of

LOOKS, BETWEEN_LOOKS_SECONDS = 3, 6.0  # what is counted is up to five seconds old
Finding = tuple[str, str, str]


async def check_broker(settings: RabbitSettings, offices: Mapping[OfficeId, QueueUse]) -> list[Finding]:
    """(what, `ok`, `warning` or `wrong`, remedy) for every broker and everything that differs. Changes nothing."""
    found: list[Finding] = []
    is_compared, queues = False, SHARED.queues
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
    return [*found, *await _counted(settings, {spec.name for spec in queues})]


async def _counted(settings: RabbitSettings, queues: Collection[str]) -> list[Finding]:
    """What only the management plugin knows: where queues have no member running, and who has what they handed over."""
    management = Management(settings.management, addresses(settings)[0])
    try:
        placed = await management.placed()
        stranded, count = Stranded(LOOKS), await management.checked_out(queues)
        nobody_has = stranded.look(count)
        for _ in range(LOOKS - 1):
            if not any(one.out > one.held for one in count.values()):
                break
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
            count = await management.checked_out(queues)
            nobody_has = stranded.look(count)
    except Unavailable as away:
        return [(away.message, "warning", away.remedy or "")]
    found = [("the management plugin answers", "ok", "")]
    without = defaultdict[str, list[str]](list)
    for name, one in sorted(placed.items()):
        for broker in one.missing if name in queues else ():
            without[broker].append(name)
    for broker, names in sorted(without.items()):
        which = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        what = f"{len(names)} queues have no member running on {broker}: {which}"
        found.append((what, "warning", "start that broker, or start it again: messages may be handed over to nobody"))
    return [*found, *_handed_over(count, nobody_has)]


def _handed_over(count: Mapping[str, CheckedOut], nobody_has: Mapping[str, int]) -> Iterator[Finding]:
    for name, one in sorted(count.items()):
        if name in nobody_has:
            remedy = "the gateway frees them within minutes; if they stay, start the brokers again, one after the other"
            yield f"{name}: {nobody_has[name]} messages handed over, and nobody has them", "warning", remedy
        elif reader_of(name) is not None:
            yield f"{name}: the office holds {one.out} messages unacknowledged", "ok", ""


_REMEDIES = {
    "missing": "start the gateway: it makes what is missing",
    "differs": "delete it once no gateway runs; the next start makes it anew and fills it from the store",
}
